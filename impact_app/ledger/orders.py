"""Orders with their verdicts: written when judged, read by pages and the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from impact_app.domain.attention import Held
from impact_app.domain.decisions import Decision
from impact_app.domain.money import EXPONENTS, of_minor
from impact_app.domain.orders import Order
from impact_app.domain.plan import Reported
from impact_app.domain.reasons import Reason, Verdict
from impact_app.domain.verification import Action, Finding, ReadBack, foremost
from impact_app.ledger.codec import order_from, order_text, reported_from, reported_value
from impact_app.ledger.database import Database
from impact_app.ledger.tables import attempts, conversions, deliveries, orders, steps, stores

#: Stands for the version of an order that somebody asked to be judged anew: older than any.
ASKED_FOR = -1

#: Orders that wait for a person.
_IS_HELD = sa.or_(
    orders.c.verdict == Verdict.ATTENTION.value,
    sa.and_(orders.c.verdict == Verdict.WAITING.value, orders.c.reason == Reason.NOT_CONFIGURED.value),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as it is written down. `net_minor`: in the currency's smallest unit, None where unknown."""

    verdict: Verdict
    reason: Reason
    detail: str
    evidence: Mapping[str, Any]
    rules_version: int
    carrier: str | None
    click_id: str | None
    net_minor: int | None
    currency: str
    promo_code: str | None = None
    #: when to look for its click again; None: nothing is expected
    click_due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """One conversion of an order as impact.com holds it, and what it has told of it since.

    part      1 the order, 2 and on what was added to it later
    changes   changes of it that impact.com has accepted
    """

    part: int
    reported: Reported
    read_back: ReadBack
    changes: int


@dataclass(frozen=True, slots=True)
class Known:
    """An order as the ledger holds it, locked for the rest of the transaction."""

    row_id: int
    order: Order
    conversions: Sequence[Booked]
    #: the version of the rules it was reported by; None: not reported, or before this was kept
    rules_version: int | None = None
    decision: Decision | None = None
    #: looks at the platform's record of visits that are left; None: nobody has looked
    looks_left: int | None = None
    #: it came with this transaction, so that nothing else can be known of it
    is_new: bool = False

    @property
    def reported(self) -> Reported | None:
        """What impact.com holds of the order as it was first reported."""
        return self.conversions[0].reported if self.conversions else None

    @property
    def read_back(self) -> ReadBack | None:
        """What impact.com has told of it, by the conversion that matters most."""
        return foremost([one.read_back for one in self.conversions])


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order as it stands, not locked."""

    row_id: int
    verdict: Verdict
    reason: Reason
    known: Known


@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders are wanted; what is None does not matter.

    first, last    days on which they were placed, both included, in UTC
    least, most    net amounts in the order's own currency, both included
    detail         what the verdict says besides the reason, whole
    search         a number, platform id, click, promo code or e-mail address, whole
    """

    verdict: str | None = None
    reason: str | None = None
    detail: str | None = None
    partner: str | None = None
    first: date | None = None
    last: date | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """One line of a list of orders. `net`: what impact.com pays on, None where it could not be worked out."""

    id: int
    store_id: int
    order_key: str
    number: str
    placed_at: datetime
    changed_at: datetime
    verdict: Verdict
    reason: Reason
    detail: str
    carrier: str | None
    click_id: str | None
    net: Decimal | None
    currency: str
    judged_at: datetime
    promo_code: str | None
    partner_name: str | None

    @property
    def placed_on(self) -> date:
        """The day it was placed, in UTC."""
        return self.placed_at.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class AttemptFile:
    """One call that was made for a step."""

    started_at: datetime
    ended_at: datetime
    outcome: str
    reason: str
    detail: str
    status: int | None
    answer: str


@dataclass(frozen=True, slots=True)
class StepFile:
    """One call to make or made, with its frozen form and every attempt."""

    id: int
    kind: str
    method: str
    path: str
    form: Sequence[tuple[str, str]]
    state: str
    reason: str | None
    created_at: datetime
    not_before: datetime
    tries: int
    attempts: Sequence[AttemptFile]


@dataclass(frozen=True, slots=True)
class DeliveryFile:
    """One delivery that spoke of the order."""

    topic: str
    received_at: datetime
    state: str
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class OrderFile:
    """Everything known of one order. `reported` and `read_back` are of the first of its `conversions`."""

    summary: OrderSummary
    rules_version: int
    evidence: Mapping[str, Any]
    reported: Reported | None
    read_back: ReadBack | None
    conversions: Sequence[Booked]
    deliveries: Sequence[DeliveryFile]
    steps: Sequence[StepFile]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order stands. `net`: as in `OrderSummary`."""

    order_key: str
    changed_at: datetime
    verdict: Verdict
    reason: Reason
    net: Decimal | None
    currency: str


class Orders:
    """Reads orders, always of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        store_id: int,
        wanted: Filter | None = None,
        *,
        limit: int = 50,
        before: tuple[date, int] | None = None,
    ) -> list[OrderSummary]:
        """Orders, newest first; `before`, a row's day and id, continues a list after that row."""
        mine = orders.c.store_id == store_id
        keys = sa.select(orders.c.id).where(mine, *_conditions(wanted or Filter()))
        if wanted is not None and wanted.search is not None:
            keys = keys.where(orders.c.id.in_(_called(store_id, wanted.search)))
        if before is not None:
            keys = keys.where(sa.tuple_(orders.c.placed_on, orders.c.id) < before)
        newest = (orders.c.placed_on.desc(), orders.c.id.desc())
        query = sa.select(orders).where(orders.c.id.in_(keys.order_by(*newest).limit(limit)))
        with self._database.read() as connection:
            return [_summary(row) for row in connection.execute(query.order_by(*newest))]

    def partners(self, store_id: int) -> Sequence[str]:
        """Everybody who was ever credited with an order of the store."""
        # From one name to the next in the index: as many steps as there are names, not orders.
        least = sa.func.min(orders.c.partner_name)
        first = sa.select(least.label("name")).where(orders.c.store_id == store_id)
        names = first.cte("names", recursive=True)
        following = (
            sa.select(least)
            .where(orders.c.store_id == store_id, orders.c.partner_name > names.c.name)
            .scalar_subquery()
        )
        names = names.union_all(sa.select(following).where(names.c.name.is_not(None)))
        with self._database.read() as connection:
            return list(connection.scalars(sa.select(names.c.name).where(names.c.name.is_not(None))))

    def counts(self, store_id: int) -> dict[str, int]:
        """How many orders have each verdict."""
        query = (
            sa.select(orders.c.verdict, sa.func.count().label("orders"))
            .where(orders.c.store_id == store_id)
            .group_by(orders.c.verdict)
        )
        with self._database.read() as connection:
            found = {row.verdict: row.orders for row in connection.execute(query)}
        return {verdict.value: found.get(verdict.value, 0) for verdict in Verdict}

    def show(self, store_id: int, order_key: str) -> OrderFile | None:
        """The whole file of one order, or None if this store has no such order."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(orders, stores.c.platform, stores.c.domain)
                .join(stores, stores.c.id == orders.c.store_id)
                .where(orders.c.store_id == store_id, orders.c.order_key == order_key)
            ).one_or_none()
            if row is None:
                return None
            held = booked(connection, row.id)
            return OrderFile(
                summary=_summary(row),
                rules_version=row.rules_version,
                evidence=row.evidence,
                reported=held[0].reported if held else None,
                read_back=held[0].read_back if held else None,
                conversions=held,
                deliveries=_deliveries(connection, row.platform, row.domain, order_key),
                steps=_steps(connection, row.id),
            )

    def held(self, store_id: int) -> Sequence[Held]:
        """The orders that a person must set free, counted by reason, detail and currency."""
        by = (orders.c.reason, orders.c.detail, orders.c.currency)
        query = (
            sa.select(
                *by,
                sa.func.count().label("orders"),
                sa.func.sum(orders.c.net_minor).label("net_minor"),
                sa.func.min(orders.c.placed_at).label("since"),
                sa.func.sum(sa.case((orders.c.rules_version == ASKED_FOR, 1), else_=0)).label("asked"),
            )
            .where(orders.c.store_id == store_id, _IS_HELD)
            .group_by(*by)
        )
        with self._database.read() as connection:
            return [
                Held(
                    Reason(row.reason),
                    row.detail,
                    row.currency,
                    row.orders,
                    int(row.net_minor or 0),
                    row.since,
                    int(row.asked),
                )
                for row in connection.execute(query)
            ]

    def outdated(self, limit: int) -> Sequence[tuple[int, str, bool]]:
        """Store and platform id of orders that wait or need attention, judged under older settings.

        With each goes whether somebody asked for it, so that even what was refused is sent.
        """
        query = (
            sa.select(orders.c.store_id, orders.c.order_key, orders.c.rules_version)
            .join(stores, stores.c.id == orders.c.store_id)
            .where(orders.c.verdict.in_([Verdict.WAITING.value, Verdict.ATTENTION.value]))
            .where(orders.c.rules_version < stores.c.rules_version, stores.c.state == "connected")
            .order_by(orders.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                (row.store_id, row.order_key, row.rules_version == ASKED_FOR)
                for row in connection.execute(query)
            ]


def _conditions(wanted: Filter) -> Iterator[sa.ColumnElement[bool]]:
    for column, value in (
        (orders.c.verdict, wanted.verdict),
        (orders.c.reason, wanted.reason),
        (orders.c.detail, wanted.detail),
        (orders.c.partner_name, wanted.partner),
    ):
        if value is not None:
            yield column == value
    if wanted.first is not None:
        yield orders.c.placed_on >= wanted.first
    if wanted.last is not None:
        yield orders.c.placed_on <= wanted.last
    if wanted.least is not None:
        yield orders.c.net_minor >= _in_minor(wanted.least, ROUND_CEILING)
    if wanted.most is not None:
        yield orders.c.net_minor <= _in_minor(wanted.most, ROUND_FLOOR)


def _in_minor(amount: Decimal, rounding: str) -> sa.ColumnElement[int]:
    """An amount in the smallest unit of each order's own currency."""

    def units(digits: int) -> int:
        return int(amount.scaleb(digits).to_integral_value(rounding))

    unusual = [
        (orders.c.currency.in_([one for one, has in EXPONENTS.items() if has == digits]), units(digits))
        for digits in sorted(set(EXPONENTS.values()))
    ]
    return sa.case(*unusual, else_=units(2))


def _called(store_id: int, text: str) -> sa.CompoundSelect[int]:
    """The orders that are called by this text; an e-mail address is looked for by its digest.

    One question for each name, so that each finds its own index.
    """
    digest = hashlib.sha1(text.strip().lower().encode(), usedforsecurity=False).hexdigest()
    names = (
        (orders.c.number, (text.removeprefix("#"),)),
        (orders.c.order_key, (text,)),
        (orders.c.click_id, (text,)),
        # Buyers type a code in any letters, and it is kept as it was typed.
        (orders.c.promo_code, {text, text.upper(), text.lower()}),
        (orders.c.email_sha1, (digest if "@" in text else text.lower(),)),
    )
    return sa.union_all(
        *(
            sa.select(orders.c.id).where(orders.c.store_id == store_id, column.in_(sorted(called)))
            for column, called in names
        )
    )


def lock(connection: sa.Connection, store_id: int, order_key: str) -> Known | None:
    """The order as known, kept from everybody else until the transaction ends."""
    row = connection.execute(
        sa.select(orders.c.id, orders.c.snapshot, orders.c.decision, orders.c.click_looks_left)
        .where(orders.c.store_id == store_id, orders.c.order_key == order_key)
        .with_for_update()
    ).one_or_none()
    return None if row is None else _known(connection, row)


def past(
    connection: sa.Connection,
    store_id: int,
    since: datetime,
    until: datetime,
    keys: Sequence[str],
    before_id: int | None,
    limit: int,
) -> list[PastOrder]:
    """Orders placed from `since` on and before `until`, the newest first; `before_id` goes on after a page.

    `keys` narrows them down to these platform ids or numbers.
    """
    query = sa.select(orders).where(
        orders.c.store_id == store_id, orders.c.placed_at >= since, orders.c.placed_at < until
    )
    if keys:
        numbers = [key.removeprefix("#") for key in keys]
        query = query.where(sa.or_(orders.c.order_key.in_(keys), orders.c.number.in_(numbers)))
    if before_id is not None:
        query = query.where(orders.c.id < before_id)
    rows = connection.execute(query.order_by(orders.c.id.desc()).limit(limit)).all()
    return [
        PastOrder(row.id, Verdict(row.verdict), Reason(row.reason), _known(connection, row)) for row in rows
    ]


def _known(connection: sa.Connection, row: Any) -> Known:
    return Known(
        row_id=row.id,
        order=order_from(row.snapshot),
        conversions=booked(connection, row.id),
        rules_version=_rules_version(connection, row.id),
        decision=None if row.decision is None else Decision(row.decision),
        looks_left=row.click_looks_left,
    )


def decide(connection: sa.Connection, row_id: int, decision: Decision | None) -> None:
    """Write down what a person decided about an order; None undoes it."""
    connection.execute(sa.update(orders).where(orders.c.id == row_id).values(decision=decision))


def take_up_rules(connection: sa.Connection, row_id: int, rules_version: int) -> None:
    """Have what was reported of an order judged by this version of the rules from now on."""
    connection.execute(
        sa.update(conversions).where(conversions.c.order_row_id == row_id).values(rules_version=rules_version)
    )


def standings(connection: sa.Connection, store_id: int, order_keys: Sequence[str]) -> dict[str, Standing]:
    """Where these orders stand, by platform id; one that is not known is left out."""
    rows = connection.execute(
        sa.select(orders).where(orders.c.store_id == store_id, orders.c.order_key.in_(order_keys))
    )
    return {
        row.order_key: Standing(
            order_key=row.order_key,
            changed_at=row.changed_at,
            verdict=Verdict(row.verdict),
            reason=Reason(row.reason),
            net=_net(row),
            currency=row.currency,
        )
        for row in rows
    }


def snapshots(connection: sa.Connection, store_id: int, order_keys: Sequence[str]) -> dict[str, Order]:
    """The newest known state of these orders, by platform id; unknown ones are left out."""
    query = sa.select(orders.c.order_key, orders.c.snapshot).where(
        orders.c.store_id == store_id, orders.c.order_key.in_(order_keys)
    )
    return {row.order_key: order_from(row.snapshot) for row in connection.execute(query)}


def adopt(
    connection: sa.Connection,
    row_id: int,
    account_sid: str,
    reported: Reported,
    action: Action,
    rules_version: int,
    now: datetime,
) -> None:
    """Take an action that somebody else reported as what this app reported of an order."""
    connection.execute(
        sa.insert(conversions).values(
            order_row_id=row_id,
            account_sid=account_sid,
            event_type_id=reported.event_type_id,
            network_order_id=reported.order_id,
            reported=reported_value(reported),
            rules_version=rules_version,
            accepted_at=action.created_at or now,
            changed_at=now,
            checked_at=now,
            finding=Finding.CREDITED.value,
            action_id=action.id,
            partner_id=action.partner_id,
            partner_name=action.partner_name,
            action_state=action.state[:16],
            action_amount=f"{action.amount:f}"[:40],
            action_currency=action.currency[:8],
            payout=f"{action.payout:f}"[:40],
            locking_date=action.locking_date,
        )
    )


def begin(connection: sa.Connection, store_id: int, order: Order, now: datetime) -> Known:
    """The order locked as it is known; a new one is known as it came. Two who come at once make one row."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row_id = connection.scalar(
        insert(orders)
        .values(
            store_id=store_id,
            order_key=order.key,
            number=order.number,
            placed_at=order.placed_at,
            placed_on=order.placed_at.astimezone(UTC).date(),
            changed_at=order.changed_at,
            snapshot=order_text(order),
            verdict=Verdict.WAITING.value,
            reason=Reason.QUEUED.value,
            detail="",
            evidence={},
            rules_version=0,
            currency=order.currency,
            created_at=now,
            judged_at=now,
        )
        .on_conflict_do_nothing()
        .returning(orders.c.id)
    )
    known = None if row_id is not None else lock(connection, store_id, order.key)
    return known or Known(row_id, order, [], is_new=True)


def write(connection: sa.Connection, row_id: int, order: Order, judged: Judged, now: datetime) -> None:
    """Write down an order's newest state and its verdict."""
    connection.execute(
        sa.update(orders)
        .where(orders.c.id == row_id)
        .values(
            number=order.number,
            placed_at=order.placed_at,
            placed_on=order.placed_at.astimezone(UTC).date(),
            changed_at=order.changed_at,
            snapshot=order_text(order),
            verdict=judged.verdict.value,
            reason=judged.reason.value,
            detail=judged.detail,
            evidence=dict(judged.evidence),
            rules_version=judged.rules_version,
            carrier=judged.carrier,
            click_id=judged.click_id,
            net_minor=judged.net_minor,
            currency=judged.currency,
            promo_code=judged.promo_code,
            email_sha1=order.customer.email_sha1 or None,
            checkout_token=order.checkout_token or None,
            cart_token=order.cart_token or None,
            click_due_at=judged.click_due_at,
            judged_at=now,
        )
    )


def mark(
    connection: sa.Connection, row_id: int, verdict: Verdict, reason: Reason, detail: str, now: datetime
) -> None:
    """Change only the verdict of an order, where it cannot be judged."""
    connection.execute(
        sa.update(orders)
        .where(orders.c.id == row_id)
        .values(verdict=verdict.value, reason=reason.value, detail=detail, judged_at=now)
    )


def ask_for(connection: sa.Connection, store_id: int, reason: Reason, detail: str | None) -> int:
    """Have all orders judged anew that one cause holds up; of how many nobody had asked it yet.

    `detail` None: whatever theirs is.
    """
    query = sa.update(orders).where(
        orders.c.store_id == store_id,
        orders.c.reason == reason.value,
        orders.c.rules_version != ASKED_FOR,
        _IS_HELD,
    )
    if detail is not None:
        query = query.where(orders.c.detail == detail)
    return connection.execute(query.values(rules_version=ASKED_FOR)).rowcount


def due_for_click(
    connection: sa.Connection, now: datetime, until: datetime, limit: int
) -> list[tuple[int, str]]:
    """Take orders whose click is to be looked for; unless settled they are due again at `until`."""
    due = (
        sa.select(orders.c.id)
        .join(stores, stores.c.id == orders.c.store_id)
        .where(orders.c.click_due_at <= now, stores.c.state == "connected")
        .order_by(orders.c.click_due_at, orders.c.id)
        .limit(limit)
        .with_for_update(of=orders, skip_locked=True)
    )
    taken = sa.update(orders).where(orders.c.id.in_(due)).values(click_due_at=until)
    rows = connection.execute(taken.returning(orders.c.id, orders.c.store_id, orders.c.order_key)).all()
    return [(row.store_id, row.order_key) for row in sorted(rows, key=lambda row: int(row.id))]


def next_click_due(connection: sa.Connection) -> datetime | None:
    """When the next order of a connected store is to be looked at for its click."""
    query = (
        sa.select(sa.func.min(orders.c.click_due_at))
        .join(stores, stores.c.id == orders.c.store_id)
        .where(orders.c.click_due_at.is_not(None), stores.c.state == "connected")
    )
    found: datetime | None = connection.scalar(query)
    return found


def visits_seen(connection: sa.Connection, row_id: int, order: Order, looks_left: int) -> None:
    """Keep what the platform's record of visits told of an order, and how many looks at it are left."""
    connection.execute(
        sa.update(orders)
        .where(orders.c.id == row_id)
        .values(snapshot=order_text(order), click_looks_left=looks_left)
    )


def pass_over(connection: sa.Connection, store_id: int, order_key: str, rules_version: int) -> None:
    """Take an order as looked at under these settings, verdict and all else as they were."""
    connection.execute(
        sa.update(orders)
        .where(orders.c.store_id == store_id, orders.c.order_key == order_key)
        .values(rules_version=rules_version)
    )


def _rules_version(connection: sa.Connection, row_id: int) -> int | None:
    """The version that a conversion of the order was reported by, the newest where there are several."""
    version: int | None = connection.scalar(
        sa.select(sa.func.max(conversions.c.rules_version)).where(conversions.c.order_row_id == row_id)
    )
    return version


def booked(connection: sa.Connection, row_id: int) -> tuple[Booked, ...]:
    """Every conversion of an order that impact.com has accepted, the order itself first."""
    rows = connection.execute(
        sa.select(conversions).where(conversions.c.order_row_id == row_id).order_by(conversions.c.part)
    )
    return tuple(Booked(row.part, reported_from(row.reported), _read_back(row), row.changes) for row in rows)


def _read_back(row: Any) -> ReadBack:
    return ReadBack(
        finding=None if row.finding is None else Finding(row.finding),
        detail=row.finding_detail,
        account_sid=row.account_sid,
        action_id=row.action_id,
        partner_id=row.partner_id,
        partner_name=row.partner_name,
        state=row.action_state,
        amount=None if row.action_amount is None else Decimal(row.action_amount),
        currency=row.action_currency,
        payout=None if row.payout is None else Decimal(row.payout),
        locking_date=row.locking_date,
        checked_at=row.checked_at,
    )


def _deliveries(connection: sa.Connection, platform: str, domain: str, order_key: str) -> list[DeliveryFile]:
    rows = connection.execute(
        sa.select(deliveries)
        .where(
            deliveries.c.platform == platform,
            deliveries.c.domain == domain,
            deliveries.c.order_key == order_key,
        )
        .order_by(deliveries.c.id)
    )
    return [DeliveryFile(row.topic, row.received_at, row.state, row.reason, row.detail) for row in rows]


def _steps(connection: sa.Connection, row_id: int) -> list[StepFile]:
    made = connection.execute(
        sa.select(steps).where(steps.c.order_row_id == row_id).order_by(steps.c.id)
    ).all()
    tried = connection.execute(
        sa.select(attempts).where(attempts.c.step_id.in_([row.id for row in made])).order_by(attempts.c.id)
    ).all()
    return [_step(row, [one for one in tried if one.step_id == row.id]) for row in made]


def _step(row: Any, tried: list[Any]) -> StepFile:
    return StepFile(
        id=row.id,
        kind=row.kind,
        method=row.method,
        path=row.path,
        form=[(name, value) for name, value in row.form],
        state=row.state,
        reason=row.reason,
        created_at=row.created_at,
        not_before=row.not_before,
        tries=row.tries,
        attempts=[
            AttemptFile(
                one.started_at, one.ended_at, one.outcome, one.reason, one.detail, one.status, one.answer
            )
            for one in tried
        ],
    )


def _summary(row: Any) -> OrderSummary:
    return OrderSummary(
        id=row.id,
        store_id=row.store_id,
        order_key=row.order_key,
        number=row.number,
        placed_at=row.placed_at,
        changed_at=row.changed_at,
        verdict=Verdict(row.verdict),
        reason=Reason(row.reason),
        detail=row.detail,
        carrier=row.carrier,
        click_id=row.click_id,
        net=_net(row),
        currency=row.currency,
        judged_at=row.judged_at,
        promo_code=row.promo_code,
        partner_name=row.partner_name,
    )


def _net(row: Any) -> Decimal | None:
    return None if row.net_minor is None else of_minor(row.net_minor, row.currency).amount
