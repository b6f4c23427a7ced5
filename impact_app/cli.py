"""The commands under `flask`: each reads its words, calls one thing, and prints the answer.

Exit status: 0 done; 1 it could not be done, with a sentence on stderr; 2 the command was not understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
import sqlalchemy as sa
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext
from redis import RedisError

from impact_app.domain.events import Unreadable
from impact_app.domain.mapping import PartnerCode, Target
from impact_app.domain.money import Money, plain, total
from impact_app.domain.orders import Order
from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.domain.remap import Change, totals
from impact_app.domain.rules import RuleError, Rules, read_rules
from impact_app.domain.takeover import Match
from impact_app.domain.verification import ReadBack
from impact_app.ledger.alerts import Alert
from impact_app.ledger.orders import Filter, OrderFile, OrderSummary
from impact_app.ledger.schema import NewerSchema
from impact_app.ledger.stores import Store
from impact_app.ledger.vault import Unreadable as SecretUnreadable
from impact_app.pipeline.backfill import Tally
from impact_app.pipeline.export import File as ExportFile
from impact_app.pipeline.export import State, change_file, conversion_file
from impact_app.pipeline.preview import preview as preview_order
from impact_app.pipeline.preview import unwrapped
from impact_app.pipeline.process import Period, Unlisted
from impact_app.pipeline.reconcile import Report
from impact_app.pipeline.sweep import sweep as sweep_line
from impact_app.pipeline.takeover import Found
from impact_app.pipeline.verify import NotNow
from impact_app.stores.saleor.errors import SaleorError
from impact_app.stores.shopify.errors import ShopifyError
from impact_app.terminal import progress, table
from impact_app.transports.api.lookups import NotAnswered
from impact_app.transports.files.request import MOST_ROWS
from impact_app.wiring import PLATFORMS, Services

_P = ParamSpec("_P")
_R = TypeVar("_R")


def register(app: Flask) -> None:
    """Give the app its commands."""
    for command in (
        check_config,
        preview,
        stores,
        orders,
        backfill,
        reconcile,
        export,
        remap,
        shadow,
        takeover,
        sweep,
        up,
        worker,
        clock,
        simulator,
    ):
        app.cli.add_command(command)


def _plainly(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn what may go wrong outside the program into one sentence."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except (
            Unreadable,
            SecretUnreadable,
            LookupError,
            SaleorError,
            ShopifyError,
            NewerSchema,
            Unlisted,
        ) as fault:
            raise click.ClickException(str(fault)) from None
        except RuleError as fault:
            raise click.UsageError("\n".join(fault.faults.values())) from None
        except sa.exc.DBAPIError as fault:
            raise click.ClickException(f"The database cannot be used: {_first_line(fault.orig)}") from None
        except OSError as fault:
            raise click.ClickException(
                f"{fault.filename or 'A file'} cannot be used: {fault.strerror}."
            ) from None
        except RedisError as fault:
            raise click.ClickException(f"Redis does not answer: {fault}") from None

    return run


def _line() -> Services:
    line: Services = current_app.extensions["impact"]
    return line


def _pairs(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE.")
        found[name.strip()] = value
    return found


def _day(_context: click.Context, _option: click.Parameter, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is no moment such as 2026-11-20T12:00:00+00:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Moment(click.ParamType[datetime]):
    """A day (UTC) or a moment; of a day the first moment, or the end of it."""

    name = "date"

    def __init__(self, *, is_end: bool = False) -> None:
        self._is_end = is_end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-11-20.", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(days=1) if self._is_end and len(value) == len("2026-11-20") else moment


def _period(command: Callable[_P, _R]) -> Callable[_P, _R]:
    since = click.option("--from", "since", type=_Moment(), required=True, help="First day (UTC) or moment.")
    until = click.option(
        "--to", "until", type=_Moment(is_end=True), required=True, help="Last day (UTC) or moment."
    )
    return since(until(command))


def _shaped(shape: str, sentence: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """Checks a text as the settings page does, so that nothing else reaches a call's address."""

    def check(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
        if given is not None and not re.fullmatch(shape, given, re.ASCII):
            raise click.BadParameter(sentence)
        return given

    return check


_rule_option = click.option(
    "--rule", "rules", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="A rule; may be repeated."
)


@click.command("check-config")
@with_appcontext
def check_config() -> None:
    """Say whether the environment can be used, and what is wrong if not."""
    line = _line()
    faults = [fault for fault in (_database_fault(line), _redis_fault(line)) if fault]
    if faults:
        raise click.ClickException("\n".join(faults))
    config = line.config
    click.echo(f"Configuration is fine. Database: {sa.make_url(config.database_url).render_as_string()}")
    click.echo(f"Redis: {'embedded' if config.redis_embedded else 'from REDIS_URL'}. ", nl=False)
    click.echo(f"Shopify: {'on' if config.shopify else 'off'}. impact.com: {config.impact_api_url}")
    hosts = ", ".join((*config.saleor.hosts, *config.saleor.origins))
    click.echo(f"Saleor: {hosts or 'nobody'} may install.")


def _database_fault(line: Services) -> str | None:
    try:
        with line.database.read() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as fault:
        reason = getattr(fault, "orig", None) or fault
        return f"DATABASE_URL: the database cannot be used: {_first_line(reason)}"
    except (OSError, NewerSchema) as fault:
        return f"DATABASE_URL: {fault}"
    return None


def _first_line(fault: object) -> str:
    return str(fault).strip().partition("\n")[0]


def _redis_fault(line: Services) -> str | None:
    if line.config.redis_embedded:
        return None
    try:
        line.redis.ping()
    except RedisError as fault:
        return f"REDIS_URL: Redis does not answer: {fault}"
    return None


@click.command()
@click.argument("platform", type=click.Choice(PLATFORMS))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@_rule_option
@click.option("--against", type=click.Path(path_type=Path), help="An earlier snapshot, taken as reported.")
@click.option("--now", callback=_day, help="Judge as of this moment, not of the order's last change.")
@with_appcontext
@_plainly
def preview(
    platform: str, file: Path, rules: dict[str, str], against: Path | None, now: datetime | None
) -> None:
    """Read an order from FILE, send nothing, and print the decision as JSON."""
    line = _line()
    order = _order(line, platform, file)
    earlier = _order(line, platform, against) if against else None
    store = _only_store(line, platform)
    own_rules: Rules = read_rules({**(store.rules if store else {}), **rules})
    codes = store.promo_codes if store else ()
    answer = preview_order(
        order,
        own_rules,
        against=earlier,
        target=Target((store and store.campaign_id) or "0", (store and store.event_type_id) or "0"),
        account_sid=(store and store.account_sid) or "{AccountSID}",
        partner_codes=[PartnerCode(code["code"], code["type"]) for code in codes],
        now=now,
    )
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _only_store(line: Services, platform: str) -> Store | None:
    """The store whose ids and rules a preview takes: the one there is, if there is just one."""
    found = [store for store in line.stores.all() if store.platform == platform]
    return found[0] if len(found) == 1 else None


def _order(line: Services, platform: str, file: Path) -> Order:
    try:
        body = click.open_file(str(file), "rb").read()
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be read: {fault.strerror}.") from None
    return line.platforms[platform].read_order(unwrapped(body))


stores = AppGroup("stores", help="Connect stores and list them.")


@stores.command("add")
@click.argument("platform", type=click.Choice(PLATFORMS))
@click.argument("domain")
@click.option("--token", help="An access token of the platform's API.")
@click.option(
    "--client-credentials", is_flag=True, help="Ask Shopify for a token (app and store of one owner)."
)
@click.option(
    "--account-sid",
    callback=_shaped(r"[A-Za-z0-9]{5,64}", "It has 5 to 64 letters and digits."),
    help="impact.com account SID.",
)
@click.option(
    "--auth-token",
    callback=_shaped(r"[!-~]{1,255}", "It has up to 255 letters, digits and signs without blanks."),
    help="impact.com auth token.",
)
@click.option(
    "--campaign-id",
    callback=_shaped(r"[0-9]{1,10}", "It has 1 to 10 digits."),
    help="impact.com campaign (program) id.",
)
@click.option(
    "--event-type-id",
    callback=_shaped(r"[0-9]{1,10}", "It has 1 to 10 digits."),
    help="impact.com event type id.",
)
@_rule_option
@_plainly
def stores_add(
    platform: str,
    domain: str,
    token: str | None,
    client_credentials: bool,
    account_sid: str | None,
    auth_token: str | None,
    campaign_id: str | None,
    event_type_id: str | None,
    rules: dict[str, str],
) -> None:
    """Connect the store at DOMAIN without a browser and print its id; repeating it changes what is given."""
    line = _line()
    read_rules(rules)
    if client_credentials and platform != "shopify":
        raise click.BadParameter("--client-credentials is for Shopify only.")
    try:
        store = line.connect_shopify(domain) if client_credentials else line.connect(platform, domain, token)
    except ValueError as fault:
        raise click.BadParameter(str(fault)) from None
    given = (account_sid, auth_token, campaign_id, event_type_id)
    if any(given) or rules:
        line.stores.save_settings(
            store.id,
            account_sid=account_sid or store.account_sid or "",
            auth_token=auth_token,
            campaign_id=campaign_id or store.campaign_id or "",
            event_type_id=event_type_id or store.event_type_id or "",
            rules={**store.rules, **rules},
            by="flask stores add",
            now=line.clock(),
        )
        line.settings_saved(store.id)
    click.echo(store.id)


@stores.command("list")
@_plainly
def stores_list() -> None:
    """List the stores: id, platform, domain, state, and whether they can report."""
    for store in _line().stores.all():
        configured = "configured" if store.is_configured else "not configured"
        click.echo(f"{store.id}\t{store.platform}\t{store.domain}\t{store.state}\t{configured}")


orders = AppGroup("orders", help="Orders, their verdicts and the evidence.")


@orders.command("list")
@click.option("--store", "store_name", help="A store's id or domain; otherwise all stores.")
@click.option("--verdict", type=click.Choice(["reported", "withheld", "waiting", "attention"]))
@click.option("--reason", help="A reason's slug.")
@click.option("--search", help="An order number, platform id or click id.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_plainly
def orders_list(
    store_name: str | None,
    verdict: str | None,
    reason: str | None,
    search: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List orders with their verdicts, newest first."""
    line = _line()
    chosen = [_store(line, store_name)] if store_name else line.stores.all()
    for store in chosen:
        found = line.orders.list(store.id, Filter(verdict=verdict, reason=reason, search=search), limit=limit)
        for order in found:
            click.echo(_json(_summary(order, store)) if as_json else _row(order, store))


@orders.command("show")
@click.argument("store_name", metavar="STORE")
@click.argument("order")
@click.option("--json", "as_json", is_flag=True)
@_plainly
def orders_show(store_name: str, order: str, as_json: bool) -> None:
    """Show the verdict of ORDER (platform id or number) of STORE (id or domain) with its evidence."""
    line = _line()
    store = _store(line, store_name)
    file = _file(line, store, order)
    click.echo(_json(asdict(file)) if as_json else "\n".join(_told(file, store)))


@orders.command("replay")
@click.argument("store_name", metavar="STORE")
@click.argument("order")
@_plainly
def orders_replay(store_name: str, order: str) -> None:
    """Ask the question of ORDER again, sending even what was refused before."""
    line = _line()
    store = _store(line, store_name)
    click.echo(line.replay(store.id, _file(line, store, order).summary.order_key))


@click.command()
@click.option(
    "--since",
    callback=_day,
    metavar="DATE",
    help="Look at orders and actions from then on; by default since last time, and two days back.",
)
@with_appcontext
@_plainly
def reconcile(since: datetime | None) -> None:
    """Ask every store for orders nobody told us of, and hold what was reported against impact.com's books.

    It may be stopped at any moment and repeated. The app does it by itself at its start and each hour.
    """
    line = _line()
    with progress("Orders looked at") as bar:
        reports = line.reconciler.run(since, tell=lambda report: bar.at(report.seen, report.seen))
    line.wake.soon("deliver")
    for report in reports:
        click.echo("\n".join(_reconciled(report, line.alerts.open(report.store.id))))
    faults = [f"{one.store.domain}: {fault}" for one in reports for fault in one.faults]
    if faults:
        raise click.ClickException("\n".join(faults))


def _reconciled(report: Report, lasting: Sequence[Alert]) -> Iterator[str]:
    yield f"{report.store.domain}"
    yield f"  calls to the store {report.store_calls}, to impact.com {report.impact_calls}"
    yield f"  orders looked at {report.seen}: new here {report.new}, newer than known {report.changed}"
    yield f"  actions listed {report.actions}: not reported by this app {report.strange}"
    yield f"  held otherwise than reported {len(report.drifts)}: set right {report.repaired}"
    for number, drift in report.drifts:
        ours, theirs = (f"{money.text} {money.currency}" for money in (drift.ours, drift.theirs))
        yield f"    {number}: ours {ours}, impact.com's {theirs}. {drift.detail}"
    if report.is_put_off:
        yield "  impact.com was not asked: conversions that are due go first. Repeat it in a minute."
    yield from (f"  {balance}" for balance in report.balances)
    yield from (
        f"  alert since {one.raised_at:%Y-%m-%d %H:%M} UTC: {one.words} {one.money}" for one in lasting
    )


@click.command()
@click.argument("store_name", metavar="STORE")
@_period
@click.option("--dry-run", is_flag=True, help="Count and add up what would happen; write nothing.")
@with_appcontext
@_plainly
def backfill(store_name: str, since: datetime, until: datetime, dry_run: bool) -> None:
    """Take in the orders placed at STORE in a period, as if their webhooks had come.

    It may be stopped at any moment and repeated: what is known already is passed over.
    """
    line = _line()
    store = _store(line, store_name)
    if since >= until:
        raise click.UsageError("--from lies behind --to.")
    if store.state != "connected":
        raise click.ClickException(f"{store.domain} is not connected: install the app in it first.")
    tally = Tally()
    try:
        with progress(f"Orders of {store.domain}") as bar:
            period = Period(since, until, is_trial=dry_run, told=bar.preparing)
            line.backfill.run(store, period, tally, lambda: bar.at(tally.seen, tally.count))
    except KeyboardInterrupt:
        _print_tally(tally, dry_run)
        raise click.ClickException(_so_far(tally, "Stopped")) from None
    except Unlisted as fault:
        _print_tally(tally, dry_run)
        raise click.ClickException(
            f"{fault}\n{_so_far(tally, 'It ended')}" if tally.seen else str(fault)
        ) from None
    _print_tally(tally, dry_run)
    if tally.faults:
        told = "\n".join(f"Order {order}: {why}" for order, why in tally.faults.items())
        raise click.ClickException(f"{len(tally.faults)} orders could not be taken in.\n{told}")


@click.command()
@click.argument("store_name", metavar="STORE")
@_period
@click.option("--output", type=click.Path(path_type=Path), help="A file; otherwise it is printed.")
@click.option(
    "--state",
    type=click.Choice(["all", "reported", "due"]),
    default="all",
    show_default=True,
    help="Only what impact.com accepted, or only what is still to be sent.",
)
@click.option("--changes", is_flag=True, help="Modifications and reversals instead of conversions.")
@click.option("--to-look-at", is_flag=True, help="Safe to open in a spreadsheet, unfit to upload.")
@with_appcontext
@_plainly
def export(
    store_name: str,
    since: datetime,
    until: datetime,
    output: Path | None,
    state: State,
    changes: bool,
    to_look_at: bool,
) -> None:
    """Give the orders placed at STORE in a period as a CSV that impact.com takes by upload, FTP or e-mail."""
    line = _line()
    store = _store(line, store_name)
    if since >= until:
        raise click.UsageError("--from lies behind --to.")
    make = change_file if changes else conversion_file
    file = make(line.database, store.id, since, until, state=state, to_look_at=to_look_at)
    if output is None:
        click.echo(file.text, nl=False)
    else:
        output.write_text(file.text, encoding="utf-8", newline="")
    for sentence in _about(file, to_look_at):
        click.echo(sentence, err=True)


def _about(file: ExportFile, to_look_at: bool) -> Iterable[str]:
    sums = [f"{plain(amount, currency)} {currency}" for currency, amount in sorted(file.sums.items())]
    worth = f", {', '.join(sums)} after discounts" if sums else ""
    yield f"{file.conversions} conversions, {file.rows} lines{worth}."
    if file.left_out:
        yield f"{file.left_out} reversals were undone, which a file cannot say; they are left out."
    if file.rows >= MOST_ROWS:
        yield f"impact.com asks for fewer than {MOST_ROWS} lines a file: choose shorter periods."
    if file.risky and not to_look_at:
        yield (
            f"Values in {', '.join(file.risky)} begin like a formula. They are as impact.com needs them: "
            "do not open the file in a spreadsheet; --to-look-at makes one for that."
        )
    if to_look_at:
        yield "This file is to be looked at, not to be uploaded."


def _so_far(tally: Tally, word: str) -> str:
    return (
        f"{word} after {tally.seen} of {tally.count} orders. What is done stays done; "
        "the same command goes on from there."
    )


def _print_tally(tally: Tally, dry_run: bool) -> None:
    would = "would be" if dry_run else "were"
    click.echo(f"{tally.seen} orders looked at, {tally.known} of them known already.")
    if tally.lines:
        rows = [
            (one.verdict, one.reason, one.currency, str(one.orders), plain(one.net, one.currency))
            for one in tally.lines
        ]
        click.echo(table(("verdict", "reason", "currency", "orders", "net"), rows, right=2))
    queued = sum(one.orders for one in tally.lines if one.reason is Reason.QUEUED)
    click.echo(f"Calls to impact.com that {would} queued: {queued}." + _who_sends(queued, dry_run))


def _who_sends(queued: int, dry_run: bool) -> str:
    if dry_run:
        return " Nothing was written."
    return " The worker sends them, at the pace the account allows." if queued else ""


@click.command()
@click.argument("store_name", metavar="STORE")
@click.option("--version", type=click.IntRange(1), help="Show what this version of the rules would change.")
@_rule_option
@click.option("--from", "since", type=_Moment(), help="First day (UTC) or moment; 88 days ago by default.")
@click.option("--to", "until", type=_Moment(is_end=True), help="Last day (UTC) or moment.")
@click.option(
    "--order", "keys", multiple=True, help="Only this order, by platform id or number; may be repeated."
)
@click.option("--shadow", is_flag=True, help="Also orders judged in shadow mode.")
@click.option("--apply", "is_applied", is_flag=True, help="Move what is shown to the newest rules.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_appcontext
@_plainly
def remap(
    store_name: str,
    version: int | None,
    rules: dict[str, str],
    since: datetime | None,
    until: datetime | None,
    keys: tuple[str, ...],
    shadow: bool,
    is_applied: bool,
    as_json: bool,
) -> None:
    """Show which past orders of STORE the newest rules would change, and by how much; or move them."""
    line = _line()
    store = _store(line, store_name)
    if is_applied and (version or rules):
        raise click.UsageError(
            "--apply takes the newest rules: save the rules, or restore the version, first."
        )
    tried = read_rules({**store.rules, **rules}) if rules else line.remapper.rules(store, version)
    chosen = replace(line.remapper.selection(since, until, keys), with_shadow=shadow)
    changes = list(line.remapper.foresee(store, tried, chosen))
    for text in map(_change_json, changes) if as_json else _changes(changes):
        click.echo(text)
    if is_applied:
        moved = line.remapper.apply(store, changes)
        line.wake.soon("deliver")
        click.echo(f"Moved to version {store.rules_version} of the rules: {moved}.", err=as_json)


def _change_json(change: Change) -> str:
    return _json({**asdict(change), "difference": change.difference.text})


def _changes(changes: Sequence[Change]) -> Iterable[str]:
    for one in changes:
        was, becomes = one.before, one.after
        yield (
            f"{one.number}\t{one.order_key}\t{one.kind}\t{was.verdict} {was.reason} {was.amount.text} -> "
            f"{becomes.verdict} {becomes.reason} {becomes.amount.text} {becomes.amount.currency}"
        )
    for one_kind in totals(changes):
        difference = (one_kind.after - one_kind.before).amount
        sums = f"{one_kind.before.text} -> {one_kind.after.text} {one_kind.currency} ({difference:+f})"
        yield f"{one_kind.kind}: {one_kind.orders} orders, {sums}"
    if not changes:
        yield "No order would change."


@click.command()
@click.argument("store_name", metavar="STORE")
@click.option("--since", type=_Moment(), required=True, help="First day (UTC) or moment.")
@click.option("--adopt", "is_adopted", is_flag=True, help="Take up actions that hold exactly the order.")
@with_appcontext
@_plainly
def takeover(store_name: str, since: datetime, is_adopted: bool) -> None:
    """List what another app booked for STORE, and report none of these orders a second time."""
    line = _line()
    store, until = _store(line, store_name), line.clock()
    listed, actions = _asked(lambda: line.takeover.list_actions(store, since, until))
    found = line.takeover.recognise(store, since, until, listed)
    for text in _taken_over(found):
        click.echo(text)
    if is_adopted:
        adopted = _asked(lambda: line.takeover.adopt(store, found.booked, actions))
        click.echo(f"Adopted, so that refunds and edits follow: {len(adopted)} of {len(found.booked)}.")


def _asked(question: Callable[[], _R]) -> _R:
    try:
        return question()
    except NotAnswered as fault:
        raise click.ClickException(str(fault)) from None
    except NotNow as fault:
        raise click.ClickException(
            "The account may not be asked now: conversions are posted first, and look-ups have a share of "
            f"each hour. Repeat this after {fault.until:%Y-%m-%d %H:%M:%S} UTC; what was listed is kept."
        ) from None


def _taken_over(found: Found) -> Iterable[str]:
    for title, some in (("booked elsewhere", found.booked), ("BOOKED TWICE", found.doubled)):
        for key, booking in some:
            yield f"{key}\t{title}\t{booking}"
    for booking in found.strange:
        yield f"\tno order known here\t{booking}"
    yield f"Actions listed: {found.listed}, of which this app reported {found.ours}."
    yield f"Orders that others reported, and that are left out: {len(found.booked)}."
    yield f"Orders that this app reported as well: {len(found.doubled)}."
    yield f"Actions of orders not known here: {len(found.strange)}."


@click.command()
@click.argument("store_name", metavar="STORE")
@click.option("--since", type=_Moment(), help="First day (UTC) or moment; 30 days ago by default.")
@with_appcontext
@_plainly
def shadow(store_name: str, since: datetime | None) -> None:
    """Hold what shadow mode would have sent for STORE against the actions that impact.com has."""
    line = _line()
    store, until = _store(line, store_name), line.clock()
    start = since or until - timedelta(days=30)
    _, actions = _asked(lambda: line.takeover.list_actions(store, start, until))
    compared = line.takeover.compare_shadow(store, start, until, actions)
    for one in compared:
        click.echo(f"{one.order}\t{one.match}\t{_sum(one.ours)}\t{_sum(one.theirs)}\t{one.action_id}")
    for match in Match:
        group = [one for one in compared if one.match is match]
        ours, theirs = ([one.ours for one in group], [one.theirs for one in group])
        click.echo(f"{match}: {len(group)} orders, ours {_sums(ours)}, impact.com's {_sums(theirs)}")


def _sum(amount: Money | None) -> str:
    return "-" if amount is None else f"{amount.text} {amount.currency}"


def _sums(amounts: Iterable[Money | None]) -> str:
    """The sum of each currency."""
    known = [one for one in amounts if one is not None]
    currencies = sorted({one.currency for one in known})
    sums = (total((one for one in known if one.currency == name), name) for name in currencies)
    return ", ".join(map(_sum, sums)) or "-"


@click.command()
@with_appcontext
@_plainly
def sweep() -> None:
    """Free what dead processes held and say what is due; the clock does this each minute."""
    line = _line()
    swept = sweep_line(line.inbox, line.outbox, line.clock)
    for name in ("process", "review", "deliver", "verify"):
        line.wake.soon(name)
    click.echo(_json(asdict(swept)))


@click.command()
@with_appcontext
@_plainly
def up() -> None:
    """Run everything: Redis (if embedded), web, workers, clock; restarts what dies. Ctrl-C ends all."""
    from impact_app.processes import run  # noqa: PLC0415 - only this command needs the supervisor

    raise SystemExit(run(_line().config))


@click.command()
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True)
@with_appcontext
def worker(processes: int) -> None:
    """Run the workers."""
    from impact_app.jobs.run import work  # noqa: PLC0415

    work(_line().config, processes)


@click.command()
@with_appcontext
def clock() -> None:
    """Run the clock."""
    from impact_app.jobs.run import tick  # noqa: PLC0415

    tick(_line().config)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8085, show_default=True)
def simulator(host: str, port: int) -> None:
    """Run the pretend impact.com alone, with a page that shows its books."""
    from impact_app.simulator.network import Setup, serve  # noqa: PLC0415

    click.echo(f"Pretend impact.com: http://{host}:{port}/_simulator/ (Ctrl-C ends it)", err=True)
    serve(host, port, Setup())


def _store(line: Services, name: str) -> Store:
    found = [store for store in line.stores.all() if name in {str(store.id), store.domain}]
    if not found:
        raise LookupError(f"There is no store {name!r}; `flask stores list` shows those there are.")
    return found[0]


def _file(line: Services, store: Store, order: str) -> OrderFile:
    file = line.orders.show(store.id, order)
    if file is None:
        named = line.orders.list(store.id, Filter(search=order), limit=1)
        file = line.orders.show(store.id, named[0].order_key) if named else None
    if file is None:
        raise LookupError(f"{store.domain} has no order {order!r} here.")
    return file


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _summary(order: OrderSummary, store: Store) -> dict[str, Any]:
    return {**asdict(order), "store": store.domain}


def _row(order: OrderSummary, store: Store) -> str:
    net = "" if order.net is None else f"{order.net} {order.currency}"
    cells = (store.id, order.order_key, order.number, order.verdict, order.reason, net, order.carrier or "")
    return "\t".join(str(cell) for cell in cells)


def _told(file: OrderFile, store: Store) -> Iterable[str]:
    one = file.summary
    explained = EXPLANATIONS[one.reason]
    yield f"Order {one.number} ({one.order_key}) of {store.domain}: {one.verdict}, {one.reason}"
    yield f"  {explained.happened} {explained.next}"
    if one.detail:
        yield f"  {one.detail}"
    for carrier in file.evidence.get("carriers", ()):
        note = carrier["fault"] or ("used" if carrier["used"] else "not needed")
        yield f"  carrier {carrier['carrier']} {carrier['name']}={carrier['value']!r}: {note}"
    for item in file.evidence.get("items", ()):
        left_out = "" if item["counts"] else " (left out)"
        yield (
            f"  item {item['sku']} x {item['quantity']}: list {item['list_price']}, paid {item['paid']}, "
            f"tax {item['tax']}, discount {item['discount']}, given back {item.get('given_back', '0')}, "
            f"net {item['net']}{left_out}"
        )
    for booked in file.conversions:
        yield from _told_by_network(booked.read_back)
    for delivery in file.deliveries:
        yield f"  delivery {delivery.received_at:%Y-%m-%d %H:%M:%S} {delivery.topic}: {delivery.reason}"
    for step in file.steps:
        yield f"  step {step.kind} {step.method} {step.path}: {step.state}"
        for attempt in step.attempts:
            yield (
                f"    attempt {attempt.started_at:%Y-%m-%d %H:%M:%S}: {attempt.outcome}, {attempt.reason}, "
                f"status {attempt.status}"
            )


def _told_by_network(told: ReadBack) -> Iterable[str]:
    if told.action_id is None:
        asked = f"{told.checked_at:%Y-%m-%d %H:%M:%S}" if told.checked_at else "not yet"
        yield f"  read back: {told.finding or 'no answer so far'}, last asked {asked}. {told.detail}".rstrip()
        return
    yield (
        f"  action {told.action_id}: {told.finding}, {told.state}, partner {told.partner_name} "
        f"({told.partner_id}), amount {told.amount} {told.currency}, payout {told.payout}, "
        + (f"locks {told.locking_date:%Y-%m-%d}" if told.locking_date else "no locking date")
    )
    if told.detail:
        yield f"    {told.detail}"
