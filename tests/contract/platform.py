"""What every store platform must do at its door; a platform subclasses this with its own signed bodies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from impact_app.domain.orders import Order
from impact_app.pipeline.process import ChangedPage
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

    def keep(self, body: Mapping[str, Any]) -> None:
        """Have the platform's own API tell of the order, as it is in this body."""
        raise NotImplementedError

    def listed(self, bench: Bench, since: datetime, until: datetime) -> list[ChangedPage]:
        (store,) = bench.line.stores.all()
        return list(bench.line.platforms[store.platform].changed(store, since, until))

    def test_changed_orders_are_listed_the_oldest_change_first(self, bench: Bench) -> None:
        self.connect(bench)
        began = bench.clock()
        bodies = []
        for _ in range(30):
            bench.clock.advance(minutes=10)
            bodies.append(self.paid(bench))
            self.keep(bodies[-1])

        pages = self.listed(bench, began, bench.clock())

        assert len(pages) > 1
        found = [one for page in pages for one in page.orders]
        assert all(isinstance(one, Order) for one in found)
        changes = [one.changed_at for one in found if isinstance(one, Order)]
        assert changes == sorted(changes)
        assert [one.key for one in found if isinstance(one, Order)] == [str(body["id"]) for body in bodies]
        greatest = [page.greatest for page in pages if page.greatest is not None]
        assert greatest == sorted(greatest)
        assert greatest[-1] == changes[-1]
        # from there on nothing but the last one is listed
        (last,) = self.listed(bench, greatest[-1], bench.clock())
        assert [one.key for one in last.orders if isinstance(one, Order)] == [str(bodies[-1]["id"])]

    def test_an_order_that_no_delivery_told_of_becomes_the_same_conversion(self, bench: Bench) -> None:
        self.connect(bench)
        bench.clock.advance(hours=1)
        body = self.paid(bench)
        self.keep(body)

        (report,) = bench.line.reconciler.run()

        assert (report.seen, report.new, report.faults) == (1, 1, [])
        assert bench.run() == 1
        assert bench.verdict(body) == ("reported", "accepted")
        self.deliver(bench, self.encoded(body))
        assert bench.run() == 0
        self.keep(self.changed(body))
        bench.clock.advance(hours=3)
        (report,) = bench.line.reconciler.run()
        assert (report.new, report.changed) == (0, 1)
        assert bench.run() == 1
        (booked,) = bench.booked(body)
        assert booked == bench.reported(body) < 100

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
