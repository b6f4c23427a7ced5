"""What impact.com should hold of an order, worked out from the shop's own body and the rules alone.

Nothing of the app's own arithmetic, plan or ledger is used: whole numbers of the smallest unit throughout,
read from the body that the pretend store made. What the network holds is judged by three questions: was it
first told a state that the order was in, under rules that were in force? Does it hold now what the order's
last state is worth under the same rules? And is nothing there twice, or there although it should not be?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from impact_app.simulator.network.actions import Action
from impact_app.simulator.shopify.specs import exponent
from tests.histories.shop import Body, Life

#: What a line without SKU, variant and product goes by: its title in plain characters.
NO_SKU = "thing"

#: What a discount of two steps, each spread and rounded by the shop, may differ from one that is spread once.
_ROUNDINGS = 3

Rules = Mapping[str, str]
#: Units and amount (smallest unit) by SKU.
Held = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Since:
    """Rules, and from when on they were in force."""

    at: datetime
    rules: Rules


@dataclass
class _Line:
    sku: str
    units: int
    value: int
    net: int


def worth(body: Body, rules: Rules) -> Held:
    """What each SKU of the order comes to now, as far as the rules count it."""
    side, included = _side(rules), _included(rules)
    contained = body["taxes_included"]
    lines = []
    for line in body["line_items"]:
        value, tax = _now(body, line, side)
        if not line["current_quantity"] or (line["gift_card"] and "gift_cards" not in included):
            continue
        net = value - tax if contained else value
        if "tax" in included:
            net = value if contained else value + tax
        lines.append(_Line(line["sku"] or NO_SKU, line["current_quantity"], value, net))
    if rules.get("amount_refunds", "spread") == "spread":
        _spread(lines, _handed_back(body, side), contained=contained)
    found: Held = {}
    for one in lines:
        units, amount = found.get(one.sku, (0, 0))
        found[one.sku] = units + one.units, amount + one.net
    shipping = _bag(body["current_shipping_price_set"], side)
    if "shipping" in included and shipping:
        found["shipping"] = 1, shipping
    return found


def complaints(life: Life, actions: Sequence[Action], versions: Sequence[Since]) -> Iterator[str]:
    """Everything that is wrong with what the network holds of one order, in sentences."""
    by_id: dict[str, list[Action]] = {}
    for action in actions:
        by_id.setdefault(action.order_id, []).append(action)
    for order_id, same in by_id.items():
        if len(same) > 1:
            yield f"{order_id} was booked {len(same)} times."
    skus = [item.sku for action in actions for item in action.items]
    if len(skus) != len(set(skus)):
        yield f"Of {life.id} a SKU was booked twice: {skus}."
    taken_back = _is_taken_back(life.now)
    if not life.has_click:
        if actions:
            yield f"{life.id} has no click and was booked."
        return
    if not actions:
        must = all(_is_reportable(life.now, one.rules) for one in versions)
        if must:
            yield f"{life.id} is not booked; it is worth {worth(life.now, versions[-1].rules)}."
        return
    possible = [one.rules for one in versions if _may_have_been_told(life, actions, one)]
    if not possible:
        told = [_tracked(action) for action in actions]
        yield f"{life.id} was first told as {told}: no state of it under any rules is worth that."
        return
    judged = [list(_apart(life.now, actions, rules, taken_back=taken_back)) for rules in possible]
    yield from min(judged, key=len)


def _apart(body: Body, actions: Sequence[Action], rules: Rules, *, taken_back: bool) -> Iterator[str]:
    now = worth(body, rules)
    for action in actions:
        wanted = {item.sku: now.get(item.sku, (0, 0)) for item in action.items}
        is_nothing = not any(units for units, _ in wanted.values()) or not any(
            amount for _, amount in wanted.values()
        )
        holds = _held(action)
        if taken_back or is_nothing:
            if not action.reversed:
                yield f"{action.order_id} should be reversed and holds {holds}."
        elif action.reversed:
            yield f"{action.order_id} is reversed and should hold {wanted}."
        elif not _is_held(action, wanted, rules):
            yield f"{action.order_id} holds {holds} and should hold {wanted}."
    tracked = {item.sku for action in actions for item in action.items}
    new = {sku: figures for sku, figures in now.items() if sku not in tracked}
    is_due = rules.get("added_items") == "second_conversion" and any(amount for _, amount in new.values())
    if is_due and not taken_back:
        yield f"{body['id']}: what was added is not booked: {new}."
    if len(actions) > 1 and rules.get("added_items") != "second_conversion":
        yield f"{body['id']} was booked in {len(actions)} parts, which the rules do not say."


def _may_have_been_told(life: Life, actions: Sequence[Action], since: Since) -> bool:
    """Whether every action was first told as a state the order was in before, under these rules."""
    before: set[str] = set()
    for action in actions:
        states = [
            {sku: figures for sku, figures in worth(state, since.rules).items() if sku not in before}
            for state in life.states
            if _is_reportable(state, since.rules)
            and datetime.fromisoformat(state["updated_at"]) <= action.created_at
        ]
        currency = life.now["currency" if _side(since.rules) == "shop_money" else "presentment_currency"]
        is_told = any(_is_told(action, state, since.rules) for state in states)
        if since.at > action.created_at or not is_told or action.currency != currency:
            return False
        before |= _tracked(action).keys()
    return True


def _is_told(action: Action, state: Held, rules: Rules) -> bool:
    """Whether the action was first told as this.

    A discount of the order the network spreads by itself: over the items in proportion, which is how the shop
    did it, but for roundings, unless the rules say to put every discount there.
    """
    told = _tracked(action)
    if not action.conversion.order_discount:
        return told == state
    most = _sum(state) if rules.get("discounts") == "order" else _ROUNDINGS
    is_near = told.keys() == state.keys() and all(
        units == state[sku][0] and abs(amount - state[sku][1]) <= most
        for sku, (units, amount) in told.items()
    )
    return is_near and _sum(told) == _sum(state)


def _is_held(action: Action, wanted: Held, rules: Rules) -> bool:
    """Whether the action holds this to the smallest unit; as first told, as the network spread it."""
    return _held(action) == wanted or (_held(action) == _tracked(action) and _is_told(action, wanted, rules))


def _sum(held: Held) -> int:
    return sum(amount for _, amount in held.values())


def _is_reportable(body: Body, rules: Rules) -> bool:
    is_paid = body["financial_status"] in ("paid", "partially_refunded")
    return is_paid and not _is_taken_back(body) and any(amount for _, amount in worth(body, rules).values())


def _is_taken_back(body: Body) -> bool:
    return body["cancelled_at"] is not None or body["financial_status"] in ("refunded", "voided")


def _tracked(action: Action) -> Held:
    return {
        item.sku: (item.tracked_quantity, _whole(item.tracked_amount, action.currency))
        for item in action.items
    }


def _held(action: Action) -> Held:
    return {item.sku: (item.quantity, _whole(item.amount, action.currency)) for item in action.items}


def _now(body: Body, line: Body, side: str) -> tuple[int, int]:
    """What the buyer still pays for a line, and the tax on that."""
    value = _bag(line["price_set"], side) * line["quantity"]
    value -= sum(_bag(one["amount_set"], side) for one in line["discount_allocations"])
    tax = sum(_bag(one["price_set"], side) for one in line["tax_lines"])
    for record in body["refunds"]:
        for back in record["refund_line_items"]:
            if back["line_item_id"] == line["id"]:
                value -= _bag(back["subtotal_set"], side)
                tax -= _bag(back["total_tax_set"], side)
    return value, tax


def _handed_back(body: Body, side: str) -> int:
    """Money that went back beyond items and shipping, which the store shows below 0, less what was kept."""
    told = [
        -_bag(one["amount_set"], side)
        for record in body["refunds"]
        for one in record["order_adjustments"]
        if one["kind"] != "shipping_refund"
    ]
    return max(0, sum(told))


def _spread(lines: list[_Line], back: int, *, contained: bool) -> None:
    """Take `back` off the lines by what was paid for each: whole units, largest remainders first.

    What was paid is the value where prices contain tax, else what counts of it, with tax where that counts.
    """
    worth = [(line, line.value if contained else line.net) for line in lines]
    worth = [(line, paid) for line, paid in worth if paid > 0]
    lines, whole = [line for line, _ in worth], sum(paid for _, paid in worth)
    back = min(back, whole)
    if not back:
        return
    exact = [Fraction(back * paid, whole) for _, paid in worth]
    parts = [int(part) for part in exact]
    by_rest = sorted(range(len(lines)), key=lambda at: (parts[at] - exact[at], at))
    for at in by_rest[: back - sum(parts)]:
        parts[at] += 1
    for line, part in zip(lines, parts, strict=True):
        line.net = (
            _half_up(Fraction(line.net * (line.value - part), line.value)) if contained else line.net - part
        )


def _half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


def _side(rules: Rules) -> str:
    return "presentment_money" if rules.get("money") == "shopper" else "shop_money"


def _included(rules: Rules) -> set[str]:
    return set(rules.get("include", "").split(","))


def _bag(both: Any, side: str) -> int:
    return _whole(Decimal(both[side]["amount"]), both[side]["currency_code"])


def _whole(amount: Decimal, currency: str) -> int:
    units = amount.scaleb(exponent(currency))
    assert units == units.to_integral_value(), (amount, currency)
    return int(units)
