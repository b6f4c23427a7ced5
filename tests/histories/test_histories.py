"""Whatever happens to orders and to the app: at the end impact.com holds what it should, and never heard a
word too many.

Each story has several shops with a history each, 2 to 30 events long: orders paid, edited, refunded and
cancelled; deliveries made twice, out of order, late or never; rules changed; calls that fail before or after
they were booked; workers killed at any statement, commit or call; Redis emptied. Then everything settles,
what was lost is reconciled, and impact.com's books are held against a working-out of their own (`oracle`).

HISTORIES says how many are tried.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from impact_app.ledger.tables import orders
from tests.histories.drawn import SHOPS, shortened, stories
from tests.histories.events import (
    Added,
    Bought,
    Cancelled,
    Event,
    In,
    Item,
    Raised,
    RedisEmptied,
    Removed,
    Returned,
    Ruled,
    Worked,
    told,
)
from tests.histories.world import World

HISTORIES = int(os.environ.get("HISTORIES", "2000"))

#: Parts that may run beside one another, each with examples of its own.
PARTS = 4


def try_many(world: World, histories: int, part: int) -> None:
    """Draw and live so many histories; the first story that fails is shortened and printed."""
    failed: list[Sequence[Event]] = []

    @settings(
        max_examples=max(1, -(-histories // SHOPS)),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(stories())
    def live(story: list[Event]) -> None:
        if world.live(story):
            failed.append(story)
            raise _Wrong

    if settings.default and settings.default.derandomize:
        # The everyday run tries the same histories each time, each part its own.
        live = seed(part)(live)
    with suppress(_Wrong):
        live()
    if failed:
        least = shortened(failed[0], lambda story: bool(world.live(story)))
        wrong = "\n".join(world.live(least))
        pytest.fail(f"{wrong}\n\n    check(\n        world,\n{told(least)}\n    )", pytrace=False)


class _Wrong(Exception):
    pass


def check(world: World, *story: Event) -> None:
    """Live a story that is written down; nothing may be wrong at its end."""
    assert world.live(story) == []


@pytest.mark.parametrize("part", range(PARTS))
def test_impact_com_holds_what_it_should_whatever_happened(world: World, part: int) -> None:
    try_many(world, -(-HISTORIES // PARTS), part)


def test_impact_com_holds_what_it_should_on_postgresql(world_on_postgres: World) -> None:
    try_many(world_on_postgres, max(48, HISTORIES // 50), PARTS)


# Stories that failed once, as they were printed, less what is drawn only to fill the order


TWO = (Item(sku="D", price=1002), Item(sku="B", price=99962, units=7))


def test_a_discount_of_the_order_is_told_on_the_items_once_units_were_added(world: World) -> None:
    """Added units have no discount, and impact.com would spread the order's over them."""
    check(
        world,
        In(0, Bought(items=(Item(sku="A", price=10, units=6), Item(sku="D", price=385)), off="10 % off all")),
        In(0, Raised(line=1, units=2)),
    )


def test_a_discount_of_the_order_is_told_on_the_items_where_tax_counts_for_some(world: World) -> None:
    check(
        world,
        In(0, Ruled(rules=(("include", "tax"),))),
        In(
            0,
            Bought(
                items=(
                    Item(sku="B", price=82, units=7),
                    Item(sku="D", price=3123, units=2, tax="8.875"),
                ),
                money="KWD",
                off="10 % off all",
            ),
        ),
    )


def test_the_first_change_names_every_item_that_impact_com_spread_a_discount_over(world: World) -> None:
    """The shop took 2 cents off D, impact.com one: what stays must be right to the cent."""
    check(
        world,
        In(0, Bought(items=TWO, off="7 off all")),
        Worked(),
        In(0, Removed(line=1)),
        Worked(),
    )


def test_the_first_change_names_also_items_that_the_discount_left_worth_nothing(world: World) -> None:
    """7 yen off 1 and 24: the shop takes the first item's whole yen, impact.com all from the second."""
    check(
        world,
        In(0, Bought(items=(Item("A", 1), Item("C", 24)), money="JPY to USD", off="7 off all")),
        Worked(),
        In(0, Added(item=Item("C", 1))),
    )


def test_a_discount_that_the_rules_put_on_the_order_leaves_no_trace_once_items_change(world: World) -> None:
    check(
        world,
        In(0, Ruled(rules=(("discounts", "order"),))),
        In(0, Bought(items=TWO, off="15 % off the first")),
        Worked(),
        In(0, Returned(line=1)),
        Worked(),
    )


# What would be found


def test_an_action_that_is_worth_a_cent_too_much_is_found(world: World) -> None:
    check(world, In(0, Bought(items=TWO)), Worked())
    (action,) = world.books.actions()
    action.items[0].amount += Decimal("0.01")
    assert list(world.complaints()) == [
        "shop-0.myshopify.com: 5000000000000 holds {'D': (1, 1003), 'B': (7, 699734)} "
        "and should hold {'D': (1, 1002), 'B': (7, 699734)}."
    ]


def test_an_action_that_is_booked_twice_or_for_another_shop_is_found(world: World) -> None:
    check(world, In(0, Bought(items=TWO)), In(1, Bought(items=TWO)), Worked())
    first, other = sorted(world.books.actions(), key=lambda action: action.account_sid)
    other.account_sid = first.account_sid
    assert [told.partition(".myshopify.com: ")[2] for told in world.complaints()][:2] == [
        "5000000000000 was booked 2 times.",
        "Of 5000000000000 a SKU was booked twice: ['D', 'B', 'D', 'B'].",
    ]


def test_a_call_that_changes_nothing_is_found(world: World) -> None:
    check(world, In(0, Bought(items=TWO)), Worked(), In(0, Removed()), Worked())
    call = next(made for made in world.wires.made if made.method == "PUT")
    credentials = (call.account_sid, "token-of-1")
    url, form = f"http://impact.test{call.path}", {"Content-Type": "application/x-www-form-urlencoded"}
    world.worker.http.request("PUT", url, headers=form, body=call.body, auth=credentials)
    (told,) = world.complaints()
    assert told.startswith("PUT /Advertisers/IRHistoryAccount000000000000000001/Actions changed nothing")


def test_an_order_without_a_verdict_is_found(world: World) -> None:
    check(world, In(0, Bought(items=TWO)), Worked())
    with world.database.write() as connection:
        connection.execute(sa.delete(orders))
    assert list(world.complaints()) == [
        "shop-0.myshopify.com: 5000000000000 has the verdict none (), and is reported."
    ]


def test_a_failing_story_is_made_as_short_as_it_gets() -> None:
    """As long as somebody cancels what was bought for more than 500, the story fails."""
    story = [
        In(3, Bought(items=(Item("A", 900, 2), Item("B", 3)), off="7 off all")),
        Worked(killed=40),
        In(1, Bought(items=(Item("C", 7),))),
        RedisEmptied(),
        In(3, Returned(units=2, mail="late")),
        In(3, Cancelled(is_refunded=False, mail="twice")),
    ]

    def fails(candidate: Sequence[Event]) -> bool:
        inner = [one.event for one in candidate if isinstance(one, In)]
        dear = [one for one in inner if isinstance(one, Bought) and one.items[0].price > 500]
        return bool(dear) and any(isinstance(one, Cancelled) for one in inner)

    assert shortened(story, fails) == [In(0, Bought(items=(Item("A", 900),))), In(0, Cancelled())]
