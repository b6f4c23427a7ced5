"""The app on loopback, installed in a pretend Saleor as its dashboard does it, with a pretend impact.com."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from impact_app import create_app
from impact_app.config import read_config
from impact_app.ledger.stores import Store
from impact_app.simulator.network import RunningNetwork, running_network
from impact_app.simulator.saleor.server import PretendSaleor, running_saleor
from impact_app.wiring import Services


@dataclass(frozen=True)
class Running:
    """The app at `url`, the Saleor it is installed in, and the network it reports to."""

    url: str
    services: Services
    shop: PretendSaleor
    network: RunningNetwork

    @property
    def store(self) -> Store:
        found = self.services.stores.find("saleor", self.shop.domain)
        assert found is not None
        return found

    def configure(self) -> None:
        """Save an account at the pretend impact.com."""
        setup = self.network.books.setup
        self.services.stores.save_settings(
            self.store.id,
            account_sid=setup.sid,
            auth_token="pretend-auth-token",
            campaign_id=str(setup.campaigns[0].id),
            event_type_id=str(setup.event_types[0].id),
        )


@contextmanager
def installed_app(folder: Path) -> Iterator[Running]:
    """The app, until the block ends."""
    with running_network() as network, running_saleor() as shop:
        server = make_server("127.0.0.1", 0, _nothing_yet, threaded=True, request_handler=_Quiet)
        url = f"http://127.0.0.1:{server.port}"
        environ = {
            "INSTANCE_PATH": str(folder),
            "APP_URL": url,
            "IMPACT_API_URL": network.url,
            "REDIS_URL": f"unix://{folder}/nobody.sock",
            "SALEOR_ALLOWED_HOSTS": shop.url,
        }
        services = Services(read_config(environ))
        server.app = create_app(services)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            answer = shop.install(f"{url}/saleor/manifest")
            assert answer.status_code == 200, answer.text
            yield Running(url, services, shop, network)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            services.database.close()


def _nothing_yet(*_: Any) -> list[bytes]:
    raise AssertionError("The server was asked before it had its app.")


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None: ...
