"""From an order and the merchant's rules to the conversion that impact.com should hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from impact_app.domain.attribution import Attribution
from impact_app.domain.figures import LineFigures, extra_net
from impact_app.domain.money import Money, exponent, total, zero
from impact_app.domain.orders import Line, LineKind, Order
from impact_app.domain.rules import Route, Rules

# impact.com's field sizes (Brand API v14, Conversions, 2026-06).
_ORDER_ID, _TEXT, _LONG = 64, 64, 255
_ORDER_DISCOUNT_LIMIT = Decimal("9999999999.99")


@dataclass(frozen=True, slots=True)
class PartnerCode:
    """A promo code that impact.com assigns to a partner: LI is the code itself, RE a regular expression."""

    code: str
    kind: str

    def matches(self, code: str) -> bool:
        if self.kind == "RE":
            return _full_match(self.code, code)
        return self.code.casefold() == code.casefold()


@dataclass(frozen=True, slots=True)
class Item:
    """One SKU of a conversion, without tax: subtotal before discounts, net after all of them."""

    sku: str
    name: str
    category: str
    brand: str
    quantity: int
    subtotal: Money
    discount: Money
    net: Money


@dataclass(frozen=True, slots=True)
class Conversion:
    """What impact.com is told of one order. `order_discount` None: the discounts are on the items."""

    campaign_id: str
    event_type_id: str
    order_id: str
    event_date: datetime
    click_id: str | None
    promo_code: str | None
    all_codes: tuple[int, str] | None
    customer_id: str
    customer_email: str
    customer_status: str
    ip_address: str
    user_agent: str
    currency: str
    order_discount: Money | None
    items: tuple[Item, ...]

    @property
    def net(self) -> Money:
        return total((item.net for item in self.items), self.currency)

    @property
    def is_creditable(self) -> bool:
        """Whether impact.com has anything to find a partner by."""
        return bool(self.click_id or self.promo_code or self.customer_id)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a conversion goes unless a route says otherwise."""

    campaign_id: str
    event_type_id: str


def conversion(
    order: Order,
    figures: Sequence[LineFigures],
    rules: Rules,
    attribution: Attribution,
    target: Target,
    partner_codes: Sequence[PartnerCode],
) -> Conversion:
    """Map an order whose figures are known to add up. Discounts appear once: on the order or on the items."""
    included = [item for item in figures if item.included]
    items = merged(_items(order, included, rules))
    if rules.zero_items == "skip":
        items = [item for item in items if item.net]
    currency = order.currency_on(rules.money)
    discount = total((item.discount for item in items), currency)
    fits = discount.amount <= _ORDER_DISCOUNT_LIMIT
    once = discount if discount and fits and _once_for_order(order, included, rules) else None
    if once:
        items = [replace(item, discount=zero(currency)) for item in items]
    return Conversion(
        campaign_id=target.campaign_id,
        event_type_id=target.event_type_id,
        order_id=getattr(order, {"id": "key"}.get(rules.order_id, rules.order_id))[:_ORDER_ID],
        event_date=order.placed_at,
        click_id=attribution.click_id,
        promo_code=promo_code(order.codes, partner_codes),
        all_codes=_all_codes(order.codes, rules),
        customer_id=order.customer.id[:_LONG],
        customer_email=_email(order, rules),
        customer_status={True: "New", False: "Existing", None: ""}[order.customer.is_new],
        ip_address=order.ip_address if rules.ip_address == "yes" else "",
        user_agent=order.user_agent[:_LONG] if rules.user_agent == "yes" else "",
        currency=currency,
        order_discount=once,
        items=tuple(items),
    )


def _items(order: Order, figures: Iterable[LineFigures], rules: Rules) -> Iterable[Item]:
    for item in figures:
        yield Item(
            sku=sku(item.line),
            name=item.line.title[:_LONG],
            category=category(item.line, rules),
            brand=item.line.vendor[:_LONG] if rules.brand == "yes" else "",
            quantity=item.line.kept,
            subtotal=item.subtotal,
            discount=item.discount,
            net=item.net,
        )
    yield from _extra_items(order, rules)


def _extra_items(order: Order, rules: Rules) -> list[Item]:
    charged = [(one.kind, extra_net(one, order, rules)) for one in order.extras if one.kind in rules.include]
    return [
        Item(kind, kind.title(), kind.title(), "", 1, net, zero(net.currency), net)
        for kind, net in charged
        if net
    ]


def merged(items: Iterable[Item]) -> list[Item]:
    """One item for each SKU, since impact.com addresses later changes by SKU alone."""
    by_sku: dict[str, Item] = {}
    for item in items:
        known = by_sku.get(item.sku)
        by_sku[item.sku] = item if known is None else _joined(known, item)
    return list(by_sku.values())


def _joined(first: Item, second: Item) -> Item:
    return replace(
        first,
        quantity=first.quantity + second.quantity,
        subtotal=first.subtotal + second.subtotal,
        discount=first.discount + second.discount,
        net=first.net + second.net,
    )


def sku(line: Line) -> str:
    """The line's SKU, else its variant's id, its product's id, or its title in plain characters."""
    slug = re.sub(r"[^\w]+", "-", line.title.casefold()).strip("-")
    found = line.sku or line.variant_id or line.product_id or slug or line.id
    return found[:_LONG]


def category(line: Line, rules: Rules) -> str:
    """The item category by rule, never empty."""
    found = {
        "product_type": line.product_type,
        "category": line.category,
        "vendor": line.vendor,
    }[rules.category]
    return (found.strip() or rules.category_fallback)[:_LONG]


def _once_for_order(order: Order, figures: Iterable[LineFigures], rules: Rules) -> bool:
    """Whether the reductions of these lines are reported once for the order instead of on the items.

    impact.com would spread them over gift cards, tips and extras too, which the shop did not.
    """
    if rules.discounts != "auto":
        return rules.discounts == "order"
    figures = list(figures)
    if any(item.line.kind is not LineKind.GOODS for item in figures) or _extra_items(order, rules):
        return False
    used = {reduction.discount for item in figures for reduction in item.line.reductions}
    is_wide = bool(used) and all(at is not None and order.discounts[at].order_wide for at in used)
    return is_wide and _is_in_proportion(figures, len(used))


def _is_in_proportion(figures: Sequence[LineFigures], discounts: int) -> bool:
    """Whether each line's discount is its share of all, but for roundings.

    An edit adds units and lines without a discount, and tax that is reported with some lines only has none.
    """
    currency = figures[0].discount.currency
    whole = total((item.subtotal for item in figures), currency).amount
    taken = total((item.discount for item in figures), currency).amount
    # The shop rounds once for each discount, and once more where tax is taken out.
    roundings = Decimal(discounts + 1).scaleb(-exponent(currency))
    return all(
        abs(item.subtotal.amount * taken - item.discount.amount * whole) <= roundings * whole
        for item in figures
    )


def promo_code(codes: Sequence[str], partner_codes: Sequence[PartnerCode]) -> str | None:
    """The one code to report: the first that impact.com assigns to a partner, else the first."""
    assigned = (code for code in codes if any(partner.matches(code) for partner in partner_codes))
    found = next(assigned, codes[0] if codes else None)
    return found[:_LONG] if found else None


def _all_codes(codes: Sequence[str], rules: Rules) -> tuple[int, str] | None:
    """Every code in one text field, where there are several; whole codes only, as many as fit."""
    if len(codes) < 2:
        return None
    text = ""
    for code in codes:
        longer = f"{text},{code}" if text else code
        if len(longer) <= _TEXT:
            text = longer
    return (rules.codes_field, text) if text else None


def _email(order: Order, rules: Rules) -> str:
    return {"sha1": order.customer.email_sha1, "sha256": order.customer.email_sha256, "no": ""}[rules.email]


def route(order: Order, rules: Rules) -> Route | None:
    """The first route whose every condition the order meets."""
    return next((one for one in rules.routes if _meets(order, one)), None)


def _meets(order: Order, one: Route) -> bool:
    return all(_holds(order, name, patterns) for name, patterns in one.conditions)


def _holds(order: Order, name: str, patterns: tuple[str, ...]) -> bool:
    values = _values(order, name)
    return any(fnmatchcase(value.casefold(), pattern.casefold()) for value in values for pattern in patterns)


def _values(order: Order, name: str) -> list[str]:
    goods = [line for line in order.lines if line.kept and line.kind is LineKind.GOODS]
    return {
        "country": [order.country],
        "channel": [order.channel.value, order.source],
        "currency": [order.currency],
        "customer": [{True: "new", False: "existing", None: ""}[order.customer.is_new]],
        "sku": [sku(line) for line in goods],
        "product_type": [line.product_type for line in goods],
    }[name]


def _full_match(pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return False
