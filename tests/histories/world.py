"""Several shops' histories at once, from the first event to the books at the end, through the real line.

The shops share the app as tenants do: one database, one worker, one pretend impact.com where each has an
account of its own. Their orders have the same ids, so that whatever leaks from one to another shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from impact_app.config import Config
from impact_app.ledger.database import Database
from impact_app.ledger.inbox import Delivery
from impact_app.ledger.stores import Tokens
from impact_app.ledger.tables import deliveries, metadata, orders, steps
from impact_app.pipeline.reconcile import Report
from impact_app.pipeline.sweep import sweep
from impact_app.simulator.network import Account, Books, Setup, Token, create_network
from impact_app.simulator.shopify.admin import create_admin
from impact_app.simulator.shopify.orders import encode
from impact_app.simulator.shopify.store import PretendStore
from impact_app.wiring import Services
from tests.histories.events import (
    Again,
    Event,
    Failing,
    In,
    InShop,
    Late,
    Passed,
    Reconciled,
    RedisEmptied,
    Ruled,
    Worked,
)
from tests.histories.oracle import Since, complaints
from tests.histories.shop import Message, Shop
from tests.histories.wires import Killed, Switch, Wires
from tests.line import SECRET, START, Clock

#: Rounds of an hour until everything must have settled; what waits longest waits an hour.
_ROUNDS = 40

#: Shops that may take part.
SHOPS = 24


def _account(number: int) -> Account:
    return Account(sid=f"IRHistoryAccount{number:018}", number=number, tokens=(Token(f"token-of-{number}"),))


@dataclass
class Tenant:
    """One shop, as the app knows it: its store, its account, its rules with their times."""

    shop: Shop
    domain: str
    account: Account
    store_id: int
    versions: list[Since] = field(default_factory=list)


@dataclass
class World:
    """The app, the shops and impact.com, ready for one story after the other.

    The database, the connections to it and the pretend network are made once; a story begins with all of
    them empty. A killed process leaves nothing behind but what is in the database: its services are made
    anew.
    """

    config: Config
    database: Database
    switch: Switch = field(default_factory=Switch)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        accounts = tuple(_account(number) for number in range(1, SHOPS + 1))
        self.books = Books(Setup(rate_limit=None, accounts=accounts), self.clock)
        self.platforms = [self._platform(number) for number in range(SHOPS)]
        programs = {"impact.test": create_network(self.books), "shop.test": create_admin(*self.platforms)}
        self.wires = Wires(programs, self.switch)
        self.door = self._services()
        self._watch()

    def _watch(self) -> None:
        def statement(*_: Any) -> None:
            self.switch.tick()

        sa.event.listen(self.database.engine, "before_cursor_execute", statement)
        sa.event.listen(self.database.engine, "commit", statement)

    def _services(self) -> Services:
        services = Services(self.config, self.clock)
        services.database = self.database
        return services

    def _platform(self, number: int) -> PretendStore:
        # Shopify's allowance is a test of its own.
        return PretendStore(
            domain=f"shop-{number}.myshopify.com",
            client_id="client-id",
            client_secret=SECRET,
            restore_rate=1e9,
            now=self.clock,
        )

    def begin(self, shops: int) -> None:
        self.switch.revive()
        self.clock.now = START
        self.books.reset()
        self.wires.made.clear()
        self.wires.refuse = 0
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))
        self.worker = self._services()
        self.reports: list[Report] = []
        self.tenants = [self._tenant(number) for number in range(shops)]

    def _tenant(self, number: int) -> Tenant:
        platform = self.platforms[number]
        platform.orders.clear()
        platform.calls.clear()
        domain, scopes = platform.domain, platform.scopes
        token = platform.tokens.permanent(scopes, SECRET).access_token
        tokens = Tokens("pasted", token, scopes=",".join(scopes))
        store = self.door.stores.connect("shopify", domain, tokens, now=self.clock())
        shop = Shop(self.clock, lambda message: self._deliver(domain, message), platform.add_order)
        tenant = Tenant(shop, domain, self.books.setup.accounts[number], store.id)
        self._rule(tenant, {})
        return tenant

    def live(self, story: Sequence[Event]) -> list[str]:
        """Let the story happen, then everything settle; everything that is wrong then, in sentences."""
        self.begin(1 + max((one.shop for one in story if isinstance(one, In)), default=0))
        for event in story:
            # A shop tells its changes by the second, so no two of them share one.
            self.clock.advance(seconds=1)
            self._happen(event)
        # What impact.com tells later costs listings for each shop: some stories are held against it.
        self._settle(looks_again=len(story) % 4 == 0)
        return list(self.complaints())

    def _happen(self, event: Event) -> None:
        match event:
            case In(number, inner):
                self._happen_in(self.tenants[number], inner)
            case Worked(killed):
                self._work(killed)
            case Passed(minutes):
                self.clock.advance(minutes=minutes)
                self._sweep()
                self.worker.verifier.drain(self._turn)
            case Failing(faults):
                self.wires.refuse += faults.count("refused")
                self.books.faults.script(*(fault for fault in faults if fault != "refused"))
            case Reconciled(killed):
                self._work(killed, self.worker.reconciler.run)
            case RedisEmptied():
                self.worker.redis.flushdb()

    def _happen_in(self, tenant: Tenant, event: InShop) -> None:
        match event:
            case Again(mail, is_new):
                tenant.shop.again(mail, is_new=is_new)
            case Late(mail):
                tenant.shop.late(mail)
            case Ruled(rules):
                self._rule(tenant, dict(rules))
            case _:
                tenant.shop.take(event)

    def _deliver(self, domain: str, message: Message) -> None:
        self.door.receiver.keep(
            Delivery(
                platform="shopify",
                domain=domain,
                topic=message.topic,
                delivery_key=message.key,
                body=encode(message.body),
                received_at=self.clock(),
            )
        )

    def _rule(self, tenant: Tenant, rules: dict[str, str]) -> None:
        setup = self.books.setup
        self.door.stores.save_settings(
            tenant.store_id,
            account_sid=tenant.account.sid,
            auth_token=tenant.account.tokens[0].value,
            campaign_id=str(setup.campaigns[0].id),
            event_type_id=str(setup.event_types[0].id),
            rules=rules,
            by="a test",
            now=self.clock(),
        )
        self.door.settings_saved(tenant.store_id)
        tenant.versions.append(Since(self.clock(), rules))

    @property
    def _turn(self) -> datetime:
        return datetime.max.replace(tzinfo=self.clock().tzinfo)

    def _work(self, killed: int | None = None, work: Callable[[], object] | None = None) -> None:
        """Everything that is due now; a killed worker is replaced by a new one that has its memory empty."""
        before = len(self.wires.made)
        if killed is not None:
            self.switch.arm(killed)
        try:
            (work or self._drain)()
        except Killed:
            for made in self.wires.made[before:]:
                made.was_heard = False
            self.worker = self._services()
        finally:
            self.switch.revive()

    def _drain(self) -> None:
        line, until = self.worker, self._turn
        while (
            line.processor.drain(until)
            + line.reviewer.drain(until)
            + line.joiner.drain(until)
            + line.deliverer.drain(until)
        ):
            pass

    def _sweep(self) -> None:
        sweep(self.worker.inbox, self.worker.outbox, self.clock)

    def _settle(self, *, looks_again: bool) -> None:
        """All mail but the lost arrives, faults end, the lost is reconciled, and nothing is left to do."""
        self.books.faults.clear()
        self.wires.refuse = 0
        for tenant in self.tenants:
            tenant.shop.settle_up()
            while tenant.shop.bag:
                tenant.shop.late(0)
        # What the store's index lags behind, a listing leaves to the next one.
        self.clock.advance(minutes=1)
        self._reconcile()
        for _ in range(_ROUNDS):
            self._work()
            if not self._is_open():
                break
            self.clock.advance(minutes=61)
            self._sweep()
        if looks_again:
            self.clock.advance(hours=7)
            self.worker.verifier.drain(self._turn)
            self._reconcile()
            self._work()

    def _reconcile(self) -> None:
        self.reports += self.worker.reconciler.run()

    def _is_open(self) -> bool:
        pending = sa.select(sa.literal(1)).where(
            sa.or_(
                sa.exists().where(deliveries.c.state == "pending"),
                sa.exists().where(steps.c.state.in_(("pending", "in_flight"))),
            )
        )
        with self.database.read() as connection:
            return connection.scalar(pending) is not None

    def complaints(self) -> Iterator[str]:
        """Everything that is wrong as the books and the ledger stand now, in sentences."""
        if self._is_open():
            yield "Something never settled."
        for report in self.reports:
            yield from (f"{report.store.domain}: {fault}" for fault in report.faults)
            yield from (f"{report.store.domain}: {number} drifted: {one}" for number, one in report.drifts)
        for tenant in self.tenants:
            for told in self._of_shop(tenant):
                yield f"{tenant.domain}: {told}"
        yield from self._needless()

    def _of_shop(self, tenant: Tenant) -> Iterator[str]:
        verdicts, booked = self._verdicts(tenant), self.books.actions(tenant.account.sid)
        for life in tenant.shop.lives:
            held = [one for one in booked if one.order_id.partition("-")[0] == life.id]
            yield from complaints(life, held, tenant.versions)
            verdict, reason = verdicts.get(life.id, ("", ""))
            expected = "reported" if held else "withheld"
            if verdict != expected:
                yield f"{life.id} has the verdict {verdict or 'none'} ({reason}), and is {expected}."

    def _verdicts(self, tenant: Tenant) -> dict[str, tuple[str, str]]:
        mine = orders.c.store_id == tenant.store_id
        with self.database.read() as connection:
            rows = connection.execute(
                sa.select(orders.c.order_key, orders.c.verdict, orders.c.reason).where(mine)
            )
            return {row.order_key: (row.verdict, row.reason) for row in rows}

    def _needless(self) -> Iterator[str]:
        """Calls that changed nothing at impact.com, unless the same was sent before and not heard of."""
        unheard: set[tuple[str, str, bytes]] = set()
        for made in self.wires.made:
            submission = self.books.submission(made.account_sid, made.batch_id) if made.batch_id else None
            said = [] if submission is None else [*submission.remarks, submission.error_reason]
            if made.status == 400:
                yield f"{made.method} {made.path} was refused: {made.body.decode()}"
            if any(said) and made.same not in unheard:
                yield f"{made.method} {made.path} changed nothing ({said}): {made.body.decode()}"
            if not made.was_heard:
                unheard.add(made.same)
