"""The arithmetic of an order: for each line what is kept, what was taken off, and what is net of tax.

    price x kept = list price          contains tax where the order's prices do
    list price - value = discount      value: what the buyer still pays for the kept units
    value - tax = net                  only where prices contain tax; else net = value
    net - given back = net             money refunded without items, if the rules spread it over what is kept
    subtotal - discount = net          all three without tax, exactly

`subtotal` and `discount` are what impact.com is told; `net` is what it will pay on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from impact_app.domain.money import Money, of_minor, round_to, share, total, zero
from impact_app.domain.money import exponent as digits_of
from impact_app.domain.orders import Extra, Line, LineKind, Order, Side
from impact_app.domain.rules import Rules


@dataclass(frozen=True, slots=True)
class LineFigures:
    """One line's money on one side, for the units kept. subtotal - discount = net.

    given_back   this line's share of money refunded without items; contains tax where prices or the net do
    """

    line: Line
    list_price: Money
    value: Money
    tax: Money
    subtotal: Money
    discount: Money
    net: Money
    included: bool
    given_back: Money


@dataclass(frozen=True, slots=True)
class Sums:
    """What the items come to against what the store says, in the order's own tax terms.

    `fault` is "" where they agree to the cent.
    """

    items_as_ordered: Money
    store_as_ordered: Money
    items_now: Money
    store_now: Money | None
    excluded_now: Money
    fault: str


def line_figures(order: Order, rules: Rules) -> list[LineFigures]:
    """The figures of every line of which units are kept, on the side the rules choose."""
    lines = [line for line in order.lines if line.kept > 0]
    values = _values(order, lines, rules.money)
    figures = [_figures(order, line, value, rules) for line, value in zip(lines, values, strict=True)]
    return _spread(order, figures, rules) if rules.amount_refunds == "spread" else figures


def _spread(order: Order, figures: list[LineFigures], rules: Rules) -> list[LineFigures]:
    """Money refunded without items, shared among the lines that count by what was paid for them.

    Tax was paid too where it is in prices or counts beside them. The shares add up to the smallest unit.
    What exceeds these lines was given back for something else.
    """
    back = _back(order, rules)
    contained = order.prices_include_tax
    paid = [item.value if contained else item.net for item in figures]
    at = [place for place, item in enumerate(figures) if item.included and paid[place].amount > 0]
    worth = total((paid[place] for place in at), back.currency)
    back = worth if worth < back else back
    if back.amount > 0 and back.fits:
        weights = [paid[place].amount for place in at]
        for place, part in zip(at, share(back, weights), strict=True):
            figures[place] = _less(figures[place], part, contained=contained)
    return figures


def _back(order: Order, rules: Rules) -> Money:
    """What was refunded without items, in the terms of what is reported where prices contain no tax."""
    parts = [order.given_back]
    if "tax" in rules.include and not order.prices_include_tax:
        parts.append(order.given_back_tax)
    told = (part.on(rules.money) for part in parts if part is not None)
    return total(told, order.currency_on(rules.money)).rounded()


def _less(item: LineFigures, part: Money, *, contained: bool) -> LineFigures:
    """The line less its share; where prices contain tax, its tax falls with it."""
    net = item.net - part
    if contained:
        exact = item.net.amount * (item.value - part).amount / item.value.amount
        net = Money(round_to(exact, digits_of(part.currency)), part.currency)
    return replace(item, net=net, subtotal=net + item.discount, given_back=part)


def _values(order: Order, lines: list[Line], side: Side) -> list[Money]:
    """What the buyer still pays for the kept units of each line.

    Where units left without money, their worth is an estimate, right but for a cent a line; the store's own
    sum settles it. A larger difference is left for `sums` to find.
    """
    values = [_kept(line_value(line, side), line.refunded.on(side), line) for line in lines]
    if order.current_subtotal is None:
        return values
    missing = order.current_subtotal.on(side) - total(values, order.currency_on(side))
    cent = of_minor(1 if missing.amount > 0 else -1, missing.currency)
    estimated = [
        at for at, line in enumerate(lines) if _unexplained(line) > 0 and (values[at] + cent).amount >= 0
    ]
    if missing.fits and abs(missing.minor) <= len(estimated):
        for at in estimated[: abs(missing.minor)]:
            values[at] = values[at] + cent
    return values


def line_value(line: Line, side: Side) -> Money:
    """What the buyer paid for a whole line as ordered: price x quantity - discounts."""
    reductions = (reduction.amount.on(side) for reduction in line.reductions)
    price = line.unit_price.on(side)
    return price * line.quantity - total(reductions, price.currency)


def _figures(order: Order, line: Line, value: Money, rules: Rules) -> LineFigures:
    side = rules.money
    list_price = line.unit_price.on(side) * line.kept
    tax = _kept(line.tax.on(side), line.refunded_tax.on(side), line)
    contained = order.prices_include_tax
    net = value - tax if contained else value
    # More can be kept than the list price says only where a refund gave back less than its units cost.
    reduction = list_price - value if value < list_price else zero(value.currency)
    discount = _without_tax(reduction, net, value) if contained else reduction
    if "tax" in rules.include:
        net, discount = (value if contained else value + tax), reduction
    return LineFigures(
        line=line,
        list_price=list_price,
        value=value,
        tax=tax,
        subtotal=net + discount,
        discount=discount,
        net=net,
        included=_included(line.kind, rules),
        given_back=zero(value.currency),
    )


def _included(kind: LineKind, rules: Rules) -> bool:
    return {
        LineKind.GOODS: True,
        LineKind.GIFT_CARD: "gift_cards" in rules.include,
        LineKind.TIP: "tips" in rules.include,
    }[kind]


def _kept(whole: Money, given_back: Money, line: Line) -> Money:
    """The part of a line's amount that belongs to its kept units.

    Units that left with a refund take what the refund says; units that left without one take their share,
    and the odd cent with it.
    """
    left = whole - given_back
    unexplained = _unexplained(line)
    if unexplained <= 0:
        return left
    return share(left, [Decimal(unexplained), Decimal(line.kept)])[1]


def _unexplained(line: Line) -> int:
    """Units that left without a refund saying what they were worth."""
    return line.quantity - line.kept - line.returned


def _without_tax(reduction: Money, net: Money, value: Money) -> Money:
    """A reduction less the tax that would have been in it, at the rate that is in what was paid."""
    if not value:
        return reduction
    exact = reduction.amount * net.amount / value.amount
    return Money(round_to(exact, digits_of(net.currency)), net.currency)


def extra_net(extra: Extra, order: Order, rules: Rules) -> Money:
    """What an extra charge comes to, without its tax unless the rules include tax."""
    amount, tax = extra.amount.on(rules.money), extra.tax.on(rules.money)
    if "tax" in rules.include:
        return amount if order.prices_include_tax else amount + tax
    return amount - tax if order.prices_include_tax else amount


def sums(order: Order, figures: Iterable[LineFigures], rules: Rules) -> Sums:
    """Hold the lines against the store's own subtotals, as ordered and now."""
    side, currency = rules.money, order.currency_on(rules.money)
    figures = list(figures)
    as_ordered = total((line_value(line, side) for line in order.lines), currency)
    now = total((item.value for item in figures), currency)
    stated = order.current_subtotal.on(side) if order.current_subtotal else None
    return Sums(
        items_as_ordered=as_ordered,
        store_as_ordered=order.subtotal.on(side),
        items_now=now,
        store_now=stated,
        excluded_now=total((item.value for item in figures if not item.included), currency),
        fault=_fault(as_ordered, order.subtotal.on(side), now, stated, figures)
        or _extras_fault(order, rules),
    )


def _fault(
    as_ordered: Money, store: Money, now: Money, store_now: Money | None, figures: list[LineFigures]
) -> str:
    if as_ordered != store:
        return f"The items come to {_said(as_ordered)} as ordered; the store says {_said(store)}."
    if store_now is not None and now != store_now:
        return f"The items kept come to {_said(now)}; the store says {_said(store_now)}."
    for item in figures:
        if not (item.subtotal.fits and item.discount.fits and item.net.fits):
            return f"{item.line.title}: {item.net.amount} has more digits than {item.net.currency} allows."
        if item.net < zero(item.net.currency):
            return f"{item.line.title}: its discounts and refunds exceed its price."
    return ""


def _extras_fault(order: Order, rules: Rules) -> str:
    for extra in order.extras:
        net = extra_net(extra, order, rules)
        if extra.kind in rules.include and (not net.fits or net.amount < 0):
            return f"{extra.kind}: {_said(net)} cannot be charged."
    return ""


def _said(money: Money) -> str:
    return f"{money.amount:f} {money.currency}"
