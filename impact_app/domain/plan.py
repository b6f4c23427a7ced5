"""The heart: what impact.com should hold, against what it holds, and the smallest step between the two.

Pure: the same order, rules, history and moment give the same answer, whichever delivery asked and how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from impact_app.domain.attribution import FORMER_MARKS, Attribution, Beside, attribute
from impact_app.domain.figures import LineFigures, Sums, line_figures, sums
from impact_app.domain.mapping import Conversion, PartnerCode, Target, conversion, route
from impact_app.domain.money import Money, total, zero
from impact_app.domain.orders import Channel, Order, Payment
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.rules import Route, Rules

#: impact.com processes no conversion older than this (API implementation guide).
AGE_LIMIT = timedelta(days=88)

#: impact.com carries out no further change of an action (help centre, modifying actions).
CHANGE_LIMIT = 1000

_ORDER_ID_LENGTH = 64

_WAS_PAID = (Payment.PAID, Payment.REFUNDED)
#: All money went back, whether items were named or not.
_TAKEN_BACK = (Payment.VOIDED, Payment.REFUNDED)

#: Objections that a click would take away.
_WANTS_A_CLICK = frozenset(
    {Reason.DRAFT_WITHOUT_CLICK, Reason.NO_CLICK_OR_CODE, Reason.NO_CLICK, Reason.NO_ATTRIBUTION_KEY}
)

#: Stands in while the merchant has set no campaign: the order is judged all the same, and waits.
_NOWHERE = Target("", "")


@dataclass(frozen=True, slots=True)
class ReportedItem:
    """One SKU as impact.com holds it: units, and the amount it pays on."""

    sku: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Reported:
    """What impact.com has acknowledged of a conversion.

    `first` is what it was reported with, which undoing a reversal goes back to; empty where not kept.
    `is_spread`: it was reported with a discount of the whole order, which impact.com spread over the items.
    """

    campaign_id: str
    event_type_id: str
    order_id: str
    currency: str
    items: tuple[ReportedItem, ...]
    is_reversed: bool = False
    first: tuple[ReportedItem, ...] = field(default=(), compare=False)
    is_spread: bool = field(default=False, compare=False)

    @property
    def is_exact(self) -> bool:
        """Whether each item is known to the cent: impact.com rounds what it spreads as it likes."""
        return not self.is_spread or self.items != self.first

    @property
    def amount(self) -> Money:
        return total((item.amount for item in self.items), self.currency)

    @property
    def skus(self) -> frozenset[str]:
        """Every SKU the conversion has, also those of which nothing is left."""
        return frozenset(item.sku for item in (*self.items, *self.first))


@dataclass(frozen=True, slots=True)
class Submit:
    """Report the order for the first time, or what was added to it since."""

    conversion: Conversion
    result: Reported


@dataclass(frozen=True, slots=True)
class Modify:
    """Set the named items to what they are now, in absolute figures."""

    items: tuple[ReportedItem, ...]
    result: Reported


@dataclass(frozen=True, slots=True)
class Reverse:
    """Take the whole order back."""

    code: str
    result: Reported


@dataclass(frozen=True, slots=True)
class Restore:
    """Undo a reversal: everything as it was first reported."""

    result: Reported


Step = Submit | Modify | Reverse | Restore


@dataclass(frozen=True, slots=True)
class Limits:
    """What stands in the way of changing a conversion.

    locking_date   from then on impact.com changes nothing of it; None: not known
    changes        how many changes of it impact.com has accepted
    is_paid_for    False: no partner is paid, so there is no action to change
    """

    locking_date: datetime | None = None
    changes: int = 0
    is_paid_for: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """One conversion of an order as impact.com holds it: part 1 the order, 2 and on what was added later."""

    part: int
    reported: Reported
    limits: Limits


@dataclass(frozen=True, slots=True)
class Context:
    """What the plan needs beside order and rules.

    target    None: the merchant has not set it
    limits    of the order's first conversion
    further   the conversions of items that were added to the order later
    beside    clicks that reached the app beside the order
    expected  until when an order without a click waits for one; None: it does not
    """

    target: Target | None
    partner_codes: Sequence[PartnerCode]
    now: datetime
    limits: Limits = Limits()
    further: Sequence[Held] = ()
    beside: Sequence[Beside] = ()
    expected: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer, with everything it rests on. `part` names the conversion that the step is about."""

    step: Step | None
    verdict: Verdict
    reason: Reason
    detail: str
    attribution: Attribution
    route: Route | None
    figures: tuple[LineFigures, ...]
    sums: Sums
    conversion: Conversion
    part: int = 1

    @property
    def why(self) -> str:
        """One slug for the step: what called for it, or why there is none."""
        match self.step:
            case Submit(_) if self.part > 1:
                return "items_added"
            case Submit(found):
                return "click" if found.click_id else "promo_code" if found.promo_code else "all_orders"
            case Modify():
                return "items_changed"
            case Reverse():
                return "order_taken_back"
            case Restore():
                return "order_restored"
        return self.reason.value


def plan(order: Order, rules: Rules, reported: Reported | None, context: Context) -> Plan:
    """Say what to do about an order, given what impact.com has acknowledged of it."""
    if reported is not None:
        rules = _in_reported_currency(order, rules, reported)
    attribution = attribute(order, rules.parameters, context.beside)
    figures = tuple(line_figures(order, rules))
    way = route(order, rules)
    target = Target(way.campaign_id, way.event_type_id) if way else context.target
    base = Plan(
        step=None,
        verdict=Verdict.WITHHELD,
        reason=Reason.UNCHANGED,
        detail="",
        attribution=attribution,
        route=way,
        figures=figures,
        sums=sums(order, figures, rules),
        conversion=conversion(order, figures, rules, attribution, target or _NOWHERE, context.partner_codes),
    )
    if reported is not None:
        return _later(order, rules, (Held(1, reported, context.limits), *context.further), base, context.now)
    if context.further:
        taken = frozenset[str]().union(*(one.reported.skus for one in context.further))
        base = replace(base, conversion=_without(base.conversion, taken))
    return _first(order, rules, base, context, is_configured=target is not None)


def _in_reported_currency(order: Order, rules: Rules, reported: Reported) -> Rules:
    """The rules with the side the order was reported in: a change of an action names no currency."""
    if order.currency_on(rules.money) == reported.currency:
        return rules
    return replace(rules, money="shopper" if rules.money == "shop" else "shop")


def taken_as_reported(order: Order, rules: Rules, context: Context) -> Reported:
    """What impact.com would hold had it accepted the order as it is, whatever speaks against reporting it."""
    return _as_reported(plan(order, rules, None, context).conversion)


def _first(order: Order, rules: Rules, base: Plan, context: Context, *, is_configured: bool) -> Plan:
    """An order impact.com does not know: report it, unless something speaks against it."""
    reason, detail = _objection(order, rules, base, context.now)
    if context.expected and not base.attribution.click_id and (reason is None or reason in _WANTS_A_CLICK):
        waits = f"It waits until {context.expected:%Y-%m-%d %H:%M:%S} UTC."
        return replace(base, verdict=Verdict.WAITING, reason=Reason.AWAITING_CLICK, detail=waits)
    if reason:
        return _nothing(base, reason, detail)
    if not is_configured:
        return _nothing(base, Reason.NOT_CONFIGURED)
    step = Submit(base.conversion, _as_reported(base.conversion))
    return replace(base, step=step, verdict=Verdict.WAITING, reason=Reason.QUEUED)


def _objection(order: Order, rules: Rules, base: Plan, now: datetime) -> tuple[Reason | None, str]:
    """The first reason, in this order, not to report; (None, "") where there is none."""
    click, code = base.attribution.click_id, bool(order.codes)
    totals = base.sums.fault
    age = now - order.placed_at
    checks: tuple[tuple[Reason, bool, str], ...] = (
        (Reason.TEST_ORDER, order.is_test and rules.test_orders == "skip", ""),
        (Reason.CANCELLED_BEFORE_REPORT, order.cancelled_at is not None, order.cancel_code),
        (Reason.NOT_PAID, order.payment not in _WAS_PAID, f"The platform says {order.payment_word!r}."),
        (Reason.REFUNDED_BEFORE_REPORT, order.payment is Payment.REFUNDED or not base.figures, ""),
        (Reason.FORMER_APP, _from_former_app(order, rules), ""),
        (Reason.POINT_OF_SALE, order.channel is Channel.POINT_OF_SALE and rules.pos == "skip", ""),
        (
            Reason.SUBSCRIPTION_RENEWAL,
            order.channel is Channel.RENEWAL and rules.renewals == "skip",
            f"Made by {order.source}.",
        ),
        (
            Reason.DRAFT_WITHOUT_CLICK,
            order.channel is Channel.DRAFT and rules.drafts == "skip" and not click,
            "",
        ),
        (Reason.NO_CLICK_OR_CODE, rules.send == "attributed" and not click and not code, ""),
        (Reason.NO_CLICK, rules.send == "clicks_only" and not click, ""),
        (
            Reason.NO_ATTRIBUTION_KEY,
            not click and not code and not order.customer.id,
            "",
        ),
        (Reason.TOO_OLD, age > AGE_LIMIT, f"Placed {age.days} days before."),
        (Reason.TOTALS_DISAGREE, bool(totals), totals),
        # A conversion without items is refused, so an order of nothing but gift cards is never sent.
        (
            Reason.ZERO_VALUE,
            not base.conversion.items or (rules.zero_value == "skip" and not base.conversion.net),
            "",
        ),
    )
    return next(((reason, detail) for reason, holds, detail in checks if holds), (None, ""))


def _from_former_app(order: Order, rules: Rules) -> bool:
    if rules.former_app_until is None or order.placed_at >= rules.former_app_until:
        return False
    carried = {name for name, _ in order.attributes}
    carried |= {name for line in order.lines for name, _ in line.properties}
    return bool(carried & FORMER_MARKS)


def _later(order: Order, rules: Rules, held: Sequence[Held], base: Plan, now: datetime) -> Plan:
    """An order impact.com knows: move it, one step at a time, to what the order has become."""
    known = replace(base, verdict=Verdict.REPORTED)
    found = [_followed(order, rules, one, replace(known, part=one.part), now) for one in held]
    found.append(_added(order, rules, held, known, now))
    steps = (one for one in found if one.step is not None)
    telling = (one for one in found if one.reason not in {Reason.UNCHANGED, Reason.REVERSED})
    unchanged = (one for one in found[:-1] if one.reason is Reason.UNCHANGED)
    return next(steps, None) or next(telling, None) or next(unchanged, found[0])


def _followed(order: Order, rules: Rules, held: Held, known: Plan, now: datetime) -> Plan:
    """One conversion against what its items have become."""
    reported, is_paid = held.reported, order.payment is Payment.PAID
    if reported.is_reversed:
        return _restored(order, held, known, now)
    wanted = _wanted(known, reported, is_paid=is_paid)
    if _is_taken_back(order) or _is_nothing(wanted, reported):
        taken_back = replace(reported, items=(), is_reversed=True)
        return _within_limits(known, Reverse(_code(order, rules), taken_back), held, now)
    if known.sums.fault:
        return _nothing(known, Reason.TOTALS_DISAGREE, known.sums.fault)
    changed = tuple(new for new, old in zip(wanted, reported.items, strict=True) if new != old)
    if not changed:
        return known
    if not reported.is_exact:
        changed = tuple(
            new for new, old in zip(wanted, reported.items, strict=True) if new != old or new.quantity
        )
    return _within_limits(known, Modify(changed, replace(reported, items=wanted)), held, now)


def _restored(order: Order, held: Held, known: Plan, now: datetime) -> Plan:
    """A reversed conversion: only going back to what was first reported brings it back."""
    stays = replace(known, reason=Reason.REVERSED)
    if order.payment is not Payment.PAID or _is_taken_back(order):
        return stays
    before = replace(held.reported, items=held.reported.first, is_reversed=False)
    if not before.items:
        worth = known.conversion.net
        detail = _apart(held.reported.amount, worth)
        return _nothing(known, Reason.REVERSED_FOR_GOOD, detail) if worth else stays
    if _is_nothing(_wanted(known, before, is_paid=True), before):
        return stays
    if known.sums.fault:
        return _nothing(known, Reason.TOTALS_DISAGREE, known.sums.fault)
    return _within_limits(known, Restore(before), held, now)


def _within_limits(known: Plan, step: Modify | Reverse | Restore, held: Held, now: datetime) -> Plan:
    """The step, unless impact.com would not carry it out; then why not, and the money it is about."""
    limits, stands = held.limits, held.reported.amount
    becomes = _becoming(known, step, held.reported)
    if not limits.is_paid_for:
        return known
    if not stands and not becomes:
        return _nothing(known, Reason.NOTHING_TO_CHANGE)
    if limits.locking_date is not None and limits.locking_date <= now:
        said = f"Locked since {limits.locking_date:%Y-%m-%d}. {_apart(stands, becomes)}"
        return _nothing(known, Reason.TOO_LATE, said)
    if limits.changes >= CHANGE_LIMIT:
        return _nothing(known, Reason.TOO_MANY_CHANGES, _apart(stands, becomes))
    return replace(known, step=step, verdict=Verdict.WAITING, reason=Reason.QUEUED)


def _becoming(known: Plan, step: Modify | Reverse | Restore, reported: Reported) -> Money:
    """What the conversion should be worth: after going back to its first items, those as they are now."""
    if isinstance(step, Restore):
        wanted = _wanted(known, step.result, is_paid=True)
        return total((item.amount for item in wanted), reported.currency)
    return step.result.amount


def _apart(stands: Money, becomes: Money) -> str:
    """What is wrong in money, in a sentence."""
    apart = stands - becomes
    size, way = (apart, "too much") if apart.amount > 0 else (becomes - stands, "too little")
    held = f"impact.com holds {_said(stands)}, the order is worth {_said(becomes)}"
    return f"{held}: {_said(size)} {way}." if apart else f"{held}; only units differ."


def _said(money: Money) -> str:
    return f"{money.text} {money.currency}"


def _is_taken_back(order: Order) -> bool:
    return order.cancelled_at is not None or order.payment in _TAKEN_BACK


def _is_nothing(wanted: Sequence[ReportedItem], reported: Reported) -> bool:
    """Whether nothing is left: no units, or no money where there was some."""
    is_worthless = not any(item.amount for item in wanted)
    return not any(item.quantity for item in wanted) or (is_worthless and bool(reported.amount))


def _added(order: Order, rules: Rules, held: Sequence[Held], known: Plan, now: datetime) -> Plan:
    """Items that no conversion of the order has: impact.com adds none to an action, but takes another one."""
    first = held[0].reported
    have = frozenset[str]().union(*(one.reported.skus for one in held))
    new = _without(known.conversion, have)
    is_unknown = any(one.reported.is_reversed and not one.reported.first for one in held)
    if not new.items or is_unknown or _is_taken_back(order):
        return known
    detail = f"{', '.join(sorted(item.sku for item in new.items))}: {_said(new.net)}."
    if known.sums.fault:
        return _nothing(known, Reason.TOTALS_DISAGREE, known.sums.fault)
    if rules.added_items == "nothing" or not new.net or not held[0].limits.is_paid_for:
        return _nothing(known, Reason.ADDED_ITEMS, detail)
    if now - order.placed_at > AGE_LIMIT:
        return _nothing(known, Reason.ADDED_ITEMS, f"{detail} The order is too old for another conversion.")
    if order.payment is not Payment.PAID:
        return _nothing(known, Reason.ADDED_ITEMS, f"{detail} They are reported once they are paid.")
    part = next(number for number in range(2, len(held) + 2) if number not in {one.part for one in held})
    made = _another(new, first, part)
    step = Submit(made, _as_reported(made))
    return replace(known, step=step, verdict=Verdict.WAITING, reason=Reason.QUEUED, part=part)


def _without(made: Conversion, skus: frozenset[str]) -> Conversion:
    """The conversion less some of its items; discounts of the whole order go to the items they are on."""
    if not skus:
        return made
    items = tuple(
        replace(item, discount=item.subtotal - item.net) for item in made.items if item.sku not in skus
    )
    return replace(made, items=items, order_discount=None)


def _another(made: Conversion, first: Reported, part: int) -> Conversion:
    """A further conversion of an order: beside the first one, under an order id that follows from its."""
    suffix = f"-{part}"
    order_id = first.order_id[: _ORDER_ID_LENGTH - len(suffix)] + suffix
    return replace(made, campaign_id=first.campaign_id, event_type_id=first.event_type_id, order_id=order_id)


def _wanted(base: Plan, reported: Reported, *, is_paid: bool) -> tuple[ReportedItem, ...]:
    """The reported items as they should be now; what is gone stays listed with nothing.

    An edit leaves the order partly paid until the buyer pays what it added; until then items only shrink.
    """
    nothing = zero(reported.currency)
    now = {item.sku: ReportedItem(item.sku, item.quantity, item.net) for item in base.conversion.items}
    wanted = [now.get(old.sku, ReportedItem(old.sku, 0, nothing)) for old in reported.items]
    return tuple(
        old if old.amount < new.amount and not is_paid else new
        for new, old in zip(wanted, reported.items, strict=True)
    )


def _code(order: Order, rules: Rules) -> str:
    if order.is_test:
        return rules.code_test
    if order.cancelled_at is None:
        return rules.code_refund
    return rules.code_fraud if order.cancel_code == "fraud" else rules.code_cancel


def _as_reported(made: Conversion) -> Reported:
    items = tuple(ReportedItem(item.sku, item.quantity, item.net) for item in made.items)
    return Reported(
        campaign_id=made.campaign_id,
        event_type_id=made.event_type_id,
        order_id=made.order_id,
        currency=made.currency,
        items=items,
        first=items,
        is_spread=made.order_discount is not None and len(items) > 1,
    )


def _nothing(base: Plan, reason: Reason, detail: str = "") -> Plan:
    verdict = EXPLANATIONS[reason].verdict
    return replace(base, verdict=verdict or Verdict.WITHHELD, reason=reason, detail=detail)
