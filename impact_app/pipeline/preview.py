"""What would happen to an order, without anything happening: the same reading, the same plan, no sending."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from impact_app.domain.events import Unreadable
from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.orders import Order
from impact_app.domain.plan import Context, Modify, Plan, Reverse, Submit, plan, taken_as_reported
from impact_app.domain.reasons import Reason
from impact_app.domain.rules import Rules
from impact_app.transports.api.request import call


def unwrapped(body: bytes) -> bytes:
    """An order as a webhook carries it, from a file that may hold it as a REST answer does."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return body
    if isinstance(parsed, dict) and set(parsed) == {"order"}:
        return json.dumps(parsed["order"]).encode()
    if isinstance(parsed, dict) and set(parsed) == {"orders"} and len(parsed["orders"]) == 1:
        return json.dumps(parsed["orders"][0]).encode()
    if isinstance(parsed, dict) and "orders" in parsed:
        raise Unreadable("The file holds a list of orders; a preview takes one.")
    return body


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
    """
    context = Context(target, partner_codes, now or order.changed_at)
    reported = taken_as_reported(against, rules, context) if against else None
    if against is not None and order.changed_at < against.changed_at:
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
    return "nothing"
