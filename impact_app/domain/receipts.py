"""What became of a call, in four words that say who must act, and when to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from impact_app.domain.reasons import Reason

#: How long a call is repeated before a person is asked.
PATIENCE = timedelta(hours=72)

_FIRST_WAIT, _LONGEST_WAIT = 10.0, 3600.0


class Outcome(StrEnum):
    """Ask of each answer: may it have arrived?"""

    ACCEPTED = "accepted"
    #: refused for good; a person must act
    REJECTED = "rejected"
    #: certain not to have arrived, so repeating is safe
    NOT_SENT = "not_sent"
    #: may have arrived; repeated under the same order id, which impact.com de-duplicates
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One call's result.

    retry_after   seconds the network asks to wait, None where it says nothing
    holds         the whole account waits: for `retry_after`, or for a person when the outcome is REJECTED
    queued_uri    where the network will tell what became of it
    calls_left    of the account's hour, None where the network does not say
    answer        capped and redacted, fit to be shown
    """

    outcome: Outcome
    reason: Reason
    detail: str = ""
    status: int | None = None
    retry_after: float | None = None
    holds: bool = False
    queued_uri: str | None = None
    calls_left: int | None = None
    reset_after: float | None = None
    answer: str = ""


def wait(tries: int, chance: random.Random, asked: float | None = None) -> timedelta:
    """How long to wait after the `tries`-th failure: full jitter under a doubling bound, 10 s to 1 h.

    What the network asks for is the least, with some jitter on top so that accounts do not return in step.
    """
    bound = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(tries - 1, 20))
    drawn = chance.uniform(min(1.0, bound), bound)
    if asked is not None:
        least = min(asked, _LONGEST_WAIT)
        drawn = max(drawn, least + chance.uniform(0, min(5.0, bound)))
    return timedelta(seconds=drawn)
