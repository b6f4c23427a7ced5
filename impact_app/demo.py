"""The main job with no account anywhere: every real process, a pretend store, a pretend impact.com."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import requests
import structlog
from rich.console import Console
from rich.table import Table

from impact_app.config import Config, read_config
from impact_app.domain.plan import AGE_LIMIT
from impact_app.domain.reasons import EXPLANATIONS, Verdict
from impact_app.ledger.orders import OrderFile
from impact_app.pipeline.preview import unwrapped
from impact_app.processes import port_fault, write_supervisor_config
from impact_app.simulator.network import RunningNetwork, Setup, running_network
from impact_app.simulator.shopify.admin import RunningAdmin, running_admin
from impact_app.simulator.shopify.deliveries import post
from impact_app.simulator.shopify.orders import DiscountSpec, LineSpec, OrderSpec, encode, order_body
from impact_app.simulator.shopify.store import PretendStore, Product
from impact_app.simulator.shopify.themes import Theme
from impact_app.simulator.storefront import RunningStorefront, running_storefront
from impact_app.stores.shopify.install import SCOPES
from impact_app.stores.shopify.storefront import EMBED
from impact_app.wiring import Services

SHOP = "impact-demo.myshopify.com"
CLICK = "demo-Click_7Qx:2a"

#: The supervisor, which stops everything when the demo is gone, even one that was killed hard.
_BOUND_SUPERVISOR = """
from impact_app.processes import end_with_parent
from supervisor.supervisord import main
end_with_parent()
main()
"""

_START_SECONDS, _BOOK_SECONDS = 60.0, 60.0

#: Linux gives away ports from 32768 on by itself.
_LEAST_PORT = 21_000


class Failed(Exception):
    """The demo could not show what it should; the message says what went wrong."""


@click.command()
@click.option("--order", type=click.Path(path_type=Path), help="Your own order body instead of a made one.")
@click.option("--once", is_flag=True, help="Exit after printing.")
def main(order: Path | None, once: bool) -> None:
    """Show the main job with no account anywhere."""
    raise SystemExit(run(order, once=once))


def run(order: Path | None, *, once: bool) -> int:
    """Start everything, send one order through, print what was booked; the exit status."""
    # The parts of the line that run in this process say nothing; their log is not what is shown.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    screen, told = _console(), _console(stderr=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        port = int(os.environ.get("PORT") or 5000)
        with running_demo(told, port=port, scopes=SCOPES) as stage:
            _play(stage, order, screen, told)
            if not once:
                _stay(stage, screen)
        return 0
    except Failed as fault:
        told.print("[bold red]The demo failed:[/]", end=" ")
        told.print(str(fault), highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        return 0 if not once else 130


def _console(*, stderr: bool = False) -> Console:
    """As wide as the terminal; what is read by a program is never cut to fit one."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=160)


@dataclass(frozen=True)
class Stage:
    """Everything that runs while the demo lasts."""

    config: Config
    line: Services
    network: RunningNetwork
    admin: RunningAdmin
    shop: RunningStorefront
    store_id: int


@contextlib.contextmanager
def running_demo(
    told: Console,
    setup: Setup | None = None,
    *,
    port: int | None = None,
    scopes: tuple[str, ...] = ("read_orders", "read_products"),
) -> Iterator[Stage]:
    """All processes in a folder of their own, ended and removed with the block; `setup` is the network's.

    With `scopes` for a web pixel, orders without a click wait for one, as in a real store.

    `port` is taken if it is free. Without one each demo takes a port of its own, so that several at once do
    not meet, even while the server of one is being started again.
    """
    folder = Path(tempfile.mkdtemp(prefix="impact-demo-"))
    secret = secrets.token_hex(16)
    theme = Theme(blocks={EMBED: True})
    store = PretendStore(
        domain=SHOP, client_secret=secret, same_organisation=True, scopes=scopes, theme=theme
    )
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        taken = free_port() if port is None or port_fault(port) else port
        app = f"http://127.0.0.1:{taken}"
        shop = stack.enter_context(
            running_storefront(
                webhook_url=f"{app}/shopify/webhooks", app_url=app, secret=secret, shop_domain=SHOP
            )
        )
        network = stack.enter_context(running_network(_for_this_shop(setup or Setup(), shop)))
        store.theme = shop.sales.theme
        admin = stack.enter_context(running_admin(store))
        environment = _environment(folder, taken, store, network, admin)
        config = read_config(environment)
        stack.callback(_end, _start(config, environment))
        line = Services(config)
        try:
            _wait(told, "Starting Redis, web, workers and clock", lambda: _is_ready(config), _START_SECONDS)
        except Failed as fault:
            log = (config.instance_path / "log").read_text(errors="replace")
            raise Failed(f"{fault} The processes' log ends with:\n{log[-1500:]}") from None
        yield Stage(config, line, network, admin, shop, _connect(line, store, network))


def _for_this_shop(setup: Setup, shop: RunningStorefront) -> Setup:
    """The network's set-up with a first program that partners may link to the demo's shop with."""
    first, *rest = setup.campaigns
    # The pretend storefront answers under both names of this machine.
    domains = ",".join((SHOP, "localhost", "127.0.0.1"))
    fitting = replace(first, landing_page=f"{shop.url}/", deep_link_domains=domains)
    return replace(setup, campaigns=(fitting, *rest))


def _environment(
    folder: Path, port: int, store: PretendStore, network: RunningNetwork, admin: RunningAdmin
) -> dict[str, str]:
    """The environment of a fresh installation, whatever this one's says."""
    ours = (
        "SECRET_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "ADMIN_PASSWORD",
        "SHOPIFY",
        "SALEOR",
        "IMPACT",
        "INSTANCE",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "INSTANCE_PATH": str(folder),
        "PORT": str(port),
        "APP_URL": f"http://localhost:{port}",
        "SHOPIFY_API_KEY": store.client_id,
        "SHOPIFY_API_SECRET": store.client_secret,
        "SHOPIFY_ADMIN_URL": admin.admin_url,
        "IMPACT_API_URL": network.url,
    }


def free_port() -> int:
    """A port nobody listens on, of those that no system gives away by itself.

    Otherwise a server of ours that is killed and started again would find its port with somebody who asked
    for any, or with a connection going out. Raises `Failed` where there is none.
    """
    for _ in range(100):
        port = _LEAST_PORT + secrets.randbelow(10_000)
        if port_fault(port) is None:
            return port
    raise Failed("No port between 21000 and 31000 is free. Set PORT to one that is.")


def _start(config: Config, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The supervisor, apart from this terminal's Ctrl-C, which reaches it through `_end` in good order."""
    path = write_supervisor_config(config)
    with (config.instance_path / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", _BOUND_SUPERVISOR, "-n", "-c", str(path)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _is_ready(config: Config) -> bool:
    """Web, database and Redis answer; a worker that starts later finds its work waiting."""
    try:
        answer = requests.get(f"http://127.0.0.1:{config.port}/readyz", timeout=2)
    except requests.RequestException:
        return False
    return answer.status_code == 200 and "degraded" not in answer.text


def _connect(line: Services, store: PretendStore, network: RunningNetwork) -> int:
    """Connect the store as `flask stores add --client-credentials` does, with the pretend account."""
    connected = line.tokens.connect_with_client_credentials(store.domain)
    setup = network.books.setup
    line.stores.save_settings(
        connected.id,
        account_sid=setup.sid,
        auth_token=setup.token,
        campaign_id=str(setup.campaigns[0].id),
        event_type_id=str(setup.event_types[0].id),
        rules={},
        by="make demo",
        now=line.clock(),
    )
    return connected.id


def _play(stage: Stage, order: Path | None, screen: Console, told: Console) -> None:
    body, notes = _own(order) if order else (_made(stage.admin.store), [])
    for note in notes:
        told.print(f"Note: {note}", highlight=False)
    key = str(uuid.uuid4())
    url = f"http://127.0.0.1:{stage.config.port}/shopify/webhooks"
    store = stage.admin.store
    answer = post(url, "orders/paid", SHOP, body, store.client_secret, webhook_id=key)
    if answer.status_code != 200:
        raise Failed(f"The webhook was answered with {answer.status_code}: {answer.text.strip()}")
    _wait(told, "Waiting for the conversion", lambda: _is_settled(stage, key), _BOOK_SECONDS)
    reason, detail, order_key = stage.line.inbox.fate("shopify", SHOP, key) or ("lost", "", None)
    file = stage.line.orders.show(stage.store_id, order_key) if order_key else None
    if file is None:
        raise Failed(f"The order was not taken in: {reason}. {detail}")
    _print(stage, file, screen)


def _is_settled(stage: Stage, key: str) -> bool:
    fate = stage.line.inbox.fate("shopify", SHOP, key)
    if fate is None or fate[0] == "pending":
        return False
    file = stage.line.orders.show(stage.store_id, fate[2]) if fate[2] else None
    return file is None or file.summary.verdict is not Verdict.WAITING


def _made(store: PretendStore) -> bytes:
    """An order of the pretend store: a click, a promo code for the order, another discount on one line."""
    store.add_product(Product(9_797_441_000_001, "Garden hose", "Gardening"))
    store.add_product(Product(9_797_441_000_002, "Spade", "Tools"))
    spec = OrderSpec(
        lines=(
            LineSpec("HOSE-20", "Garden hose", Decimal("14.00"), 2, product_id=9_797_441_000_001),
            LineSpec("SPADE-1", "Spade", Decimal("33.00"), 3, product_id=9_797_441_000_002),
        ),
        discounts=(
            DiscountSpec(
                kind="automatic",
                value=Decimal("6.00"),
                value_type="fixed_amount",
                selection="entitled",
                name="Spade week",
                entitled=(1,),
            ),
            DiscountSpec(kind="code", value=Decimal(10), name="WELCOME10"),
        ),
        currency="EUR",
        note_attributes=(("im_ref", CLICK),),
        processed_at=datetime.now(UTC).replace(microsecond=0),
        shop_domain=SHOP,
    )
    return encode(store.add_order(order_body(spec)))


def _own(file: Path) -> tuple[bytes, list[str]]:
    """The user's own order, as it is; one too old to be reported to anybody is played as bought now."""
    try:
        body = unwrapped(file.read_bytes())
    except OSError as fault:
        raise Failed(f"{file} cannot be read: {fault.strerror}.") from None
    try:
        order = json.loads(body, parse_float=Decimal)
        placed = datetime.fromisoformat(order.get("processed_at") or order["created_at"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return body, []
    if placed.tzinfo is None or datetime.now(UTC) - placed <= AGE_LIMIT:
        return body, []
    return _as_of_now(order, placed)


def _as_of_now(order: dict[str, Any], placed: datetime) -> tuple[bytes, list[str]]:
    later = datetime.now(UTC).replace(microsecond=0) - placed
    for name in ("created_at", "processed_at", "updated_at", "cancelled_at", "closed_at"):
        if order.get(name):
            order[name] = (datetime.fromisoformat(order[name]) + later).isoformat()
    notes = [
        f"the order is of {placed:%Y-%m-%d}, and impact.com takes none older than {AGE_LIMIT.days} days; "
        "the demo plays it as bought now."
    ]
    if not order.get("note_attributes"):
        order["note_attributes"] = [{"name": "im_ref", "value": CLICK}]
        notes.append(
            "it carries no click; the demo gives it one, as if the buyer came from a partner's link."
        )
    return encode(order), notes


def _print(stage: Stage, file: OrderFile, screen: Console) -> None:
    one = file.summary
    explained = EXPLANATIONS[one.reason]
    setup = stage.network.books.setup
    booked = requests.get(f"{stage.network.url}/_simulator/actions/{one.order_key}.json", timeout=5)
    action = booked.json() if booked.status_code == 200 else None
    screen.print()
    screen.print(
        f"[bold]Order {one.number}[/] ({one.order_key}): {one.verdict}, {one.reason}", highlight=False
    )
    screen.print(f"{explained.happened} {explained.next}", highlight=False)
    if one.detail:
        screen.print(one.detail, highlight=False, markup=False)
    if action is None:
        if one.verdict is Verdict.REPORTED:
            raise Failed("impact.com's stand-in accepted the conversion and booked nothing.")
        screen.print("Nothing was booked.")
        return
    screen.print(_head(file, action), _items(action), sep="\n")
    screen.print(
        f"impact.com would pay on [bold]{action['amount']} {action['currency']}[/]; "
        f"{action['partner']} earns {action['payout']} {action['currency']} of it "
        f"(event type {action['event_type_id']} of campaign {setup.campaigns[0].id}).",
        highlight=False,
    )


def _head(file: OrderFile, action: dict[str, Any]) -> Table:
    table = Table(title="Booked at the pretend impact.com", title_justify="left", show_header=False)
    rows = {
        "Order": action["order_id"],
        "Placed": action["event_date"],
        "Click": action["click_id"] or "none",
        "Carrier": (file.summary.carrier or "none").replace("_", " "),
        "Promo code": action["promo_code"] or "none",
        "Order discount": f"{action['order_discount']} {action['currency']}",
    }
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _items(action: dict[str, Any]) -> Table:
    table = Table(title="Items", title_justify="left")
    for name in ("SKU", "Name", "Category"):
        table.add_column(name, overflow="fold")
    for name in ("Units", "List", "Item discount", "Order discount", "Pays on"):
        table.add_column(name, justify="right")
    for item in action["items"]:
        table.add_row(
            item["sku"],
            item["name"],
            item["category"],
            str(item["quantity"]),
            item["gross"],
            item["discount"],
            item["order_discount"],
            item["amount"],
        )
    return table


def _stay(stage: Stage, screen: Console) -> None:
    screen.print()
    screen.print(f"Admin page:           {stage.config.app_url}/   password: {stage.config.admin_password}")
    screen.print(f"Partner's link:       {stage.shop.url}/go   click it, buy, and watch the order appear")
    screen.print(f"Books of impact.com:  {stage.network.url}/_simulator/")
    screen.print("Ctrl-C ends everything.")
    while True:
        time.sleep(3600)


def _wait(told: Console, doing: str, is_done: Callable[[], bool], most: float) -> None:
    """Wait until something is done, saying so once it takes over two seconds."""
    started = time.monotonic()
    shown = False
    while not is_done():
        waited = time.monotonic() - started
        if waited > most:
            raise Failed(f"{doing} took more than {most:.0f} seconds.")
        if waited > 2 and not shown:
            told.print(f"{doing} ...", highlight=False)
            shown = True
        time.sleep(0.1)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
