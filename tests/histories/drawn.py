"""Stories as Hypothesis draws them, and how one that fails is made as short as it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from hypothesis import strategies as st

from impact_app.simulator.network import TRANSIENT
from tests.histories.events import (
    Added,
    Again,
    Bought,
    Cancelled,
    Event,
    Failing,
    In,
    InShop,
    Item,
    Late,
    Paid,
    Passed,
    Raised,
    Reconciled,
    RedisEmptied,
    Refunded,
    Removed,
    Returned,
    Ruled,
    Uncancelled,
    Worked,
)
from tests.histories.shop import DISCOUNTS, MONEYS

#: Shops of one story. What is done once for all of them costs each the less, the more they are.
SHOPS = 16

#: Events of a history at most: in the shop, and to the app.
IN_SHOP, OF_APP = 22, 8

_mail = st.sampled_from(("now",) * 6 + ("twice", "late", "late", "lost", "hint"))
_order = st.sampled_from((0, 0, 0, 0, 1, 2))
_line = st.integers(0, 3)
_units = st.sampled_from((1, 1, 1, 2, 3, 9))
_prices = st.one_of(st.integers(1, 5_000), st.sampled_from((0, 1, 333, 999, 1000, 100_000)))

items = st.builds(
    Item,
    sku=st.sampled_from(("A", "B", "C", "D", "")),
    price=_prices,
    units=st.sampled_from((1, 1, 2, 3, 7)),
    tax=st.sampled_from(("", "", "19", "7", "8.875")),
    is_gift_card=st.sampled_from((False,) * 9 + (True,)),
)
_bought = st.builds(
    Bought,
    items=st.lists(items, min_size=1, max_size=4).map(tuple),
    money=st.sampled_from(("EUR", "EUR", *MONEYS)),
    off=st.sampled_from(("", "", *DISCOUNTS)),
    tax_included=st.booleans(),
    shipping=st.sampled_from((0, 0, 500, 499)),
    has_click=st.sampled_from((True,) * 9 + (False,)),
    is_paid=st.sampled_from((True,) * 5 + (False,)),
    mail=_mail,
)
_ruled = st.builds(
    Ruled,
    st.fixed_dictionaries(
        {},
        optional={
            "money": st.just("shopper"),
            "include": st.sampled_from(("tax", "shipping", "gift_cards", "shipping,gift_cards,tax")),
            "amount_refunds": st.just("leave"),
            "added_items": st.just("second_conversion"),
            "discounts": st.sampled_from(("order", "item")),
        },
    ).map(lambda chosen: tuple(sorted(chosen.items()))),
)
_returned = st.builds(
    Returned, order=_order, line=_line, units=_units, kept=st.sampled_from((0, 0, 0, 100)), mail=_mail
)
_refunded = st.builds(
    Refunded,
    order=_order,
    amount=st.one_of(st.integers(1, 2_000), st.just(10_000_000)),
    is_shipping=st.sampled_from((False, False, True)),
    mail=_mail,
)
_edits = [st.builds(kind, order=_order, line=_line, units=_units, mail=_mail) for kind in (Removed, Raised)]
_in_shop = st.one_of(
    _returned,
    _returned,
    _refunded,
    *_edits,
    st.builds(Added, item=items, order=_order, mail=_mail),
    st.builds(Cancelled, order=_order, is_refunded=st.booleans(), mail=_mail),
    st.builds(Uncancelled, order=_order, mail=_mail),
    st.builds(Paid, order=_order, mail=_mail),
    st.builds(Again, mail=st.integers(0, 9), is_new=st.booleans()),
    st.builds(Late, mail=st.integers(0, 3)),
    _ruled,
    _bought,
)
_killed = st.one_of(st.none(), st.none(), st.none(), st.integers(0, 400), st.integers(0, 2_000))
_of_app = st.one_of(
    st.builds(Worked, _killed),
    st.builds(Worked, _killed),
    st.builds(Worked, _killed),
    st.builds(Passed, st.sampled_from((1, 5, 30, 120))),
    st.builds(
        Failing,
        st.lists(st.sampled_from((*TRANSIENT, "refused", "refused")), min_size=1, max_size=12).map(tuple),
    ),
    st.just(RedisEmptied()) | st.builds(Reconciled, _killed),
)


@st.composite
def stories(draw: st.DrawFn, shops: int = SHOPS) -> list[Event]:
    """Several shops, each with a history of 2 to 30 events: an order, what becomes of it, and the app's own.

    What happens to the app happens between what happens in the shops, at the same place for all of them.
    """
    of_app = draw(st.lists(_of_app, min_size=1, max_size=OF_APP))
    when = st.integers(0, len(of_app))
    between: list[list[Event]] = [[] for _ in range(len(of_app) + 1)]
    for shop in range(shops):
        first: list[InShop] = [draw(_ruled)] if draw(st.integers(0, 3)) == 0 else []
        then = draw(st.lists(st.tuples(when, _in_shop), max_size=IN_SHOP - 2))
        between[0] += [In(shop, event) for event in (*first, draw(_bought))]
        for at, event in sorted(then, key=lambda one: one[0]):
            between[at].append(In(shop, event))
    story = between[0]
    for event, after in zip(of_app, between[1:], strict=True):
        story += [event, *after]
    return story


def shortened(
    story: Sequence[Event], fails: Callable[[Sequence[Event]], bool], tries: int = 600
) -> list[Event]:
    """A story that still fails, with as few events as can be found, each as plain as can be."""
    best = list(story)
    left = tries
    progress = True
    while progress and left > 0:
        progress = False
        for candidate in _shorter(best):
            left -= 1
            if left < 0:
                break
            if fails(candidate):
                best, progress = list(candidate), True
                break
    return best


def _shorter(story: list[Event]) -> Iterator[list[Event]]:
    shops = sorted({one.shop for one in story if isinstance(one, In)})
    for shop in shops if len(shops) > 1 else ():
        yield [In(0, one.event) if isinstance(one, In) else one for one in story if _is_of(one, shop)]
    for size in (8, 4, 2, 1):
        for at in range(0, len(story), size):
            yield story[:at] + story[at + size :]
    for at, event in enumerate(story):
        inner = event.event if isinstance(event, In) else event
        for plainer in _plainer(inner):
            yield [
                *story[:at],
                In(event.shop, plainer) if isinstance(event, In) else plainer,
                *story[at + 1 :],
            ]


def _is_of(event: Event, shop: int) -> bool:
    return not isinstance(event, In) or event.shop == shop


def _plainer(event: Any) -> Iterator[Any]:
    for one in fields(event):
        value = getattr(event, one.name)
        if one.default is not MISSING and value != one.default:
            yield replace(event, **{one.name: one.default})
        if isinstance(value, int) and not isinstance(value, bool) and value > 1:
            yield replace(event, **{one.name: value // 2})
            if value < 10:
                yield replace(event, **{one.name: value - 1})
        if isinstance(value, tuple) and len(value) > 1:
            for at in range(len(value)):
                yield replace(event, **{one.name: value[:at] + value[at + 1 :]})
        if isinstance(value, tuple) and one.name == "items":
            for at, item in enumerate(value):
                for plainer in _plainer(item):
                    yield replace(event, items=(*value[:at], plainer, *value[at + 1 :]))
        if isinstance(value, Item):
            for plainer in _plainer(value):
                yield replace(event, **{one.name: plainer})
