"""What a verdict rests on, in plain values that can be stored, printed and shown years later."""

from __future__ import annotations

from typing import Any

from impact_app.domain.figures import LineFigures, Sums
from impact_app.domain.mapping import sku
from impact_app.domain.orders import Order
from impact_app.domain.plan import Plan


def evidence(order: Order, plan: Plan) -> dict[str, Any]:
    """Carriers and what each held, the route, the codes, each line's arithmetic, and the sums compared."""
    return {
        "carriers": [
            {
                "carrier": finding.carrier.value,
                "name": finding.name,
                "value": finding.value,
                "used": finding is plan.attribution.winner,
                "fault": finding.fault,
                **({"consent": finding.consent} if finding.consent else {}),
                **({"told": finding.told} if finding.told else {}),
            }
            for finding in plan.attribution.findings
        ],
        "codes": list(order.codes),
        "promo_code": plan.conversion.promo_code,
        "route": plan.route.name if plan.route else None,
        "campaign_id": plan.conversion.campaign_id,
        "event_type_id": plan.conversion.event_type_id,
        "items": [_item(item) for item in plan.figures],
        "sums": _sums(plan.sums),
    }


def _item(item: LineFigures) -> dict[str, Any]:
    """price x quantity - discount - tax - given back = net, all before impact.com's own rounding."""
    return {
        "sku": sku(item.line),
        "title": item.line.title,
        "quantity": item.line.kept,
        "list_price": f"{item.list_price.amount:f}",
        "paid": f"{item.value.amount:f}",
        "tax": f"{item.tax.amount:f}",
        "subtotal": f"{item.subtotal.amount:f}",
        "discount": f"{item.discount.amount:f}",
        "given_back": f"{item.given_back.amount:f}",
        "net": f"{item.net.amount:f}",
        "counts": item.included,
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "currency": sums.items_now.currency,
        "items_as_ordered": f"{sums.items_as_ordered.amount:f}",
        "store_as_ordered": f"{sums.store_as_ordered.amount:f}",
        "items_now": f"{sums.items_now.amount:f}",
        "store_now": f"{sums.store_now.amount:f}" if sums.store_now else None,
        "left_out": f"{sums.excluded_now.amount:f}",
        "fault": sums.fault,
    }
