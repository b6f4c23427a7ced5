"""What would happen to an order, without anything happening: the same reading, the same plan, no sending."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from impact_app.domain.events import Unreadable
from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Modify, Plan, Restore, Reverse, Submit, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules
from impact_app.transports.api.request import call


def unwrapped(body: bytes) -> bytes:
    """An order as a webhook carries it, from a file that may hold it as a REST answer does.

    The order's own bytes are cut out, so that no amount is read and written again. Raises `Unreadable`.
    """
    try:
        named = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        if set(named) == {"order"}:
            return bytes(named["order"])
        if set(named) != {"orders"}:
            return body
        orders = msgspec.json.decode(named["orders"], type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if len(orders) != 1:
        raise Unreadable(f"The file holds a list of {len(orders)} orders; a preview takes one.")
    return bytes(orders[0])


def preview(
    order: Order,
    rules: Rules,
    *,
    against: Order | None,
    target: Target,
    account_sid: str,
    partner_codes: Sequence[PartnerCode],
    now: datetime | None,
) -> dict[str, Any]:
    """The decision on an order, as of its own last change unless `now` is given.

    `against` is an earlier snapshot taken as already reported. Answers decision, reason, carrier and call.
    Raises `Unreadable` where the two are different orders.
    """
    if against is not None and against.key != order.key:
        raise Unreadable(f"The two files hold different orders: {order.key} and, before it, {against.key}.")
    context = Context(target, partner_codes, now or order.changed_at)
    reported = taken_as_reported(against, rules, context) if against else None
    if against is not None and order.is_older_than(against):
        return {"decision": "nothing", "reason": Reason.OLDER_SNAPSHOT.value, "carrier": None, "call": None}
    found = plan(order, rules, reported, context)
    made = call(found.step, account_sid) if found.step else None
    return {
        "decision": _decision(found),
        "reason": found.why,
        "carrier": found.attribution.carrier.value if found.attribution.carrier else None,
        "call": made
        and {"method": made.method, "path": made.path, "form": [list(pair) for pair in made.form]},
    }


def _decision(found: Plan) -> str:
    match found.step:
        case Submit():
            return "submit"
        case Modify():
            return "modify"
        case Reverse():
            return "reverse"
        case Restore():
            return "restore"
    return "nothing"
