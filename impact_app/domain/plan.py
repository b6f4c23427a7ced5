"""The heart: what impact.com should hold, against what it holds, and the smallest step between the two.

Pure: the same order, rules, history and moment give the same answer, whichever delivery asked and how often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from impact_app.domain.attribution import FORMER_MARKS, Attribution, attribute
from impact_app.domain.figures import LineFigures, Sums, line_figures, sums
from impact_app.domain.mapping import Conversion, PartnerCode, Target, conversion, route
from impact_app.domain.money import Money, zero
from impact_app.domain.orders import Channel, Order, Payment
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.rules import Route, Rules

#: impact.com processes no conversion older than this (API implementation guide).
AGE_LIMIT = timedelta(days=88)

_WAS_PAID = (Payment.PAID, Payment.REFUNDED)
#: All money went back, whether items were named or not.
_TAKEN_BACK = (Payment.VOIDED, Payment.REFUNDED)

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
    """What impact.com has acknowledged of an order."""

    campaign_id: str
    event_type_id: str
    order_id: str
    currency: str
    items: tuple[ReportedItem, ...]
    is_reversed: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """Report the order for the first time."""

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


Step = Submit | Modify | Reverse


@dataclass(frozen=True, slots=True)
class Context:
    """What the plan needs beside order and rules. `target` None: the merchant has not set it."""

    target: Target | None
    partner_codes: Sequence[PartnerCode]
    now: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer, with everything it rests on."""

    step: Step | None
    verdict: Verdict
    reason: Reason
    detail: str
    attribution: Attribution
    route: Route | None
    figures: tuple[LineFigures, ...]
    sums: Sums
    conversion: Conversion

    @property
    def why(self) -> str:
        """One slug for the step: what called for it, or why there is none."""
        match self.step:
            case Submit(found):
                return "click" if found.click_id else "promo_code" if found.promo_code else "all_orders"
            case Modify():
                return "items_changed"
            case Reverse():
                return "order_taken_back"
        return self.reason.value


def plan(order: Order, rules: Rules, reported: Reported | None, context: Context) -> Plan:
    """Say what to do about an order, given what impact.com has acknowledged of it."""
    if reported is not None:
        rules = _in_reported_currency(order, rules, reported)
    attribution = attribute(order, rules.parameters)
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
        return _later(order, rules, reported, base)
    return _first(order, rules, base, context.now, is_configured=target is not None)


def _in_reported_currency(order: Order, rules: Rules, reported: Reported) -> Rules:
    """The rules with the side the order was reported in: a change of an action names no currency."""
    if order.currency_on(rules.money) == reported.currency:
        return rules
    return replace(rules, money="shopper" if rules.money == "shop" else "shop")


def taken_as_reported(order: Order, rules: Rules, context: Context) -> Reported:
    """What impact.com would hold had it accepted the order as it is, whatever speaks against reporting it."""
    return _as_reported(plan(order, rules, None, context).conversion)


def _first(order: Order, rules: Rules, base: Plan, now: datetime, *, is_configured: bool) -> Plan:
    """An order impact.com does not know: report it, unless something speaks against it."""
    reason, detail = _objection(order, rules, base, now)
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


def _later(order: Order, rules: Rules, reported: Reported, base: Plan) -> Plan:
    """An order impact.com knows: move it to what the order has become."""
    known = replace(base, verdict=Verdict.REPORTED)
    if reported.is_reversed:
        return replace(known, reason=Reason.REVERSED)
    wanted = _wanted(base, reported, is_paid=order.payment is Payment.PAID)
    gone = not any(item.quantity for item in wanted)
    if order.cancelled_at is not None or order.payment in _TAKEN_BACK or gone:
        taken_back = replace(reported, items=(), is_reversed=True)
        step = Reverse(_code(order, rules), taken_back)
        return replace(known, step=step, verdict=Verdict.WAITING, reason=Reason.QUEUED)
    if base.sums.fault:
        return _nothing(base, Reason.TOTALS_DISAGREE, base.sums.fault)
    changed = tuple(new for new, old in zip(wanted, reported.items, strict=True) if new != old)
    if changed:
        step_to = Modify(changed, replace(reported, items=wanted))
        return replace(known, step=step_to, verdict=Verdict.WAITING, reason=Reason.QUEUED)
    added = {item.sku for item in base.conversion.items} - {item.sku for item in reported.items}
    if added:
        return replace(known, reason=Reason.ADDED_ITEMS, detail=", ".join(sorted(added)))
    return replace(known, reason=Reason.UNCHANGED)


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
    if order.cancelled_at is None:
        return rules.code_refund
    return rules.code_fraud if order.cancel_code == "fraud" else rules.code_cancel


def _as_reported(made: Conversion) -> Reported:
    return Reported(
        campaign_id=made.campaign_id,
        event_type_id=made.event_type_id,
        order_id=made.order_id,
        currency=made.currency,
        items=tuple(ReportedItem(item.sku, item.quantity, item.net) for item in made.items),
    )


def _nothing(base: Plan, reason: Reason, detail: str = "") -> Plan:
    verdict = EXPLANATIONS[reason].verdict
    return replace(base, verdict=verdict or Verdict.WITHHELD, reason=reason, detail=detail)
