"""Hypothesis strategies over the pretend store's specs: orders of every kind Shopify knows.

What matters for shrinking is drawn; the bulk of a long order comes from a few drawn lines and a seed, so that
20,000 examples take a couple of minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from impact_app.simulator.shopify.specs import (
    DiscountKind,
    DiscountSpec,
    LineSpec,
    OrderSpec,
    Selection,
    exponent,
)

CURRENCIES = ("USD", "EUR", "GBP", "JPY", "KRW", "CLP", "KWD", "BHD", "TND", "HKD")
# None, empty, differing in case alone, longer than most networks take: all of them occur in real catalogues.
SKUS = ("A-1", "a-1", "B/2 rød", "0", "SKU 3", "", None, "測試-4", "L" * 80)
TITLES = ("Snowboard", "Größe M & <b>", "測試商品 11", "قميص", "👟 Runner", 'Tab\tand "quotes"', "x" * 255)
RATES = ("0.19", "0.07", "0.2", "0.06", "0.08875", "0.25", "0", "0.055")
CODES = ("SAVE10", "SOMMER ☀", "10%-OFF", "welcome", "PARTNER_A")
SOURCES = ("web", "web", "web", "pos", "shopify_draft_order", "755357713", "subscription_contract")
MAX_LINES = 500

_rates = st.sampled_from([None, *map(Decimal, RATES)])
_tiny = st.integers(0, 9)


@cache  # building strategies costs more than drawing from them
def amounts(currency: str, largest: int = 1_000_000) -> st.SearchStrategy[Decimal]:
    """Amounts from zero to `largest` smallest units of the currency."""
    places = -exponent(currency)
    return st.integers(0, largest).map(lambda units: Decimal(units).scaleb(places))


@cache
@st.composite
def lines(draw: st.DrawFn, currency: str) -> LineSpec:
    """One line of any kind: product, custom line, free gift, gift card, tip; several units or one."""
    kind = draw(st.sampled_from(("product",) * 6 + ("custom", "free", "gift_card", "tip", "untaxed")))
    price = Decimal(0) if kind == "free" else draw(amounts(currency))
    line = LineSpec(
        sku=draw(st.sampled_from(SKUS)),
        title=draw(st.sampled_from(TITLES)),
        price=price,
        quantity=draw(st.integers(1, 9)),
        tax_rate=draw(_rates),
        taxable=kind != "untaxed",
        gift_card=kind == "gift_card",
        tip=kind == "tip",
    )
    if kind in ("custom", "tip"):
        return replace(line, product_id=None, variant_id=None, sku=None if kind == "tip" else line.sku)
    return line


@cache
@st.composite
def discounts(draw: st.DrawFn, currency: str, line_count: int) -> DiscountSpec:
    """One discount of any kind, selection, method and size, up to the whole price."""
    kind: DiscountKind = draw(st.sampled_from(("code", "automatic", "manual", "script")))
    percentage = draw(st.booleans())
    percentages = st.integers(0, 10_000).map(lambda part: Decimal(part).scaleb(-2))
    sizes = percentages | percentages | percentages | st.just(Decimal(100))
    selection: Selection = draw(st.sampled_from(("all", "all", "entitled", "explicit")))
    first = draw(st.integers(0, line_count - 1)) if selection != "all" else 0
    return DiscountSpec(
        kind=kind,
        value=draw(sizes if percentage else amounts(currency, 20_000)),
        value_type="percentage" if percentage else "fixed_amount",
        target="shipping_line" if draw(_tiny) == 0 else "line_item",
        selection=selection,
        method=draw(st.sampled_from(("across", "across", "each", "one"))),
        name=draw(st.sampled_from(CODES)),
        entitled=() if selection == "all" else tuple(range(first, line_count, 2)),
    )


@st.composite
def orders(draw: st.DrawFn, max_lines: int = MAX_LINES) -> OrderSpec:
    """An order whose money can be anything Shopify allows, 1 to `max_lines` lines, most of them short."""
    currency = draw(st.sampled_from(CURRENCIES))
    drawn = draw(st.lists(lines(currency), min_size=1, max_size=min(4, max_lines)))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    everything = (*drawn, *_more_lines(random, drawn, currency, draw(_extra_lines(max_lines - len(drawn)))))
    shown = draw(st.sampled_from((currency, None, *CURRENCIES)))
    return OrderSpec(
        lines=everything,
        discounts=tuple(draw(st.lists(discounts(currency, len(everything)), max_size=3))),
        currency=currency,
        presentment_currency=shown,
        exchange_rate=Decimal(random.randint(1, 2_000_000)).scaleb(-random.randint(0, 5)),
        taxes_included=draw(st.booleans()),
        shipping=draw(st.none() | amounts(currency, 5_000)),
        shipping_tax_rate=draw(_rates),
        **_circumstances(random, currency),
    )


@cache
def _extra_lines(most: int) -> st.SearchStrategy[int]:
    """Mostly none; one order in twenty or so is long."""
    if most <= 0:
        return st.just(0)
    return _tiny.flatmap(lambda roll: st.integers(0, most if roll == 9 else 0)) | st.integers(
        0, min(most, 12)
    )


def _more_lines(random: Random, drawn: Sequence[LineSpec], currency: str, count: int) -> list[LineSpec]:
    largest = random.choice((100, 10_000, 1_000_000))
    more = []
    for number in range(count):
        line = random.choice(drawn)
        price = Decimal(random.randint(0, largest)).scaleb(-exponent(currency)) if line.price else line.price
        sku = line.sku if line.tip or random.random() < 0.5 else random.choice((*SKUS, f"N-{number}"))
        more.append(replace(line, price=price, quantity=random.randint(1, 9), sku=sku))
    return more


def _circumstances(random: Random, currency: str) -> dict[str, Any]:
    source = random.choice(SOURCES)
    zone = timezone(timedelta(minutes=random.choice((-720, -300, 0, 60, 345, 540, 840))))
    placed = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=random.randrange(20 * 86_400))
    online = source == "web"
    return {
        "order_id": random.randint(1, 2 ** random.choice((20, 43, 62))),
        "order_number": random.randint(1001, 999_999),
        "source_name": source,
        "buy_now": random.random() < 0.1,
        "test": random.random() < 0.05,
        "processed_at": placed.astimezone(zone),
        "duties": _sometimes(random, currency),
        "fees": _sometimes(random, currency),
        "browser_ip": "198.51.100.7" if online else None,
        "user_agent": "Mozilla/5.0" if online else None,
        "note_attributes": random.choice(
            ((), (("im_ref", f"click-{random.randrange(10**9)}"), ("gift", None)))
        ),
        "landing_site": random.choice((None, "/", "/products/a?im_ref=landed&utm_source=x")),
        "tags": random.choice(((), ("vip", "Größe"))),
    }


def _sometimes(random: Random, currency: str) -> Decimal:
    return Decimal(random.choice((0, 0, 0, random.randint(1, 9_999)))).scaleb(-exponent(currency))
