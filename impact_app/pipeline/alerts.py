"""Each hour: gather each store's facts, open and close its alerts, and queue the messages about them.

An alert and its message are told apart: the alert's row says whether its message was queued, and both are
written in one transaction. So whoever raised the alert, and wherever a process dies, it is said once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
import structlog

from impact_app.domain import alerts as decide
from impact_app.domain import messages as words
from impact_app.domain.alerts import CAUSES, LIMITS, Calm, Cause, Raised, Standing
from impact_app.domain.overview import Overview, Total
from impact_app.domain.plan import AGE_LIMIT
from impact_app.domain.reasons import Reason
from impact_app.ledger import alerts as alert_rows
from impact_app.ledger.alerts import Alert, Alerts
from impact_app.ledger.channels import Channels, told_until
from impact_app.ledger.database import Database
from impact_app.ledger.messages import queue
from impact_app.ledger.orders import Orders
from impact_app.ledger.overview import Overviews
from impact_app.ledger.stores import Store, Stores
from impact_app.ledger.watch import LOOKED_BACK, Watch

log = structlog.get_logger()

#: What holds a whole account.
_REFUSALS = {Reason.CREDENTIALS_REFUSED, Reason.NOT_ALLOWED}

#: Causes with any number of subjects: one that is not named any more is calm.
_SEVERAL = {Cause.CREDENTIALS, Cause.ATTENTION}

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Watcher:
    """Looks at every connected store. `base_url`: where the pages are, for the links in messages."""

    database: Database
    stores: Stores
    orders: Orders
    overviews: Overviews
    channels: Channels
    base_url: str
    clock: Callable[[], datetime]

    def check(self) -> None:
        """Look at every store, and queue what there is to tell; safe to repeat, and to run twice at once."""
        for store in self.stores.all():
            if store.state == "connected":
                self._look_at(store)

    def _look_at(self, store: Store) -> None:
        """A fault of one store keeps no other from its turn."""
        try:
            self._check(store)
            self._tell(store)
            self._digest(store)
        except sa.exc.OperationalError:
            raise
        except Exception:
            log.exception("store.not_watched", store=store.id)

    def announce(self) -> None:
        """Queue the messages about alerts that nobody was told of, whoever raised them."""
        for store_id in Alerts(self.database).untold_stores():
            store = self.stores.get(store_id)
            if store is not None:
                self._tell(store)

    def has_untold(self) -> bool:
        return bool(Alerts(self.database).untold_stores())

    def link(self, store: Store) -> str:
        """Where a store's alerts are to be seen."""
        return f"{self.base_url}/stores/{store.id}/alerts"

    def _check(self, store: Store) -> None:
        now = self.clock()
        known = Alerts(self.database).open(store.id)
        standings = list(self._standings(store, known, now))
        with self.database.write() as connection:
            named = self._raise(connection, store, standings, now)
            for one in alert_rows.open_of(connection, store.id):
                key = one.cause, one.subject
                gone = one.cause in _SEVERAL and key not in named
                if gone or Calm(*key) in standings:
                    _end(connection, one, now)

    def _raise(
        self, connection: sa.Connection, store: Store, standings: Iterable[Standing], now: datetime
    ) -> set[tuple[Cause, str]]:
        named = set()
        for one in standings:
            if isinstance(one, Raised):
                named.add((one.cause, one.subject))
                if alert_rows.raise_(connection, store.id, one.cause, one.subject, one.words, one.money, now):
                    log.warning("alert.raised", store=store.id, cause=one.cause.value, subject=one.subject)
        return named

    def _standings(self, store: Store, known: list[Alert], now: datetime) -> Iterable[Standing]:
        watch, held = Watch(self.database), self.orders.held(store.id)
        if store.account_sid:
            waiting = decide.of_reasons(held, _REFUSALS)
            yield decide.credentials(store.account_sid, watch.held_reason(store.account_sid), waiting)
        yield from decide.attention(held)
        yield self._embed(watch, store, now)
        yield self._pixel(store, now.date())
        yield self._capture(store, _since(known, Cause.CAPTURE), now.date())
        yield _near_age(watch, store, now)
        yield _near_locking(watch, store, now)
        yield _silence(watch, store, _since(known, Cause.SILENCE), now)

    def _embed(self, watch: Watch, store: Store, now: datetime) -> Standing:
        known = store.embed
        if known.is_on is not False or known.changed_at is None:
            nothing = Overview(now.date(), now.date(), ())
            return decide.embed(known, nothing.all, nothing.capture, nothing)
        last = known.changed_at.date() - _DAY
        usual = self.overviews.of(store.id, last - (decide.USUAL_DAYS - 1) * _DAY, last)
        without, capture = watch.captured(store.id, known.changed_at, now)
        return decide.embed(known, without, capture, usual)

    def _pixel(self, store: Store, today: date) -> Standing:
        is_on = None if store.capture_checked_at is None else store.pixel_id is not None
        return decide.pixel(is_on, self.overviews.of(store.id, today - 6 * _DAY, today).with_click)

    def _capture(self, store: Store, raised_at: datetime | None, today: date) -> Standing:
        recent = self.overviews.of(store.id, today - (decide.RECENT_DAYS - 1) * _DAY, today)
        anchor = today if raised_at is None else max(raised_at.date(), today - decide.USUAL_DAYS * _DAY)
        last = anchor - decide.RECENT_DAYS * _DAY
        usual = self.overviews.of(store.id, last - (decide.USUAL_DAYS - 1) * _DAY, last)
        return decide.capture(recent, usual)

    def _tell(self, store: Store) -> None:
        now = self.clock()
        with self.database.write() as connection:
            begun, ended = alert_rows.untold(connection, store.id, now)
            if not begun and not ended:
                return
            to, link = self.channels.of_in(connection, store.id).destinations, self.link(store)
            letters = [
                *(words.raised(store.domain, cause, said, link) for cause, said in _by_cause(begun)),
                *(words.over(store.domain, cause, said, link) for cause, said in _by_cause(ended)),
            ]
            for letter in letters:
                queue(connection, store.id, to, letter, now)

    def _digest(self, store: Store) -> None:
        now = self.clock()
        with self.database.write() as connection:
            found = self.channels.of_in(connection, store.id)
            span = words.span(found.digest, found.digest_until, now)
            if span is None:
                return
            queue(connection, store.id, found.destinations, self._figures(store, *span), now)
            told_until(connection, store.id, span[1])

    def _figures(self, store: Store, first: date, last: date) -> words.Letter:
        partners = [
            (share.name, Total(share.orders, {share.currency: share.net_minor}))
            for share in self.overviews.partners(store.id, first, last)
        ]
        lasting = [
            f"{CAUSES[one.cause].title}: {words.sentence(one.words, one.money)}"
            for one in Alerts(self.database).open(store.id)
        ]
        found = self.overviews.of(store.id, first, last)
        return words.digest(store.domain, found, partners, lasting, self.link(store))


def _by_cause(told: Iterable[Alert]) -> Iterable[tuple[Cause, list[str]]]:
    """What there is to say of each cause, in one message however many subjects it has."""
    found: dict[Cause, list[str]] = {}
    for one in told:
        said = words.sentence(one.words, one.money)
        if one.over_at is not None:
            said = words.lasted(said, one.raised_at, one.over_at)
        found.setdefault(one.cause, []).append(said)
    return found.items()


def _end(connection: sa.Connection, one: Alert, now: datetime) -> None:
    """Close an alert once it has been calm for long enough."""
    if now - (one.calm_since or now) < CAUSES[one.cause].calm:
        alert_rows.calm(connection, one.store_id, one.cause, one.subject, now)
        return
    alert_rows.over(connection, one.store_id, one.cause, one.subject, now)
    log.info("alert.over", store=one.store_id, cause=one.cause.value, subject=one.subject)


def _since(known: Iterable[Alert], cause: Cause) -> datetime | None:
    return next((one.raised_at for one in known if one.cause is cause), None)


def _near_age(watch: Watch, store: Store, now: datetime) -> Standing:
    oldest = now - AGE_LIMIT
    near, far = (watch.growing_old(store.id, oldest, oldest + left) for left in LIMITS[Cause.AGE_LIMIT])
    return decide.near(Cause.AGE_LIMIT, near, far)


def _near_locking(watch: Watch, store: Store, now: datetime) -> Standing:
    near, far = (watch.being_locked(store.id, now, now + left) for left in LIMITS[Cause.LOCKING])
    return decide.near(Cause.LOCKING, near, far)


def _silence(watch: Watch, store: Store, raised_at: datetime | None, now: datetime) -> Standing:
    last = watch.last_delivery(store.platform, store.domain, now - LOOKED_BACK)
    # Silences shorter than the hour between two looks are not worth a look at the history.
    is_short = last is None or now - last < timedelta(hours=1)
    since = (last or now) - decide.RHYTHM
    history = [] if is_short else watch.hours(store.id, since, last or now)
    return decide.silence(history, last, now, raised_at)
