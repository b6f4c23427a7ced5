"""What impact.com made of a conversion, as it says when it is read back, and when to ask again.

A conversion that was accepted is only queued. Later its submission tells whether it could be booked, and an
action stands in the list if a partner was credited. That nobody was credited is an answer, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from impact_app.domain.money import total
from impact_app.domain.plan import Reported, ReportedItem
from impact_app.domain.reasons import Reason


class Finding(StrEnum):
    """What became of a conversion at impact.com."""

    CREDITED = "credited"
    #: credited, and the action says something else than was reported
    DIFFERS = "differs"
    #: credited, and held otherwise than reported for good: a person must look
    DRIFTED = "drifted"
    #: no partner was involved
    NOT_CREDITED = "not_credited"
    #: a partner was involved, and the contract pays nothing for it
    CONTRACT = "contract"
    #: the promo code belongs to somebody else or to another channel
    PROMO = "promo"
    #: campaign and event type cannot take it: nothing is booked
    CONFIGURATION = "configuration"
    #: what was sent cannot be used: nothing is booked
    DATA = "data"
    #: this order id is booked already, as after a repeated call: success
    DUPLICATE = "duplicate"


#: impact.com took the conversion and holds nothing of it: something must be corrected, then it is sent anew.
NOT_BOOKED = frozenset({Finding.CONFIGURATION, Finding.DATA})
#: impact.com booked the conversion and pays nobody for it: there is no action that could be changed.
NOBODY_PAID = frozenset({Finding.NOT_CREDITED, Finding.CONTRACT, Finding.PROMO})

#: impact.com's error reasons (Brand API v14, conversion error codes, 2026-06). Codes of call tracking begin
#: with CALL_ and do not occur for orders.
ERROR_REASONS: dict[str, tuple[Finding, str]] = {
    "MALFORMED": (Finding.DATA, "The data cannot be read."),
    "CONV_MALFORMED": (Finding.DATA, "The data or the click cannot be read."),
    "OID_MISSING": (Finding.DATA, "The order id is missing."),
    "NO_ITEM": (Finding.DATA, "The conversion has no items."),
    "CAMPAIGN_NOT_FOUND": (Finding.CONFIGURATION, "There is no campaign with this id."),
    "ACTIONTRACKER_NOT_FOUND": (Finding.CONFIGURATION, "There is no event type with this id."),
    "ACTIONTRACKER_CAMPAIGN_MISMATCH": (
        Finding.CONFIGURATION,
        "The event type belongs to another campaign.",
    ),
    "ACTIONTRACKER_NOT_ACTIVE": (Finding.CONFIGURATION, "The event type is not switched on."),
    "CONV_DUPLICATE": (Finding.DUPLICATE, "This order id is booked already."),
    "ACTION_REF_NOT_FOUND": (Finding.NOT_CREDITED, "No click of this id is known."),
    "NO_VALID_ACTION_REF": (Finding.NOT_CREDITED, "No referral can be paid for."),
    "NO_VALID_REFERRERS_FOUND": (Finding.NOT_CREDITED, "No partner's click or code stands behind the order."),
    "OUTSIDE_ASSOCIATION_WINDOW": (Finding.NOT_CREDITED, "The click is older than the referral window."),
    "UNCLAIMED": (Finding.NOT_CREDITED, "No partner claimed the order."),
    "OTHER_REF_PRIORITIZED": (Finding.NOT_CREDITED, "Another referral came first."),
    "CONTRACT_NOT_FOUND": (Finding.CONTRACT, "The partner has no contract for this event type."),
    "ACTIONTERMS_NOT_FOUND": (Finding.CONTRACT, "The contract has no terms for this event type."),
    "REFTYPE_NOT_ACCEPTED": (Finding.CONTRACT, "The contract does not pay for this kind of referral."),
    "PARTNER_NOT_ACTIVE": (Finding.CONTRACT, "The partner is not active."),
    "CREDITING_RULE_MISMATCH": (Finding.CONTRACT, "The contract's crediting rule does not match."),
    "MAX_RECURRENCES_REACHED": (Finding.CONTRACT, "The contract pays for no further renewals."),
    "BLACKLISTED_SOURCE_IP": (Finding.CONTRACT, "The visitor's address or country is excluded."),
    "BLOCKED_BY_PROMOCODE": (Finding.PROMO, "The promo code belongs to another partner."),
    "RESTRICTED_PROMOCODE": (Finding.PROMO, "The promo code is kept for another partner or channel."),
}

#: Of several codes the one that says most decides: a duplicate is booked, whatever else is said of it.
_WEIGHT = (
    Finding.DUPLICATE,
    Finding.CONFIGURATION,
    Finding.DATA,
    Finding.PROMO,
    Finding.CONTRACT,
    Finding.NOT_CREDITED,
)


@dataclass(frozen=True, slots=True)
class Submission:
    """The record of one queued call; kept by impact.com for 90 days at most.

    `partner_id` and `error_reason` are empty where it tells none. The record does not name the action.
    """

    status: str
    order_id: str
    error_type: str
    error_reason: str
    partner_id: str


@dataclass(frozen=True, slots=True)
class ActionItem:
    """One SKU of an action."""

    sku: str
    quantity: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Action:
    """A credited conversion as impact.com lists it; amounts in `currency`.

    locking_date  from then on nothing can be changed; None where not told
    items         None: not asked for, since a list of actions does not hold them
    """

    id: str
    order_id: str
    event_type_id: str
    partner_id: str
    partner_name: str
    state: str
    amount: Decimal
    currency: str
    payout: Decimal
    event_date: datetime | None
    created_at: datetime | None
    locking_date: datetime | None
    items: tuple[ActionItem, ...] | None = None

    @property
    def is_reversed(self) -> bool:
        return self.state.upper() == "REVERSED"

    def is_final(self, now: datetime) -> bool:
        """Whether nothing of it can be changed any more."""
        return self.locking_date is not None and self.locking_date <= now


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that impact.com holds otherwise than it was reported."""

    what: str
    reported: str
    held: str

    def __str__(self) -> str:
        return f"{self.what}: reported {self.reported}, impact.com holds {self.held}."


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding with what impact.com said, in a sentence; "" where there is nothing to add."""

    finding: Finding
    detail: str = ""


def judge_submission(submission: Submission) -> Judgement | None:
    """What a submission's record means, or None while it is not processed."""
    if submission.status.strip().upper() != "COMPLETE":
        return None
    codes = submission.error_reason.upper().split()
    if not codes and not submission.error_type:
        return Judgement(Finding.CREDITED)
    read = [_explained(code, submission.error_type) for code in codes]
    detail = " ".join(f"{code}: {meaning}" for code, (_, meaning) in zip(codes, read, strict=True))
    found = {finding for finding, _ in read} or {_by_type(submission.error_type)}
    return Judgement(
        next(finding for finding in _WEIGHT if finding in found), detail or submission.error_type
    )


def _explained(code: str, error_type: str) -> tuple[Finding, str]:
    return ERROR_REASONS.get(code) or (_by_type(error_type), "impact.com does not explain this code.")


def _by_type(error_type: str) -> Finding:
    """A code nobody has published: its type says whether the data or the contract is meant."""
    return Finding.CONTRACT if "CONTRACT" in error_type.upper() else Finding.DATA


def judge_action(reported: Reported, action: Action) -> Judgement:
    """What a listed action means for a conversion."""
    found = difference(reported, action)
    if found:
        said = [str(one) for one in found]
        return Judgement(Finding.DIFFERS, " ".join([*said, *_too_much(reported, action)]))
    return Judgement(Finding.CREDITED)


def _too_much(reported: Reported, action: Action) -> Iterable[str]:
    """The money that stands wrong at impact.com, in a sentence."""
    held = Decimal(0) if action.is_reversed else action.amount
    apart = held - reported.amount.amount
    if apart and reported.currency == action.currency:
        yield f"{abs(apart):f} {action.currency} too {'much' if apart > 0 else 'little'}."


def difference(reported: Reported, action: Action) -> tuple[Difference, ...]:
    """Where an action is not what was reported: state, amount, and items where they are known.

    Amounts in another currency than the order's cannot be compared: impact.com converted them.
    """
    if reported.is_reversed != action.is_reversed:
        words = {True: "reversed", False: "not reversed"}
        return (Difference("State", words[reported.is_reversed], words[action.is_reversed]),)
    if reported.is_reversed or reported.currency != action.currency:
        return ()
    amount = total((item.amount for item in reported.items), reported.currency).amount
    found = [] if amount == action.amount else [Difference("Amount", f"{amount:f}", f"{action.amount:f}")]
    if action.items is not None:
        found.extend(_items_apart(reported.items, action.items))
    return tuple(found)


def _items_apart(reported: Iterable[ReportedItem], held: Iterable[ActionItem]) -> Iterable[Difference]:
    ours = {item.sku: (item.quantity, item.amount.amount) for item in reported if item.quantity}
    theirs = {item.sku: (item.quantity, item.amount) for item in held if item.quantity}
    for sku in dict.fromkeys((*ours, *theirs)):
        if ours.get(sku) != theirs.get(sku):
            yield Difference(f"Item {sku}", _units(ours.get(sku)), _units(theirs.get(sku)))


def _units(item: tuple[int, Decimal] | None) -> str:
    return "none" if item is None else f"{item[0]} for {item[1]:f}"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """All that impact.com has told of a conversion so far; None: not told (yet).

    detail         what it said besides, or why it could not be asked
    amount, payout in `currency`
    checked_at     the last look that was answered
    """

    finding: Finding | None
    detail: str
    account_sid: str
    action_id: str | None
    partner_id: str | None
    partner_name: str | None
    state: str | None
    amount: Decimal | None
    currency: str | None
    payout: Decimal | None
    locking_date: datetime | None
    checked_at: datetime | None

    @property
    def is_too_late(self) -> bool:
        """Whether impact.com holds something else than was reported, and can change it no more."""
        is_locked = (
            self.locking_date is not None
            and self.checked_at is not None
            and self.locking_date <= self.checked_at
        )
        return self.finding is Finding.DIFFERS and is_locked

    def instead_of(self, reason: Reason) -> Reason | None:
        """The reason that takes the place of an order's own, by what impact.com made of it; else None."""
        if reason is Reason.REVERSED:
            stands_otherwise = self.is_too_late or self.finding is Finding.DRIFTED
            return self.reason if stands_otherwise else None
        return self.reason if reason is Reason.UNCHANGED else None

    @property
    def reason(self) -> Reason:
        """The reason of an order that is reported and unchanged, by what impact.com made of it."""
        if self.is_too_late:
            return Reason.TOO_LATE
        if self.finding is Finding.DRIFTED:
            return Reason.DRIFTED
        if self.finding in NOBODY_PAID:
            return Reason.NOT_CREDITED
        if self.finding is Finding.CONFIGURATION:
            return Reason.PROGRAM_INVALID
        if self.finding is Finding.DATA:
            return Reason.CONVERSION_INVALID
        return Reason.CREDITED if self.finding in {Finding.CREDITED, Finding.DIFFERS} else Reason.ACCEPTED

    @property
    def words(self) -> str:
        """What goes with the reason: who is credited, and what impact.com said."""
        if self.finding is None:
            return ""
        partner = f"Partner: {self.partner_name}." if self.partner_name else ""
        return " ".join(part for part in (partner, self.detail) if part)


def foremost(told: Sequence[ReadBack]) -> ReadBack | None:
    """Of what was told of an order's conversions the one that matters most; the first of equals."""
    weights = {Reason.TOO_LATE: 1, Reason.PROGRAM_INVALID: 2, Reason.CONVERSION_INVALID: 2, Reason.DRIFTED: 2}
    return max(told, key=lambda one: weights.get(one.reason, 0), default=None)


# When to ask

#: impact.com's example took twenty minutes; until then nothing is listed that an asking could find.
FIRST_LOOK = timedelta(minutes=20)
_LONGEST_GAP = timedelta(hours=24)
#: What is not listed this long after it was accepted is asked for by itself.
ASK_AFTER = timedelta(hours=1)
#: impact.com keeps the record of a submission no longer.
RECORD_KEPT = timedelta(days=90)
#: Looks begin on the quarter hour, so that the orders of one quarter share them.
_BEAT = timedelta(minutes=15)


def next_look(checks: int, accepted_at: datetime, now: datetime) -> datetime | None:
    """When to look again after `checks` looks without a last word: 20 minutes, doubling up to a day.

    None once impact.com keeps no record any more.
    """
    due = _on_the_beat(now + min(FIRST_LOOK * 2 ** min(checks, 10), _LONGEST_GAP))
    return due if due <= accepted_at + RECORD_KEPT else None


def _on_the_beat(moment: datetime) -> datetime:
    since = moment - datetime(2000, 1, 1, tzinfo=UTC)
    return moment + (-since % _BEAT)


def windows(moments: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Few windows of time that hold all `moments`: each begins where a day or more holds none.

    A single old order thus costs one listing of its own hours, not one of everything since.
    """
    every = sorted(set(moments))
    if not every:
        return []
    gaps = [(early, late) for early, late in pairwise(every) if late - early >= timedelta(days=1)]
    starts = [every[0], *(late for _, late in gaps)]
    ends = [*(early for early, _ in gaps), every[-1]]
    # The network may round what it was told.
    margin = timedelta(minutes=5)
    return [(start - margin, end + margin) for start, end in zip(starts, ends, strict=True)]
