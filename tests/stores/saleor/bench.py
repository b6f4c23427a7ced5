"""The line with a pretend Saleor connected to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from impact_app.ledger.stores import Store, Tokens
from impact_app.simulator.saleor.deliveries import APP_ID, VERSION, headers
from impact_app.simulator.saleor.orders import Body, LineSpec, OrderSpec, order
from tests.line import Bench

API_URL = "https://shop.example.com/graphql/"
DOMAIN = "shop.example.com"


def connect(
    bench: Bench,
    keys: Sequence[Mapping[str, Any]],
    *,
    token: str = "app-token",
    api_url: str = API_URL,
    **rules: str,
) -> Store:
    """Connect the pretend Saleor as an installation does, and configure it."""
    kept = [{name: key[name] for name in ("kid", "n", "e")} for key in keys]
    facts = {"api_url": api_url, "app_id": APP_ID, "version": VERSION, "keys": kept}
    domain = api_url.split("/")[2]
    store = bench.line.stores.connect(
        "saleor", domain, Tokens("offline", token), now=bench.clock(), installation=facts
    )
    bench.configure(store, **rules)
    found = bench.line.stores.get(store.id)
    assert found is not None
    return found


def paid(bench: Bench, *lines: LineSpec, **fields: Any) -> Body:
    """A paid order with a click, placed five minutes ago."""
    bench.placed += 1
    spec = OrderSpec(
        lines=lines or (LineSpec(),),
        metadata=(("im_ref", f"click-{bench.placed}"),),
        created=bench.clock() - timedelta(minutes=5),
        order_uuid=uuid.UUID(int=bench.placed),
        number=str(bench.placed),
    )
    return order(replace(spec, **fields))


def deliver(
    bench: Bench,
    body: bytes,
    *,
    key: str = "current",
    topic: str = "order_updated",
    api_url: str = API_URL,
    **changed: str | None,
) -> TestResponse:
    """Deliver a body signed with the key of this name, or with `none`; `changed` alters headers."""
    sent: dict[str, str | None] = dict(headers(topic, api_url, body, key))
    if key == "none":
        changed = {**changed, "Signature": None}
    for name, value in changed.items():
        for prefix in ("Saleor-", "X-Saleor-"):
            sent[prefix + name.replace("_", "-")] = value
    kept = {name: value for name, value in sent.items() if value is not None}
    return bench.client.post("/saleor/webhooks", data=body, headers=kept)
