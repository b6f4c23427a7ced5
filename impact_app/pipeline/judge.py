"""One order's question, asked again: what should impact.com hold, and what is the step there?

Everything happens in the caller's transaction, with the order's row locked, so that two who judge the same
order at once do it one after the other and the second finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from impact_app.domain.attribution import Beside, Carrier
from impact_app.domain.decisions import decided
from impact_app.domain.evidence import evidence
from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Held, Limits, Modify, Plan, Restore, Reverse, Step, Submit, plan
from impact_app.domain.privacy import trimmed
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.rules import Rules, read_rules
from impact_app.domain.takeover import Booking, is_of, names_of
from impact_app.domain.verification import NOBODY_PAID, NOT_BOOKED
from impact_app.domain.waiting import LOOK_GAPS, Sources, click_expected, next_look
from impact_app.ledger import clicks, orders, outbox, stores, unknown_actions
from impact_app.ledger.clicks import Click, Told
from impact_app.ledger.orders import Booked, Judged, Known
from impact_app.ledger.outbox import Kind, NewStep, OpenStep
from impact_app.ledger.stores import Store
from impact_app.transports.api.request import call


def arrived(connection: sa.Connection, store: Store, order: Order, now: datetime) -> Reason:
    """Take in a snapshot of an order and judge it; an older one than is known changes nothing."""
    order = trimmed(order, read_rules(store.rules))
    known = orders.begin(connection, store.id, order, now)
    if order.is_older_than(known.order):
        return Reason.OLDER_SNAPSHOT
    # Asked for once and told by no delivery.
    order = replace(order, visits=order.visits or known.order.visits)
    _judge(connection, store, order, known, now)
    return Reason.JUDGED


def again(
    connection: sa.Connection, store: Store, order_key: str, now: datetime, *, insist: bool = False
) -> bool:
    """Judge a known order anew, as after a call was settled or rules changed; False if it is unknown.

    `insist` sends even what was refused before in exactly this form.
    """
    known = orders.lock(connection, store.id, order_key)
    if known is None:
        return False
    _judge(connection, store, known.order, known, now, insist=insist)
    return True


def looked(
    connection: sa.Connection,
    store: Store,
    order_key: str,
    pages: Sequence[str],
    now: datetime,
    *,
    is_complete: bool,
) -> bool:
    """Judge an order after a look at the record of visits before it; False if it is unknown."""
    known = orders.lock(connection, store.id, order_key)
    if known is None:
        return False
    left = len(LOOK_GAPS) if known.looks_left is None else max(0, known.looks_left - 1)
    order = trimmed(replace(known.order, visits=tuple(pages) or known.order.visits), read_rules(store.rules))
    known = replace(known, order=order, looks_left=0 if is_complete else left)
    orders.visits_seen(connection, known.row_id, order, known.looks_left or 0)
    _judge(connection, store, order, known, now)
    return True


def _judge(
    connection: sa.Connection,
    store: Store,
    order: Order,
    known: Known,
    now: datetime,
    *,
    insist: bool = False,
) -> None:
    version, rules = rules_for(connection, store, known)
    waiting = None if known.is_new else outbox.open_step(connection, known.row_id)
    seen = decided(order, known.decision)
    context = _context(connection, store, order, known, rules, now)
    found = _planned(seen, rules, known, context, is_resent=insist or waiting is not None)
    if known.decision is not None and known.reported is None:
        found = replace(found, step=None, verdict=Verdict.WITHHELD, reason=Reason.IGNORED, detail="")
    if found.step is not None and not (store.account_sid and store.has_auth_token):
        # A rule may name campaign and event type by itself, but there is nobody to call as.
        found = replace(found, step=None, verdict=Verdict.WAITING, reason=Reason.NOT_CONFIGURED)
    booked = None if store.is_shadow or not _is_first(found, known) else booking_of(connection, store, order)
    if booked is not None:
        found = replace(
            found, step=None, verdict=Verdict.WITHHELD, reason=Reason.BOOKED_ELSEWHERE, detail=str(booked)
        )
    verdict, reason, detail = found.verdict, found.reason, found.detail
    if waiting is not None and waiting.state == "in_flight":
        # Its answer decides; the order is judged again as soon as that is in.
        verdict, reason, detail = Verdict.WAITING, Reason.QUEUED, ""
    elif waiting is not None and _must_stay(waiting, store):
        # impact.com may hold it: the payload stays, and the order is judged again after the answer.
        verdict, reason, detail = _standing(waiting)
        if store.is_shadow:
            verdict, reason, detail = Verdict.WAITING, Reason.HELD_IN_SHADOW, ""
        elif insist:
            outbox.revive(connection, waiting.id, now)
            verdict, reason, detail = Verdict.WAITING, Reason.QUEUED, ""
    else:
        verdict, reason, detail = _put(connection, store, known, found, version, waiting, now, insist=insist)
    told = known.read_back.instead_of(reason) if known.read_back is not None else None
    if told is not None and known.read_back is not None:
        reason, detail = told, known.read_back.words
        verdict = EXPLANATIONS[reason].verdict or verdict
    held = outbox.held_reason(connection, store.account_sid or "") if reason is Reason.QUEUED else None
    if held is not None:
        verdict, reason = Verdict.ATTENTION, held
    judged = _judged(store, order, found, version, verdict, reason, detail)
    due = _click_due(store, order, known, found, context, reason, now)
    orders.write(connection, known.row_id, order, replace(judged, click_due_at=due), now)
    _remember_click(connection, store, order, found, rules)


def rules_for(connection: sa.Connection, store: Store, known: Known) -> tuple[int, Rules]:
    """The rules that hold for an order, with their version: once it is booked, those it was reported by.

    A change of rules thus moves no money of the past by itself (docs/adr/0016). What impact.com could not
    book is planned anew by the newest, as is what is not reported.
    """
    version = known.rules_version
    is_booked = bool(known.conversions) and not _is_not_booked(known.conversions[0])
    if is_booked and version is not None and version != store.rules_version:
        texts = stores.rules_of(connection, store.id, version)
        if texts is not None:
            return version, read_rules(texts)
    return store.rules_version, read_rules(store.rules)


def foreseen(
    connection: sa.Connection,
    store: Store,
    known: Known,
    rules: Rules,
    now: datetime,
    *,
    as_new: bool = False,
) -> Plan:
    """What would be planned for an order under these rules, `as_new` had it never been reported.

    Whether impact.com would still carry it out is left aside.
    """
    changeable = [
        replace(one, changes=0, read_back=replace(one.read_back, locking_date=None))
        for one in known.conversions
    ]
    known = replace(known, conversions=[] if as_new else changeable)
    context = replace(_context(connection, store, known.order, known, rules, now), expected=None)
    return _planned(known.order, rules, known, context, is_resent=False)


def _is_not_booked(one: Booked) -> bool:
    return one.read_back.finding in NOT_BOOKED


def _planned(order: Order, rules: Rules, known: Known, context: Context, *, is_resent: bool) -> Plan:
    """The plan, with what impact.com said it made of each conversion.

    What it could not book is sent anew once something of it is corrected, or when a person insists.
    """
    unbooked = {one.part: one.reported for one in known.conversions if _is_not_booked(one)}
    held = [_held(one) for one in known.conversions if one.part not in unbooked]
    first = held.pop(0) if held and held[0].part == 1 else None
    context = replace(context, limits=first.limits if first else Limits(), further=held)
    found = plan(order, rules, first.reported if first else None, context)
    is_same = isinstance(found.step, Submit) and found.step.result == unbooked.get(found.part)
    return _left_alone(found) if is_same and not is_resent else found


def _held(one: Booked) -> Held:
    told = one.read_back
    limits = Limits(told.locking_date, one.changes, is_paid_for=told.finding not in NOBODY_PAID)
    return Held(one.part, one.reported, limits)


def _left_alone(found: Plan) -> Plan:
    return replace(found, step=None, verdict=Verdict.REPORTED, reason=Reason.UNCHANGED, detail="")


def _put(
    connection: sa.Connection,
    store: Store,
    known: Known,
    found: Plan,
    rules_version: int,
    waiting: OpenStep | None,
    now: datetime,
    *,
    insist: bool,
) -> tuple[Verdict, Reason, str]:
    """Bring the outbox in line with the plan: keep, replace or write the order's one open step."""
    wanted = _new_step(store, found, known, rules_version)
    if store.is_shadow or _is_left_to_others(known, waiting, insist=insist):
        return _hold_back(connection, store, known, found, wanted, waiting, now)
    if waiting is not None:
        is_open = waiting.state != "shadow"
        if wanted is not None and is_open and _same(waiting, wanted, store):
            if insist:
                outbox.revive(connection, waiting.id, now)
                return Verdict.WAITING, Reason.QUEUED, ""
            return _standing(waiting)
        if not outbox.replace(connection, waiting.id, now):
            return Verdict.WAITING, Reason.QUEUED, ""
    if wanted is not None:
        outbox.write(connection, store.id, known.row_id, store.account_sid or "", wanted, now)
    return found.verdict, found.reason, found.detail


def booking_of(connection: sa.Connection, store: Store, order: Order) -> Booking | None:
    """What somebody else reported of an order, as far as actions were listed; None: nothing is known."""
    named = unknown_actions.bookings(connection, store.account_sid or "", names_of(order))
    return next((one for one in named if is_of(order, one)), None)


def _is_first(found: Plan, known: Known) -> bool:
    return isinstance(found.step, Submit) and known.reported is None


def _is_left_to_others(known: Known, waiting: OpenStep | None, *, insist: bool) -> bool:
    """Whether an order was judged in shadow mode, while somebody else reported: a person must say so."""
    was_shadow = waiting is not None and waiting.state == "shadow"
    return was_shadow and known.reported is None and not insist


def _hold_back(
    connection: sa.Connection,
    store: Store,
    known: Known,
    found: Plan,
    wanted: NewStep | None,
    waiting: OpenStep | None,
    now: datetime,
) -> tuple[Verdict, Reason, str]:
    """Write down the call that would be made, once for each form it takes; it stays as a mark afterwards."""
    is_kept = (
        waiting is not None
        and waiting.state == "shadow"
        and (wanted is None or _same(waiting, wanted, store))
    )
    if waiting is not None and not is_kept and not outbox.replace(connection, waiting.id, now):
        return Verdict.WAITING, Reason.QUEUED, ""
    if wanted is None:
        return found.verdict, found.reason, found.detail
    if not is_kept:
        sid = store.account_sid or ""
        outbox.write(connection, store.id, known.row_id, sid, wanted, now, in_shadow=True)
    reason = Reason.SHADOW if known.reported is None else Reason.HELD_IN_SHADOW
    return EXPLANATIONS[reason].verdict or found.verdict, reason, ""


def _must_stay(waiting: OpenStep, store: Store) -> bool:
    """Whether this call may already stand at impact.com, so that another payload could double or differ."""
    is_ours = waiting.account_sid == store.account_sid
    return is_ours and waiting.may_have_arrived and waiting.state in {"pending", "gave_up"}


def _standing(waiting: OpenStep) -> tuple[Verdict, Reason, str]:
    """The verdict that a step gives its order: its own reason, or that it is queued."""
    reason = Reason(waiting.reason) if waiting.reason else Reason.QUEUED
    verdict = EXPLANATIONS[reason].verdict
    return verdict or Verdict.WAITING, reason, waiting.detail


def _same(waiting: OpenStep, wanted: NewStep, store: Store) -> bool:
    return (
        waiting.method == wanted.method
        and waiting.path == wanted.path
        and waiting.account_sid == store.account_sid
        and [tuple(pair) for pair in waiting.form] == list(wanted.form)
    )


def _new_step(store: Store, found: Plan, known: Known, rules_version: int) -> NewStep | None:
    if found.step is None:
        return None
    told = next((one.read_back for one in known.conversions if one.part == found.part), None)
    is_ours = told is not None and told.account_sid == store.account_sid
    action_id = told.action_id if told is not None and is_ours else None
    made = call(found.step, store.account_sid or "", action_id)
    return NewStep(
        _kind(found.step), made.method, made.path, made.form, found.step.result, rules_version, found.part
    )


def _kind(step: Step) -> Kind:
    match step:
        case Submit():
            return "submit"
        case Modify():
            return "modify"
        case Reverse():
            return "reverse"
        case Restore():
            return "restore"


def _context(
    connection: sa.Connection, store: Store, order: Order, known: Known, rules: Rules, now: datetime
) -> Context:
    target = (
        Target(store.campaign_id, store.event_type_id)
        if store.is_configured and store.campaign_id and store.event_type_id
        else None
    )
    codes = [PartnerCode(code["code"], code.get("type", "LI")) for code in store.promo_codes]
    beside = _beside(connection, store, order, known, rules)
    return Context(
        target, codes, now, beside=beside, expected=click_expected(order, _sources(store, known), now)
    )


def _sources(store: Store, known: Known) -> Sources:
    granted = {scope.strip() for scope in store.scopes.split(",")}
    can_ask = store.has_access_token and not granted.isdisjoint({"read_orders", "write_orders"})
    return Sources(store.pixel_id is not None, can_ask, known.looks_left)


def _beside(
    connection: sa.Connection, store: Store, order: Order, known: Known, rules: Rules
) -> list[Beside]:
    """The clicks that came beside the order; once reported, only the one it was reported with counts."""
    window = timedelta(days=rules.referral_days)
    told = clicks.of_order(connection, store.id, order.checkout_token, order.cart_token)
    found = [_by_beacon(one, order, window) for one in told]
    if rules.customer_click == "on" and order.customer.id:
        stored = clicks.of_customer(connection, store.id, order.customer.id)
        if stored is not None and stored.order_key != order.key:
            found.append(_stored(stored, order, window))
    if not found or not known.conversions or _is_not_booked(known.conversions[0]):
        return found
    used = outbox.click_reported(connection, known.row_id)
    late = "it came after the order was reported"
    return [one if one.value == used else replace(one, fault=one.fault or late) for one in found]


def _by_beacon(one: Click, order: Order, window: timedelta) -> Beside:
    fault = ""
    if one.order_key is not None and one.order_key != order.key:
        fault = "it names another order"
    elif one.received_at > order.placed_at + window:
        fault = "it came after the referral window"
    told = f"{one.event}, received {one.received_at:%Y-%m-%d %H:%M:%S} UTC."
    return Beside(Carrier.BEACON, f"{one.kind}_token", one.click, one.consent, told, fault)


def _stored(one: Click, order: Order, window: timedelta) -> Beside:
    age = order.placed_at - one.received_at
    fault = "" if timedelta(0) <= age <= window else "it lies outside the referral window"
    told = (
        f"Order {one.order_key} of the same customer carried it, placed {one.received_at:%Y-%m-%d %H:%M} UTC."
    )
    return Beside(Carrier.STORED_CLICK, "customer", one.click, one.consent, told, fault)


def _click_due(
    store: Store,
    order: Order,
    known: Known,
    found: Plan,
    context: Context,
    reason: Reason,
    now: datetime,
) -> datetime | None:
    """When to look for the order's click again."""
    if reason is Reason.AWAITING_CLICK:
        return context.expected
    if found.attribution.click_id or known.conversions:
        return None
    return next_look(order, _sources(store, known), now)


def _remember_click(connection: sa.Connection, store: Store, order: Order, found: Plan, rules: Rules) -> None:
    """Keep the click for the customer's next orders, where the merchant wants that."""
    winner = found.attribution.winner
    if rules.customer_click == "off" or not order.customer.id or order.is_test:
        return
    if winner is None or winner.carrier is Carrier.STORED_CLICK:
        return
    placed = order.placed_at
    kept = Told(
        store.id,
        "customer",
        order.customer.id[:128],
        order.key,
        winner.value,
        winner.consent or "unknown",
        "order",
        placed,
    )
    clicks.keep(connection, kept, placed + timedelta(days=rules.referral_days), look_at=None)


def _judged(
    store: Store,
    order: Order,
    found: Plan,
    rules_version: int,
    verdict: Verdict,
    reason: Reason,
    detail: str,
) -> Judged:
    net = found.conversion.net
    return Judged(
        verdict=verdict,
        reason=reason,
        detail=detail,
        evidence={**evidence(order, found), "rules_version": rules_version},
        rules_version=store.rules_version,
        carrier=found.attribution.carrier,
        click_id=found.attribution.click_id,
        net_minor=net.minor if net.fits else None,
        currency=net.currency,
        promo_code=found.conversion.promo_code or None,
    )
