"""Every box of every page has a label and its paragraph, and the paragraph stands in the documents, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from impact_app.domain.messages import Digest
from impact_app.domain.programs import AccountCheck, EventType, Program, Told
from impact_app.ledger.stores import Store
from impact_app.wiring import Services
from tests.web.conftest import HTML, SID, FixedClock, add_order

MERCHANTS = Path(__file__).resolve().parents[2] / "docs" / "merchants"

#: Every page of a store, as its addresses name it; a page that is added is tried without standing here.
NOT_PAGES = re.compile(r"\.csv|\.json|<|/static/|/verdict$")


class Boxes(HTMLParser):
    """The boxes of a page that a person fills, the labels, and the text of whatever has an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.boxes: list[dict[str, str]] = []
        self.labels: set[str] = set()
        self.texts: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        got = {name: text or "" for name, text in attrs}
        if tag in ("input", "select", "textarea") and got.get("type") != "hidden":
            self.boxes.append(got)
        if tag == "label":
            self.labels.add(got.get("for", ""))
        if tag not in ("input", "link", "meta", "br", "img"):
            self._open.append((tag, got.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data


def documented() -> str:
    """What merchants can read, without the signs that only set it."""
    return plain(" ".join(page.read_text(encoding="utf-8") for page in MERCHANTS.glob("*.md")))


def plain(text: str) -> str:
    return re.sub(r"[\s`*\\]+", " ", text).strip()


@pytest.fixture
def filled(services: Services, store: Store, clock: FixedClock) -> Store:
    """A store with which every box of every page is shown, but those that stand in for others."""
    services.stores.save_settings(
        store.id, account_sid=SID, auth_token="t", campaign_id="1", event_type_id="2"
    )
    add_order(services, store, "900", number="1001", partner_name="Blog")
    services.channels.save(store.id, ["ann@shop.test"], "https://hooks.test/T1", Digest.DAILY, None)
    known = services.stores.get(store.id)
    assert known is not None
    told = Told(
        SID,
        "1",
        clock(),
        AccountCheck("works", ""),
        programs=(Program("1", "Shop", "ACTIVE"),),
        event_types=(EventType("2", "Sale"),),
    )
    assert services.setups.save(known, told)
    return known


def addresses(client: FlaskClient, store: Store) -> Iterator[str]:
    """Every page that can be opened by its address alone, each way a store may stand."""
    for rule in client.application.url_map.iter_rules():
        if rule.endpoint.startswith("store.") and "GET" in (rule.methods or ()):
            path = rule.rule.replace("<int:store_id>", str(store.id))
            if not NOT_PAGES.search(path):
                yield path


def found(client: FlaskClient, address: str) -> Boxes:
    answer = client.get(address, headers=HTML)
    assert answer.status_code == 200, address
    return Boxes(answer.get_data(as_text=True))


def faults(page: Boxes) -> list[str]:
    text = documented()
    missing = []
    for box in page.boxes:
        helps = [page.texts.get(one, "") for one in box.get("aria-describedby", "").split()]
        if box.get("id") not in page.labels:
            missing.append(f"{box.get('name')}: no label")
        # What is only said of this store, such as that a token is stored, follows the paragraph.
        if not helps or not any(_is_documented(plain(one), text) for one in helps):
            missing.append(f"{box.get('name')}: no paragraph, or none that the documents have")
    return missing


def _is_documented(paragraph: str, text: str) -> bool:
    first = re.split(r"(?<=[.:]) (?=[A-Z])", paragraph)[0]
    return bool(first) and first in text


def test_every_box_is_labelled_and_explained_in_place_and_in_the_documents(
    signed_in: FlaskClient, filled: Store
) -> None:
    boxes = 0
    for address in addresses(signed_in, filled):
        page = found(signed_in, address)
        assert faults(page) == [], address
        boxes += len(page.boxes)
    # eight of the filter, four of alerts, all rules, four of the account twice, one of the test order
    assert boxes > 40


def test_a_new_store_and_a_stranger_have_everything_explained(
    client: FlaskClient, signed_in: FlaskClient, store: Store
) -> None:
    for address in addresses(signed_in, store):
        assert faults(found(signed_in, address)) == [], address
    client.delete_cookie("session")
    page = found(client, "/")
    assert [box["name"] for box in page.boxes] == ["password"]
    assert faults(page) == []
