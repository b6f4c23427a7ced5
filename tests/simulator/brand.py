"""A brand's server in the tests: it calls the pretend network over real HTTP and reads its books."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from impact_app.simulator.network import RunningNetwork, Setup, running_network

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is told to go on."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **duration: float) -> None:
        self.now += timedelta(**duration)


def conversion(without: tuple[str, ...] = (), **changes: object) -> dict[str, str]:
    """The network's own worked example: 2 units for 28.00 and 3 for 99.00, 15.00 off the order.

    Fields named in `without` are left out of it before the changes are made.
    """
    form: dict[str, object] = {
        "CampaignId": 1000,
        "EventTypeId": 9876,
        "EventDate": "2026-11-20T12:00:00+01:00",
        "OrderId": "450789469",
        "ClickId": "SKhRQaSXwxyOUQ3",
        "CustomerId": "115310627314723954",
        "CustomerEmail": "40bd001563085fc35165329ea1ff5c5ecbdbbeef",
        "CustomerStatus": "NEW",
        "CurrencyCode": "EUR",
        "OrderPromoCode": "WELCOME10",
        "OrderDiscount": "15.00",
        "ItemSku1": "AB-1",
        "ItemName1": "Garden hose",
        "ItemCategory1": "Gardening",
        "ItemQuantity1": 2,
        "ItemSubTotal1": "28.00",
        "ItemSku2": "CD-2",
        "ItemName2": "Spade",
        "ItemCategory2": "Tools",
        "ItemQuantity2": 3,
        "ItemSubTotal2": "99.00",
    }
    kept = {name: value for name, value in form.items() if name not in without}
    return {name: str(value) for name, value in (kept | changes).items()}


@dataclass
class Brand:
    """Calls one network with one token."""

    network: RunningNetwork
    clock: Clock
    token: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        setup = self.network.books.setup
        self.session.auth = (setup.sid, self.token or setup.token)
        self.session.headers["Accept"] = "application/json"

    @property
    def base(self) -> str:
        return f"{self.network.url}/Advertisers/{self.network.books.setup.sid}"

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", timeout=more.pop("timeout", 10), **more)

    def get(self, path: str, **parameters: object) -> requests.Response:
        return self.call("GET", path, params=parameters)

    def submit(self, without: tuple[str, ...] = (), **changes: object) -> requests.Response:
        return self.call("POST", "Conversions", data=conversion(without, **changes))

    def result(self, answer: requests.Response) -> dict[str, Any]:
        """Look up what became of a queued call."""
        assert answer.json()["Status"] == "QUEUED", answer.text
        record: dict[str, Any] = self.session.get(
            self.network.url + answer.json()["QueuedUri"], timeout=10
        ).json()
        return record

    def reason(self, answer: requests.Response) -> str:
        reason: str = self.result(answer)["ErrorReason"]
        return reason

    def change(self, **fields: object) -> requests.Response:
        return self.call("PUT", "Actions", data={"Reason": "ORDER_UPDATE", **self._order(), **fields})

    def reverse(self, **fields: object) -> requests.Response:
        return self.call("DELETE", "Actions", data={"DispositionCode": "REJECTED", **self._order(), **fields})

    def _order(self) -> Mapping[str, object]:
        return {"ActionTrackerId": 9876, "OrderId": "450789469"}

    def books(self) -> dict[str, Any]:
        document: dict[str, Any] = self.session.get(
            f"{self.network.url}/_simulator/books.json", timeout=10
        ).json()
        return document

    def action(self) -> dict[str, Any]:
        (only,) = self.books()["actions"]
        assert isinstance(only, dict)
        return only

    def tell(self, what: str, **document: object) -> requests.Response:
        return self.session.post(f"{self.network.url}/_simulator/{what}", json=document, timeout=10)


@contextmanager
def brand(setup: Setup | None = None, token: str = "") -> Iterator[Brand]:
    clock = Clock()
    with running_network(setup or Setup(), clock=clock) as network:
        caller = Brand(network, clock, token)
        with caller.session:
            yield caller
