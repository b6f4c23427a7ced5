"""From a partner's link to impact.com on a Saleor storefront: the module writes, Saleor copies, we report."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impact_app.simulator.saleor.orders import OrderSpec, global_id, order
from impact_app.simulator.saleor.server import checkout_metadata
from tests.saleor_app import Running, installed_app

ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = uuid.UUID(int=41)

#: What a storefront does: the click of the address to the checkout, without any token.
STOREFRONT = """
import { graphql, landedClick, writeSaleorCheckout } from './storefront/index.js';
const [api, checkout, ...addresses] = process.argv.slice(1);
for (const address of addresses) {
  await writeSaleorCheckout(graphql(api), checkout, address ? landedClick(address) : null);
}
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with installed_app(tmp_path) as found:
        found.configure()
        yield found


def browse(running: Running, *addresses: str) -> str:
    """Visit these pages of the storefront with one checkout; "" is a visitor who takes consent back."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not there; `make test` brings it.")
    checkout = global_id("Checkout", CHECKOUT)
    ran = subprocess.run(
        [node, "--input-type=module", "-e", STOREFRONT, "--", running.shop.api_url, checkout, *addresses],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return checkout


def buy(running: Running, checkout: str) -> str:
    """Complete the checkout; Saleor tells the app of the paid order. The order's key."""
    spec = OrderSpec(
        metadata=checkout_metadata(running.shop, checkout),
        checkout_uuid=CHECKOUT,
        created=datetime.now(UTC) - timedelta(minutes=1),
    )
    made = running.shop.keep(order(spec))
    assert running.shop.deliver("order_fully_paid", made).status_code == 200
    until = running.services.clock() + timedelta(minutes=1)
    assert running.services.processor.drain(until) == 1
    running.services.deliverer.drain(until)
    return str(made["id"])


def test_the_click_of_the_link_is_what_the_order_is_reported_with(running: Running) -> None:
    link = "https://shop.example.com/products/juice?utm_source=x&im_ref="
    checkout = browse(running, f"{link}First-Click", f"{link}wXy~7Q%3ANewer.Click")
    key = buy(running, checkout)

    file = running.services.orders.show(running.store.id, key)
    assert file is not None
    assert (file.summary.verdict, file.summary.click_id) == ("reported", "wXy~7Q:Newer.Click")
    [used] = [one for one in file.evidence["carriers"] if one["used"]]
    assert (used["carrier"], used["name"]) == ("cart_attribute", "im_ref")
    [step] = file.steps
    assert ["ClickId", "wXy~7Q:Newer.Click"] in [list(pair) for pair in step.form]
    assert len(running.network.books.actions_of_order(key)) == 1


def test_a_visitor_who_takes_consent_back_takes_the_click_back(running: Running) -> None:
    checkout = browse(running, "https://shop.example.com/?im_ref=Click-1", "")
    key = buy(running, checkout)

    file = running.services.orders.show(running.store.id, key)
    assert file is not None
    assert (file.summary.verdict, file.summary.reason) == ("withheld", "no_click_or_code")
    assert running.network.books.actions_of_order(key) == []
    assert file.evidence["carriers"] == []
