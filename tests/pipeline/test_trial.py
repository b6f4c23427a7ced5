"""A test order followed over a real line and the pretend network: each stop as it is passed, with values."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.domain.trial import Standing
from impact_app.ledger.clicks import Told
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import conversions, lookups, stores, trials
from impact_app.ledger.verification import Checks
from impact_app.pipeline.trial import Followed
from impact_app.simulator.network import Setup, fault
from impact_app.simulator.shopify.orders import DiscountSpec, LineSpec, cancel, refund
from tests.line import OTHER_SHOP, Bench, both_databases

#: impact.com knows no click but its own.
STRICT = Setup(rate_limit=None, strict_clicks=True)
SLOW = Setup(rate_limit=None, queue_seconds=60, processing_seconds=600)

CLICK = "Test-Click-1"
STOPS = ["click", "cart", "order", "delivery", "plan", "submission", "action", "back"]

Made = Callable[[Setup], Bench]


def begin(bench: Bench, store: Store, after: int = 0, *, is_own: bool = False, click: str = CLICK) -> None:
    link = f"https://{store.domain}/?im_ref={click}"
    assert bench.line.trials.begin(store.id, after, click, link, "Ann", bench.clock(), is_own=is_own)


def follow(bench: Bench, store: Store) -> Followed:
    found = bench.line.following.newest(store)
    assert found is not None
    return found


def lights(bench: Bench, store: Store) -> list[str]:
    found = follow(bench, store).standings
    assert [one.stop.value for one in found] == STOPS
    return [one.light.value for one in found]


def stop(bench: Bench, store: Store, name: str) -> Standing:
    return next(one for one in follow(bench, store).standings if one.stop == name)


def values(one: Standing) -> dict[str, tuple[str, str]]:
    return {f"{value.what} {value.which}".strip(): (value.expected, value.arrived) for value in one.compared}


def buy(bench: Bench, *lines: LineSpec, click: str = CLICK, **fields: Any) -> dict[str, Any]:
    """A paid order with the click on its cart."""
    return bench.pay(
        *lines,
        note_attributes=(("im_ref", click),),
        processed_at=bench.clock() + timedelta(seconds=30),
        **fields,
    )


def look(bench: Bench, store: Store) -> None:
    """Wait as somebody does before the page, which has impact.com asked, then let the line do its part."""
    bench.clock.advance(seconds=15)
    follow(bench, store)
    bench.line.verifier.drain(bench.turn)


def booked(bench: Bench, store: Store, *lines: LineSpec) -> dict[str, Any]:
    """A test whose order is booked and read back, items too."""
    begin(bench, store)
    bench.clock.advance(minutes=1)
    body = buy(bench, *lines)
    bench.run()
    for _ in range(3):
        look(bench, store)
    return body


@both_databases
def test_each_stop_is_passed_when_it_is_seen_to_be(bench: Bench) -> None:
    store = bench.connect()
    assert bench.line.following.newest(store) is None
    begin(bench, store)
    assert lights(bench, store) == ["waiting"] * 8

    bench.clock.advance(minutes=1)
    told = Told(
        store.id, "checkout", "token-of-a-checkout", None, CLICK, "granted", "checkout_started", bench.clock()
    )
    bench.line.clicks.add([told])
    assert lights(bench, store) == ["passed", *["waiting"] * 7]

    body = buy(bench, LineSpec(sku="MUG", price=Decimal("12.50"), quantity=3))
    bench.process()
    assert lights(bench, store) == [*["passed"] * 5, *["waiting"] * 3]
    assert follow(bench, store).order_key == str(body["id"])

    bench.deliver()
    assert lights(bench, store) == [*["passed"] * 6, *["waiting"] * 2]
    # 3 x 12.50 = 37.50
    assert values(stop(bench, store, "submission")) == {
        "click": (CLICK, CLICK),
        "order": (str(body["id"]), str(body["id"])),
        "campaign": ("1000", "1000"),
        "event_type": ("9876", "9876"),
        "currency": ("USD", "USD"),
        "units MUG": ("3", "3"),
        "amount": ("37.50", "37.50"),
    }
    assert not follow(bench, store).can_be_taken_back

    for _ in range(3):
        look(bench, store)
    assert lights(bench, store) == [*["passed"] * 7, "waiting"]
    assert values(stop(bench, store, "action")) == {
        "currency": ("USD", "USD"),
        "amount": ("37.50", "37.50"),
        "units MUG": ("3", "3"),
        "item MUG": ("37.50", "37.50"),
    }
    found = follow(bench, store)
    assert (found.can_be_taken_back, found.is_moving) == (True, False)


@both_databases
def test_a_test_taken_back_is_over_once_impact_com_lists_it_as_reversed(bench: Bench) -> None:
    store = bench.connect()
    body = booked(bench, store)
    (action,) = bench.network.books.actions()
    assert bench.line.by_hand.take_back(store.id, str(body["id"]), "Ann", as_test=True)
    found = follow(bench, store)
    assert (found.can_be_taken_back, found.is_moving) == (False, True)
    bench.run()
    assert lights(bench, store) == ["skipped", *["passed"] * 6, "waiting"]
    look(bench, store)
    assert lights(bench, store) == ["skipped", *["passed"] * 7]
    back = stop(bench, store, "back")
    assert (back.told, values(back)) == (("TEST_ACTION",), {"state": ("REVERSED", "REVERSED")})
    found = follow(bench, store)
    assert (found.can_be_taken_back, found.is_moving) == (False, False)
    assert bench.network.books.action(action.account_sid, action.id).amount == 0


@both_databases
def test_taken_back_twice_at_once_is_one_reversal(bench: Bench) -> None:
    store = bench.connect()
    body = booked(bench, store)
    done: list[bool] = []

    def take_back() -> None:
        done.append(bench.line.by_hand.take_back(store.id, str(body["id"]), "Ann", as_test=True))

    threads = [threading.Thread(target=take_back) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    bench.run()
    assert done == [True] * 4
    assert bench.steps_of(body) == [("submit", "accepted"), ("reverse", "accepted")]
    assert [call for call in bench.calls() if call.startswith("DELETE")] == ["DELETE Actions 200"]


@both_databases
def test_a_click_of_the_apps_own_credits_nobody_and_that_is_right(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    store = bench.connect()
    begin(bench, store, is_own=True)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    look(bench, store)
    assert lights(bench, store) == ["skipped", *["passed"] * 5, "skipped", "skipped"]
    action = stop(bench, store, "action")
    assert "as it should be" in action.said[0]
    assert "ACTION_REF_NOT_FOUND" in action.told[0]
    found = follow(bench, store)
    assert (found.can_be_taken_back, found.is_moving) == (False, False)


def test_a_click_that_impact_com_should_know_and_does_not_is_a_failure(make_bench: Made) -> None:
    bench = make_bench(STRICT)
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    look(bench, store)
    assert lights(bench, store)[-2:] == ["failed", "skipped"]
    assert "ACTION_REF_NOT_FOUND" in stop(bench, store, "action").told[0]


@both_databases
def test_what_impact_com_refuses_is_told_in_its_words(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    bench.network.faults.script("400")
    body = buy(bench)
    bench.run()
    assert lights(bench, store) == ["skipped", *["passed"] * 4, "failed", "waiting", "waiting"]
    submission = stop(bench, store, "submission")
    assert submission.said[0] == EXPLANATIONS[Reason(bench.verdict(body)[1])].happened
    assert submission.told != ("",)
    found = follow(bench, store)
    assert (found.can_be_taken_back, found.is_moving) == (False, False)
    assert bench.network.books.actions() == []


def test_a_call_that_is_repeated_goes_on_by_itself(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    bench.network.faults.script("503_before")
    buy(bench)
    bench.run()
    assert lights(bench, store)[4:] == ["passed", "waiting", "waiting", "waiting"]
    assert follow(bench, store).is_moving
    bench.clock.advance(hours=1)
    bench.run()
    assert lights(bench, store)[4:6] == ["passed", "passed"]


@both_databases
def test_a_late_booking_is_waited_for_with_few_calls(make_bench: Made) -> None:
    bench = make_bench(SLOW)
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    for _ in range(240):  # a page that asks every two seconds, for eight minutes
        bench.clock.advance(seconds=2)
        follow(bench, store)
        bench.line.verifier.drain(bench.turn)
    assert lights(bench, store)[5:] == ["passed", "waiting", "waiting"]
    assert stop(bench, store, "action").told[0] == "In Progress"
    # Every ten seconds for a while, then at gaps of an eighth of the age: from 1 to 9 minutes about 18
    assert 5 <= bench.count(lookups) <= 25
    for _ in range(30):
        bench.clock.advance(seconds=20)
        follow(bench, store)
        bench.line.verifier.drain(bench.turn)
    assert lights(bench, store)[5:] == ["passed", "passed", "waiting"]
    made = bench.count(lookups)
    for _ in range(30):
        bench.clock.advance(seconds=20)
        follow(bench, store)
        bench.line.verifier.drain(bench.turn)
    assert bench.count(lookups) == made


def test_looks_of_the_page_do_not_put_off_the_lines_own(make_bench: Made) -> None:
    bench = make_bench(SLOW)
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    checks = Checks(bench.line.database)
    for _ in range(12):
        bench.clock.advance(seconds=30)
        checks.look_soon(store.id, follow(bench, store).order_key or "", bench.clock())
        bench.line.verifier.drain(bench.turn)
    (row,) = bench.rows(conversions)
    assert row.checks <= 1
    assert row.check_at <= bench.clock() + timedelta(minutes=60)


def test_a_look_takes_nothing_from_whoever_looks_just_now(bench: Bench) -> None:
    store = bench.connect()
    body = bench.pay()
    bench.run()
    bench.clock.advance(minutes=30)
    checks = Checks(bench.line.database)
    (claimed,) = checks.claim(10, bench.clock())
    checks.look_soon(store.id, str(body["id"]), bench.clock())
    assert checks.nothing_yet(claimed, bench.clock())


def test_two_pages_at_once_ask_once(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    threads = [threading.Thread(target=follow, args=(bench, store)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert bench.count(lookups) == 1


@both_databases
def test_a_wrong_amount_is_seen(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench, LineSpec(sku="MUG", price=Decimal("12.50"), quantity=3))
    bench.run()
    (action,) = bench.network.books.actions()
    action.items[0].amount = Decimal("35.50")
    for _ in range(3):
        look(bench, store)
    wrong = stop(bench, store, "action")
    assert wrong.light == "failed"
    # 3 x 12.50 = 37.50, and impact.com holds 2.00 less
    assert values(wrong)["amount"] == values(wrong)["item MUG"] == ("37.50", "35.50")
    assert values(wrong)["units MUG"] == ("3", "3")
    assert follow(bench, store).can_be_taken_back


def test_an_order_that_is_not_reported_says_why(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench, test=True)
    bench.run()
    assert lights(bench, store)[3:] == ["passed", "failed", "waiting", "waiting", "waiting"]
    assert stop(bench, store, "plan").said[0] == EXPLANATIONS[Reason.TEST_ORDER].happened
    assert not follow(bench, store).is_moving


def test_another_carrier_than_the_cart_is_named(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    bench.pay(
        note_attributes=(),
        landing_site=f"/?im_ref={CLICK}",
        processed_at=bench.clock() + timedelta(seconds=30),
    )
    bench.process()
    cart = stop(bench, store, "cart")
    assert (cart.light, cart.by) == ("skipped", "landing_url")
    assert values(stop(bench, store, "order")) == {"click": (CLICK, CLICK)}


@both_databases
def test_an_order_without_the_click_is_named_and_not_taken_for_it(bench: Bench) -> None:
    store = bench.connect(send="all")
    bench.pay(note_attributes=())  # before the test, so none of its
    bench.run()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    stray = bench.pay(note_attributes=(), processed_at=bench.clock() + timedelta(seconds=30))
    buy(bench, click="Another-Click")
    bench.run()
    found = follow(bench, store)
    assert (found.order_key, lights(bench, store)) == (None, ["waiting"] * 8)
    assert [key for key, _ in found.strays] == [str(stray["id"])]


@both_databases
def test_an_older_order_with_the_same_click_is_not_the_tests(bench: Bench) -> None:
    store = bench.connect()
    other = bench.connect(OTHER_SHOP)
    bench.clock.advance(minutes=-10)
    buy(bench)
    bench.process()
    bench.clock.advance(minutes=10)
    begin(bench, store)
    buy(bench, shop=OTHER_SHOP)
    bench.process()
    assert follow(bench, store).order_key is None
    assert bench.line.following.newest(other) is None
    body = buy(bench)
    buy(bench)
    bench.process()
    assert follow(bench, store).order_key == str(body["id"])


@both_databases
def test_of_two_who_begin_a_test_at_once_one_does(bench: Bench) -> None:
    store = bench.connect()
    begun: list[bool] = []

    def start(number: int) -> None:
        args = (store.id, 0, f"click-{number}", "https://a.test/", "Ann", bench.clock())
        begun.append(bench.line.trials.begin(*args, is_own=True))

    threads = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(begun) == [False, False, False, True]
    (row,) = bench.rows(trials)
    begin(bench, store, after=row.id)
    assert follow(bench, store).trial.click == CLICK


def test_what_changed_since_is_not_compared_with_what_was_sent(bench: Bench) -> None:
    store = bench.connect()
    body = booked(bench, store, LineSpec(sku="MUG", price=Decimal("12.50"), quantity=3))
    _, less = refund(body, {body["line_items"][0]["id"]: 1})
    bench.clock.advance(minutes=1)
    bench.deliver_body("orders/updated", less)
    bench.run()
    assert lights(bench, store)[5:7] == ["passed", "passed"]
    assert "amount" not in values(stop(bench, store, "submission"))
    bench.clock.advance(hours=1)
    bench.line.verifier.drain(bench.turn)
    # 2 x 12.50 = 25.00
    assert values(stop(bench, store, "action"))["amount"] == ("25.00", "25.00")


def test_nobody_waits_for_a_test_of_yesterday(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    assert follow(bench, store).is_moving
    bench.clock.advance(hours=13)
    assert not follow(bench, store).is_moving


def test_a_silent_impact_com_is_said(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    bench.network.faults.script(fault("403", method="GET"))
    bench.clock.advance(seconds=15)
    assert "needs the scopes" in stop(bench, store, "action").told[1]
    for _ in range(3):
        look(bench, store)
    assert lights(bench, store)[6] == "passed"


def test_without_readable_credentials_nobody_is_asked(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench)
    bench.run()
    with bench.line.database.write() as connection:
        connection.execute(stores.update().values(auth_token="locked by another key"))
    bench.clock.advance(seconds=15)
    assert lights(bench, store)[5:] == ["passed", "waiting", "waiting"]
    assert bench.count(lookups) == 0


MUG = LineSpec(sku="MUG", price=Decimal("14.00"), quantity=3)
CUP = LineSpec(sku="CUP", price=Decimal("9.99"), quantity=2)
TAXED = {"tax_rate": Decimal("0.19")}


@pytest.mark.parametrize(
    ("rules", "fields", "worth"),
    [
        # 3 x 14.00 + 2 x 9.99 = 61.98, less 10 % of each
        ({}, {"lines": (MUG, CUP), "discounts": (DiscountSpec(),)}, "55.78"),
        # 5.00 off the mugs alone: 42.00 - 5.00 + 19.98
        (
            {},
            {
                "lines": (MUG, CUP),
                "discounts": (
                    DiscountSpec(
                        "automatic", Decimal(5), "fixed_amount", selection="entitled", entitled=(0,)
                    ),
                ),
            },
            "56.98",
        ),
        # two lines of one SKU: 42.00 + 14.00
        ({}, {"lines": (MUG, replace(MUG, quantity=1, variant_id=1))}, "56.00"),
        # what does not count is not compared: 42.00
        ({}, {"lines": (MUG, LineSpec(sku="GIFT", price=Decimal(50), gift_card=True))}, "42.00"),
        # without a SKU the variant's id stands in: 14.00
        ({}, {"lines": (replace(MUG, sku=None, quantity=1),)}, "14.00"),
        # 19 % are contained: 42.00 / 1.19 = 35.29
        ({}, {"lines": (replace(MUG, **TAXED),), "taxes_included": True}, "35.29"),
        ({}, {"lines": (replace(MUG, price=Decimal(1400)),), "currency": "JPY"}, "4200"),
        # 42.00 USD at 0.5
        (
            {"money": "shopper"},
            {"lines": (MUG,), "presentment_currency": "EUR", "exchange_rate": Decimal("0.5")},
            "21.00",
        ),
        ({"order_id": "number"}, {"lines": (MUG,)}, "42.00"),
        ({"order_id": "name"}, {"lines": (MUG,)}, "42.00"),
        ({"discounts": "item"}, {"lines": (MUG, CUP), "discounts": (DiscountSpec(),)}, "55.78"),
    ],
)
def test_whatever_is_bought_what_arrived_is_what_was_expected(
    bench: Bench, rules: dict[str, str], fields: dict[str, Any], worth: str
) -> None:
    store = bench.connect(**rules)
    begin(bench, store)
    bench.clock.advance(minutes=1)
    buy(bench, *fields["lines"], shipping=None, **{name: fields[name] for name in fields if name != "lines"})
    bench.run()
    for _ in range(3):
        look(bench, store)
    assert lights(bench, store)[4:] == ["passed", "passed", "passed", "waiting"]
    sent, held = values(stop(bench, store, "submission")), values(stop(bench, store, "action"))
    assert sent["amount"] == held["amount"] == (worth, worth)
    assert {name for name in held if name.startswith("item ")} or "discounts" in fields


def test_in_shadow_mode_nothing_is_sent_and_that_is_said(bench: Bench) -> None:
    store = bench.connect(mode="shadow")
    begin(bench, store)
    bench.clock.advance(minutes=1)
    body = buy(bench)
    bench.run()
    assert bench.steps_of(body) == [("submit", "shadow")]
    assert lights(bench, store)[3:] == ["passed", "failed", "waiting", "waiting", "waiting"]
    assert stop(bench, store, "plan").said[0] == EXPLANATIONS[Reason.SHADOW].happened


def test_a_call_that_was_replaced_is_none(bench: Bench) -> None:
    store = bench.connect()
    begin(bench, store)
    bench.clock.advance(minutes=1)
    bench.network.faults.script("400")
    body = buy(bench)
    bench.run()
    bench.deliver_body("orders/cancelled", cancel(body))
    bench.run()
    assert bench.steps_of(body) == [("submit", "replaced")]
    assert lights(bench, store)[4:6] == ["failed", "waiting"]
    assert stop(bench, store, "plan").said[0] == EXPLANATIONS[Reason.CANCELLED_BEFORE_REPORT].happened
