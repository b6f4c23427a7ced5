"""Alerts: raised once, said once, over once, whatever dies in between; in money, and to the right people."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from impact_app.config import Config
from impact_app.domain.alerts import Cause
from impact_app.domain.messages import Digest
from impact_app.domain.plan import Reported
from impact_app.ledger import alerts as alert_rows
from impact_app.ledger.codec import reported_value
from impact_app.ledger.messages import LEASE
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import alerts, channels, conversions, deliveries, messages, orders, stores
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.orders import refund
from impact_app.simulator.shopify.store import PretendStore
from impact_app.stores.shopify.install import SCOPES
from impact_app.stores.shopify.storefront import EMBED
from impact_app.wiring import Services
from tests.histories.wires import Killed, Switch
from tests.line import OTHER_SHOP, SECRET, SHOP, Bench, Clock, both_databases
from tests.pipeline.test_backfill import Past
from tests.pipeline.test_reconcile import ready, reconciled
from tests.recipients import Hook, Mailbox, mail_server, text_of, webhook

ANN, BEN = "ann@shop.test", "ben@other.test"


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mail_server(tmp_path) as box:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        yield box


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as running:
        yield running


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    store = PretendStore(domain=SHOP, client_id="client-id", client_secret=SECRET, scopes=SCOPES, now=clock)
    with running_admin(store) as running:
        yield running


@pytest.fixture
def config(config: Config, mailbox: Mailbox, hook: Hook, admin: RunningAdmin) -> Config:
    assert config.shopify is not None
    shopify = replace(config.shopify, admin_url=admin.admin_url)
    return replace(config, mail=mailbox.config, webhook_origins=(hook.origin,), shopify=shopify)


def tell(bench: Bench, store: Store, *addresses: str, url: str = "", digest: Digest = Digest.NONE) -> None:
    """Have a store's alerts sent there."""
    until = bench.clock().date() - timedelta(days=1)
    bench.line.channels.save(store.id, addresses, url, digest, until)


def look(bench: Bench) -> int:
    """One hourly look, and everything due sent; how many messages went out."""
    bench.line.watcher.check()
    return bench.line.messenger.drain(bench.turn)


def causes(bench: Bench, store: Store) -> list[tuple[Cause, str]]:
    return [(one.cause, one.subject) for one in bench.line.alerts.open(store.id)]


def fill(bench: Bench, store: Store, moments: list[datetime], **columns: Any) -> None:
    """Orders of 50.00 EUR each, placed at these moments, as the line leaves them."""
    first = bench.count(orders)
    rows = [
        {
            "store_id": store.id,
            "order_key": f"{first + at}",
            "number": f"{first + at}",
            "placed_at": moment,
            "placed_on": moment.date(),
            "changed_at": moment,
            "snapshot": "{}",
            "verdict": "withheld",
            "reason": "no_click_or_code",
            "detail": "",
            "evidence": {},
            "rules_version": 1,
            "net_minor": 50_00,
            "currency": "EUR",
            "created_at": moment,
            "judged_at": moment,
            **columns,
        }
        for at, moment in enumerate(moments)
    ]
    with bench.line.database.write() as connection:
        connection.execute(orders.insert(), rows)


def deliver_at(bench: Bench, moment: datetime) -> None:
    with bench.line.database.write() as connection:
        connection.execute(
            deliveries.insert().values(
                platform="shopify",
                domain=SHOP,
                topic="orders/paid",
                delivery_key=moment.isoformat(),
                received_at=moment,
                not_before=moment,
                state="settled",
                reason="judged",
            )
        )


@both_databases
def test_refused_credentials_are_told_in_money_once_and_their_end_once(
    bench: Bench, mailbox: Mailbox, hook: Hook
) -> None:
    store = bench.connect()
    tell(bench, store, ANN, url=hook.url)
    bench.network.faults.script("401")
    for _ in range(3):
        bench.pay()
    bench.run()

    assert look(bench) == 2
    (mail,), (text,) = mailbox.mails, hook.texts
    # three orders of 100.00
    assert "3 orders, 300.00 USD wait." in text_of(mail)
    assert "3 orders, 300.00 USD wait." in text
    assert (mail["To"], mail["From"]) == (ANN, "Impact <alerts@app.test>")
    assert mail["Subject"] == f"{SHOP}: impact.com refuses the account"
    assert "401" not in text_of(mail)
    assert f"/stores/{store.id}/alerts" in text_of(mail)
    bench.clock.advance(hours=1)
    assert look(bench) == 0

    bench.configure(store)
    bench.run()
    # It must have been well for an hour.
    assert look(bench) == 0
    bench.clock.advance(hours=1)
    assert look(bench) == 2
    assert mailbox.subjects[1] == f"{SHOP}: over: impact.com refuses the account"
    bench.clock.advance(hours=1)
    assert look(bench) == 0
    (row,) = bench.rows(alerts)
    assert row.over_at == bench.clock() - timedelta(hours=1)


@both_databases
def test_orders_that_need_attention_are_one_alert_a_reason(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    bench.network.faults.script("400", "400")
    bodies = [bench.pay(), bench.pay()]
    bench.run()

    assert look(bench) == 1
    # two orders of 100.00
    assert "2 orders, 200.00 USD wait: impact.com refused a field" in text_of(mailbox.mails[0])
    bench.network.faults.script("400")
    bodies.append(bench.pay())
    bench.run()
    assert look(bench) == 0
    (alert,) = bench.line.alerts.open(store.id)
    assert alert.money == "3 orders, 300.00 USD"

    for body in bodies:
        bench.line.replay(store.id, str(body["id"]))
    bench.run()
    assert look(bench) == 0
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    bench.clock.advance(minutes=59)
    # It came back before the hour was over, so it never ended.
    assert look(bench) == 0
    bench.clock.advance(hours=2)
    assert look(bench) == 0
    assert len(mailbox.mails) == 1
    assert causes(bench, store) == [(Cause.ATTENTION, "invalid_field")]


@both_databases
def test_a_store_that_falls_silent_is_told_of_until_something_arrives(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    # 6 orders in each hour from 8 to 20, for four weeks up to today, 11:00
    now = bench.clock()
    hours = (now - timedelta(hours=back) for back in range(1, 30 * 24))
    day = [hour for hour in hours if 8 <= hour.hour < 20]
    fill(bench, store, [hour + timedelta(minutes=10 * at) for hour in day for at in range(6)])
    deliver_at(bench, now - timedelta(minutes=10))

    assert look(bench) == 0
    bench.clock.advance(hours=1)
    # 7 orders are missing after 70 minutes: not yet too many
    assert look(bench) == 0
    bench.clock.advance(hours=1)
    assert look(bench) == 1
    # 130 minutes at 6 orders an hour, 50.00 each
    assert "about 13 orders, 650.00 EUR" in text_of(mailbox.mails[0])
    bench.clock.advance(hours=1)
    assert look(bench) == 0
    deliver_at(bench, bench.clock())
    bench.clock.advance(minutes=5)
    assert look(bench) == 1
    assert "over" in mailbox.subjects[1]
    bench.clock.advance(minutes=5)
    assert look(bench) == 0
    assert causes(bench, store) == []


@both_databases
def test_a_quiet_night_and_a_young_store_alarm_nobody(bench: Bench) -> None:
    store, young = bench.connect(), bench.connect(OTHER_SHOP)
    for one in (store, young):
        tell(bench, one, ANN)
    end = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)
    hours = (end - timedelta(hours=back) for back in range(1, 30 * 24))
    day = [hour for hour in hours if 8 <= hour.hour < 20]
    fill(bench, store, [hour + timedelta(minutes=10 * at) for hour in day for at in range(6)])
    # many orders, of the last ten days only
    fill(bench, young, [hour for hour in day if hour > end - timedelta(days=10) for _ in range(6)])
    deliver_at(bench, end)
    bench.clock.now = end
    for _ in range(12):
        bench.clock.advance(hours=1)
        assert look(bench) == 0
    assert bench.count(alerts) == 0


@both_databases
def test_orders_near_the_age_limit_and_the_locking_date(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    now = bench.clock()
    waits = {"verdict": "waiting", "reason": "server_error"}
    fill(bench, store, [now - timedelta(days=82), now - timedelta(days=83)], **waits)
    fill(bench, store, [now - timedelta(days=50)], **waits)
    # past the limit already, and one that waits for nothing
    fill(bench, store, [now - timedelta(days=89)], **waits)
    fill(bench, store, [now - timedelta(days=82)])
    changed = bench.rows(orders, orders.c.placed_at == now - timedelta(days=50))[0]
    with bench.line.database.write() as connection:
        connection.execute(
            conversions.insert().values(
                order_row_id=changed.id,
                account_sid="IR1",
                event_type_id="1",
                network_order_id="1",
                reported=reported_value(Reported("1", "1", "1", "EUR", ())),
                accepted_at=now,
                changed_at=now,
                locking_date=now + timedelta(days=2),
            )
        )

    assert look(bench) == 2
    told = {mail["Subject"].split(": ")[1]: text_of(mail) for mail in mailbox.mails}
    # two of 50.00, and one of 50.00 of which impact.com holds nothing
    assert (
        "2 orders, 100.00 EUR: the 88 days end" in told["Orders are about to become too old to be reported"]
    )
    locked = told["Orders are about to be locked with a change that was not sent"]
    assert "1 order, 50.00 EUR: impact.com locks them within 3 days" in locked

    with bench.line.database.write() as connection:
        connection.execute(orders.update().values(verdict="reported", reason="accepted"))
    assert look(bench) == 2
    assert causes(bench, store) == []


@both_databases
def test_limits_are_told_of_orders_as_the_line_leaves_them(bench: Bench, mailbox: Mailbox) -> None:
    """One that impact.com did not take in time, and one whose refund it did not."""
    store = bench.connect()
    tell(bench, store, ANN)
    bench.network.faults.script("500_before")
    late = bench.pay(processed_at=bench.clock() - timedelta(days=82))
    bench.run()
    assert bench.verdict(late) == ("waiting", "server_error")
    assert look(bench) == 1
    # one order of 100.00
    assert "1 order, 100.00 USD: the 88 days end within 7 days." in text_of(mailbox.mails[0])
    bench.clock.advance(hours=1)
    bench.run()
    assert look(bench) == 1
    assert mailbox.subjects[1].startswith(f"{SHOP}: over: ")

    body = bench.pay()
    bench.run()
    bench.clock.advance(hours=7)
    bench.line.verifier.drain(bench.turn)
    (locked,) = [
        one.locking_date for one in bench.rows(conversions) if one.network_order_id == str(body["id"])
    ]
    bench.clock.now = locked - timedelta(days=2)
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.network.faults.script("500_before")
    bench.deliver_body("orders/updated", less)
    bench.run()
    assert bench.verdict(body) == ("waiting", "server_error")
    assert look(bench) == 1
    # impact.com holds 100.00 of what was all given back
    assert "1 order, 100.00 USD: impact.com locks them within 3 days." in text_of(mailbox.mails[2])
    bench.clock.advance(hours=1)
    bench.run()
    assert look(bench) == 1
    assert causes(bench, store) == []


@both_databases
def test_a_fallen_capture_rate_is_told_and_its_return(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    now = bench.clock()
    usual = [now - timedelta(days=back) for back in range(3, 31) for _ in range(10)]
    with_click = {"carrier": "cart_attribute", "verdict": "reported", "reason": "accepted"}
    fill(bench, store, usual, **with_click)
    fill(bench, store, usual)
    recent = [now - timedelta(days=back) for back in (0, 1, 2) for _ in range(20)]
    fill(bench, store, recent)
    deliver_at(bench, now)

    assert look(bench) == 1
    # half of 60 orders usually carry a click, at 50.00 each
    assert "about 30 orders, 1,500.00 EUR would have" in text_of(mailbox.mails[0]).replace("About", "about")
    bench.clock.advance(days=3)
    deliver_at(bench, bench.clock())
    assert look(bench) == 0
    back = [bench.clock() - timedelta(days=ago) for ago in (0, 1, 2) for _ in range(20)]
    fill(bench, store, back, **with_click)
    assert look(bench) == 1
    assert causes(bench, store) == []


@both_databases
def test_the_pixel_is_told_of_once_it_is_known_to_be_off(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    fill(bench, store, [bench.clock()] * 3, carrier="cart_attribute", verdict="reported", reason="accepted")
    assert look(bench) == 0

    def connect(pixel: str | None) -> None:
        known = {"capture_checked_at": bench.clock(), "pixel_id": pixel}
        with bench.line.database.write() as connection:
            connection.execute(stores.update().values(**known))

    connect(None)
    assert look(bench) == 1
    # three orders of 50.00
    assert "3 orders, 150.00 EUR came with a click" in text_of(mailbox.mails[0])
    assert look(bench) == 0
    connect("1")
    assert look(bench) == 1
    assert causes(bench, store) == []


@both_databases
def test_an_embed_that_is_switched_off_is_told_once_in_money_and_its_end_once(
    bench: Bench, mailbox: Mailbox, hook: Hook, admin: RunningAdmin
) -> None:
    """The theme editor's switch, read by the line each hour; nothing is known until it was read."""
    pretend, capture = admin.store, bench.line.capture
    assert capture is not None
    store = bench.line.tokens.connect_with_code(SHOP, pretend.tokens.code(pretend.scopes))
    tell(bench, store, ANN, url=hook.url)
    capture.drain(bench.turn)
    now = bench.clock()
    with_click = {"carrier": "cart_attribute", "verdict": "reported", "reason": "accepted"}
    before = [now - timedelta(days=back) for back in range(1, 29)]
    fill(bench, store, before, **with_click)
    fill(bench, store, before)
    assert look(bench) == 0

    pretend.theme.switch(EMBED, is_on=True)
    assert capture.look(bench.turn) == 1
    assert look(bench) == 0
    pretend.theme.switch(EMBED, is_on=False)
    # It is looked at each hour.
    assert capture.look(bench.turn) == 0
    bench.clock.advance(hours=1)
    assert capture.has_due()
    assert capture.look(bench.turn) == 1
    off_since = bench.clock()
    assert look(bench) == 2
    assert mailbox.subjects == [f"{SHOP}: The app embed is switched off"]
    first = text_of(mailbox.mails[0])
    assert f"Known to be off since {off_since:%d %b %Y, %H:%M} UTC. No order came since." in first
    assert "Usually 50.0% of the orders carry one; those will not be credited." in first

    bench.clock.advance(minutes=30)
    fill(bench, store, [bench.clock()] * 6)
    # no visit brought this one
    fill(bench, store, [bench.clock()], reason="point_of_sale")
    assert look(bench) == 0
    (alert,) = bench.line.alerts.open(store.id)
    # half of 6 orders usually carry a click, at 50.00 each
    assert alert.money == "about 3 orders, 150.00 EUR"
    assert "6 orders, 300.00 EUR came without a click since." in alert.words

    pretend.theme.switch(EMBED, is_on=True)
    bench.clock.advance(hours=1)
    assert capture.look(bench.turn) == 1
    assert look(bench) == 2
    assert mailbox.subjects[1] == f"{SHOP}: over: The app embed is switched off"
    assert "about 3 orders, 150.00 EUR are not credited" in text_of(mailbox.mails[1])
    assert len(hook.texts) == 2
    assert causes(bench, store) == []


@both_databases
def test_what_others_raise_is_told_and_what_ended_unheard_is_not(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    now, database = bench.clock(), bench.line.database
    with database.write() as connection:
        assert alert_rows.raise_(connection, store.id, Cause.BALANCE, "19", "1 is missing.", "1 order", now)
        assert not alert_rows.raise_(connection, store.id, Cause.BALANCE, "19", "Two are.", "2 orders", now)
        assert alert_rows.raise_(connection, store.id, Cause.BALANCE, "20", "Three are.", "3 orders", now)
        assert alert_rows.raise_(connection, store.id, Cause.DRIFT, "", "Short.", "", now)
        assert alert_rows.over(connection, store.id, Cause.DRIFT, "", now)
        assert not alert_rows.over(connection, store.id, Cause.DRIFT, "", now)
    assert bench.line.watcher.has_untold()
    bench.line.watcher.announce()
    assert not bench.line.watcher.has_untold()
    assert bench.line.messenger.drain(bench.turn) == 1
    # one message for the cause, whatever it is about
    assert text_of(mailbox.mails[0]).startswith("Two are. (2 orders)\r\nThree are. (3 orders)\r\n\r\n")
    assert look(bench) == 0
    with database.write() as connection:
        assert alert_rows.over(connection, store.id, Cause.BALANCE, "19", now)
    assert look(bench) == 1
    assert look(bench) == 0


@both_databases
def test_a_balance_that_does_not_close_is_told_in_money_and_its_end(
    bench: Bench, admin: RunningAdmin, mailbox: Mailbox
) -> None:
    """Orders that the store counts and never told of; the reconciliation finds them, the look tells."""
    past = Past(bench, admin)
    ready(past)
    store = bench.line.stores.find("shopify", SHOP)
    assert store is not None
    tell(bench, store, ANN)
    bench.clock.advance(days=2)
    past.sold("10.00", days_ago=1)
    past.sold("30.00", days_ago=1)
    for _ in range(2):
        hidden = past.sold("5.00", days_ago=1)
        hidden["updated_at"] = (bench.clock() - timedelta(days=40)).isoformat()
        past.pretend.add_order(hidden)
    reconciled(bench)
    bench.run()
    for _ in range(2):
        reconciled(bench)
    # Two clocks at once
    with ThreadPoolExecutor(2) as threads:
        for one in [threads.submit(bench.line.watcher.check) for _ in range(2)]:
            one.result()
    assert bench.line.messenger.drain(bench.turn) == 1
    # two orders at the mean of 10.00 and 30.00
    assert "(about 2 orders, 40.00 USD)" in text_of(mailbox.mails[0])
    assert mailbox.subjects == [f"{SHOP}: The daily balance does not close"]
    reconciled(bench, since=bench.clock() - timedelta(days=50))
    assert look(bench) == 1
    assert mailbox.subjects[1] == f"{SHOP}: over: The daily balance does not close"
    assert look(bench) == 0


@both_databases
def test_a_store_that_fails_keeps_no_other_from_its_turn(bench: Bench, mailbox: Mailbox) -> None:
    store, other = bench.connect(), bench.connect(OTHER_SHOP)
    tell(bench, store, BEN)
    tell(bench, other, ANN)
    fill(bench, store, [bench.clock()], verdict="unheard of")
    with bench.line.database.write() as connection:
        alert_rows.raise_(connection, other.id, Cause.DRIFT, "", "Differs.", "", bench.clock())
    with capture_logs() as logged:
        assert look(bench) == 1
    assert [entry["store"] for entry in logged if entry["event"] == "store.not_watched"] == [store.id]
    assert [mail["To"] for mail in mailbox.mails] == [ANN]


@both_databases
def test_each_store_hears_of_itself_alone(bench: Bench, mailbox: Mailbox) -> None:
    store, other = bench.connect(), bench.connect(OTHER_SHOP)
    tell(bench, store, ANN)
    tell(bench, other, BEN)
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    assert look(bench) == 1
    assert [mail["To"] for mail in mailbox.mails] == [ANN]
    assert causes(bench, other) == []


@both_databases
def test_two_who_look_at_once_say_it_once(bench: Bench, mailbox: Mailbox) -> None:
    store = bench.connect()
    tell(bench, store, ANN)
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    with ThreadPoolExecutor(4) as threads:
        for one in [threads.submit(bench.line.watcher.check) for _ in range(8)]:
            one.result()
        for sent in [threads.submit(bench.line.messenger.drain, bench.turn) for _ in range(4)]:
            sent.result()
    assert (bench.count(alerts), bench.count(messages), len(mailbox.mails)) == (1, 1, 1)


def killed(config: Config, clock: Clock, at: int) -> bool:
    """A look by a process of its own that is killed at this statement or commit; False: it came through."""
    switch, line = Switch(), Services(config, clock)

    def tick(*_: object) -> None:
        switch.tick()

    for event in ("before_cursor_execute", "commit"):
        sa.event.listen(line.database.engine, event, tick)
    switch.arm(at)
    try:
        line.watcher.check()
        line.messenger.drain(clock() + timedelta(seconds=30))
    except Killed:
        return True
    finally:
        switch.revive()
        line.database.close()
    return False


@both_databases
def test_whoever_looks_may_be_killed_anywhere_and_each_thing_is_said_once(
    bench: Bench, mailbox: Mailbox, config: Config
) -> None:
    """Between finding out, writing it down, queueing the message, sending it and settling that."""
    store = bench.connect()
    tell(bench, store, ANN)
    bench.network.faults.script("400")
    body = bench.pay()
    bench.run()
    held = bench.rows(orders)[0]

    def heard() -> list[str]:
        """What somebody has read; the same message twice counts once."""
        bench.line.watcher.check()
        bench.clock.advance(seconds=LEASE.total_seconds())
        bench.line.messenger.drain(bench.turn)
        read = {mail["Message-ID"]: mail["Subject"].strip() for mail in mailbox.mails}
        mailbox.mails.clear()
        return list(read.values())

    about, at = f"{SHOP}: Orders need attention", 0
    while killed(config, bench.clock, at):
        assert heard() == [about]
        # It is over, and somebody is killed over that, too.
        repaired = {"verdict": "reported", "reason": "accepted"}
        with bench.line.database.write() as connection:
            connection.execute(orders.update().values(**repaired))
        bench.line.watcher.check()
        bench.clock.advance(hours=1)
        killed(config, bench.clock, at)
        assert heard() == [f"{SHOP}: over: Orders need attention"]
        with bench.line.database.write() as connection:
            connection.execute(orders.update().values(verdict=held.verdict, reason=held.reason))
        at += 1
    assert at > 20
    assert heard() == [about]
    assert bench.verdict(body) == ("attention", "invalid_field")


@both_databases
def test_a_message_outlives_whoever_was_sending_it(bench: Bench, mailbox: Mailbox, config: Config) -> None:
    """Killed after the server took it and before it was settled: it comes twice, and is known as the same."""
    store = bench.connect()
    tell(bench, store, ANN)
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    bench.line.watcher.check()
    (one,) = bench.line.messages.claim(5, bench.clock())
    mark = f"{one.id}.{one.created_at:%Y%m%d%H%M%S%f}"
    bench.line.messenger.send(store.id, one.channel, one.recipient, one.letter, mark)

    again = Services(config, bench.clock)
    assert again.messenger.drain(bench.turn) == 0
    bench.clock.advance(seconds=LEASE.total_seconds())
    assert again.messenger.drain(bench.turn) == 1
    again.database.close()
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1
    assert len(mailbox.mails) == 2
    assert [row.state for row in bench.rows(messages)] == ["sent"]


@both_databases
def test_what_is_not_taken_is_tried_again_and_given_up_after_a_day(
    bench: Bench, mailbox: Mailbox, hook: Hook
) -> None:
    store = bench.connect()
    tell(bench, store, ANN, url=hook.url)
    bench.network.faults.script("400")
    bench.pay()
    bench.run()
    mailbox.refusals = ["451 Later"] * 2
    hook.statuses = [500] * 100

    assert look(bench) == 0
    bench.clock.advance(seconds=59)
    assert bench.line.messenger.drain(bench.turn) == 0
    assert len(mailbox.refusals) == 1
    bench.clock.advance(seconds=1)
    assert bench.line.messenger.drain(bench.turn) == 0
    bench.clock.advance(minutes=2)
    assert bench.line.messenger.drain(bench.turn) == 1
    assert len(mailbox.mails) == 1
    with capture_logs() as logged:
        for _ in range(30):
            bench.clock.advance(hours=1)
            bench.line.messenger.drain(bench.turn)
    assert [row.state for row in bench.rows(messages)] == ["sent", "gave_up"]
    (line,) = [entry for entry in logged if entry["event"] == "message.gave_up"]
    assert line["fault"] == "The webhook did not take the message: it answered 500."
    assert hook.url not in str(logged)
    assert "very-secret" not in str(bench.rows(messages)) + str(bench.rows(channels))


def test_a_webhook_at_a_private_address_is_not_called(bench: Bench, hook: Hook) -> None:
    store = bench.connect()
    stranger = replace(bench.line.messenger, origins=())
    for host in ("127.0.0.1", "localhost"):
        tell(bench, store, url=hook.url.replace("127.0.0.1", host))
        with bench.line.database.write() as connection:
            alert_rows.raise_(connection, store.id, Cause.DRIFT, host, "Differs.", "", bench.clock())
        bench.line.watcher.announce()
        assert stranger.drain(bench.turn) == 0
    assert hook.texts == []
    assert {row.detail for row in bench.rows(messages)} == {
        "The webhook is at a private address, which is not called."
    }


@both_databases
def test_a_digest_tells_the_day_once_in_orders_and_money(bench: Bench, mailbox: Mailbox, hook: Hook) -> None:
    store = bench.connect()
    tell(bench, store, ANN, url=hook.url, digest=Digest.DAILY)
    placed = bench.clock()
    click = {"carrier": "cart_attribute", "partner_name": "Blog <b>"}
    fill(bench, store, [placed] * 3, verdict="reported", reason="credited", **click)
    fill(bench, store, [placed] * 2)
    deliver_at(bench, placed)
    assert look(bench) == 0
    bench.clock.now = datetime(2026, 11, 21, 5, 59, tzinfo=UTC)
    assert look(bench) == 0
    bench.clock.advance(minutes=1)
    assert look(bench) == 2
    text, html = text_of(mailbox.mails[0]), text_of(mailbox.mails[0], "html")
    assert mailbox.subjects == [f"{SHOP}: 20 Nov 2026"]
    # three and two orders of 50.00
    assert "all: 5 orders, 250.00 EUR" in text
    assert "reported: 3 orders, 150.00 EUR" in text
    assert "not reported: 2 orders, 100.00 EUR" in text
    assert "Blog <b>: 3 orders, 150.00 EUR" in text
    assert "Blog &lt;b&gt;" in html
    assert "Blog <b>" not in html
    assert "Blog &lt;b&gt;" in hook.texts[0]
    assert look(bench) == 0
    bench.clock.advance(days=1)
    assert look(bench) == 2
    assert mailbox.subjects[1] == f"{SHOP}: 21 Nov 2026"


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mail_server_that_cannot_prove_its_name_gets_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: Any, clock: Clock
) -> None:
    store = bench.connect()
    folder = tmp_path / "mail"
    folder.mkdir()
    with mail_server(folder, security) as box:
        line = Services(replace(bench.line.config, mail=box.config), clock)
        tell(bench, store, ANN)
        with line.database.write() as connection:
            alert_rows.raise_(connection, store.id, Cause.DRIFT, "", "Differs.", "", clock())
        line.watcher.announce()
        assert line.messenger.drain(bench.turn) == 0
        assert box.mails == []
        (row,) = bench.rows(messages)
        assert row.detail == "The mail server's certificate is not trusted, or is another host's."
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        clock.advance(minutes=1)
        assert line.messenger.drain(bench.turn) == 1
        assert box.subjects == [f"{SHOP}: impact.com holds other amounts than were reported"]
        line.database.close()


def test_a_wrong_mail_password_is_told_without_it(bench: Bench, mailbox: Mailbox, clock: Clock) -> None:
    store = bench.connect()
    wrong = replace(mailbox.config, password="wrong-password")
    line = Services(replace(bench.line.config, mail=wrong), clock)
    tell(bench, store, ANN)
    with line.database.write() as connection:
        alert_rows.raise_(connection, store.id, Cause.DRIFT, "", "Differs.", "", clock())
    line.watcher.announce()
    assert line.messenger.drain(bench.turn) == 0
    (row,) = bench.rows(messages)
    assert row.detail == "The mail server refused the user and password of SMTP_URL."
    assert mailbox.mails == []
    line.database.close()
