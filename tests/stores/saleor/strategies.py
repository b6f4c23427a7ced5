"""Hypothesis strategies over the pretend Saleor's specs: orders of every kind a Saleor shop can have.

What matters for shrinking is drawn; the rest comes from a drawn seed, so that a thousand orders take seconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from hypothesis import strategies as st

from impact_app.simulator.saleor.orders import DiscountSpec, LineSpec, OrderSpec, digits, order, rounded

CURRENCIES = ("USD", "EUR", "PLN", "JPY", "KRW", "KWD")
# Null, empty, twice, differing in case alone, longer than impact.com takes: real catalogues have all of them.
SKUS = (None, None, "", "A-1", "A-1", "a-1", "B/2 rød", "0", "測試-4", "L" * 80)
RATES = ("0.19", "0.23", "0.07", "0.255", "0.08875", "0.081", "0.27", "0", "0.0013")
MAX_LINES = 12

_rates = st.sampled_from([Decimal(rate) for rate in RATES])


@cache  # building strategies costs more than drawing from them
def amounts(currency: str, largest: int) -> st.SearchStrategy[Decimal]:
    """Amounts from zero to `largest` smallest units of the currency."""
    places = -digits(currency)
    return st.integers(0, largest).map(lambda units: Decimal(units).scaleb(places))


@cache
@st.composite
def lines(draw: st.DrawFn, currency: str) -> LineSpec:
    """One line of any kind: dear, cheap or free, in a sale, a gift, or a gift card that is sold."""
    kind = draw(st.sampled_from(("plain",) * 5 + ("sale", "sale", "gift", "gift_card")))
    price = draw(amounts(currency, draw(st.sampled_from((9, 2_000, 500_000)))))
    return LineSpec(
        price=price,
        quantity=1 if kind == "gift" else draw(st.integers(1, 4) | st.integers(1, 50)),
        sku=draw(st.sampled_from(SKUS)),
        variant=draw(st.integers(300, 303)),
        sale=_part(price, draw(st.integers(0, 100)), currency) if kind == "sale" else Decimal(0),
        is_gift=kind == "gift",
        kind="GIFT_CARD" if kind == "gift_card" else "NORMAL",
        tax_rate=draw(st.none() | st.none() | _rates),
    )


@cache
@st.composite
def discounts(draw: st.DrawFn, currency: str, line_count: int) -> tuple[DiscountSpec, ...]:
    """At most one voucher, as Saleor has it, and after it at most one thing that no code calls for."""
    voucher = draw(st.sampled_from((None, "entire", "product", "once", "shipping")))
    wide = draw(st.sampled_from((None, None, "ORDER_PROMOTION", "MANUAL")))
    found = []
    if voucher == "shipping":
        found.append(DiscountSpec("SHIPPING", "FREESHIP"))
    elif voucher is not None:
        hit = draw(st.sets(st.integers(0, line_count - 1), min_size=1)) if voucher == "product" else ()
        one = (draw(st.integers(0, line_count - 1)),) if voucher == "once" else ()
        found.append(
            DiscountSpec(
                "SPECIFIC_PRODUCT" if voucher == "product" else "ENTIRE_ORDER",
                draw(st.sampled_from(("SAVE10", "SOMMER ☀", "10%-OFF"))),
                once=voucher == "once",
                lines=tuple(sorted(hit)) or one,
                **draw(_sizes(currency)),
            )
        )
    if wide is not None:
        found.append(DiscountSpec(wide, "", **draw(_sizes(currency))))
    return tuple(found)


@cache
def _sizes(currency: str) -> st.SearchStrategy[dict[str, Decimal]]:
    percents = st.integers(0, 10_000).map(lambda part: Decimal(part).scaleb(-2)) | st.just(Decimal(100))
    return percents.map(lambda part: {"percent": part}) | amounts(currency, 5_000).map(
        lambda amount: {"amount": amount}
    )


@st.composite
def orders(draw: st.DrawFn, max_lines: int = MAX_LINES) -> OrderSpec:
    """An order whose money can be anything Saleor allows, paid in full and partly by gift card perhaps."""
    currency = draw(st.sampled_from(CURRENCIES))
    drawn = draw(st.lists(lines(currency), min_size=1, max_size=min(3, max_lines)))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    more = draw(st.just(0) | st.integers(0, max_lines - len(drawn)))
    everything = (*drawn, *_more(random, drawn, more, currency))
    spec = OrderSpec(
        lines=everything,
        discounts=draw(discounts(currency, len(everything))),
        currency=currency,
        with_tax=draw(st.booleans()),
        tax_rate=draw(_rates),
        shipping=draw(st.just(Decimal(0)) | amounts(currency, 5_000)),
        created=datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(20 * 86_400)),
        order_uuid=uuid.UUID(int=random.getrandbits(128), version=4),
        checkout_uuid=uuid.UUID(int=random.getrandbits(128), version=4),
        number=str(random.randint(1, 99_999)),
    )
    paid_by_card = draw(st.sampled_from((0, 0, 0, 1, 30, 100)))
    whole: Decimal = order(spec)["total"]["gross"]["amount"]
    return replace(spec, gift_card=_part(whole, paid_by_card, currency))


def _more(random: Random, drawn: Sequence[LineSpec], count: int, currency: str) -> list[LineSpec]:
    return [
        replace(
            line,
            price=rounded(line.price * random.randint(100, 250) / 100, currency),
            quantity=1 if line.is_gift else random.randint(1, 50),
            sku=random.choice(SKUS),
        )
        for line in random.choices(drawn, k=count)
    ]


def _part(whole: Decimal, percent: int, currency: str) -> Decimal:
    return rounded(whole * percent / 100, currency)
