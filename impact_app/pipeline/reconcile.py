"""Closing the loop: the store's orders against ours, and what we reported against impact.com's books.

    store -> us          orders that changed since last time are listed and judged like delivered ones, so
                         that a delivery that never came is only late
    us -> impact.com     what was reported is held against the list of actions, in both directions
    balance              the store's number of orders of each day against those that have a verdict here

Every part may be stopped anywhere and repeated: how far the listing came is remembered only after the orders
of a page are settled, and what is set right is set right in one transaction with its record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
import structlog

from impact_app.domain.alerts import Cause, Raised, balance, counted, told
from impact_app.domain.balance import Balance, balances
from impact_app.domain.drift import SETTLED_AFTER, Drift, as_held, drift
from impact_app.domain.orders import Order
from impact_app.domain.overview import Total
from impact_app.domain.reasons import Reason
from impact_app.domain.verification import Action, Finding, windows
from impact_app.ledger import acts, alerts, orders, reconciliation
from impact_app.ledger.acts import Act
from impact_app.ledger.database import Database
from impact_app.ledger.overview import Overviews
from impact_app.ledger.reconciliation import Apart, Booked, Reconciliations
from impact_app.ledger.stores import Credentials, Store, Stores
from impact_app.ledger.vault import Unreadable
from impact_app.ledger.verification import Checks
from impact_app.pipeline import judge
from impact_app.pipeline.process import (
    BATCH,
    ChangedPage,
    Period,
    Platform,
    Unfetched,
    Unlisted,
    fetched,
)
from impact_app.pipeline.takeover import Takeover
from impact_app.pipeline.verify import Metered, NotNow
from impact_app.transports.api.lookups import Asks, NotAnswered, action_items

log = structlog.get_logger()

#: A platform's index lags behind its orders a little.
OVERLAP = timedelta(minutes=15)

#: Platforms show an app no older orders unless it was granted more (Shopify: 60 days).
FURTHEST = timedelta(days=59)

#: Days of actions held against the books each hour, and once a day.
HOURLY, DAILY = timedelta(days=2), timedelta(days=30)

#: Listings a run makes for older orders that were found to differ.
_OLDER = 4

#: What is looked at of a drift: a conversion that was credited, or was said to differ.
_CREDITED = frozenset({Finding.CREDITED, Finding.DIFFERS, Finding.DUPLICATE, Finding.DRIFTED})


@dataclass
class Report:
    """What one store's reconciliation found and did.

    seen, new, changed  orders listed; of these unknown until now; of these known in an older state only
    store_calls         questions to the store that listing and counting took
    impact_calls        questions to impact.com
    drifts              what impact.com held otherwise, with the order's number; `repaired` of them set right
    strange             actions that nobody here reported
    balances            the days touched
    faults              what could not be done, each in a sentence
    is_put_off          impact.com was not asked: conversions that are due go first, or its hour is used up
    is_unfinished       the time was over before everything was looked at; the next run goes on
    """

    store: Store
    store_calls: int = 0
    impact_calls: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    actions: int = 0
    drifts: list[tuple[str, Drift]] = field(default_factory=list)
    repaired: int = 0
    strange: int = 0
    balances: Sequence[Balance] = ()
    faults: list[str] = field(default_factory=list)
    is_put_off: bool = False
    is_unfinished: bool = False


@dataclass(frozen=True)
class Reconciler:
    """Reconciles one store after the other; a fault of one keeps no other from its turn."""

    database: Database
    stores: Stores
    platforms: Mapping[str, Platform]
    reconciliations: Reconciliations
    overviews: Overviews
    takeover: Takeover
    checks: Checks
    api: Asks
    clock: Callable[[], datetime]

    def run(
        self,
        since: datetime | None = None,
        *,
        reach: timedelta = HOURLY,
        until: datetime | None = None,
        tell: Callable[[Report], None] = lambda _report: None,
    ) -> list[Report]:
        """Reconcile every connected store; `tell` hears of progress.

        since   look at orders and actions from then on, instead of since last time and `reach` back
        until   when the time is over
        """
        return [
            self._store(store, since, reach, until, tell)
            for store in self.stores.all()
            if store.state == "connected" and store.platform in self.platforms
        ]

    def _store(
        self,
        store: Store,
        since: datetime | None,
        reach: timedelta,
        until: datetime | None,
        tell: Callable[[Report], None],
    ) -> Report:
        report, now = Report(store), self.clock()
        try:
            self._take_in(report, since, now, until, tell)
            if not report.is_unfinished:
                self._balance(report, since or now - reach, now)
        except Unlisted as fault:
            report.faults.append(str(fault))
        try:
            self._hold_against(report, since or now - reach, now)
        except NotNow:
            report.is_put_off = True
        except (NotAnswered, LookupError, Unreadable) as fault:
            report.faults.append(str(fault))
        log.info(
            "store.reconciled",
            store=store.id,
            seen=report.seen,
            new=report.new,
            changed=report.changed,
            actions=report.actions,
            drifts=len(report.drifts),
            repaired=report.repaired,
            strange=report.strange,
            faults=len(report.faults),
        )
        return report

    # store -> us

    def _take_in(
        self,
        report: Report,
        since: datetime | None,
        now: datetime,
        until: datetime | None,
        tell: Callable[[Report], None],
    ) -> None:
        """Judge whatever changed since last time and was not told of."""
        store = report.store
        reached = self.reconciliations.until(store.id) or store.connected_at
        start = max(since or reached - OVERLAP, now - FURTHEST)
        # What somebody wants looked at may begin behind what was never looked at.
        is_gapless = start <= reached
        for page in self.platforms[store.platform].changed(store, start, now):
            self._settle(report, page)
            tell(report)
            if page.greatest is not None and is_gapless:
                self.reconciliations.reached(store.id, page.greatest)
            if until is not None and self.clock() >= until:
                report.is_unfinished = True
                return
        if is_gapless:
            self.reconciliations.reached(store.id, now)

    def _settle(self, report: Report, page: ChangedPage) -> None:
        report.faults.extend(str(one) for one in page.orders if isinstance(one, Unfetched))
        read = [one for one in page.orders if isinstance(one, Order)]
        report.seen += len(read)
        report.store_calls += page.calls
        with self.database.read() as connection:
            known = orders.snapshots(connection, report.store.id, [order.key for order in read])
        news = [one for one in read if one.key not in known or known[one.key].is_older_than(one)]
        report.new += sum(one.key not in known for one in news)
        report.changed += sum(one.key in known for one in news)
        for at in range(0, len(news), BATCH):
            self._judge(report, news[at : at + BATCH])

    def _judge(self, report: Report, some: Sequence[Order]) -> None:
        """All in one transaction; if that fails, each alone, so that one order holds up no other."""
        try:
            with self.database.write() as connection:
                store = self._connected(connection, report.store)
                for order in some:
                    known = orders.lock(connection, store.id, order.key)
                    if known is not None and not known.order.is_older_than(order):
                        continue  # its delivery came meanwhile
                    if fetched(connection, store, order, self.clock()) is Reason.JUDGED:
                        now = self.clock()
                        acts.record(connection, store.id, Act.FIND, "app", now, order_key=order.key)
        except (Unlisted, sa.exc.OperationalError):
            raise
        except Exception:
            if len(some) > 1:
                for order in some:
                    self._judge(report, [order])
                return
            log.exception("order.not_reconciled", store=report.store.id, order=some[0].key)
            report.faults.append(f"The app failed on order {some[0].number}; see its log.")

    def _connected(self, connection: sa.Connection, store: Store) -> Store:
        current = self.stores.get_in(connection, store.id)
        if current is None or current.state != "connected":
            raise Unlisted(f"{store.domain} is not connected any more.")
        return current

    # us -> impact.com

    def _hold_against(self, report: Report, since: datetime, now: datetime) -> None:
        """Hold what was reported of orders placed since then against impact.com's list."""
        store = report.store
        if not store.is_configured or not store.account_sid or store.is_shadow:
            return
        booked = self.reconciliations.booked(store.id, store.account_sid, since, now)
        older = windows(one.placed_at for one in booked if one.placed_at < since)[:_OLDER]
        spans = [*older, (since - OVERLAP, now + OVERLAP)]
        every: list[Action] = []
        for start, end in spans:
            listed, actions = self.takeover.list_actions(store, start, end)
            report.actions += listed.actions
            report.strange += listed.actions - listed.ours
            report.impact_calls += listed.calls
            every += actions
        newest = _newest(every)
        for one in booked:
            if not any(start <= one.placed_at <= end for start, end in spans):
                continue  # the next run lists it
            action = newest.get(one.key)
            if action is None and one.finding not in _CREDITED:
                continue  # nobody is paid for it, or nobody has looked yet
            if one.is_quiet and now - one.changed_at >= SETTLED_AFTER:
                self._compare(report, one, action)
        self._raise_drift(report, now)

    def _compare(self, report: Report, one: Booked, action: Action | None) -> None:
        now = self.clock()
        found = drift(one.reported, action, one.repairs, now)
        if found is None:
            if action is not None and one.finding is not Finding.CREDITED:
                self._write_down(report.store, one, Finding.CREDITED, "", action)
            return
        report.drifts.append((one.number, found))
        if found.is_repairable and action is not None:
            report.impact_calls += 1
            report.repaired += self._repair(report.store, one, action)
        elif one.finding is not Finding.DRIFTED:
            self._write_down(report.store, one, Finding.DRIFTED, found.detail, action)

    def _write_down(
        self, store: Store, one: Booked, finding: Finding, detail: str, action: Action | None
    ) -> None:
        """What a conversion was found to be, and the verdict that follows for its order."""
        now = self.clock()
        with self.database.write() as connection:
            current = self.stores.get_in(connection, store.id)
            if current is not None and reconciliation.found(connection, one, finding, detail, action, now):
                judge.again(connection, current, one.order_key, now)

    def _repair(self, store: Store, one: Booked, action: Action) -> bool:
        """Go on from what impact.com really holds, so that the plan closes the gap; once for each drift."""
        account, now = self._credentials(store), self.clock()
        asked = Metered(self.api, self.checks, self.clock)
        items = action_items(asked, account.account_sid, account.auth_token, action.id, now=now)
        with self.database.write() as connection:
            current = self.stores.get_in(connection, store.id)
            if current is None or not reconciliation.take_as_held(
                connection, one, as_held(one.reported, items), now
            ):
                return False
            judge.again(connection, current, one.order_key, now)
        log.info("conversion.repaired", store=store.id, order=one.order_key, action=action.id)
        return True

    def _credentials(self, store: Store) -> Credentials:
        found = self.stores.credentials(store.id)
        if found is None:
            raise LookupError(f"{store.domain} has no impact.com account yet.")
        return found

    def _raise_drift(self, report: Report, now: datetime) -> None:
        left = self.reconciliations.drifted(report.store.id)
        with self.database.write() as connection:
            if left:
                words = f"impact.com holds {counted(len(left))} otherwise than reported."
                alerts.raise_(connection, report.store.id, Cause.DRIFT, "", words, told(_apart(left)), now)
            else:
                alerts.over(connection, report.store.id, Cause.DRIFT, "", now)

    # balance

    def _balance(self, report: Report, since: datetime, now: datetime) -> None:
        """Ask the store for its number of orders of each day, and hold it against ours.

        The day under way is left out: orders come in while it is counted.
        """
        store = report.store
        # Of the day it was connected, only what changed since then is known.
        whole = store.connected_at.astimezone(UTC).date() + timedelta(days=1)
        first = max(max(since, now - FURTHEST).astimezone(UTC).date(), whole)
        told_of = self._days_told_of(store)
        still = {day for day in told_of if day >= (now - FURTHEST).date()}
        days = sorted(still | {day for day in _days(first, now.date()) if day < now.date()})
        there = {day: self._placed(store, day) for day in days}
        report.store_calls += len(days)
        self.reconciliations.count(store.id, there, now)
        found = self.overviews.of(store.id, days[0], days[-1]) if days else None
        report.balances = balances(found, there) if found else ()
        with self.database.write() as connection:
            for one in report.balances:
                standing = balance(one, found.all if found else Total(0, {}))
                if isinstance(standing, Raised):
                    said = standing.subject, standing.words, standing.money
                    alerts.raise_(connection, store.id, Cause.BALANCE, *said, now)
                else:
                    alerts.over(connection, store.id, Cause.BALANCE, one.day.isoformat(), now)
            for day in told_of - still:
                # The store tells of no older days, so nothing would ever end it.
                alerts.over(connection, store.id, Cause.BALANCE, day.isoformat(), now)

    def _days_told_of(self, store: Store) -> set[date]:
        """The days whose balance is open, however long ago they were."""
        lasting = alerts.Alerts(self.database).open(store.id)
        return {date.fromisoformat(one.subject) for one in lasting if one.cause is Cause.BALANCE}

    def _placed(self, store: Store, day: date) -> int:
        start = datetime.combine(day, time(), UTC)
        period = Period(start, start + timedelta(days=1), is_trial=True)
        return self.platforms[store.platform].placed(store, period).count


def _newest(listed: Iterable[Action]) -> dict[tuple[str, str], Action]:
    """Actions by order id and event type; of two with the same, changes reach the newer one."""
    ordered = sorted(listed, key=lambda action: action.created_at.timestamp() if action.created_at else 0.0)
    return {(action.order_id, action.event_type_id): action for action in ordered}


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def _apart(drifts: Sequence[Apart]) -> Total:
    """What is at stake: so many orders, and by how much they are apart in each currency."""
    apart: dict[str, int] = {}
    for one in drifts:
        if one.ours.currency == one.theirs.currency:
            worth = one.ours - one.theirs
            apart[worth.currency] = apart.get(worth.currency, 0) + abs(worth.rounded().minor)
    return Total(len(drifts), dict(sorted(apart.items())))
