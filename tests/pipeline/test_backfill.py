"""Past orders are taken in as if their webhooks had come: stopped and repeated at will, never doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from impact_app import create_app
from impact_app.config import Config
from impact_app.http import Http
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import metadata, orders, products, steps, stores
from impact_app.pipeline.backfill import Line, Tally
from impact_app.pipeline.placed import BULK_ABOVE
from impact_app.pipeline.process import Period, Unlisted
from impact_app.simulator.shopify import faults
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from impact_app.simulator.shopify.store import PretendStore, Product
from impact_app.stores.shopify.documents import BULK_RUN
from impact_app.wiring import Services
from tests.line import SECRET, SHOP, Bench, Clock, both_databases

Body = dict[str, Any]

#: Every day of the pretend year that the tests' orders are placed in; the clock stands at 2026-11-20 12:00.
SINCE, UNTIL = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Past:
    """A store with orders that no webhook told of."""

    bench: Bench
    admin: RunningAdmin

    @property
    def pretend(self) -> PretendStore:
        return self.admin.store

    def connect(self, **rules: str) -> Store:
        code = self.pretend.tokens.code(self.pretend.scopes)
        store = self.bench.line.tokens.connect_with_code(SHOP, code)
        self.bench.configure(store, **rules)
        return store

    def sold(self, price: str = "100.00", *, days_ago: float = 3, **fields: Any) -> Body:
        """An order that was placed and of which only the store knows."""
        lines = fields.pop("lines", (LineSpec(price=Decimal(price)),))
        placed = self.bench.clock() - timedelta(days=days_ago)
        body = self.bench.order(*lines, processed_at=placed, **fields)
        return self.pretend.add_order(body)

    def fill(self, line: Services | None = None, *, dry_run: bool = False, **period: datetime) -> Tally:
        tally = Tally()
        asked = Period(period.get("since", SINCE), period.get("until", UNTIL), is_trial=dry_run)
        used = line or self.bench.line
        (store,) = used.stores.all()
        used.backfill.run(store, asked, tally, lambda: None)
        return tally

    def command(self, *words: str) -> Result:
        asked = ("backfill", SHOP, "--from", "2026-10-01", "--to", "2026-11-20", *words)
        return self.said(*asked)

    def said(self, *words: str) -> Result:
        result = create_app(self.bench.line).test_cli_runner().invoke(args=list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        assert "Traceback" not in result.output
        return result

    def everything(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        with self.bench.line.database.read() as connection:
            return {
                table.name: list(connection.execute(sa.select(table))) for table in metadata.sorted_tables
            }

    def state(self) -> dict[str, Any]:
        """What is true of each order in the end, whatever way led there."""
        made = {row.id: [] for row in self.bench.rows(orders)}  # type: dict[int, list[Any]]
        for step in self.bench.rows(steps):
            made[step.order_row_id].append((step.kind, step.state, step.form))
        return {
            row.order_key: (row.verdict, row.reason, row.net_minor, row.snapshot, made[row.id])
            for row in self.bench.rows(orders)
        }


@pytest.fixture
def admin(clock: Clock) -> Iterator[RunningAdmin]:
    store = PretendStore(
        domain=SHOP, client_id="client-id", client_secret=SECRET, restore_rate=10_000.0, now=clock
    )
    with running_admin(store) as running:
        yield running


@pytest.fixture
def config(config: Config, admin: RunningAdmin) -> Config:
    assert config.shopify is not None
    return replace(config, shopify=replace(config.shopify, admin_url=admin.admin_url))


@pytest.fixture
def past(bench: Bench, admin: RunningAdmin) -> Past:
    return Past(bench, admin)


# what it does


@both_databases
def test_orders_that_no_webhook_told_of_are_reported(past: Past) -> None:
    past.connect()
    bodies = [past.sold("10.00"), past.sold("20.50"), past.sold("30.00")]

    tally = past.fill()

    assert past.bench.run() == 3
    assert [past.bench.booked(body) for body in bodies] == [
        [Decimal("10.00")],
        [Decimal("20.50")],
        [Decimal(30)],
    ]
    assert (tally.count, tally.seen, tally.known, tally.faults) == (3, 3, 0, {})
    assert tally.lines == [Line("waiting", "queued", "USD", 3, Decimal("60.50"))]  # 10.00 + 20.50 + 30.00


def test_the_order_is_what_its_webhook_would_have_made_of_it(past: Past) -> None:
    past.connect()
    told, asked = past.sold(), past.sold()
    past.bench.deliver_body("orders/paid", told)
    past.bench.process()

    past.fill()

    first, second = (dict(step.form) for step in past.bench.rows(steps))
    differ = {name for name in first if first[name] != second.get(name)}
    # Without the scope for it, Shopify's API does not tell the customer.
    assert differ == {"OrderId", "ClickId", "CustomerId"}
    assert past.bench.verdict(asked) == past.bench.verdict(told)


def test_only_the_period_is_taken_in(past: Past) -> None:
    past.connect()
    day = datetime(2026, 11, 10, tzinfo=UTC)
    ago = (past.bench.clock() - day) / timedelta(days=1)
    second = timedelta(seconds=1) / timedelta(days=1)
    before, first = past.sold(days_ago=ago + second), past.sold(days_ago=ago)
    last, after = past.sold(days_ago=ago - 1 + second), past.sold(days_ago=ago - 1)

    result = past.said("backfill", SHOP, "--from", "2026-11-10", "--to", "2026-11-10")

    assert result.exit_code == 0
    found = {row.order_key for row in past.bench.rows(orders)}
    assert found == {str(first["id"]), str(last["id"])}
    assert not found & {str(before["id"]), str(after["id"])}


def test_each_order_gets_the_verdict_it_deserves(past: Past) -> None:
    past.pretend.scopes = ("read_orders", "read_products", "read_all_orders")
    past.connect()
    reported, returned = past.sold(), past.sold("50.00", days_ago=9)
    gone, unmarked = past.sold("7.00"), past.sold("8.00", note_attributes=(), customer=None)
    old = past.sold("9.00", days_ago=89)
    past.pretend.add_order(cancel(gone))
    past.pretend.add_order(refund(returned, {returned["line_items"][0]["id"]: 1})[1])

    tally = past.fill(since=past.bench.clock() - timedelta(days=100))

    assert past.bench.verdict(reported) == ("waiting", "queued")
    assert past.bench.verdict(gone) == ("withheld", "cancelled_before_report")
    assert past.bench.verdict(returned) == ("withheld", "refunded_before_report")
    assert past.bench.verdict(unmarked) == ("withheld", "no_click_or_code")
    assert past.bench.verdict(old) == ("withheld", "too_old")
    counted = {(line.verdict, line.reason): (line.orders, line.net) for line in tally.lines}
    assert counted["withheld", "too_old"] == (1, Decimal("9.00"))
    assert sum(orders for orders, _ in counted.values()) == 5


def test_a_refund_since_then_changes_what_was_reported(past: Past) -> None:
    past.connect()
    body = past.sold(lines=(LineSpec(sku="A", price=Decimal("30.00"), quantity=3),))
    past.bench.deliver_body("orders/paid", body)
    assert past.bench.run() == 1
    past.pretend.add_order(refund(body, {body["line_items"][0]["id"]: 1})[1])

    tally = past.fill()

    assert past.bench.run() == 1
    assert past.bench.booked(body) == [Decimal("60.00")]  # 3 x 30.00 - 1 x 30.00
    assert tally.known == 0


def test_categories_are_looked_up(past: Past) -> None:
    past.connect(category="category")
    body = past.sold()
    past.pretend.add_product(Product(body["line_items"][0]["product_id"], category="Sport > Boards"))

    past.fill()

    (step,) = past.bench.rows(steps)
    assert dict(step.form)["ItemCategory1"] == "Sport > Boards"


def test_several_pages_of_orders_are_read(past: Past) -> None:
    past.connect()
    bodies = [past.sold(days_ago=1 + at / 100) for at in range(60)]

    tally = past.fill()

    assert (tally.count, tally.seen) == (60, 60)
    assert past.bench.count(orders) == 60 == len(bodies)


def test_an_order_that_cannot_be_read_holds_up_no_other(past: Past) -> None:
    past.connect()
    broken = past.sold(lines=(LineSpec(price=Decimal(9) * 10**14),))
    good = past.sold()

    result = past.command()

    assert result.exit_code == 1
    assert f"1 orders could not be taken in.\nOrder {broken['id']}: " in result.output
    assert past.bench.verdict(good) == ("waiting", "queued")


# the trial run


@both_databases
def test_a_dry_run_says_what_the_real_run_does_and_writes_nothing(past: Past) -> None:
    store = past.connect()
    past.sold("10.00")
    past.sold("20.00", note_attributes=(), customer=None)
    past.sold("30", currency="JPY")
    past.pretend.add_product(Product(past.sold("40.00")["line_items"][0]["product_id"]))
    known = past.sold("50.00")
    past.bench.deliver_body("orders/paid", known)
    past.bench.run()
    before = past.everything()

    foreseen = past.fill(dry_run=True)

    assert past.everything() == before
    done = past.fill()
    assert foreseen == done
    assert (foreseen.seen, foreseen.known) == (5, 1)
    assert foreseen.lines == [
        Line("waiting", "queued", "JPY", 1, Decimal(30)),
        Line("waiting", "queued", "USD", 2, Decimal("50.00")),  # 10.00 + 40.00
        Line("withheld", "no_click_or_code", "USD", 1, Decimal("20.00")),
    ]
    assert past.bench.count(orders, orders.c.store_id == store.id) == 5
    assert past.bench.count(products) == 1


def test_the_command_prints_a_table(past: Past) -> None:
    past.connect()
    for price in ("10.00", "990.00"):
        past.sold(price)
    past.sold("5", note_attributes=(), customer=None)

    result = past.command("--dry-run")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "3 orders looked at, 0 of them known already.",
        "verdict   reason            currency  orders      net",
        "waiting   queued            USD            2  1000.00",
        "withheld  no_click_or_code  USD            1     5.00",
        "Calls to impact.com that would be queued: 2. Nothing was written.",
    ]
    assert past.bench.count(orders) == 0
    assert "The worker sends them" in past.command().stdout
    assert past.bench.count(orders) == 3


# repeated, stopped, killed


def test_repeating_finds_nothing_left_to_do(past: Past) -> None:
    past.connect()
    bodies = [past.sold() for _ in range(5)]
    past.fill()
    past.bench.run()
    before = past.everything()

    tally = past.fill()

    assert (tally.seen, tally.known, tally.lines) == (5, 5, [])
    assert past.everything() == before
    assert past.bench.run() == 0
    assert [past.bench.booked(body) for body in bodies] == [[Decimal("100.00")]] * 5


def test_it_works_while_no_worker_runs(past: Past) -> None:
    """Redis is not even there: the calls stand in the database."""
    past.connect()
    body = past.sold()
    past.bench.line.redis.connection_pool.disconnect()
    past.bench.line.redis.connection_pool.connection_kwargs["path"] = "/nonexistent/redis.sock"

    past.fill()

    assert past.bench.steps_of(body) == [("submit", "pending")]


class Interruption:
    """Ends the process before its n-th call to the store or its n-th commit."""

    def __init__(self, line: Services, at: int) -> None:
        self._left = at
        self.is_over = False
        self._engine = line.database.engine

    def _pass(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self.is_over = True
            raise Killed

    @contextmanager
    def lurking(self) -> Iterator[None]:
        ask = Http.request

        def request(*words: Any, **more: Any) -> Any:
            self._pass()
            return ask(*words, **more)

        Http.request = request  # type: ignore[method-assign]
        sa.event.listen(self._engine, "commit", self._pass)
        try:
            yield
        finally:
            sa.event.remove(self._engine, "commit", self._pass)
            Http.request = ask  # type: ignore[method-assign]


@both_databases
def test_killed_at_any_moment_and_repeated_the_end_is_the_same(past: Past, config: Config) -> None:
    past.connect()
    bodies = [past.sold(f"{at}.10", days_ago=at) for at in range(1, 9)]
    past.pretend.add_product(Product(bodies[0]["line_items"][0]["product_id"]))
    past.bench.deliver_body("orders/paid", bodies[0])
    past.bench.process()
    moments, ends = 0, []

    while True:  # each round dies one moment later than the one before it, until one is not killed
        moments += 1
        with past.bench.line.database.write() as connection:
            connection.execute(sa.delete(orders).where(orders.c.order_key != str(bodies[0]["id"])))
            connection.execute(sa.delete(products))
        interruption = Interruption(past.bench.line, moments)
        with interruption.lurking():
            try:
                past.fill()
            except Killed:
                past.fill(Services(config, past.bench.clock))
        ends.append(past.state())
        assert ends[-1] == ends[0]
        if not interruption.is_over:
            break

    assert moments == 8  # count, page, products; these kept and three commits; the round without an end
    assert len(ends[0]) == 8
    assert past.bench.run() == 8
    assert [past.bench.booked(body) for body in bodies] == [[Decimal(f"{at}.10")] for at in range(1, 9)]


def test_many_orders_are_exported_and_repeated_without_a_second_export(past: Past) -> None:
    past.connect()
    day = timedelta(days=1)
    first = past.bench.order(processed_at=past.bench.clock() - 9 * day)
    for at in range(BULK_ABOVE + 1):
        number = 6_000_000_000_000 + 65_536 * at
        past.pretend.add_order(
            {**first, "id": number, "admin_graphql_api_id": f"gid://shopify/Order/{number}"}
        )
    until = past.bench.clock() - day

    tally = past.fill(until=until)

    assert (tally.count, tally.seen, tally.faults) == (501, 501, {})
    assert tally.lines == [Line("waiting", "queued", "USD", 501, Decimal("50100.00"))]  # 501 x 100.00
    before = past.everything()
    again = past.fill(until=until)
    assert (again.seen, again.known) == (501, 501)
    assert past.everything() == before
    assert len(past.pretend.bulk.operations) == 1
    assert [call.what for call in past.pretend.calls if call.where == "graphql"].count(BULK_RUN) == 1


def test_an_export_that_fails_is_a_sentence(past: Past) -> None:
    past.connect()
    body = past.sold()
    for at in range(BULK_ABOVE + 1):
        past.pretend.add_order({**body, "id": 6_000_000_000_000 + 65_536 * at})
    past.pretend.bulk.mishaps = ["failed"]

    result = past.command()

    assert result.exit_code == 1
    assert "Error: Shopify could not finish exporting the orders (INTERNAL_SERVER_ERROR)." in result.output
    assert past.bench.count(orders) == 0


def test_ctrl_c_says_how_far_it_came(past: Past) -> None:
    past.connect()
    for at in range(9):
        past.sold(days_ago=1 + at)
    commits = iter(range(10))

    def stop(_connection: sa.Connection) -> None:
        if next(commits) == 1:
            raise KeyboardInterrupt

    sa.event.listen(past.bench.line.database.engine, "commit", stop)
    result = past.command()
    sa.event.remove(past.bench.line.database.engine, "commit", stop)

    assert result.exit_code == 1
    assert (
        "Error: Stopped after 3 of 9 orders. What is done stays done; the same command goes on"
        in result.output
    )
    assert past.bench.count(orders) == 3
    again = past.command()
    assert "9 orders looked at, 3 of them known already." in again.stdout
    assert past.bench.count(orders) == 9


# what it refuses


def test_beyond_sixty_days_the_limit_is_named(past: Past) -> None:
    past.connect()
    past.sold(days_ago=61)

    result = past.said("backfill", SHOP, "--from", "2026-09-01", "--to", "2026-11-20")

    assert result.exit_code == 1
    assert (
        "only orders of the last 60 days: the period can begin on 2026-09-22 at the earliest" in result.output
    )
    assert "read_all_orders" in result.output
    assert past.bench.count(orders) == 0
    allowed = past.said("backfill", SHOP, "--from", "2026-09-22", "--to", "2026-11-20")
    assert allowed.exit_code == 0


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (faults.status(402), "The shop does not answer this app (HTTP 402): it is frozen"),
        (faults.too_many(retry_after=600), "Shopify's Admin API gave no data"),
    ],
)
def test_a_store_that_cannot_be_asked_is_one_sentence(past: Past, fault: faults.Fault, sentence: str) -> None:
    past.connect()
    past.sold()
    past.pretend.faults = [fault]

    result = past.command()

    assert (result.exit_code, sentence in result.output) == (1, True)
    assert past.bench.count(orders) == 0


def test_a_store_that_leaves_meanwhile_ends_it(past: Past) -> None:
    past.connect()
    for _ in range(4):
        past.sold()

    def leave() -> None:
        with past.bench.line.database.write() as connection:
            connection.execute(sa.update(stores).values(state="uninstalled"))

    (store,) = past.bench.line.stores.all()
    tally = Tally()
    with pytest.raises(Unlisted, match="not connected any more"):
        past.bench.line.backfill.run(store, Period(SINCE, UNTIL), tally, leave)
    assert past.bench.count(orders) == 0


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("nowhere", "--from", "2026-11-01", "--to", "2026-11-02"), 1, "There is no store 'nowhere'"),
        ((SHOP, "--from", "yesterday", "--to", "2026-11-02"), 2, "'yesterday' is no day such as 2026-11-20"),
        ((SHOP, "--from", "2026-11-03", "--to", "2026-11-02"), 2, "--from lies behind --to."),
    ],
)
def test_what_is_not_understood_is_said(
    past: Past, words: tuple[str, ...], status: int, sentence: str
) -> None:
    past.connect()
    result = past.said("backfill", *words)
    assert (result.exit_code, sentence in result.output) == (status, True)


def test_a_store_that_was_left_is_not_asked(past: Past) -> None:
    past.connect()
    past.pretend.calls.clear()
    past.bench.clock.advance(minutes=1)
    past.bench.deliver_body("app/uninstalled", {})
    past.bench.process()

    result = past.command()

    assert (result.exit_code, "is not connected: install the app in it first" in result.output) == (1, True)
    assert past.pretend.calls == []
