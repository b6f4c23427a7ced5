"""What RQ runs: doorways. No arguments, no state; the rows say what is to be done."""

from __future__ import annotations

import time
from datetime import timedelta

import structlog

from impact_app.ledger.vault import Unreadable
from impact_app.pipeline.forget import expire_bodies
from impact_app.pipeline.promo_codes import refresh
from impact_app.pipeline.reconcile import DAILY, HOURLY
from impact_app.pipeline.sweep import sweep as sweep_line
from impact_app.wiring import services

log = structlog.get_logger()

#: One job works this long, then makes room for the other queues and is woken again.
TURN = timedelta(seconds=20)

#: A reconciliation may take this long, since it waits for two others' rate limits.
RECONCILING = timedelta(minutes=8)

#: A call due this soon is waited for within the job.
SHORT_WAIT = timedelta(seconds=3)


def process() -> None:
    """Work through the inbox."""
    line = services()
    line.wake.heard("process")
    if line.processor.drain(line.clock() + TURN):
        line.wake.soon("deliver")
        _come_back_for_clicks()
    if line.inbox.has_due(line.clock()):
        line.wake.soon("process")


def deliver() -> None:
    """Work through the outbox, and come back when the next call is due."""
    line = services()
    line.wake.heard("deliver")
    until = line.clock() + TURN
    while True:
        line.deliverer.drain(until)
        now = line.clock()
        due = line.outbox.next_due(now)
        if due is None or due - now > SHORT_WAIT or due >= until:
            break
        # An account that rests for a moment is waited for here: going through the queue takes longer.
        time.sleep((due - now).total_seconds() + 0.01)
    _come_back_for_steps()
    if line.verifier.has_due():
        line.wake.soon("verify")


def verify() -> None:
    """Read back what impact.com made of the conversions it accepted."""
    line = services()
    line.wake.heard("verify")
    line.verifier.drain(line.clock() + TURN)
    if line.verifier.has_due():
        line.wake.soon("verify")


def review() -> None:
    """Judge anew what changed settings may have freed, and what a click was found for or waited for."""
    line = services()
    line.wake.heard("review")
    until = line.clock() + TURN
    if line.reviewer.drain(until) + line.joiner.drain(until):
        line.wake.soon("deliver")
    if line.reviewer.has_due():
        line.wake.soon("review")
    _come_back_for_clicks()


def sweep() -> None:
    """Free what dead processes held, and wake the queues that have work."""
    line = services()
    line.wake.heard("sweep")
    swept = sweep_line(line.inbox, line.outbox, line.clock)
    if swept.has_due_deliveries:
        line.wake.soon("process")
    if line.reviewer.has_due():
        line.wake.soon("review")
    if line.verifier.has_due():
        line.wake.soon("verify")
    if line.watcher.has_untold() or line.messenger.has_due():
        line.wake.soon("notify")
    for stale in (line.inbox.next_stale(), line.outbox.next_stale()):
        if stale is not None:
            # Whose worker died is known the moment its claim grows stale, not at the next full minute.
            line.wake.at("sweep", stale + timedelta(seconds=1))
    _come_back_for_steps()
    _come_back_for_clicks()
    if line.capture is not None and line.capture.has_due():
        line.wake.soon("capture")


def capture() -> None:
    """Set up the storefronts that are due: the script's settings and the web pixel; look whether it is on."""
    line = services()
    line.wake.heard("capture")
    if line.capture is None:
        return
    until = line.clock() + TURN
    line.capture.drain(until)
    line.capture.look(until)
    if line.capture.has_due():
        line.wake.soon("capture")


def watch() -> None:
    """Decide which alerts begin and end, and send what there is to tell."""
    line = services()
    line.watcher.check()
    line.wake.soon("notify")


def notify() -> None:
    """Send messages to people, and come back when the next one is due."""
    line = services()
    line.wake.heard("notify")
    line.watcher.announce()
    line.messenger.drain(line.clock() + TURN)
    due = line.messages.next_due()
    if due is not None:
        line.wake.at("notify", max(due, line.clock()))


def daily() -> None:
    """Let what has served its time expire, learn the promo codes partners own, take up a new SECRET_KEY."""
    line = services()
    expire_bodies(line.database, line.clock())
    line.clicks.expire(line.clock())
    line.messages.expire(line.clock())
    try:
        line.stores.renew_secrets()
        line.channels.renew_secrets()
    except Unreadable as fault:
        log.error("secrets.not_renewed", fault=str(fault))  # noqa: TRY400 - the sentence says it all
    refresh(line.stores, line.impact, line.clock())
    _reconcile(DAILY)


def hourly() -> None:
    """Keep platform tokens alive that would run out unused; look for events that a platform has given up."""
    line = services()
    line.wake.soon("reconcile")
    if line.saleor_missed.sweep():
        line.wake.soon("process")
    if line.config.shopify is not None:
        line.tokens.refresh_idle(line.clock())


def _come_back_for_clicks() -> None:
    line = services()
    due = line.joiner.next_due()
    if due is None:
        return
    if due <= line.clock():
        line.wake.soon("review")
    else:
        line.wake.at("review", due)


def reconcile() -> None:
    """Look for orders nobody told us of, and hold the books of the last days against impact.com's."""
    _reconcile(HOURLY)


def _reconcile(reach: timedelta) -> None:
    line = services()
    line.wake.heard("reconcile")
    reports = line.reconciler.run(reach=reach, until=line.clock() + RECONCILING)
    line.wake.soon("deliver")
    if any(one.is_unfinished for one in reports):
        line.wake.soon("reconcile")
    elif any(one.is_put_off for one in reports):
        line.wake.at("reconcile", line.clock() + timedelta(minutes=2))


def _come_back_for_steps() -> None:
    line = services()
    now = line.clock()
    due = line.outbox.next_due(now)
    if due is None:
        return
    if due <= now:
        line.wake.soon("deliver")
    else:
        line.wake.at("deliver", due)
