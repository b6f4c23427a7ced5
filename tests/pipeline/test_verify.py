"""Reading back: few calls for many orders, one by one only where needed, and never before a posting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from impact_app.http import Answer
from impact_app.ledger.tables import accounts, conversions, lookups, orders, steps
from impact_app.ledger.verification import LEASE, LOOKUPS_AN_HOUR
from impact_app.pipeline.verify import Verifier
from impact_app.simulator.network import Account, Campaign, EventType, Setup, Token, fault
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from impact_app.transports.api.lookups import Asks
from impact_app.transports.api.request import Call
from tests.line import OTHER_SHOP, START, TOKEN, Bench, both_databases
from tests.web.conftest import HTML, sign_in

#: Nobody is credited: the network knows no click of any order.
STRICT = Setup(rate_limit=None, strict_clicks=True)
SLOW = Setup(rate_limit=None, queue_seconds=60, processing_seconds=86_400)

Made = Callable[[Setup], Bench]


def look(bench: Bench, **later: float) -> int:
    """Let time pass and look up what is due; the number of calls made."""
    bench.clock.advance(**later)
    return bench.line.verifier.drain(bench.turn)


def asked(bench: Bench) -> list[str]:
    """Calls that read something back, by resource."""
    return [
        f"{'APISubmissions' if 'APISubmissions' in call.path else 'Actions'} {call.status}"
        for call in bench.network.books.calls()
        if call.method == "GET"
    ]


def row(bench: Bench, body: dict[str, Any]) -> Any:
    (found,) = bench.rows(
        conversions,
        conversions.c.order_row_id.in_(sa.select(orders.c.id).where(orders.c.order_key == str(body["id"]))),
    )
    return found


def detail(bench: Bench, body: dict[str, Any]) -> str:
    (found,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    return str(found.detail)


# Credited


@both_databases
def test_a_credited_order_names_its_partner(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert look(bench, minutes=20) == 0  # due on the half hour
    assert look(bench, minutes=10) == 1
    assert asked(bench) == ["Actions 200"]
    assert bench.verdict(body) == ("reported", "credited")
    assert detail(bench, body) == "Partner: Pretend Partner."
    found = row(bench, body)
    (action,) = bench.network.books.actions()
    assert (found.finding, found.finding_detail) == ("credited", "")
    assert (found.action_id, found.partner_id, found.partner_name) == (action.id, "20001", "Pretend Partner")
    assert (found.action_state, found.action_currency) == ("PENDING", "USD")
    assert (Decimal(found.action_amount), Decimal(found.payout)) == (Decimal("100.00"), Decimal("5.00"))
    assert found.locking_date == action.locking_date
    assert (found.checks, found.check_at, found.checked_at) == (1, None, bench.clock())
    assert look(bench, days=2) == 0


@both_databases
def test_three_hundred_orders_share_one_listing(bench: Bench) -> None:
    bench.connect()
    bodies = [bench.pay() for _ in range(300)]
    assert bench.run() == 300
    assert look(bench, minutes=30) == 1
    assert asked(bench) == ["Actions 200"]
    assert {bench.verdict(body) for body in bodies} == {("reported", "credited")}
    assert bench.count(conversions, conversions.c.check_at.is_not(None)) == 0
    assert look(bench, days=1) == 0


def test_a_listing_takes_as_many_calls_as_it_has_pages(bench: Bench) -> None:
    """2,100 actions stand in the window, of which one is ours: two pages."""
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    books = bench.network.books
    (known,) = books.actions()
    for number in range(2_099):
        again = replace(known.conversion, order_id=f"other-{number}")
        books.submit_conversion(books.setup.sid, again, "")
    assert look(bench, minutes=30) == 2
    assert bench.verdict(body) == ("reported", "credited")


def test_old_and_new_orders_have_a_window_each(bench: Bench) -> None:
    bench.connect()
    old = [bench.pay(processed_at=START - timedelta(days=60, hours=hour)) for hour in range(3)]
    new = [bench.pay() for _ in range(3)]
    assert bench.run() == 6
    assert look(bench, minutes=30) == 2
    assert {bench.verdict(body) for body in old + new} == {("reported", "credited")}


def test_every_campaign_of_an_account_is_listed(make_bench: Made) -> None:
    bench = make_bench(
        Setup(
            rate_limit=None,
            campaigns=(Campaign(), Campaign(2000, "Second")),
            event_types=(EventType(), EventType(5555, "Second Sale", 2000)),
        )
    )
    bench.connect(routes="sku=MUG -> 2000:5555")
    mug = bench.pay(LineSpec(sku="MUG", price=Decimal("10.00")))
    other = bench.pay()
    assert bench.run() == 2
    assert look(bench, minutes=30) == 2
    assert asked(bench) == ["Actions 200"] * 2
    assert [bench.verdict(body)[1] for body in (mug, other)] == ["credited"] * 2


def test_an_action_of_another_event_type_is_not_taken_for_ours(bench: Bench) -> None:
    """The same order id may stand under another event type."""
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    books = bench.network.books
    books.change_setup(replace(books.setup, event_types=(*books.setup.event_types, EventType(5555))))
    (known,) = books.actions()
    books.submit_conversion(books.setup.sid, replace(known.conversion, event_type_id=5555), "")
    assert look(bench, minutes=30) == 1
    assert row(bench, body).action_id == known.id


def test_of_two_actions_of_one_order_the_newer_counts(make_bench: Made) -> None:
    """Changes by order id reach the newer one, so that is the one to know."""
    bench = make_bench(Setup(rate_limit=None, duplicate_window_days=0))
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    books = bench.network.books
    (first,) = books.actions()
    bench.clock.advance(minutes=1)
    books.submit_conversion(books.setup.sid, first.conversion, "")
    assert look(bench, minutes=30) == 1
    assert row(bench, body).action_id == books.actions()[1].id != first.id


def test_the_command_line_shows_what_was_read_back(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    show = bench.client.application.test_cli_runner().invoke
    words = ["orders", "show", str(store.id), str(body["id"])]
    assert "  read back: no answer so far, last asked not yet.\n" in show(args=words).output
    assert look(bench, minutes=30) == 1
    (action,) = bench.network.books.actions()
    assert (
        f"  action {action.id}: credited, PENDING, partner Pretend Partner (20001), amount 100.0 USD, "
        "payout 5.0, locks 2026-12-28\n"
    ) in show(args=words).output
    told = json.loads(show(args=[*words, "--json"]).output)["read_back"]
    assert (told["partner_name"], told["payout"], told["state"]) == ("Pretend Partner", "5.0", "PENDING")


def test_the_order_page_shows_the_partner_and_until_when_it_can_be_changed(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    assert sign_in(bench.client).status_code == 303
    page = bench.client.get(f"/stores/{store.id}/orders/{body['id']}", headers=HTML).text
    held = page.split('id="held"', 1)[1].split("</section>", 1)[0]
    for shown in ("Pretend Partner", "5.00", "100.00", "Can be changed until", "2026-12-28"):
        assert shown in held


# Not credited


@both_databases
def test_nobody_to_pay_is_an_answer(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    body = bench.pay()
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert look(bench, minutes=45) == 2
    assert asked(bench) == ["Actions 200", "Actions 200", "APISubmissions 200"]
    assert bench.verdict(body) == ("reported", "not_credited")
    assert detail(bench, body) == "ACTION_REF_NOT_FOUND: No click of this id is known."
    found = row(bench, body)
    assert (found.finding, found.check_at, found.action_id) == ("not_credited", None, None)
    assert look(bench, days=3) == 0


def test_an_unchanged_order_keeps_what_was_found(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    nobody = bench.pay()
    assert bench.run() == 1
    bench.network.books.change_setup(Setup(rate_limit=None))
    somebody = bench.pay()
    assert bench.run() == 1
    look(bench, minutes=30)
    look(bench, minutes=45)
    for body, reason in ((nobody, "not_credited"), (somebody, "credited")):
        told = detail(bench, body)
        bench.deliver_body("orders/updated", {**body, "tags": "again"})
        assert bench.run() == 0
        assert bench.verdict(body) == ("reported", reason)
        assert detail(bench, body) == told != ""


CODES = [
    ("REFTYPE_NOT_ACCEPTED", "Contract Error", "contract", ("reported", "not_credited")),
    ("BLOCKED_BY_PROMOCODE", "Contract Error", "promo", ("reported", "not_credited")),
    ("NO_VALID_ACTION_REF", "Contract Error", "not_credited", ("reported", "not_credited")),
    ("CONV_MALFORMED", "Validation", "data", ("attention", "conversion_invalid")),
    ("ACTIONTRACKER_NOT_ACTIVE", "Validation", "configuration", ("attention", "program_invalid")),
    ("CONV_DUPLICATE", "Validation", "duplicate", ("reported", "accepted")),
]


@pytest.mark.parametrize(("code", "kind", "finding", "verdict"), CODES, ids=[case[0] for case in CODES])
def test_each_class_of_code_gives_the_order_its_verdict(
    make_bench: Made, code: str, kind: str, finding: str, verdict: tuple[str, str]
) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    body = bench.pay()
    assert bench.run() == 1
    (queued,) = bench.network.books.submissions()
    queued.error_type, queued.error_reason = kind, code
    look(bench, minutes=30)
    assert look(bench, minutes=45) == 2
    assert row(bench, body).finding == finding
    assert bench.verdict(body) == verdict
    assert detail(bench, body).startswith(f"{code}: ")


def test_a_reversed_order_stays_reversed_whatever_is_found(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.deliver_body("orders/cancelled", cancel(body))
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    assert bench.verdict(body) == ("reported", "reversed")
    found = row(bench, body)
    assert (found.finding, found.action_state) == ("credited", "REVERSED")


# Duplicates


def test_a_duplicate_is_success_and_finds_the_first_action(bench: Bench) -> None:
    """The answer got lost, so it was sent twice: the second submission says CONV_DUPLICATE."""
    bench.connect()
    body = bench.pay()
    bench.network.faults.script("500_after")
    assert bench.run() == 1
    bench.clock.advance(hours=1)
    assert bench.run() == 1
    assert [one.error_reason for one in bench.network.books.submissions()] == ["", "CONV_DUPLICATE"]
    assert look(bench, minutes=30) == 1
    assert asked(bench) == ["Actions 200"]
    assert bench.verdict(body) == ("reported", "credited")


# Slow, silent and refusing


def test_a_slow_network_is_asked_at_growing_gaps(make_bench: Made) -> None:
    """Processing takes a day. Looks at 0:30, 1:15, 2:45, 5:30, 11:00, 21:45 and 43:15; from the second on
    each is one listing and one submission, until the action is listed."""
    bench = make_bench(SLOW)
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    calls: list[tuple[float, int]] = []
    for _ in range(4 * 48):
        made = look(bench, minutes=15)
        if made:
            calls.append(((bench.clock() - START).total_seconds() / 3600, made))
    assert calls == [(0.5, 1), (1.25, 2), (2.75, 2), (5.5, 2), (11.0, 2), (21.75, 2), (43.25, 1)]
    assert bench.verdict(body) == ("reported", "credited")
    assert row(bench, body).checks == 7


def test_after_ninety_days_nothing_is_asked_any_more(bench: Bench) -> None:
    """impact.com has forgotten both the submission and the action."""
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.network.books.reset()
    while row(bench, body).check_at is not None:
        assert look(bench, hours=24) <= 2
        assert bench.clock() - START <= timedelta(days=91)
    assert bench.clock() - START >= timedelta(days=88)
    assert set(asked(bench)) == {"Actions 200", "APISubmissions 404"}
    assert (row(bench, body).finding, bench.verdict(body)) == (None, ("reported", "accepted"))
    assert look(bench, days=30) == 0


@both_databases
def test_a_full_hour_lets_the_account_rest(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.network.faults.script(fault("429_partner", seconds=600))
    assert look(bench, minutes=30) == 1
    (account,) = bench.rows(accounts)
    assert account.resume_at == bench.clock() + timedelta(seconds=600)
    assert row(bench, body).check_at == account.resume_at
    assert row(bench, body).checks == 0
    assert look(bench, seconds=599) == 0
    assert look(bench, seconds=2) == 1
    assert bench.verdict(body) == ("reported", "credited")


@pytest.mark.parametrize("name", ["500_before", "reset_before", "html_ok_after", "empty_ok_after"])
def test_no_answer_is_no_finding(bench: Bench, name: str) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    bench.network.faults.script(name)
    assert look(bench, minutes=30) == 1
    assert bench.verdict(body) == ("reported", "accepted")
    assert row(bench, body).finding is None
    assert row(bench, body).finding_detail.startswith("impact.com")
    assert look(bench, minutes=9) == 0
    assert look(bench, minutes=1) == 1
    assert bench.verdict(body) == ("reported", "credited")
    assert row(bench, body).finding_detail == ""


def test_a_token_that_may_not_read_holds_no_posting(bench: Bench) -> None:
    """The orders go on, the page says which scope is missing, and it is asked four times a day."""
    store = bench.connect()
    bench.configure(store, token="pretend-conversions-token")
    body = bench.pay()
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    assert asked(bench) == ["Actions 403"]
    assert "Actions (read) and Submissions (read)" in row(bench, body).finding_detail
    assert bench.verdict(body) == ("reported", "accepted")
    bench.pay()
    assert bench.run() == 1
    assert [account.held_reason for account in bench.rows(accounts)] == [None]
    bench.configure(store, token=TOKEN)
    assert look(bench, hours=6) == 1
    assert bench.verdict(body) == ("reported", "credited")


# Postings first


@both_databases
def test_nothing_is_looked_up_while_a_posting_is_due(bench: Bench) -> None:
    bench.connect()
    first = bench.pay()
    assert bench.run() == 1
    bench.clock.advance(minutes=30)
    second = bench.pay()
    assert bench.process() == 1
    assert bench.steps_of(second) == [("submit", "pending")]
    assert not bench.line.verifier.has_due()
    assert look(bench) == 0
    assert asked(bench) == []
    assert bench.deliver() == 1
    assert bench.line.verifier.has_due()
    assert look(bench) == 1
    assert bench.verdict(first) == ("reported", "credited")
    assert bench.verdict(second) == ("reported", "accepted")


def test_a_posting_that_comes_due_meanwhile_ends_the_looking(make_bench: Made) -> None:
    """Three orders are asked for singly; after the first of them an order is paid."""
    bench = make_bench(STRICT)
    bench.connect(send="all")
    for _ in range(3):
        bench.pay()
    assert bench.run() == 3
    assert look(bench, minutes=30) == 1
    bench.clock.advance(minutes=45)

    def pay_once(number: int) -> None:
        if number == 2:
            bench.pay()
            bench.process()

    verifier = replace(bench.line.verifier, api=Tapped(bench.line.impact, pay_once))
    assert verifier.drain(bench.turn) == 2
    assert asked(bench) == ["Actions 200"] * 2 + ["APISubmissions 200"]
    assert bench.deliver() == 1
    assert look(bench) == 3  # one listing, and the two that were left


def test_an_account_that_is_held_or_rests_is_not_asked(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert bench.run() == 1
    bench.clock.advance(minutes=30)
    for held in ({"held_reason": "credentials_refused"}, {"resume_at": bench.clock() + timedelta(minutes=1)}):
        with bench.line.database.write() as connection:
            connection.execute(sa.delete(accounts))
            connection.execute(sa.insert(accounts).values(sid=bench.network.books.setup.sid, **held))
        assert look(bench) == 0
        assert not bench.line.verifier.has_due()
    assert asked(bench) == []
    assert look(bench, minutes=1) == 1


def test_a_store_that_left_is_not_looked_up(bench: Bench) -> None:
    store = bench.connect()
    bench.pay()
    assert bench.run() == 1
    with bench.line.database.write() as connection:
        bench.line.stores.uninstall_in(connection, store.id, since=bench.clock(), now=bench.clock())
    assert look(bench, minutes=30) == 0
    assert asked(bench) == []
    bench.connect()
    assert look(bench) == 1


def test_one_account_in_trouble_does_not_stop_another(make_bench: Made) -> None:
    other = Account(sid="IRPretendNetworkAccount00000000002", number=10002, tokens=(Token("second-token"),))
    bench = make_bench(Setup(rate_limit=None, accounts=(Account(), other)))
    bench.connect()
    second = bench.line.stores.connect("shopify", OTHER_SHOP, None, now=bench.clock())
    bench.line.stores.save_settings(
        second.id,
        account_sid=other.sid,
        auth_token="second-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    first_body, second_body = bench.pay(), bench.pay(shop=OTHER_SHOP)
    assert bench.run() == 2
    bench.network.faults.script("500_before")
    assert look(bench, minutes=30) == 2
    assert sorted(bench.verdict(body)[1] for body in (first_body, second_body)) == ["accepted", "credited"]


# The budget


def test_an_hour_has_two_hundred_look_ups(make_bench: Made) -> None:
    """250 orders nobody is credited for: one listing, and 199 asked for; the rest an hour later."""
    bench = make_bench(STRICT)
    bench.connect(send="all")
    bodies = [bench.pay() for _ in range(250)]
    assert bench.run() == 250
    assert look(bench, minutes=30) == 1
    assert look(bench, minutes=45) == LOOKUPS_AN_HOUR - 1  # the look half an hour ago counts
    assert bench.count(lookups) == LOOKUPS_AN_HOUR
    known = [bench.verdict(body)[1] for body in bodies]
    assert known.count("not_credited") == LOOKUPS_AN_HOUR - 2
    assert look(bench, minutes=14) == 0
    # An hour after the first look one is free again; an hour after the others, all of them.
    assert look(bench, minutes=1) == 1
    assert look(bench, minutes=45) == 1 + 250 - 198
    assert {bench.verdict(body) for body in bodies} == {("reported", "not_credited")}
    assert len(asked(bench)) == 1 + 199 + 1 + 53


# Stopped on the way


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Tapped:
    """The real way to impact.com; after each answer somebody may act."""

    api: Asks
    after: Callable[[int], None]
    made: int = 0

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        answer = self.api.ask(call, account_sid, auth_token)
        self.made += 1
        self.after(self.made)
        return answer


def killing(bench: Bench, at: int) -> Verifier:
    def stop(number: int) -> None:
        if number == at:
            raise Killed

    return replace(bench.line.verifier, api=Tapped(bench.line.impact, stop))


@both_databases
def test_killed_between_listing_and_storing_it_is_looked_up_again(bench: Bench) -> None:
    bench.connect()
    bodies = [bench.pay() for _ in range(3)]
    assert bench.run() == 3
    bench.clock.advance(minutes=30)
    with pytest.raises(Killed):
        killing(bench, 1).drain(bench.turn)
    assert {bench.verdict(body) for body in bodies} == {("reported", "accepted")}
    assert look(bench) == 0  # still claimed
    assert look(bench, seconds=LEASE.total_seconds()) == 1
    assert {bench.verdict(body) for body in bodies} == {("reported", "credited")}
    assert [found.checks for found in bench.rows(conversions)] == [1, 1, 1]
    assert bench.count(lookups) == 2


def test_killed_while_asking_singly_what_was_stored_stays(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    bodies = [bench.pay() for _ in range(3)]
    assert bench.run() == 3
    assert look(bench, minutes=30) == 1
    bench.clock.advance(minutes=45)
    with pytest.raises(Killed):
        killing(bench, 3).drain(bench.turn)  # after the listing and the second of three
    assert sorted(bench.verdict(body)[1] for body in bodies) == ["accepted", "accepted", "not_credited"]
    assert look(bench, seconds=LEASE.total_seconds()) == 3  # one listing, two singly
    assert {bench.verdict(body)[1] for body in bodies} == {"not_credited"}


def test_a_change_accepted_meanwhile_is_not_overwritten(bench: Bench) -> None:
    """The listing shows 100.00 while a refund is accepted: it says nothing of what stands there now."""
    bench.connect()
    body = bench.pay(LineSpec(price=Decimal("50.00"), quantity=2))
    assert bench.run() == 1
    bench.clock.advance(minutes=30)
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())

    def change(_: int) -> None:
        bench.deliver_body("orders/updated", less)
        assert bench.process() == 1
        assert bench.deliver() == 1

    assert replace(bench.line.verifier, api=Tapped(bench.line.impact, change)).drain(bench.turn) == 1
    assert row(bench, body).finding is None
    assert look(bench, minutes=30) == 1
    found = row(bench, body)
    assert (found.finding, Decimal(found.action_amount)) == ("credited", Decimal("50.00"))


# Differences


def test_a_difference_is_found_with_its_money_and_looked_at_again(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    assert bench.run() == 1
    (action,) = bench.network.books.actions()
    action.items[0].amount = Decimal("80.00")
    assert look(bench, minutes=30) == 1
    assert (row(bench, body).finding, row(bench, body).action_amount) == ("differs", "80.0")
    assert detail(bench, body) == (
        "Partner: Pretend Partner. Amount: reported 100.00, impact.com holds 80.0. 20.00 USD too little."
    )
    assert bench.verdict(body) == ("reported", "credited")
    action.items[0].amount = Decimal("100.00")
    assert look(bench, minutes=45) == 1
    assert (row(bench, body).finding, row(bench, body).check_at) == ("credited", None)


def test_a_change_is_looked_up_once_it_is_accepted(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(LineSpec(price=Decimal("50.00"), quantity=2))
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    found = row(bench, body)
    assert (found.finding, Decimal(found.action_amount), found.payout) == ("credited", Decimal(50), "2.5")


def test_a_locked_action_that_differs_is_final(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(LineSpec(price=Decimal("50.00"), quantity=2))
    assert bench.run() == 1
    assert bench.network.books.lock() == 1
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    found = row(bench, body)
    assert (found.finding, found.action_state, found.check_at) == ("differs", "APPROVED", None)
    assert found.finding_detail == "Amount: reported 50.00, impact.com holds 100.0. 50.00 USD too much."


# Changes of what was read back

TWO = LineSpec(price=Decimal("50.00"), quantity=2)


def form(bench: Bench, body: dict[str, Any]) -> dict[str, str]:
    """The newest call of an order."""
    (order,) = bench.rows(orders, orders.c.order_key == str(body["id"]))
    return dict(bench.rows(steps, steps.c.order_row_id == order.id)[-1].form)


@both_databases
def test_a_change_names_the_action_once_it_is_known(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(TWO)
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    (action,) = bench.network.books.actions()
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    named = {name: value for name, value in form(bench, body).items() if name not in ("Sku", "Quantity")}
    assert named == {
        "ActionId": action.id,
        "Reason": "ORDER_UPDATE",
        "DispositionCode": "ORDER_UPDATE",
        "Amount": "50.00",
    }
    assert bench.booked(body) == [Decimal("50.00")]
    assert bench.verdict(body) == ("reported", "credited")
    bench.deliver_body("orders/cancelled", cancel(less, at=bench.clock() + timedelta(seconds=1)))
    assert bench.run() == 1
    assert form(bench, body) == {"ActionId": action.id, "DispositionCode": "REJECTED"}
    assert bench.booked(body) == [Decimal("0.00")]
    assert bench.verdict(body) == ("reported", "reversed")


def test_a_change_before_that_names_the_order(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(TWO)
    assert bench.run() == 1
    bench.deliver_body("orders/cancelled", cancel(body))
    assert bench.run() == 1
    assert form(bench, body) == {
        "ActionTrackerId": "9876",
        "OrderId": str(body["id"]),
        "DispositionCode": "REJECTED",
    }


def test_an_action_of_another_account_is_not_named(make_bench: Made) -> None:
    """The store has changed its account since: the id means nothing there."""
    other = Account(sid="IRPretendNetworkAccount00000000002", number=10002, tokens=(Token("second-token"),))
    bench = make_bench(Setup(rate_limit=None, accounts=(Account(), other)))
    store = bench.connect()
    body = bench.pay(TWO)
    assert bench.run() == 1
    assert look(bench, minutes=30) == 1
    bench.line.stores.save_settings(
        store.id,
        account_sid=other.sid,
        auth_token="second-token",
        campaign_id="1000",
        event_type_id="9876",
        rules={},
    )
    _, less = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.deliver_body("orders/updated", less)
    assert bench.run() == 1
    assert "ActionId" not in form(bench, body)
    assert form(bench, body)["OrderId"] == str(body["id"])


@pytest.mark.parametrize("how", ["refund", "cancel"])
@both_databases
def test_what_nobody_is_paid_for_is_not_changed(make_bench: Made, how: str) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    body = bench.pay(TWO)
    assert bench.run() == 1
    look(bench, minutes=30)
    look(bench, minutes=45)
    assert bench.verdict(body) == ("reported", "not_credited")
    calls, told = bench.calls(), detail(bench, body)
    if how == "cancel":
        later = cancel(body, at=bench.clock())
    else:
        _, later = refund(body, {body["line_items"][0]["id"]: 1}, at=bench.clock())
    bench.deliver_body("orders/updated", later)
    assert bench.run() == 0
    assert bench.calls() == calls
    assert bench.steps_of(body) == [("submit", "accepted")]
    assert bench.verdict(body) == ("reported", "not_credited")
    assert detail(bench, body) == told


def not_booked(bench: Bench, **settings: str) -> dict[str, Any]:
    """An order that impact.com took and could not book, since its event type is not switched on."""
    bench.connect(**settings)
    setup = bench.network.books.setup
    bench.network.books.change_setup(replace(setup, event_types=(EventType(active=False), EventType(5555))))
    body = bench.pay(TWO)
    assert bench.run() == 1
    look(bench, minutes=30)
    assert look(bench, minutes=45) == 2
    assert bench.verdict(body) == ("attention", "program_invalid")
    assert detail(bench, body) == "ACTIONTRACKER_NOT_ACTIVE: The event type is not switched on."
    return body


@both_databases
def test_what_could_not_be_booked_is_sent_anew_when_the_settings_are_corrected(bench: Bench) -> None:
    body = not_booked(bench)
    bench.deliver_body("orders/updated", {**body, "tags": "again"})
    assert bench.run() == 0
    assert bench.verdict(body) == ("attention", "program_invalid")
    (store,) = bench.line.stores.all()
    bench.line.stores.save_settings(
        store.id,
        account_sid=bench.network.books.setup.sid,
        auth_token=None,
        campaign_id="1000",
        event_type_id="5555",
        rules={},
    )
    bench.line.settings_saved(store.id)
    assert bench.run() == 1
    assert bench.steps_of(body) == [("submit", "accepted")] * 2
    assert bench.verdict(body) == ("reported", "accepted")
    assert (row(bench, body).event_type_id, row(bench, body).finding) == ("5555", None)
    assert look(bench, minutes=30) == 1
    assert bench.verdict(body) == ("reported", "credited")
    assert bench.booked(body) == [Decimal("100.00")]


def test_what_could_not_be_booked_is_sent_anew_by_a_replay(bench: Bench) -> None:
    """The merchant has switched the event type on at impact.com; here nothing has changed."""
    body = not_booked(bench)
    bench.network.books.change_setup(Setup(rate_limit=None))
    (store,) = bench.line.stores.all()
    assert bench.line.replay(store.id, str(body["id"])) == "Judged again: waiting, queued."
    # Another delivery meanwhile takes the call not out again.
    bench.deliver_body("orders/updated", {**body, "tags": "again"})
    assert bench.run() == 1
    assert bench.steps_of(body) == [("submit", "accepted")] * 2
    assert look(bench, minutes=30) == 1
    assert bench.verdict(body) == ("reported", "credited")
    assert bench.booked(body) == [Decimal("100.00")]


def test_what_could_not_be_booked_needs_no_change_when_it_is_cancelled(bench: Bench) -> None:
    body = not_booked(bench)
    calls = bench.calls()
    bench.deliver_body("orders/cancelled", cancel(body, at=bench.clock()))
    assert bench.run() == 0
    assert bench.calls() == calls
    assert bench.verdict(body) == ("withheld", "cancelled_before_report")


# The time is over


def test_a_turn_that_ends_gives_the_rest_back(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    bench.connect(send="all")
    for _ in range(5):
        bench.pay()
    assert bench.run() == 5
    assert look(bench, minutes=30) == 1
    bench.clock.advance(minutes=45)
    until = bench.turn

    def seven_seconds(_: int) -> None:
        bench.clock.advance(seconds=7)

    verifier = replace(bench.line.verifier, api=Tapped(bench.line.impact, seven_seconds))
    assert verifier.drain(until) == 3  # at 0, 7 and 14 of 20 seconds
    assert verifier.has_due()
    assert look(bench) == 1 + 3
    assert bench.count(steps) == 5


def test_nothing_due_is_nothing_asked(bench: Bench) -> None:
    bench.connect()
    assert look(bench) == 0
    assert not bench.line.verifier.has_due()
    assert isinstance(bench.clock(), datetime)
    assert bench.calls() == []
