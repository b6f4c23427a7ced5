"""The books for people and tests: everything as plain values, amounts as decimal text."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from . import money
from .actions import Action, Item
from .books import Books, Call, counts_by
from .submissions import Submission
from .values import iso

Record = dict[str, Any]


def everything(books: Books) -> Record:
    """Show all actions, submissions and counts, and the latest thousand calls."""
    with books.held():
        counts = books.call_counts
        return {
            "now": iso(books.clock()),
            "actions": [action(one, books) for one in books.actions()],
            "submissions": [submission(one, books) for one in books.submissions()],
            "calls": {
                "total": counts["total"],
                "by_status": counts_by(counts, "status "),
                "by_resource": _by_resource(counts),
                "by_fault": books.faults.met,
                "latest": [call(one) for one in books.calls(1000)],
            },
        }


def _by_resource(counts: dict[str, int]) -> dict[str, int]:
    return {
        name: count
        for name, count in sorted(counts.items())
        if name != "total" and not name.startswith("status ")
    }


def action(booked: Action, books: Books) -> Record:
    """Show one action with its arithmetic, the form it came from and what became of it."""
    currency = booked.currency
    payload = books.payload(booked.batch_id)
    return {
        "id": booked.id,
        "account": booked.account_sid,
        "order_id": booked.order_id,
        "batch_id": booked.batch_id,
        "campaign_id": booked.conversion.campaign_id,
        "event_type_id": booked.event_type.id,
        "partner_id": booked.partner.id,
        "partner": booked.partner.name,
        "rate": f"{booked.partner.rate:f}",
        "rate_percent": f"{(booked.partner.rate * 100).normalize():f}",
        "referral": booked.referral,
        "click_id": booked.conversion.fields.get("ClickId", ""),
        "promo_code": booked.conversion.fields.get("OrderPromoCode", ""),
        "customer_status": booked.customer_status,
        "state": booked.state(books.clock()),
        "currency": currency,
        "amount": money.text(booked.amount, currency),
        "payout": money.text(booked.payout, currency),
        "tracked_amount": money.text(booked.tracked_amount, currency),
        "tracked_payout": money.text(booked.tracked_payout, currency),
        "order_discount": money.text(_sum(line.order_discount for line in booked.items), currency),
        "event_date": iso(booked.conversion.event_date),
        "created_at": iso(booked.created_at),
        "updated_at": iso(booked.updated_at),
        "locking_date": iso(booked.locking_date),
        "locked": booked.locked(books.clock()),
        "modifications": booked.modifications,
        "items": [_item(line, currency) for line in booked.items],
        "updates": [
            {
                "id": update.id,
                "at": iso(update.at),
                "reason": update.disposition,
                "state": update.state,
                "sku": update.item,
                "quantity": update.quantity,
                "delta_amount": money.text(update.delta_amount, currency),
                "delta_payout": money.text(update.delta_payout, currency),
            }
            for update in booked.updates
        ],
        "form": [list(pair) for pair in parse_qsl(payload, keep_blank_values=True)],
    }


def _sum(amounts: Any) -> Decimal:
    return sum(amounts, Decimal(0))


def _item(line: Item, currency: str) -> Record:
    return {
        "sku": line.sku,
        "name": line.name,
        "category": line.category,
        "quantity": line.quantity,
        "gross": money.text(line.gross, currency),
        "discount": money.text(line.discount, currency),
        "order_discount": money.text(line.order_discount, currency),
        "amount": money.text(line.amount, currency),
        "payout": money.text(line.payout, currency),
        "tracked_quantity": line.tracked_quantity,
        "tracked_amount": money.text(line.tracked_amount, currency),
    }


def submission(queued: Submission, books: Books) -> Record:
    return {
        "batch_id": queued.batch_id,
        "account": queued.account_sid,
        "type": queued.type,
        "status": queued.status(books.setup, books.clock()),
        "order_id": queued.order_id,
        "action_id": queued.action_id,
        "submitted_at": iso(queued.submitted_at),
        "completed_at": iso(queued.completed_at) if queued.completed_at else None,
        "error_type": queued.error_type,
        "error_reason": queued.error_reason,
        "explanation": queued.explanation,
        "remarks": list(queued.remarks),
        "payload": queued.payload,
    }


def call(noted: Call) -> Record:
    return {
        "at": iso(noted.at),
        "method": noted.method,
        "path": noted.path,
        "account": noted.account_sid,
        "status": noted.status,
        "fault": noted.fault,
        "version": noted.version,
        "batch_id": noted.batch_id,
        "refusal": noted.refusal,
    }


def page(books: Books, number: int, shown: int) -> Record:
    """Gather one page of what the HTML page shows: so many of each, the newest first, with the totals."""
    with books.held():
        actions, submissions, calls = books.actions(), books.submissions(), books.calls()
        return {
            "now": iso(books.clock()),
            "setup": books.setup,
            "page": number,
            "shown": shown,
            "older": max(len(actions), len(submissions), len(calls)) > number * shown,
            "actions": [action(one, books) for one in _newest(actions, number, shown)],
            "action_count": len(actions),
            "submissions": [submission(one, books) for one in _newest(submissions, number, shown)],
            "submission_count": len(submissions),
            "calls": [call(one) for one in _newest(calls, number, shown)],
            "call_count": books.call_counts["total"],
            "faults_met": books.faults.met,
            "faults_waiting": books.faults.waiting,
        }


def _newest(records: Sequence[Any], number: int, shown: int) -> list[Any]:
    end = max(0, len(records) - (number - 1) * shown)
    return list(reversed(records[max(0, end - shown) : end]))
