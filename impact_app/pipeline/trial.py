"""Following a test order: everything that is known of it, and asking impact.com sooner than its turn.

Who follows a test waits for it, so impact.com is asked every few seconds at first, then ever more seldom;
each call counts in the account's hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from impact_app.domain.rules import read_rules
from impact_app.domain.trial import (
    Bought,
    Sent,
    Standing,
    Trial,
    can_be_taken_back,
    is_moving,
    may_look,
    standings,
)
from impact_app.domain.verification import Finding, Submission, judge_submission
from impact_app.ledger.orders import OrderFile, Orders, StepFile
from impact_app.ledger.stores import Store, Stores
from impact_app.ledger.trials import Trials
from impact_app.ledger.vault import Unreadable
from impact_app.ledger.verification import Checks
from impact_app.pipeline.verify import Metered, NotNow
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.lookups import NotAnswered, action_items, submission


@dataclass(frozen=True)
class Followed:
    """A test and its stops.

    order_key          None: no order carries its click yet
    strays             (platform id, number) of orders that came meanwhile without any click
    is_moving          something may still change without somebody's doing
    can_be_taken_back  impact.com holds its order
    """

    trial: Trial
    order_key: str | None
    strays: Sequence[tuple[str, str]]
    standings: list[Standing]
    is_moving: bool
    can_be_taken_back: bool


@dataclass(frozen=True)
class Following:
    """`api` has short time-outs, since a page waits for it; `wake` has conversions looked up."""

    trials: Trials
    orders: Orders
    stores: Stores
    checks: Checks
    api: ImpactApi
    wake: Callable[[], None]
    clock: Callable[[], datetime]

    def newest(self, store: Store) -> Followed | None:
        """The store's newest test as it stands; None where there is none.

        Asks impact.com about its order where that may have something new to tell, and it is time to.
        """
        seen = self.trials.newest(store.id)
        if seen is None:
            return None
        now, trial, order = self.clock(), seen.trial, None
        file = self.orders.show(store.id, seen.order_key) if seen.order_key else None
        if file is not None:
            order = _bought(store, file)
            if is_moving(trial, standings(trial, seen.seen_at, order), order, now):
                trial = self._look(store, trial, file, order)
        found = standings(trial, seen.seen_at, order)
        return Followed(
            trial,
            seen.order_key,
            seen.strays,
            found,
            is_moving(trial, found, order, now),
            can_be_taken_back(trial, order, now),
        )

    def _look(self, store: Store, trial: Trial, file: OrderFile, order: Bought) -> Trial:
        """The test with what impact.com told just now, where it is time to ask."""
        now = self.clock()
        if order.read_back is None or not may_look(trial, now):
            return trial
        if not self.trials.take_look(store.id, trial, now):
            return trial
        said = self._asked(store, file, order, now)
        if said:
            kept = {name: value for name, value in trial.told.items() if name != "fault"}
            trial = replace(trial, told={**kept, **said})
            self.trials.save_told(store.id, trial.id, trial.told)
        return replace(trial, looked_at=now)

    def _asked(self, store: Store, file: OrderFile, order: Bought, now: datetime) -> Mapping[str, Any]:
        """The items of the action; before there is one, what became of the submission."""
        key = file.summary.order_key
        if order.reversal is not None:
            return self._have_read_back(store, key, now)
        try:
            credentials = self.stores.credentials(store.id)
        except Unreadable:
            credentials = None
        if credentials is None:
            return {}
        asks = Metered(self.api, self.checks, self.clock)
        account = credentials.account_sid, credentials.auth_token
        action_id = order.read_back.action_id if order.read_back else None
        try:
            if action_id is not None:
                return {"items": _kept(action_items(asks, *account, action_id, now=now))}
            uri = self.trials.queued_uri(store.id, key)
            record = submission(asks, *account, uri, now=now) if uri else None
        except NotAnswered as fault:
            return {"fault": str(fault)}
        except NotNow:
            return {}
        told = {} if record is None else _told(record)
        # Booked: the list of actions says as what, which the line reads back by itself.
        is_booked = record is None or told.get("finding") in (Finding.CREDITED, Finding.DUPLICATE)
        return {**told, **(self._have_read_back(store, key, now) if is_booked else {})}

    def _have_read_back(self, store: Store, order_key: str, now: datetime) -> Mapping[str, Any]:
        self.checks.look_soon(store.id, order_key, now)
        self.wake()
        return {}


def _told(record: Submission) -> dict[str, str]:
    judged = judge_submission(record)
    if judged is None:
        return {"status": record.status}
    return {"status": record.status, "finding": judged.finding.value, "said": judged.detail}


def _kept(items: Sequence[Any]) -> list[dict[str, str]]:
    return [{"sku": one.sku, "quantity": str(one.quantity), "amount": f"{one.amount:f}"} for one in items]


def _bought(store: Store, file: OrderFile) -> Bought:
    one, evidence = file.summary, file.evidence
    used: Mapping[str, Any] = next(
        (carrier for carrier in evidence.get("carriers", ()) if carrier["used"]), {}
    )
    first = min(file.deliveries, key=lambda delivery: delivery.received_at, default=None)
    return Bought(
        number=one.number,
        expected_id=_expected_id(store, file),
        currency=one.currency,
        net=one.net,
        carrier=one.carrier or "",
        carried=str(used.get("value", "")),
        arrived_at=first.received_at if first else None,
        topic=first.topic if first else "",
        judged_at=one.judged_at,
        placed_at=one.placed_at,
        verdict=one.verdict,
        reason=one.reason,
        detail=one.detail,
        campaign_id=evidence.get("campaign_id", ""),
        event_type_id=evidence.get("event_type_id", ""),
        promo_code=evidence.get("promo_code") or "",
        items=tuple(
            (item["sku"], item["quantity"])
            for item in evidence.get("items", ())
            if item["counts"] and item["quantity"]
        ),
        submitted=_submit_of(file.steps),
        reversal=_last(file.steps, "reverse"),
        changed_at=_changed_at(file.steps),
        reported=file.reported,
        read_back=file.read_back,
    )


def _expected_id(store: Store, file: OrderFile) -> str:
    """The order id that the rules choose; an order's name is kept nowhere but in what was planned."""
    ids = {"id": file.summary.order_key, "number": file.summary.number}
    return ids.get(read_rules(store.rules).order_id, "")


def _submit_of(steps: Sequence[StepFile]) -> Sent | None:
    """The call that reported the order: the first one accepted, else the newest."""
    made = [step for step in steps if step.kind == "submit" and step.state not in ("replaced", "shadow")]
    accepted = next((step for step in made if step.state == "accepted"), None)
    return _sent(accepted or made[-1]) if made else None


def _last(steps: Sequence[StepFile], kind: str) -> Sent | None:
    made = [step for step in steps if step.kind == kind]
    return _sent(made[-1]) if made else None


def _changed_at(steps: Sequence[StepFile]) -> datetime | None:
    answered = [
        step.attempts[-1].ended_at
        for step in steps
        if step.kind != "submit" and step.state == "accepted" and step.attempts
    ]
    return max(answered, default=None)


def _sent(step: StepFile) -> Sent:
    last = step.attempts[-1] if step.attempts else None
    return Sent(
        state=step.state,
        detail=last.detail if last else "",
        written_at=step.created_at,
        answered_at=last.ended_at if last else None,
        fields=dict(step.form),
    )
