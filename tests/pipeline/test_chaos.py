"""Everything at once: random deliveries, a network that fails, dying workers, an emptied Redis.

At the end the ledger tells one true story, and impact.com's books tell the same one.
"""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from impact_app.ledger.tables import conversions, deliveries, orders, steps
from impact_app.pipeline.sweep import sweep
from impact_app.simulator.network import TRANSIENT, fault
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from tests.line import Bench


@dataclass(frozen=True)
class Story:
    """One order's life: its snapshots, what impact.com should pay on at the end, and whether it is gone."""

    snapshots: tuple[dict[str, Any], ...]
    net: Decimal
    is_cancelled: bool

    @property
    def last(self) -> dict[str, Any]:
        return self.snapshots[-1]


def _story(bench: Bench, chance: random.Random) -> Story:
    price = Decimal(chance.randint(100, 99_999)) / 100
    paid = bench.order(
        LineSpec(sku="A", variant_id=1, product_id=1, price=price, quantity=3),
        LineSpec(sku="B", variant_id=2, product_id=2, price=Decimal("7.25"), quantity=1),
    )
    drawn = chance.random()
    if drawn < 0.1:
        return Story((paid, cancel(paid)), Decimal(0), is_cancelled=True)
    if drawn < 0.4:
        _, less = refund(paid, {paid["line_items"][0]["id"]: 1})
        return Story((paid, less), 2 * price + Decimal("7.25"), is_cancelled=False)
    return Story((paid,), 3 * price + Decimal("7.25"), is_cancelled=False)


def _deliveries(stories: list[Story], chance: random.Random) -> list[tuple[str, dict[str, Any], str]]:
    """Each snapshot one to three times, each time under its own or the same id, in any order."""
    made = []
    for story in stories:
        for at, body in enumerate(story.snapshots):
            for copy in range(chance.randint(1, 3)):
                topic = "orders/paid" if at == 0 else "orders/updated"
                made.append((topic, body, f"{body['id']}-{at}-{copy // 2}"))
    chance.shuffle(made)
    return made


def _trouble(bench: Bench, chance: random.Random) -> None:
    """What may happen to the processes at any moment."""
    match chance.randrange(6):
        case 0:
            bench.line.outbox.claim(chance.randint(1, 8), bench.clock(), f"dies-{chance.random()}")
        case 1:
            bench.line.inbox.claim(chance.randint(1, 8), bench.clock())
        case 2:
            bench.line.redis.flushdb()
        case 3:
            bench.clock.advance(seconds=chance.choice([5, 30, 100, 1000]))
        case 4:
            sweep(bench.line.inbox, bench.line.outbox, bench.clock)
        case 5:
            _work(bench)


def _work(bench: Bench) -> None:
    """Two workers at once, each reading and sending."""
    with ThreadPoolExecutor(2) as workers:
        for _ in range(2):
            workers.submit(lambda: (bench.process(), bench.deliver()))


def _settled(bench: Bench) -> bool:
    waits = bench.count(deliveries, deliveries.c.state == "pending")
    return not waits and not bench.count(steps, steps.c.state.in_(("pending", "in_flight")))


@pytest.mark.parametrize(
    ("database_url", "count", "seed"),
    [("sqlite", 300, 7), ("postgresql", 150, 11)],
    indirect=["database_url"],
)
def test_every_order_is_booked_once_whatever_happens(bench: Bench, count: int, seed: int) -> None:
    chance = random.Random(seed)
    bench.wait_for_answers(0.25)
    bench.connect()
    stories = [_story(bench, chance) for _ in range(count)]
    kinds = [fault(name, seconds=0.3 if name.startswith("timeout") else 0.01) for name in TRANSIENT]
    bench.network.faults.at_random(0.3, seed=seed, kinds=kinds)
    for at, (topic, body, key) in enumerate(_deliveries(stories, chance)):
        bench.deliver_body(topic, body, Webhook_Id=key)
        if at % 20 == 0:
            _trouble(bench, chance)
    for _ in range(200):
        _work(bench)
        if _settled(bench):
            break
        bench.clock.advance(minutes=10)
        sweep(bench.line.inbox, bench.line.outbox, bench.clock)
    assert _settled(bench)
    _assert_one_true_story(bench, stories)


def _assert_one_true_story(bench: Bench, stories: list[Story]) -> None:
    rows = {row.order_key: row for row in bench.rows(orders)}
    held = {row.order_row_id: row for row in bench.rows(conversions)}
    assert len(rows) == len(stories)
    verdicts: Counter[tuple[str, str]] = Counter()
    for story in stories:
        row = rows[str(story.last["id"])]
        booked = bench.network.books.actions_of_order(row.order_key)
        verdicts[row.verdict, row.reason] += 1
        if (row.verdict, row.reason) == ("withheld", "cancelled_before_report"):
            assert (booked, row.id in held, story.is_cancelled) == ([], False, True)
            continue
        reported = held[row.id].reported["items"]
        amounts = [Decimal(item["amount"]["amount"]) for item in reported]
        assert [action.amount for action in booked] == [sum(amounts, Decimal(0))] == [story.net]
    assert set(verdicts) <= {
        ("reported", "accepted"),
        ("reported", "reversed"),
        ("withheld", "cancelled_before_report"),
    }
    cancelled = sum(story.is_cancelled for story in stories)
    assert verdicts["reported", "accepted"] == len(stories) - cancelled
    assert bench.network.faults.met
