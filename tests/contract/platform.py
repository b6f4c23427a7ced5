"""What every store platform must do at its door; a platform subclasses this with its own signed bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.line import Bench, both_databases

NOTHING = {"deliveries": 0, "orders": 0, "steps": 0, "attempts": 0, "conversions": 0}


class PlatformContract:
    """A subclass says how its platform delivers; the tests are the same for all.

    secrets   everything that must never be in a log, as text
    """

    secrets: tuple[str, ...]

    def connect(self, bench: Bench) -> None:
        """Connect the store that deliveries come from, configured."""
        raise NotImplementedError

    def deliver(
        self, bench: Bench, body: bytes, *, key: str = "one", secret: str = "current", topic: str = ""
    ) -> TestResponse:
        """Post a body signed with the `current`, `previous` or a `wrong` secret, or `none`."""
        raise NotImplementedError

    def paid(self, bench: Bench, **changed: Any) -> Mapping[str, Any]:
        """A paid order with a click, worth 100.00."""
        raise NotImplementedError

    def changed(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same order later, worth less."""
        raise NotImplementedError

    def encoded(self, body: Mapping[str, Any]) -> bytes:
        raise NotImplementedError

    @pytest.mark.parametrize("secret", ["current", "previous"])
    def test_a_rotated_secret_is_an_equal_citizen(self, bench: Bench, secret: str) -> None:
        self.connect(bench)
        body = self.paid(bench)
        assert self.deliver(bench, self.encoded(body), secret=secret).status_code == 200
        assert bench.run() == 1
        assert bench.verdict(body) == ("reported", "accepted")

    @pytest.mark.parametrize("secret", ["wrong", "none"])
    def test_a_stranger_is_refused_and_nothing_kept(self, bench: Bench, secret: str) -> None:
        self.connect(bench)
        assert self.deliver(bench, self.encoded(self.paid(bench)), secret=secret).status_code == 401
        assert bench.run() == 0
        assert bench.counts() == NOTHING

    @both_databases
    def test_the_same_delivery_twice_is_one(self, bench: Bench) -> None:
        self.connect(bench)
        body = self.encoded(self.paid(bench))
        assert [self.deliver(bench, body).status_code for _ in range(2)] == [200, 200]
        assert bench.run() == 1
        assert bench.counts() == dict.fromkeys(NOTHING, 1)

    def test_an_older_snapshot_after_a_newer_one_changes_nothing(self, bench: Bench) -> None:
        self.connect(bench)
        body = self.paid(bench)
        newer = self.changed(body)
        self.deliver(bench, self.encoded(newer), key="newer")
        self.deliver(bench, self.encoded(body), key="older")
        assert bench.run() == 1
        assert [reason for _, reason in bench.fates()] == ["judged", "older_snapshot"]
        (booked,) = bench.booked(body)
        assert booked == bench.reported(body) < 100

    def test_an_unknown_topic_is_kept_and_does_nothing(self, bench: Bench) -> None:
        self.connect(bench)
        assert self.deliver(bench, b"{}", topic="moon/phase").status_code == 200
        assert bench.run() == 0
        assert bench.fates() == [("settled", "unknown_topic")]

    def test_unknown_fields_are_passed_over(self, bench: Bench) -> None:
        self.connect(bench)
        body = self.paid(bench)
        self.deliver(bench, self.encoded({**body, "brand_new": {"deep": [1, None]}}))
        assert bench.run() == 1
        assert bench.verdict(body) == ("reported", "accepted")

    def test_a_body_cut_off_anywhere_never_ends_in_a_fault(self, bench: Bench) -> None:
        self.connect(bench)
        body = self.encoded(self.paid(bench))
        places = range(0, len(body), max(1, len(body) // 25))
        for at in places:
            assert self.deliver(bench, body[:at], key=f"cut {at}").status_code == 200
        assert bench.run() == 0
        assert bench.fates() == [("settled", "unreadable_body")] * len(places)

    def test_secrets_never_reach_the_log(self, bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
        self.connect(bench)
        body = self.encoded(self.paid(bench))
        for secret in ("current", "wrong"):
            self.deliver(bench, body, secret=secret, key=secret)
        bench.run()
        told = "".join(capfd.readouterr())
        assert "delivery.settled" in told
        for word in self.secrets:
            assert word not in told
