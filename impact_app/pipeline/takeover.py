"""Taking over from another app: what it booked is listed, recognised, and not reported a second time.

Only listing asks impact.com, within the account's share of look-ups; everything else works on what is stored.
Each part may be stopped at any moment and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from impact_app.domain.money import total
from impact_app.domain.orders import Order
from impact_app.domain.plan import Submit
from impact_app.domain.rules import read_rules
from impact_app.domain.takeover import Booking, Compared, adopted, agrees, compare, is_of, names_of
from impact_app.domain.verification import Action
from impact_app.ledger import orders, outbox, unknown_actions
from impact_app.ledger.database import Database
from impact_app.ledger.orders import PastOrder
from impact_app.ledger.stores import Credentials, Store, Stores
from impact_app.ledger.unknown_actions import Listed
from impact_app.ledger.verification import Checks
from impact_app.pipeline import judge
from impact_app.pipeline.verify import Metered
from impact_app.transports.api.lookups import Asks, action_items, actions

log = structlog.get_logger()

_PAGE, _BATCH = 200, 20


@dataclass
class Found:
    """What came of a takeover.

    listed    actions impact.com listed; `ours` of them this app had reported
    booked    orders known here that somebody else reported, with the action
    doubled   orders that this app reported as well: a partner may be paid twice
    strange   actions of no order that is known here
    """

    listed: int = 0
    ours: int = 0
    booked: list[tuple[str, Booking]] = field(default_factory=list)
    doubled: list[tuple[str, Booking]] = field(default_factory=list)
    strange: list[Booking] = field(default_factory=list)


@dataclass(frozen=True)
class Takeover:
    """Everything about actions that others reported, one store at a time."""

    database: Database
    stores: Stores
    checks: Checks
    api: Asks
    clock: Callable[[], datetime]

    def list_actions(self, store: Store, since: datetime, until: datetime) -> tuple[Listed, list[Action]]:
        """List the actions of the store's campaigns now, and remember those that are not ours.

        Raises LookupError where the store has no account, `NotNow` where the account has no look-up left or a
        conversion to post first, `NotAnswered`.
        """
        account = self._credentials(store)
        asked = Metered(self.api, self.checks, self.clock)
        seen, ours, every = 0, 0, list[Action]()
        for campaign in self._campaigns(store):
            now = self.clock()
            listed = actions(asked, account.account_sid, account.auth_token, campaign, since, until, now=now)
            with self.database.write() as connection:
                kept = unknown_actions.keep(connection, account.account_sid, campaign, listed, now)
            seen, ours = seen + kept.actions, ours + kept.ours
            every.extend(listed)
        log.info("actions.listed", store=store.id, actions=seen, ours=ours, calls=asked.made)
        return Listed(seen, ours, asked.made), every

    def recognise(self, store: Store, since: datetime, until: datetime, listed: Listed) -> Found:
        """Match what others booked with the orders known here, and withhold those that are not reported."""
        found = Found(listed.actions, listed.ours)
        with self.database.read() as connection:
            every = unknown_actions.bookings(connection, store.account_sid or "")
        by_name = _by_name(every)
        matched: set[str] = set()
        for one in self._orders(store, since, until):
            booking = _match(one.known.order, by_name)
            if booking is None:
                continue
            matched.add(booking.action_id)
            doubled = one.known.reported is not None
            (found.doubled if doubled else found.booked).append((one.known.order.key, booking))
        self._withhold(store, [key for key, _ in found.booked])
        in_time = (one for one in every if one.event_date is None or since <= one.event_date <= until)
        found.strange = [one for one in in_time if one.action_id not in matched]
        return found

    def adopt(
        self, store: Store, booked: Sequence[tuple[str, Booking]], listed: Sequence[Action]
    ) -> list[str]:
        """Take up as ours the actions that hold exactly what would be reported; the orders' platform ids.

        Refunds and edits of these orders then change the action. Asks for the items of each action.
        """
        account, by_id = self._credentials(store), {action.id: action for action in listed}
        asked, taken = Metered(self.api, self.checks, self.clock), list[str]()
        for key, booking in booked:
            action = by_id.get(booking.action_id)
            if action is None or action.is_reversed:
                continue
            now = self.clock()
            sid, token = account.account_sid, account.auth_token
            items = action_items(asked, sid, token, action.id, now=now)
            with self.database.write() as connection:
                known = orders.lock(connection, store.id, key)
                if known is None or known.reported is not None or store.is_shadow:
                    continue
                rules = read_rules(store.rules)
                step = judge.foreseen(connection, store, known, rules, now).step
                if not isinstance(step, Submit) or not agrees(step.result, action, items):
                    continue
                ours = adopted(step.result, action)
                orders.adopt(connection, known.row_id, sid, ours, action, store.rules_version, now)
                unknown_actions.resolve(connection, sid, action.id, now)
                judge.again(connection, store, key, now)
            taken.append(key)
        return taken

    def compare_shadow(
        self, store: Store, since: datetime, until: datetime, listed: Sequence[Action]
    ) -> list[Compared]:
        """Hold the calls that shadow mode wrote down against the actions that were just listed."""
        ids = {action.id for action in listed}
        with self.database.read() as connection:
            known = unknown_actions.bookings(connection, store.account_sid or "")
            held = outbox.shadow_calls(connection, store.id, since, until)
        ours = {
            order.key: (order, total((item.amount for item in reported.items), reported.currency))
            for order, reported in held
        }
        return compare(ours, (one for one in known if one.action_id in ids))

    def _withhold(self, store: Store, keys: Sequence[str]) -> None:
        for at in range(0, len(keys), _BATCH):
            with self.database.write() as connection:
                for key in keys[at : at + _BATCH]:
                    current = self.stores.get_in(connection, store.id)
                    if current is not None:
                        judge.again(connection, current, key, self.clock())

    def _orders(self, store: Store, since: datetime, until: datetime) -> Iterator[PastOrder]:
        before_id = None
        while True:
            with self.database.read() as connection:
                found = orders.past(connection, store.id, since, until, (), before_id, _PAGE)
            yield from found
            if len(found) < _PAGE:
                return
            before_id = found[-1].row_id

    def _credentials(self, store: Store) -> Credentials:
        found = self.stores.credentials(store.id)
        if found is None or not store.campaign_id:
            raise LookupError(f"{store.domain} has no impact.com account, token and campaign yet.")
        return found

    @staticmethod
    def _campaigns(store: Store) -> list[str]:
        routed = (route.campaign_id for route in read_rules(store.rules).routes)
        return list(dict.fromkeys((store.campaign_id or "", *routed)))


def _by_name(every: Sequence[Booking]) -> dict[str, list[Booking]]:
    named: dict[str, list[Booking]] = {}
    for one in every:
        named.setdefault(one.order_id, []).append(one)
    return named


def _match(order: Order, by_name: dict[str, list[Booking]]) -> Booking | None:
    named = (one for name in names_of(order) for one in by_name.get(name, ()))
    return next((one for one in named if is_of(order, one)), None)
