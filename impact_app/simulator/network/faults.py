"""Faults the network can be told to have: what they look like, a script of them, and a random share.

`before` means that the call is not looked at; `after` that it is booked and only the answer suffers, which
is the case that tests whether a client repeats safely.
"""

import random
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


class UnknownFault(Exception):
    """A fault was asked for that does not exist; the text lists those that do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    `manner` is what the client meets: an `answer` with `status` and `body`, a `timeout` (silence for
    `seconds`, then the connection closes), a `reset`, a `slow` answer (`seconds` late), or a `cut_off` one.
    `method` and `path` narrow it down to calls whose verb is equal and whose path contains the text.
    """

    name: str
    manner: Literal["answer", "timeout", "reset", "slow", "cut_off", "none"]
    after_booking: bool = False
    status: int = 200
    body: Literal["envelope", "html", "empty"] = "envelope"
    rate_family: str = ""
    rate_reset: str = "seconds"
    seconds: float = 0
    method: str = ""
    path: str = ""

    def meets(self, method: str, path: str) -> bool:
        return self.method in ("", method) and self.path in path


def _catalogue() -> Iterable[Fault]:
    yield Fault("none", "none")
    for after, when in ((False, "before"), (True, "after")):
        for status in (500, 502, 503, 504):
            yield Fault(f"{status}_{when}", "answer", after, status)
        yield Fault(f"timeout_{when}", "timeout", after, seconds=30)
        yield Fault(f"reset_{when}", "reset", after)
        yield Fault(f"html_ok_{when}", "answer", after, 200, "html")
        yield Fault(f"html_error_{when}", "answer", after, 502, "html")
        yield Fault(f"empty_ok_{when}", "answer", after, 200, "empty")
    yield Fault("slow", "slow", True, seconds=2)
    yield Fault("cut_off", "cut_off", True)
    for family in ("brand", "partner"):
        yield Fault(f"429_{family}", "answer", False, 429, rate_family=family, seconds=1)
        yield Fault(
            f"429_{family}_epoch", "answer", False, 429, rate_family=family, rate_reset="epoch", seconds=1
        )
    yield Fault("429_none", "answer", False, 429)
    for status in (400, 401, 402, 403):
        yield Fault(str(status), "answer", False, status)


CATALOGUE = {fault.name: fault for fault in _catalogue()}
# After these nobody should try again by itself: a person must act.
LASTING = ("400", "401", "402", "403")
TRANSIENT = tuple(name for name in CATALOGUE if name not in (*LASTING, "none"))
ALL = (*TRANSIENT, *LASTING)


def fault(name: str, seconds: float | None = None, method: str = "", path: str = "") -> Fault:
    """Take a fault from the catalogue, with its seconds and its calls narrowed down if wanted."""
    if name not in CATALOGUE:
        raise UnknownFault(f"There is no fault {name!r}. Known: {', '.join(CATALOGUE)}.")
    known = CATALOGUE[name]
    return replace(known, seconds=known.seconds if seconds is None else seconds, method=method, path=path)


class Faults:
    """Decides which call meets which fault: first the script, each entry once; then the random share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: deque[Fault] = deque()
        self._share = 0.0
        self._kinds: tuple[Fault, ...] = ()
        self._random = random.Random(0)  # noqa: S311 - repeatable by its seed, nothing secret
        self._met: Counter[str] = Counter()

    def script(self, *entries: Fault | str) -> None:
        """Add faults to be played once each, in order; `none` lets a call pass."""
        with self._lock:
            self._script.extend(fault(entry) if isinstance(entry, str) else entry for entry in entries)

    def at_random(self, share: float, seed: int = 0, kinds: Iterable[Fault | str] = ALL) -> None:
        """Let this share of calls, 0 to 1, meet a fault drawn evenly from the kinds; repeatable by seed."""
        drawn = tuple(fault(kind) if isinstance(kind, str) else kind for kind in kinds)
        with self._lock:
            self._share, self._kinds = share, drawn
            self._random = random.Random(seed)  # noqa: S311 - repeatable by its seed, nothing secret

    def clear(self) -> None:
        with self._lock:
            self._script.clear()
            self._share = 0.0

    def forget(self) -> None:
        """Clear script and share, and the count of what was met."""
        self.clear()
        with self._lock:
            self._met.clear()

    @property
    def met(self) -> dict[str, int]:
        """How often each fault was met so far, by name."""
        with self._lock:
            return dict(sorted(self._met.items()))

    @property
    def waiting(self) -> int:
        """How many entries of the script have not been played."""
        return len(self._script)

    def draw(self, method: str, path: str) -> Fault | None:
        """Answer the fault that this call meets, taking it off the script, or none."""
        with self._lock:
            drawn = self._from_script(method, path) or self._from_share(method, path)
            if drawn is None or drawn.manner == "none":
                return None
            self._met[drawn.name] += 1
            return drawn

    def _from_script(self, method: str, path: str) -> Fault | None:
        for entry in self._script:
            if entry.meets(method, path):
                self._script.remove(entry)
                return entry
        return None

    def _from_share(self, method: str, path: str) -> Fault | None:
        if not self._kinds or self._random.random() >= self._share:
            return None
        drawn = self._random.choice(self._kinds)
        return drawn if drawn.meets(method, path) else None


def told_by_json(faults: Faults, document: Any) -> None:
    """Do what `POST /_simulator/faults` asks: `clear`, `script`, and `share` with `seed` and `kinds`.

    An entry is a name or `{"name", "seconds", "method", "path"}`; `kinds` is a list of entries, `all` or
    `transient`. Raises `UnknownFault` with a sentence, and then nothing has changed.
    """
    if not isinstance(document, Mapping) or not document.keys() <= {
        "clear",
        "script",
        "share",
        "seed",
        "kinds",
    }:
        raise UnknownFault("Send an object with clear, script, share, seed and kinds, each of them optional.")
    script = _entries(document.get("script", []))
    kinds = document.get("kinds", "all")
    drawn = _entries(
        {"all": ALL, "transient": TRANSIENT}.get(kinds, kinds) if isinstance(kinds, str) else kinds
    )
    share, seed = document.get("share"), document.get("seed", 0)
    if share is not None and (
        isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1
    ):
        raise UnknownFault(f"share is a number from 0 to 1, not {share!r}.")
    if not isinstance(seed, int):
        raise UnknownFault(f"seed is a whole number, not {seed!r}.")
    if document.get("clear"):
        faults.clear()
    faults.script(*script)
    if share is not None:
        faults.at_random(share, seed, drawn)


def _entries(given: Any) -> list[Fault]:
    if not isinstance(given, list | tuple):
        raise UnknownFault(f"Expected a list of faults, found {given!r}.")
    return [_entry(entry) for entry in given]


def _entry(given: Any) -> Fault:
    if isinstance(given, str):
        return fault(given)
    if not isinstance(given, Mapping) or not given.keys() <= {"name", "seconds", "method", "path"}:
        raise UnknownFault(
            f"A fault is a name or an object with name, seconds, method and path, not {given!r}."
        )
    seconds, words = given.get("seconds"), [given.get(key, "") for key in ("name", "method", "path")]
    if not all(isinstance(word, str) for word in words):
        raise UnknownFault(f"name, method and path are text, in {given!r}.")
    if seconds is not None and not (isinstance(seconds, int | float) and 0 <= seconds <= 3600):
        raise UnknownFault(f"seconds is a number from 0 to 3600, not {seconds!r}.")
    return fault(words[0], seconds, words[1], words[2])
