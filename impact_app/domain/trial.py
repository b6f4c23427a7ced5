"""A test order on its way from a click to the booked action: which stops it has passed, what arrived there.

At each stop what arrived is compared with what was expected, value by value. Nothing is taken for passed that
was not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from impact_app.domain.attribution import Carrier, query_of
from impact_app.domain.money import plain
from impact_app.domain.plan import Reported
from impact_app.domain.reasons import EXPLANATIONS, Reason, Verdict
from impact_app.domain.verification import NOBODY_PAID, NOT_BOOKED, ActionItem, Finding, ReadBack


class Stop(StrEnum):
    """The stops, in their order."""

    CLICK = "click"
    CART = "cart"
    ORDER = "order"
    DELIVERY = "delivery"
    PLAN = "plan"
    SUBMISSION = "submission"
    ACTION = "action"
    BACK = "back"


class Light(StrEnum):
    """How a stop stands."""

    PASSED = "passed"
    WAITING = "waiting"
    FAILED = "failed"
    #: the order got there without it
    SKIPPED = "skipped"


#: Each stop's title, and what is waited for there.
STOPS: dict[Stop, tuple[str, str]] = {
    Stop.CLICK: (
        "The click is stored",
        "The storefront tells of it at the checkout: the web pixel does, or a storefront of your own.",
    ),
    Stop.CART: ("The cart carries it", "The order has the click among the attributes of its cart."),
    Stop.ORDER: ("The order is placed", "An order with this click has reached the app."),
    Stop.DELIVERY: ("The store delivers it", "The store tells the app of the order by a webhook."),
    Stop.PLAN: ("It is to be reported", "The rules decide whether and how the order is reported."),
    Stop.SUBMISSION: ("impact.com takes it", "The conversion is sent, and impact.com queues it."),
    Stop.ACTION: ("impact.com books it", "A partner is credited. impact.com may take half an hour for that."),
    Stop.BACK: ("It is taken back", "The action is reversed as a test, so that no partner is paid for it."),
}

LIGHTS: dict[Light, str] = {
    Light.PASSED: "Passed",
    Light.WAITING: "Waiting",
    Light.FAILED: "Failed",
    Light.SKIPPED: "Not needed",
}

WHATS: dict[str, str] = {
    "click": "Click id",
    "order": "Order id",
    "currency": "Currency",
    "campaign": "Program",
    "event_type": "Event type",
    "code": "Promo code",
    "amount": "Amount that counts",
    "units": "Units",
    "item": "Amount",
    "state": "State",
}

NOTES: dict[str, str] = {
    "not_told": "No storefront told of it beside the order. The order has its click all the same.",
    "not_on_cart": "The cart did not carry it. The order has its click from:",
    "not_delivered": "No webhook told of the order: the app found it when it asked the store.",
    "changed": "It was changed after this call, so amounts are not compared here any more.",
    "own_click": "impact.com took the conversion and answers that it knows no such click. That is as it "
    "should be: the app made this click, and no partner brought it.",
    "in_queue": "impact.com has queued it and does not list the action as reversed yet.",
    "nothing_booked": "No action was booked, so there is nothing to take back.",
}

#: A change of an action by order id reaches nothing before the action is there; impact.com books a test
#: within half an hour (help centre, testing your integration).
_BOOKED_AFTER = timedelta(minutes=45)

#: Units and amount of a SKU; None: not told.
_Item = tuple[int, Decimal | None]

#: Nobody who waits for a test waits longer than this: later the page is only brought up to date when opened.
FOLLOWED_FOR = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Trial:
    """One test. `click`: what its order is known by; `is_own`: the app made it, so impact.com knows none.

    told   what impact.com answered when the page asked it: items, finding and said, status, or fault
    """

    id: int
    click: str
    is_own: bool
    link: str
    by: str
    started_at: datetime
    looked_at: datetime | None
    told: Mapping[str, object]

    @property
    def items(self) -> tuple[ActionItem, ...] | None:
        """The items of its action; None: impact.com has not told them."""
        kept = self.told.get("items")
        if not isinstance(kept, list):
            return None
        return tuple(
            ActionItem(one["sku"], int(one["quantity"]), Decimal(one["amount"]))
            for one in kept
            if isinstance(one, dict)
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """One value: `what` is a name of `WHATS`, `which` tells several of it apart."""

    what: str
    expected: str
    arrived: str
    which: str = ""

    @property
    def title(self) -> str:
        return WHATS[self.what]

    @property
    def is_same(self) -> bool:
        return self.expected == self.arrived


@dataclass(frozen=True, slots=True)
class Sent:
    """A call to impact.com about the test order. `answered_at` None: no answer yet."""

    state: str
    detail: str
    written_at: datetime
    answered_at: datetime | None
    fields: Mapping[str, str]

    @property
    def is_open(self) -> bool:
        return self.state in ("pending", "in_flight")


@dataclass(frozen=True, slots=True)
class Bought:
    """The order of a test as the ledger has it.

    expected_id  the order id that impact.com is to get by the rules; "" where the ledger cannot tell
    carried      the click that counts, brought by `carrier`
    arrived_at   the first delivery that told of it; None: no delivery did
    items        (SKU, units) of what counts
    changed_at   impact.com's last answer to a change of the conversion; None: it was not changed
    """

    number: str
    expected_id: str
    currency: str
    net: Decimal | None
    carrier: str
    carried: str
    arrived_at: datetime | None
    topic: str
    judged_at: datetime
    placed_at: datetime
    verdict: Verdict
    reason: Reason
    detail: str
    campaign_id: str
    event_type_id: str
    promo_code: str
    items: tuple[tuple[str, int], ...]
    submitted: Sent | None
    reversal: Sent | None
    changed_at: datetime | None
    reported: Reported | None
    read_back: ReadBack | None

    @property
    def is_read_back(self) -> bool:
        """Whether impact.com has told of the conversion as it was last accepted."""
        told = self.read_back
        if told is None or told.action_id is None or told.checked_at is None:
            return False
        return self.changed_at is None or told.checked_at >= self.changed_at

    @property
    def is_booked_reversed(self) -> bool:
        return self.is_read_back and ((self.read_back and self.read_back.state) or "").upper() == "REVERSED"


@dataclass(frozen=True, slots=True)
class Standing:
    """One stop: when it was passed, what is to be said of it, and what was compared there.

    said   texts of our tables, which have words in each language
    told   what others said: a topic, a partner, impact.com's own words
    by     the slug of what brought the order there instead
    """

    stop: Stop
    light: Light
    at: datetime | None = None
    said: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    compared: tuple[Compared, ...] = ()
    by: str = ""

    @property
    def title(self) -> str:
        return STOPS[self.stop][0]

    @property
    def help(self) -> str:
        return STOPS[self.stop][1]


def click_in(link: str, parameters: Sequence[str]) -> str:
    """The click that an address carries under one of these parameters; "" where it carries none."""
    found = dict(reversed(query_of(link)))
    return next((found[name] for name in parameters if found.get(name)), "")


def may_look(trial: Trial, now: datetime) -> bool:
    """Whether impact.com is asked now: every ten seconds at first, then ever more seldom."""
    age = now - trial.started_at
    if age > FOLLOWED_FOR:
        return False
    return trial.looked_at is None or now - trial.looked_at >= max(timedelta(seconds=10), age / 8)


def standings(trial: Trial, seen_at: datetime | None, order: Bought | None) -> list[Standing]:
    """Every stop as it stands. `seen_at`: when a storefront told of the click beside the order."""
    if order is None:
        first = Standing(Stop.CLICK, Light.PASSED if seen_at else Light.WAITING, seen_at)
        return [first, *(Standing(stop, Light.WAITING) for stop in list(Stop)[1:])]
    return [
        _click(seen_at),
        _cart(trial, order),
        _order(trial, order),
        _delivery(order),
        _plan(order),
        _submission(trial, order),
        _action(trial, order),
        _back(trial, order),
    ]


def is_moving(trial: Trial, found: Sequence[Standing], order: Bought | None, now: datetime) -> bool:
    """Whether something may still change without somebody's doing."""
    if now - trial.started_at > FOLLOWED_FOR:
        return False
    if order is None:
        return True
    lights = {one.stop: one.light for one in found}
    if Light.FAILED in (lights[Stop.PLAN], lights[Stop.SUBMISSION]):
        return False
    if order.reversal is not None and lights[Stop.BACK] is Light.WAITING:
        return True
    is_told = trial.items is not None or order.reversal is not None
    return lights[Stop.ACTION] is Light.WAITING or (order.is_read_back and not is_told)


def can_be_taken_back(trial: Trial, order: Bought | None, now: datetime) -> bool:
    """Whether impact.com holds something of the order that a reversal would reach."""
    if order is None or order.reported is None or order.reported.is_reversed or order.read_back is None:
        return False
    is_under_way = order.reversal is not None and order.reversal.is_open
    if is_under_way or _has_no_action(trial, order.read_back):
        return False
    answered = order.submitted.answered_at if order.submitted else None
    return order.read_back.action_id is not None or (answered is not None and now - answered >= _BOOKED_AFTER)


def _judged(
    stop: Stop,
    at: datetime | None,
    compared: Sequence[Compared],
    *,
    said: tuple[str, ...] = (),
    told: tuple[str, ...] = (),
) -> Standing:
    light = Light.PASSED if all(one.is_same for one in compared) else Light.FAILED
    return Standing(stop, light, at, said, told, tuple(compared))


def _click(seen_at: datetime | None) -> Standing:
    if seen_at is None:
        return Standing(Stop.CLICK, Light.SKIPPED, said=(NOTES["not_told"],))
    return Standing(Stop.CLICK, Light.PASSED, seen_at)


def _cart(trial: Trial, order: Bought) -> Standing:
    if order.carrier != Carrier.CART_ATTRIBUTE:
        return Standing(Stop.CART, Light.SKIPPED, said=(NOTES["not_on_cart"],), by=order.carrier)
    return _judged(Stop.CART, order.placed_at, [Compared("click", trial.click, order.carried)])


def _order(trial: Trial, order: Bought) -> Standing:
    by_cart = order.carrier == Carrier.CART_ATTRIBUTE
    compared = [] if by_cart else [Compared("click", trial.click, order.carried)]
    return _judged(Stop.ORDER, order.placed_at, compared, told=(f"#{order.number.lstrip('#')}",))


def _delivery(order: Bought) -> Standing:
    if order.arrived_at is None:
        return Standing(Stop.DELIVERY, Light.SKIPPED, said=(NOTES["not_delivered"],))
    return Standing(Stop.DELIVERY, Light.PASSED, order.arrived_at, told=(order.topic,))


def _plan(order: Bought) -> Standing:
    if order.submitted is not None:
        return Standing(Stop.PLAN, Light.PASSED, order.submitted.written_at)
    why = EXPLANATIONS[order.reason]
    said = (why.happened, why.next, why.otherwise)
    if order.verdict is Verdict.WAITING:
        return Standing(Stop.PLAN, Light.WAITING, None, said, (order.detail,))
    return Standing(Stop.PLAN, Light.FAILED, order.judged_at, said, (order.detail,))


def _submission(trial: Trial, order: Bought) -> Standing:
    sent = order.submitted
    if sent is None:
        return Standing(Stop.SUBMISSION, Light.WAITING)
    compared = tuple(_in_call(trial, order, sent))
    if sent.state == "accepted":
        said = (NOTES["changed"],) if order.changed_at else ()
        return _judged(Stop.SUBMISSION, sent.answered_at, compared, said=said)
    if sent.is_open and sent.answered_at is None:
        return Standing(Stop.SUBMISSION, Light.WAITING, compared=compared)
    why, light = EXPLANATIONS[order.reason], Light.WAITING if sent.is_open else Light.FAILED
    words = (why.happened, why.next)
    return Standing(Stop.SUBMISSION, light, sent.answered_at, words, (sent.detail,), compared)


def _in_call(trial: Trial, order: Bought, sent: Sent) -> Iterator[Compared]:
    """The fields of the call against the order; amounts only while the order is as it was then."""
    fields = sent.fields
    yield Compared("click", trial.click, fields.get("ClickId", ""))
    yield Compared("order", order.expected_id or fields.get("OrderId", ""), fields.get("OrderId", ""))
    yield Compared("campaign", order.campaign_id, fields.get("CampaignId", ""))
    yield Compared("event_type", order.event_type_id, fields.get("EventTypeId", ""))
    yield Compared("currency", order.currency, fields.get("CurrencyCode", ""))
    if order.promo_code:
        yield Compared("code", order.promo_code, fields.get("OrderPromoCode", ""))
    if order.changed_at is not None:
        return
    ours, theirs = _by_sku(order.items), _items_of(fields)
    # A discount of the whole order stands beside the items, so that their amounts are not the order's.
    yield from _items(_units_alone(ours), _units_alone(theirs), order.currency)
    if order.net is not None:
        amount = sum((net for _, net in theirs.values() if net), Decimal(0))
        amount -= _decimal(fields.get("OrderDiscount"))
        yield _money("amount", order.net, amount, order.currency)


def _items_of(fields: Mapping[str, str]) -> dict[str, _Item]:
    """Units and amount of each SKU in a call, after the item's own discount."""
    found: dict[str, _Item] = {}
    at = 1
    while sku := fields.get(f"ItemSku{at}"):
        net = _decimal(fields.get(f"ItemSubTotal{at}")) - _decimal(fields.get(f"ItemTotalDiscount{at}"))
        found[sku] = int(_decimal(fields.get(f"ItemQuantity{at}"))), net
        at += 1
    return found


def _by_sku(items: Sequence[tuple[str, int]]) -> dict[str, _Item]:
    """Lines of one SKU are reported as one item."""
    units: Counter[str] = Counter()
    for sku, count in items:
        units[sku] += count
    return {sku: (count, None) for sku, count in units.items()}


def _items(expected: Mapping[str, _Item], arrived: Mapping[str, _Item], currency: str) -> Iterator[Compared]:
    """Units of each SKU, and its amount where both sides tell it."""
    nothing: _Item = (0, Decimal(0))
    for sku in dict.fromkeys([*expected, *arrived]):
        (units, amount), (came, worth) = expected.get(sku, nothing), arrived.get(sku, nothing)
        yield Compared("units", str(units), str(came), sku)
        if amount is not None and worth is not None:
            yield Compared("item", _plain(amount, currency), _plain(worth, currency), sku)


def _action(trial: Trial, order: Bought) -> Standing:
    held, reported = order.read_back, order.reported
    if held is None or reported is None:
        return Standing(Stop.ACTION, Light.WAITING)
    if held.action_id is None:
        return _not_booked(trial, held)
    told = (held.partner_name or "", held.action_id)
    # Once it is taken back the amounts are those of nothing; after any change, those of before.
    is_comparable = order.is_read_back and not reported.is_reversed and not order.is_booked_reversed
    compared = list(_booked(trial, order, reported, held)) if is_comparable else []
    return _judged(Stop.ACTION, held.checked_at, compared, told=told)


def _booked(trial: Trial, order: Bought, reported: Reported, held: ReadBack) -> Iterator[Compared]:
    yield Compared("currency", reported.currency, held.currency or "")
    if held.amount is not None:
        yield _money("amount", reported.amount.amount, held.amount, reported.currency)
    # Items are asked for once: after a change they would be those of before.
    if trial.items is None or order.changed_at is not None:
        return
    ours: dict[str, _Item] = {one.sku: (one.quantity, one.amount.amount) for one in reported.items}
    theirs: dict[str, _Item] = {one.sku: (one.quantity, one.amount) for one in trial.items}
    if not reported.is_exact:
        ours, theirs = _units_alone(ours), _units_alone(theirs)
    yield from _items(ours, theirs, reported.currency)


def _units_alone(items: Mapping[str, _Item]) -> dict[str, _Item]:
    return {sku: (units, None) for sku, (units, _) in items.items()}


def _not_booked(trial: Trial, held: ReadBack) -> Standing:
    """impact.com has told of no action: it is not through with it, or says why there is none."""
    found = _finding(trial, held)
    if not _has_no_action(trial, held):
        told = (str(trial.told.get("status") or ""), str(trial.told.get("fault") or held.detail))
        return Standing(Stop.ACTION, Light.WAITING, told=told)
    detail = held.detail or str(trial.told.get("said") or "")
    if trial.is_own and found is Finding.NOT_CREDITED:
        at = held.checked_at or trial.looked_at
        return Standing(Stop.ACTION, Light.SKIPPED, at, (NOTES["own_click"],), (detail,))
    return Standing(Stop.ACTION, Light.FAILED, held.checked_at or trial.looked_at, told=(detail,))


def _has_no_action(trial: Trial, held: ReadBack) -> bool:
    return held.action_id is None and _finding(trial, held) in NOBODY_PAID | NOT_BOOKED


def _finding(trial: Trial, held: ReadBack) -> Finding | None:
    """What became of it: as the line read it back, before that as the page was told."""
    told = trial.told.get("finding")
    return held.finding or (Finding(str(told)) if told else None)


def _back(trial: Trial, order: Bought) -> Standing:
    sent, held = order.reversal, order.read_back
    if held is not None and _has_no_action(trial, held):
        return Standing(Stop.BACK, Light.SKIPPED, said=(NOTES["nothing_booked"],))
    if sent is None or (sent.state == "accepted" and order.reported and not order.reported.is_reversed):
        return Standing(Stop.BACK, Light.WAITING)
    code = sent.fields.get("DispositionCode", "")
    if sent.state != "accepted":
        light = Light.WAITING if sent.is_open else Light.FAILED
        return Standing(Stop.BACK, light, sent.answered_at, told=(code, sent.detail))
    if not order.is_booked_reversed or held is None:
        return Standing(Stop.BACK, Light.WAITING, sent.answered_at, (NOTES["in_queue"],), (code,))
    compared = [Compared("state", "REVERSED", (held.state or "").upper())]
    return _judged(Stop.BACK, held.checked_at, compared, told=(code,))


def _money(what: str, expected: Decimal, arrived: Decimal, currency: str) -> Compared:
    return Compared(what, _plain(expected, currency), _plain(arrived, currency))


def _plain(amount: Decimal, currency: str) -> str:
    """An amount with the currency's digits; one that has more keeps them, so that nothing looks the same."""
    rounded = plain(amount, currency)
    return rounded if Decimal(rounded) == amount else f"{amount:f}"


def _decimal(text: str | None) -> Decimal:
    try:
        return Decimal(text or "0")
    except InvalidOperation:
        return Decimal(0)
