"""From the inbox to the outbox: read what was delivered, judge its order, settle both in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from impact_app.domain.events import (
    Event,
    OrderChanged,
    OrderSeen,
    PrivacyAsked,
    ScopesChanged,
    Uninstalled,
    UnknownTopic,
    Unreadable,
)
from impact_app.domain.orders import Customer, Order
from impact_app.domain.reasons import Reason
from impact_app.ledger import inbox as inboxes
from impact_app.ledger import orders
from impact_app.ledger.database import Database
from impact_app.ledger.inbox import Claimed, Inbox
from impact_app.ledger.stores import Store, Stores
from impact_app.pipeline import forget, judge

log = structlog.get_logger()

#: Orders settled in one transaction where nobody waits: few enough to let the receiver in.
BATCH = 3

#: Deliveries claimed together. Each is settled in a transaction of its own, so that the receiver gets a turn
#: between any two, and one bad delivery holds up no other.
CLAIMED = 8

#: Seconds that one batch, and one order of it, may spend on fetching: well within the life of a claim.
FETCH_SECONDS = 20.0
ORDER_SECONDS = 8.0

#: How often a hint is put off while its platform cannot be asked: for 1, 2, 4, 8, 16 and 32 minutes.
PUT_OFF = 6


class Unfetched(Exception):
    """An order could not be fetched; the message is fit to be stored and shown.

    `is_passing`: nothing speaks against the order, so that a later try may have it.
    """

    def __init__(self, order_key: str, sentence: str, *, is_passing: bool = False) -> None:
        super().__init__(sentence)
        self.order_key = order_key
        self.is_passing = is_passing


@dataclass(frozen=True, slots=True)
class Fetched:
    """The whole order that a delivery only hinted at."""

    order: Order


class Unlisted(Exception):
    """A store's orders could not be listed (any further); the message is fit to be shown."""


@dataclass(frozen=True, slots=True)
class Period:
    """Orders placed from `since` up to, not including, `until`. A trial keeps nothing of what it learns.

    `told` hears how many orders the platform has made ready, where it makes them ready before it gives any.
    """

    since: datetime
    until: datetime
    is_trial: bool = False
    told: Callable[[int], None] = lambda _ready: None


@dataclass(frozen=True, slots=True)
class Placed:
    """The orders of a period, as each stands now and with what is known of its products.

    count    how many the platform says there are
    orders   each once or more; `Unfetched` in place of one that cannot be had. Raises `Unlisted`
    """

    count: int
    orders: Iterator[Order | Unfetched]


@dataclass(frozen=True, slots=True)
class Visits:
    """First pages of the visits before an order, the newest first. `is_complete`: more will not come."""

    pages: tuple[str, ...]
    is_complete: bool


def no_visits(_store: Store, _keys: Sequence[str], _budget: float) -> Mapping[str, Visits]:
    """What a platform says that keeps no record of visits."""
    return {}


@dataclass(frozen=True, slots=True)
class ChangedPage:
    """One page of changed orders.

    orders     as each stands now; `Unfetched` in place of one that cannot be read
    cursor     where the next page begins; None on the last
    greatest   the latest change seen on this page; None where it is empty
    calls      questions to the store that it took
    """

    orders: tuple[Order | Unfetched, ...]
    cursor: str | None
    greatest: datetime | None
    calls: int = 1


class ProductFacts(Protocol):
    """What a platform's product look-up tells of one product."""

    @property
    def product_type(self) -> str: ...
    @property
    def category(self) -> str: ...


@dataclass(frozen=True)
class Platform:
    """What the line asks of a platform.

    read            says what a delivery of a topic is about; raises `Unreadable`
    read_order      the order in a file as this platform writes it; raises `Unreadable`
    product_facts   type and category of products, as far as known in time; never raises
    order           an order as it stands now, by its key, within so many seconds; raises `Unfetched`
    placed          the orders of a period; raises `Unlisted`
    visits          the visits before orders, by order key, within so many seconds; what cannot be told
                    is left out; never raises
    changed         the orders that changed between two moments, both included, the oldest change first; a
                    page at a time; raises `Unlisted`
    connect         a store on the operator's word, by domain and perhaps a token; raises ValueError for a
                    domain that cannot be one, and what the platform's own faults are
    """

    read: Callable[[str, bytes], Event]
    read_order: Callable[[bytes], Order]
    product_facts: Callable[[Store, Sequence[str]], Mapping[str, ProductFacts]]
    order: Callable[[Store, str, float], Order]
    placed: Callable[[Store, Period], Placed]
    changed: Callable[[Store, datetime, datetime], Iterator[ChangedPage]]
    connect: Callable[[str, str | None], Store]
    visits: Callable[[Store, Sequence[str], float], Mapping[str, Visits]] = no_visits


#: What is known of a delivery when it comes to be settled.
_Found = Event | Unreadable | Fetched | Unfetched


@dataclass(frozen=True)
class Processor:
    """The stop between inbox and outbox, with all it works on."""

    database: Database
    inbox: Inbox
    stores: Stores
    platforms: Mapping[str, Platform]
    clock: Callable[[], datetime]

    def drain(self, until: datetime) -> int:
        """Work through due deliveries until none is left or the time is over; how many were settled."""
        settled = 0
        while self.clock() < until:
            claimed = self.inbox.claim(CLAIMED, self.clock())
            if not claimed:
                break
            hints = []
            for one in claimed:
                event = self._read(one)
                if isinstance(event, OrderChanged):
                    hints.append((one, event))
                else:
                    self._settle(one, event)
            for one, found in self._followed(hints):
                self._settle(one, found)
            settled += len(claimed)
        return settled

    def _read(self, one: Claimed) -> Event | Unreadable:
        platform = self.platforms.get(one.platform)
        if platform is None:
            return UnknownTopic()
        try:
            event = platform.read(one.topic, one.body)
        except Unreadable as fault:
            return fault
        except Exception:
            log.exception("delivery.reader_failed", delivery=one.id, topic=one.topic)
            return Unreadable("The app failed to read this body; this is a fault of the app. See its log.")
        if isinstance(event, OrderSeen):
            return self._filled(platform, one, event)
        return event

    def _filled(self, platform: Platform, one: Claimed, seen: OrderSeen) -> OrderSeen:
        """The order with product types and categories, as far as they can be had in time."""
        ids = sorted({line.product_id for line in seen.order.lines if line.product_id})
        store = self.stores.find(one.platform, one.domain) if ids else None
        if store is None:
            return seen
        return OrderSeen(with_products(seen.order, platform.product_facts(store, ids)))

    def _followed(self, hints: Sequence[tuple[Claimed, OrderChanged]]) -> list[tuple[Claimed, _Found]]:
        """Each hint with what is to be had of its order, asked for once; a hint that must wait is put off."""
        ends = time.monotonic() + FETCH_SECONDS
        answers: dict[tuple[str, str, str], _Found] = {}
        ready: list[tuple[Claimed, _Found]] = []
        for one, hint in hints:
            about = (one.platform, one.domain, hint.order_key)
            if about not in answers:
                answers[about] = self._fetch(one, hint, min(ORDER_SECONDS, ends - time.monotonic()))
            answer = answers[about]
            if isinstance(answer, Unfetched) and answer.is_passing and one.tries <= PUT_OFF:
                self._put_off(one, answer)
            else:
                ready.append((one, answer))
        return ready

    def _fetch(self, one: Claimed, hint: OrderChanged, budget: float) -> _Found:
        platform, store = self.platforms[one.platform], self.stores.find(one.platform, one.domain)
        if store is None or store.state != "connected":
            return hint
        try:
            order = platform.order(store, hint.order_key, budget)
        except Unfetched as fault:
            return fault
        except Exception:
            log.exception("order.fetch_failed", delivery=one.id, order=hint.order_key)
            return Unfetched(
                hint.order_key, "The app failed to fetch the order; see its log.", is_passing=True
            )
        return Fetched(self._filled(platform, one, OrderSeen(order)).order)

    def _put_off(self, one: Claimed, fault: Unfetched) -> None:
        pause = timedelta(minutes=2 ** (one.tries - 1))
        self.inbox.release([one.id], not_before=self.clock() + pause, detail=str(fault))
        log.info("delivery.put_off", delivery=one.id, order=fault.order_key, seconds=pause.total_seconds())

    def _settle(self, one: Claimed, event: _Found) -> None:
        try:
            with self.database.write() as connection:
                self._settle_in(connection, one, event)
        except Exception as fault:
            log.exception("delivery.failed", delivery=one.id)
            pause = timedelta(seconds=min(3600, 10 * 2 ** min(one.tries, 9)))
            detail = f"The app failed on it ({type(fault).__name__}) and will try again; see its log."
            self.inbox.release([one.id], not_before=self.clock() + pause, detail=detail)

    def _settle_in(self, connection: sa.Connection, one: Claimed, event: _Found) -> None:
        now = self.clock()
        store = self.stores.find_in(connection, one.platform, one.domain)
        reason, detail, order_key = self._effect(connection, one, event, store, now)
        parked = reason in {Reason.UNKNOWN_STORE, Reason.STORE_UNINSTALLED}
        inboxes.settle(connection, one.id, reason, now, detail=detail, order_key=order_key, parked=parked)
        log.info("delivery.settled", delivery=one.id, topic=one.topic, reason=reason.value, order=order_key)

    def _effect(  # noqa: PLR0911 - one answer an event
        self,
        connection: sa.Connection,
        one: Claimed,
        event: _Found,
        store: Store | None,
        now: datetime,
    ) -> tuple[Reason, str, str | None]:
        """Carry out what a delivery asks for: why it is settled, in detail, and which order it spoke of."""
        match event:
            case Unreadable():
                return Reason.UNREADABLE_BODY, str(event), None
            case UnknownTopic():
                return Reason.UNKNOWN_TOPIC, one.topic, None
            case PrivacyAsked():
                return Reason.DONE, forget.carry_out(connection, one, event, store, now), None
        if store is None:
            return Reason.UNKNOWN_STORE, one.domain, _key(event)
        match event:
            case Uninstalled(at):
                # A notice may come hours late, after the store is back: when it was written counts.
                since = at or one.triggered_at or one.received_at
                uninstalled = self.stores.uninstall_in(connection, store.id, since=since, now=now)
                return Reason.DONE, "" if uninstalled else "The store was installed again since.", None
            case ScopesChanged(scopes):
                self.stores.save_scopes_in(connection, store.id, scopes)
                return Reason.DONE, scopes, None
        if store.state != "connected":
            return Reason.STORE_UNINSTALLED, one.domain, _key(event)
        match event:
            case OrderSeen(order):
                return judge.arrived(connection, store, order, now), "", order.key
            case Fetched(order):
                return fetched(connection, store, order, now), "", order.key
            case OrderChanged() | Unfetched():
                judge.again(connection, store, event.order_key, now)
                return Reason.HINT_ONLY, str(event) if isinstance(event, Unfetched) else "", event.order_key
        raise AssertionError(event)


def _key(event: _Found) -> str | None:
    match event:
        case OrderSeen(order) | Fetched(order):
            return order.key
        case OrderChanged() | Unfetched():
            return event.order_key
    return None


def fetched(connection: sa.Connection, store: Store, order: Order, now: datetime) -> Reason:
    """Take in an order that the platform was asked for, and judge it."""
    known = orders.lock(connection, store.id, order.key)
    whole = completed(order, known.order) if known else order
    return judge.arrived(connection, store, whole, now)


def completed(fetched: Order, known: Order) -> Order:
    """A fetched order with what only its webhooks told of the buyer and of the shop's own time."""
    customer = Customer(
        id=fetched.customer.id or known.customer.id,
        email_sha1=fetched.customer.email_sha1 or known.customer.email_sha1,
        email_sha256=fetched.customer.email_sha256 or known.customer.email_sha256,
        is_new=known.customer.is_new if fetched.customer.is_new is None else fetched.customer.is_new,
    )
    return replace(
        fetched,
        # The same moment, written with the shop's offset; so that a call that waits stays as it is.
        placed_at=known.placed_at if known.placed_at == fetched.placed_at else fetched.placed_at,
        customer=customer,
        country=fetched.country or known.country,
        ip_address=fetched.ip_address or known.ip_address,
        user_agent=fetched.user_agent or known.user_agent,
        landing_url=known.landing_url or fetched.landing_url,
        checkout_token=fetched.checkout_token or known.checkout_token,
        cart_token=fetched.cart_token or known.cart_token,
    )


def with_products(order: Order, facts: Mapping[str, ProductFacts]) -> Order:
    """The order with what is known of its products; lines without facts stay as they are."""
    lines = tuple(
        replace(
            line,
            product_type=facts[line.product_id].product_type,
            category=facts[line.product_id].category,
        )
        if line.product_id in facts
        else line
        for line in order.lines
    )
    return replace(order, lines=lines)
