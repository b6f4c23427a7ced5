"""One delivery that the database will not take, among others that it will."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from impact_app.ledger.inbox import Delivery
from impact_app.pipeline.receive import NotKept
from impact_app.wiring import Services


def test_a_delivery_that_cannot_be_stored_takes_no_other_with_it(line: Services) -> None:
    def delivery(number: int) -> Delivery:
        return Delivery("shopify", "one.myshopify.com", "orders/paid", f"key-{number}", b"{}", line.clock())

    spoilt = replace(delivery(1), triggered_at=datetime(2026, 1, 1))  # noqa: DTZ001 - without a zone on purpose
    kept: list[str] = []
    refused: list[str] = []

    def hand_in(one: Delivery) -> None:
        for _ in range(3):  # a platform that is told 503 sends it again
            try:
                line.receiver.keep(one)
            except NotKept:
                continue
            kept.append(one.delivery_key)
            return
        refused.append(one.delivery_key)

    threads = [threading.Thread(target=hand_in, args=(one,)) for one in (delivery(0), spoilt, delivery(2))]
    with line.database.write():
        # While somebody else writes, all three gather into one commit.
        for thread in threads:
            thread.start()
        threading.Event().wait(0.3)
    for thread in threads:
        thread.join(30)

    assert sorted(kept) == ["key-0", "key-2"]
    assert refused == ["key-1"]
    assert len(line.inbox.claim(10, line.clock())) == 2
