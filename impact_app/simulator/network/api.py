"""The network's own API below `/Advertisers/{SID}/`, as a brand's server calls it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, Response, current_app, request

from . import changes, replies, shapes, values
from .books import Books
from .setup import Account
from .submissions import Submission
from .validation import Complaint, Pairs, Refused, read_conversion

_FORM = "application/x-www-form-urlencoded"

api = Blueprint("network_api", __name__)


def _books() -> Books:
    books: Books = current_app.extensions["books"]
    return books


def _account(sid: str) -> Account:
    account = _books().setup.account(sid)
    if account is None:  # pragma: no cover - the door has turned unknown accounts away
        raise Refused([Complaint("AccountSID", f"There is no account {sid}.")])
    return account


# Forms


def _form() -> tuple[Pairs, str]:
    """Read the form sent; raise `Refused` where the body is something else."""
    sent_as = (request.content_type or "nothing").split(";")[0].strip().lower()
    if sent_as != _FORM:
        raise Refused([Complaint("Content-Type", f"Send the fields as {_FORM}; {sent_as} was sent.")])
    try:
        payload = request.get_data(cache=True).decode("ascii")
        return parse_qsl(payload, keep_blank_values=True, errors="strict"), payload
    except UnicodeDecodeError:
        raise Refused([Complaint("body", "The form is not percent-encoded UTF-8.")]) from None


def _queued(submission: Submission) -> Response:
    request.environ["network.batch_id"] = submission.batch_id
    body = {"Status": "QUEUED", "QueuedUri": shapes.submission_uri(submission)}
    return replies.reply(request, body)


@api.post("/Conversions")
def submit_conversion(sid: str) -> Response:
    try:
        pairs, payload = _form()
        conversion = read_conversion(pairs, _books().clock())
    except Refused as refused:
        return replies.conversion_error(request, refused.complaints)
    return _queued(_books().submit_conversion(sid, conversion, payload))


@api.post("/Actions")
def change_by_post(sid: str) -> Response:
    """Serve clients without PUT and DELETE: the verb is a form field."""
    request.get_data()  # kept for later: reading the form first would leave nothing of the body
    verb = request.form.get("_method", request.args.get("_method", ""))
    if verb.upper() not in ("PUT", "DELETE"):
        return replies.error(request, 405, "Actions are changed with PUT and reversed with DELETE.")
    return _change(sid, verb.upper())


@api.put("/Actions")
def modify_action(sid: str) -> Response:
    return _change(sid, "PUT")


@api.delete("/Actions")
def reverse_action(sid: str) -> Response:
    return _change(sid, "DELETE")


def _change(sid: str, verb: str) -> Response:
    read = changes.read_modification if verb == "PUT" else changes.read_reversal
    try:
        pairs, payload = _form()
        change = read([pair for pair in pairs if pair[0] != "_method"], _books().setup)
    except Refused as refused:
        return replies.error(request, 400, "The change was not taken.", refused.complaints)
    return _queued(_books().submit_change(sid, change, payload))


# Lists


def _refuse_unknown(known: Sequence[str]) -> None:
    allowed = {*known, "Page", "PageSize", "IrVersion"}
    unknown = [name for name in request.args if name not in allowed]
    if "OrderId" in unknown or "Oid" in unknown:
        raise Refused(
            [Complaint("OrderId", "There is no filter by order. List a window of time and compare Oid.")]
        )
    if unknown:
        raise Refused([Complaint(name, "This list has no such filter.") for name in unknown])


def _paging(default: int, minimum: int) -> tuple[int, int]:
    number, size = request.args.get("Page", "1"), request.args.get("PageSize", str(default))
    if not number.isdecimal() or int(number) < 1:
        raise Refused([Complaint("Page", "Pages are counted from 1.")])
    if not size.isdecimal() or int(size) < minimum:
        raise Refused([Complaint("PageSize", f"A page has at least {minimum} records.")])
    return int(number), int(size)


def _listed(records: Sequence[Any], name: str, default: int = 100, minimum: int = 1) -> Response:
    number, size = _paging(default, minimum)
    return replies.reply(request, replies.page(request, records, name, number, size))


def _answer(view: Callable[[], Response]) -> Response:
    try:
        return view()
    except Refused as refused:
        first = refused.complaints[0]
        return replies.error(request, 400, f"{first.field}: {first.message}", refused.complaints)


def _missing(what: str) -> Response:
    return replies.error(request, 404, f"There is no {what}.")


@api.get("/APISubmissions")
def list_submissions(sid: str) -> Response:
    def view() -> Response:
        _refuse_unknown(())
        books, account = _books(), _account(sid)
        with books.held():
            newest_first = books.submissions(sid)[::-1]
            now = books.clock()
            records = [shapes.submission(one, account, books.setup, now) for one in newest_first]
        return _listed(records, "APISubmission", default=books.setup.page_size)

    return _answer(view)


@api.get("/APISubmissions/<batch_id>")
def show_submission(sid: str, batch_id: str) -> Response:
    books = _books()
    with books.held():
        found = books.submission(sid, batch_id)
        if found is None:
            return _missing(f"submission {batch_id}")
        return replies.reply(request, shapes.submission(found, _account(sid), books.setup, books.clock()))


@dataclass(frozen=True)
class _Filters:
    """The filters of Actions and ActionUpdates; a window is a start and an end, or none."""

    campaign_id: int
    state: str
    updated: tuple[datetime, datetime] | None
    happened: tuple[datetime, datetime] | None
    locking: tuple[datetime, datetime] | None

    def admits(self, happened: datetime, locking: datetime, updated: datetime) -> bool:
        windows = ((self.happened, happened), (self.locking, locking), (self.updated, updated))
        return all(window is None or window[0] <= moment <= window[1] for window, moment in windows)


def _filters(now: datetime) -> _Filters:
    known = ["CampaignId", "State", "StartDate", "EndDate"]
    known += ["ActionDateStart", "ActionDateEnd", "LockingDateStart", "LockingDateEnd"]
    _refuse_unknown(known)
    campaign, state = request.args.get("CampaignId", ""), request.args.get("State", "")
    if not campaign.isdecimal():
        raise Refused([Complaint("CampaignId", "It is missing or no number; this list needs it.")])
    if state not in ("", "PENDING", "APPROVED", "REVERSED"):
        raise Refused([Complaint("State", f"{state} is none of PENDING, APPROVED and REVERSED.")])
    updated = _window("StartDate", "EndDate")
    happened = _window("ActionDateStart", "ActionDateEnd")
    locking = _window("LockingDateStart", "LockingDateEnd")
    if updated is not None:
        _check_update_window(updated, now)
    elif happened is None and locking is None:
        updated = (now - timedelta(days=7), now)
    return _Filters(int(campaign), state, updated, happened, locking)


def _window(start_name: str, end_name: str) -> tuple[datetime, datetime] | None:
    start, end = request.args.get(start_name), request.args.get(end_name)
    if start is None and end is None:
        return None
    if start is None or end is None:
        name, other = (end_name, start_name) if end is None else (start_name, end_name)
        raise Refused([Complaint(name, f"{other} needs it: a start and an end come together.")])
    window = (_moment(start_name, start), _moment(end_name, end))
    if window[0] > window[1]:
        raise Refused([Complaint(end_name, "The end lies before the start.")])
    return window


def _moment(name: str, value: str) -> datetime:
    try:
        return values.read_date(value)
    except values.Unreadable as error:
        raise Refused([Complaint(name, str(error))]) from None


def _check_update_window(window: tuple[datetime, datetime], now: datetime) -> None:
    start, end = window
    if end - start > timedelta(days=45):
        raise Refused([Complaint("EndDate", "StartDate and EndDate lie more than 45 days apart.")])
    if now - start > timedelta(days=3 * 365 + 1):
        raise Refused([Complaint("StartDate", "It lies more than three years back.")])


@api.get("/Actions")
def list_actions(sid: str) -> Response:
    return _answer(lambda: _list_actions(sid))


def _list_actions(sid: str) -> Response:
    books = _books()
    with books.held():
        now, setup = books.clock(), books.setup
        filters = _filters(now)
        records = [
            shapes.action(one, setup, now)
            for one in reversed(books.actions(sid))
            if one.conversion.campaign_id == filters.campaign_id
            and filters.state in ("", one.state(now))
            and filters.admits(one.conversion.event_date, one.locking_date, one.updated_at)
        ]
    return _large_list(records, "Actions")


def _large_list(records: Sequence[Any], name: str) -> Response:
    setup = _books().setup
    _, size = _paging(setup.page_size, setup.page_size_minimum)
    if len(records) > 10 * size:
        message = f"{len(records)} records are more than ten pages. Take a shorter time or larger pages."
        raise Refused([Complaint("PageSize", message)])
    return _listed(records, name, setup.page_size, setup.page_size_minimum)


@api.get("/Actions/<action_id>")
def show_action(sid: str, action_id: str) -> Response:
    books = _books()
    with books.held():
        found = books.action(sid, action_id)
        if found is None:
            return _missing(f"action {action_id}")
        return replies.reply(request, shapes.action(found, books.setup, books.clock()))


@api.get("/Actions/<action_id>/Items")
def list_items(sid: str, action_id: str) -> Response:
    with _books().held():
        found = _books().action(sid, action_id)
        if found is None:
            return _missing(f"action {action_id}")
        records = [shapes.item(found, line) for line in found.items]
    return _answer(lambda: _listed(records, "ActionItems", default=20_000))


@api.get("/Actions/<action_id>/Items/<path:sku>")
def show_item(sid: str, action_id: str, sku: str) -> Response:
    with _books().held():
        found = _books().action(sid, action_id)
        line = found.item(sku) if found else None
        if found is None or line is None:
            return _missing(f"item {sku} in action {action_id}")
        return replies.reply(request, shapes.item(found, line))


@api.get("/ActionUpdates")
def list_updates(sid: str) -> Response:
    return _answer(lambda: _list_updates(sid))


def _list_updates(sid: str) -> Response:
    books = _books()
    with books.held():
        now = books.clock()
        filters = _filters(now)
        dated = [
            (at, record)
            for one in books.actions(sid)
            if one.conversion.campaign_id == filters.campaign_id
            for at, record in shapes.updates(one)
            if filters.state in ("", record["State"])
            and filters.admits(one.conversion.event_date, one.locking_date, at)
        ]
    dated.sort(key=lambda entry: entry[0], reverse=True)
    return _large_list([record for _, record in dated], "ActionUpdates")


@api.get("/ActionUpdates/<update_id>")
def show_update(sid: str, update_id: str) -> Response:
    books = _books()
    with books.held():
        found = books.action(sid, update_id.rpartition(".")[0])
        for _, record in shapes.updates(found) if found else ():
            if record["Id"] == update_id:
                return replies.reply(request, record)
    return _missing(f"action update {update_id}")


@api.get("/Campaigns")
def list_campaigns(sid: str) -> Response:
    def view() -> Response:
        _refuse_unknown(("Name", "State"))
        name, state = request.args.get("Name", ""), request.args.get("State", "")
        account = _account(sid)
        records = [
            shapes.program(campaign, account)
            for campaign in sorted(_books().setup.campaigns, key=lambda campaign: campaign.id)
            if name.casefold() in campaign.name.casefold() and state in ("", campaign.state)
        ]
        return _listed(records, "Campaigns")

    return _answer(view)


@api.get("/Campaigns/<int:campaign_id>")
def show_campaign(sid: str, campaign_id: int) -> Response:
    campaign = _books().setup.campaign(campaign_id)
    if campaign is None:
        return _missing(f"program {campaign_id}")
    return replies.reply(request, shapes.program(campaign, _account(sid)))


@api.get("/Campaigns/<int:campaign_id>/Contracts")
def list_contracts(sid: str, campaign_id: int) -> Response:
    def view() -> Response:
        _refuse_unknown(("Status", "PartnerId"))
        status, partner = request.args.get("Status", "ACTIVE"), request.args.get("PartnerId", "")
        records = [
            record
            for record in _contracts(sid, campaign_id)
            if record["Status"] == status and partner in ("", str(record["PartnerId"]))
        ]
        return _listed(records, "Contracts")

    if _books().setup.campaign(campaign_id) is None:
        return _missing(f"program {campaign_id}")
    return _answer(view)


def _contracts(sid: str, campaign_id: int) -> list[shapes.Record]:
    books, account = _books(), _account(sid)
    return [
        shapes.contract(agreed, account, books.setup, books.clock())
        for agreed in books.setup.agreed
        if agreed.campaign_id == campaign_id
    ]


@api.get("/Campaigns/<int:campaign_id>/Contracts/<contract_id>")
def show_contract(sid: str, campaign_id: int, contract_id: str) -> Response:
    for record in _contracts(sid, campaign_id):
        if record["Id"] == contract_id:
            return replies.reply(request, record)
    return _missing(f"contract {contract_id} in program {campaign_id}")


@api.get("/PromoCodes")
def list_promo_codes(sid: str) -> Response:
    def view() -> Response:
        _refuse_unknown(("CampaignId", "Code", "StartDate", "EndDate", "State"))
        wanted, books, account = request.args, _books(), _account(sid)
        window, now = _window("StartDate", "EndDate"), books.clock()
        records = [
            shapes.promo_code(code, account, books.setup, now)
            for code in books.setup.promo_codes
            if wanted.get("CampaignId", str(code.campaign_id)) == str(code.campaign_id)
            and wanted.get("Code", code.code) == code.code
            and wanted.get("State", "") in ("", shapes.promo_code_state(code, now))
            and (window is None or _overlaps(window, code.start, code.end))
        ]
        return _listed(records, "PromoCodes")

    return _answer(view)


def _overlaps(window: tuple[datetime, datetime], start: datetime | None, end: datetime | None) -> bool:
    return (start is None or start <= window[1]) and (end is None or end >= window[0])


@api.get("/PromoCodes/<int:code_id>")
def show_promo_code(sid: str, code_id: int) -> Response:
    books = _books()
    for code in books.setup.promo_codes:
        if code.id == code_id:
            return replies.reply(request, shapes.promo_code(code, _account(sid), books.setup, books.clock()))
    return _missing(f"promo code {code_id}")


@api.get("/CompanyInformation")
def show_company(sid: str) -> Response:
    return replies.reply(request, shapes.company(_account(sid)))
