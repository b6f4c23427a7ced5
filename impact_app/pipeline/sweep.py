"""Each minute: free what dead processes had claimed, and say which queues have work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from impact_app.ledger.inbox import Inbox
from impact_app.ledger.outbox import Outbox

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found. `next_step_due`: when the next call may be made, None if none waits."""

    freed_deliveries: int
    freed_steps: int
    has_due_deliveries: bool
    next_step_due: datetime | None


def sweep(inbox: Inbox, outbox: Outbox, clock: Callable[[], datetime]) -> Swept:
    """Free stale claims and look for due work. Safe to run at any time, and in several places at once."""
    now = clock()
    swept = Swept(
        freed_deliveries=inbox.free_stale(now),
        freed_steps=outbox.free_stale(now),
        has_due_deliveries=inbox.has_due(now),
        next_step_due=outbox.next_due(now),
    )
    if swept.freed_deliveries or swept.freed_steps:
        log.warning("sweep.freed", deliveries=swept.freed_deliveries, steps=swept.freed_steps)
    return swept
