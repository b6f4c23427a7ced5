"""Submissions: the record of one queued call, from the answer QUEUED to its result."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from .changes import Change
from .setup import Setup
from .validation import Conversion

QUEUED, IN_PROGRESS, COMPLETE = "Queued", "In Progress", "Complete"


@dataclass
class Submission:
    """A queued call; `remarks` and `action_id` are for the books only, the network does not tell them."""

    batch_id: str
    account_sid: str
    type: Literal["Conversion", "Modification", "Reversal"]
    work: Conversion | Change
    payload: str
    submitted_at: datetime
    campaign_id: int | None = None
    event_type_id: int | None = None
    event_code: str = ""
    order_id: str = ""
    partner_id: int | None = None
    action_id: str | None = None
    completed_at: datetime | None = None
    error_type: str = ""
    error_reason: str = ""
    explanation: str = ""
    remarks: list[str] = field(default_factory=list)

    def due_at(self, setup: Setup) -> datetime:
        return self.submitted_at + timedelta(seconds=setup.queue_seconds + setup.processing_seconds)

    def status(self, setup: Setup, now: datetime) -> str:
        if self.completed_at is not None:
            return COMPLETE
        waited = now - self.submitted_at
        return IN_PROGRESS if waited >= timedelta(seconds=setup.queue_seconds) else QUEUED
