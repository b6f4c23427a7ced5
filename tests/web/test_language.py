"""German is whole: each text has its words, with the same values in them, and pages use no others."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient

from impact_app.domain.alerts import Cause
from impact_app.domain.attention import causes
from impact_app.domain.messages import Digest
from impact_app.domain.reasons import EXPLANATIONS, Reason
from impact_app.ledger.acts import Act
from impact_app.ledger.acts import record as record_act
from impact_app.ledger.alerts import over, raise_
from impact_app.ledger.stores import Store, Tokens
from impact_app.simulator.saleor.dashboard import user_token
from impact_app.simulator.saleor.server import PretendSaleor
from impact_app.simulator.shopify.oauth import launch_query
from impact_app.simulator.shopify.store import PretendStore
from impact_app.web.catalogue import FOLDER, mo_bytes, po_bytes, texts, untranslated, updated
from impact_app.web.language import LANGUAGES
from impact_app.web.orders import DOINGS
from impact_app.web.words import day, minor, moment, money, translated, words
from impact_app.wiring import Services
from tests.web.conftest import (
    HTML,
    SID,
    FixedClock,
    add_attempt,
    add_delivery,
    add_order,
    add_step,
    connect_saleor,
    page_of,
)
from tests.web.test_orders_pages import EVIDENCE
from tests.web.test_tenants import readable_snapshot

APP = Path(__file__).resolve().parents[2] / "impact_app"

#: What German says in the same letters.
THE_SAME = {"Partner", "SKU", "Status %(code)s", "Storefront", "Version %(version)s", "Webhook"}

OTHERS = pytest.mark.parametrize("language", LANGUAGES[1:])
MEND = "run `python -m impact_app.web.catalogue`, and translate what it names in translations/*/messages.po"


# The files


def file_of(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / "messages.po"


def kept(language: str) -> Catalog:
    return read_po(io.BytesIO(file_of(language).read_bytes()), locale=language)


def pairs(catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Each text with its words, plural forms one by one."""
    for message in catalog:
        if message.id:
            told = [message.id] if isinstance(message.id, str) else message.id
            said = [message.string] if isinstance(message.string, str) else message.string
            yield from zip(told, said, strict=True)


@OTHERS
def test_the_catalogue_is_up_to_date_and_whole(language: str) -> None:
    catalog = updated(language, texts())
    assert untranslated(catalog) == [], MEND
    assert file_of(language).read_bytes() == po_bytes(catalog), MEND
    assert file_of(language).with_suffix(".mo").read_bytes() == mo_bytes(kept(language)), MEND


@OTHERS
def test_translations_hold_the_same_values(language: str) -> None:
    values = re.compile(r"%\(\w+\)s|%%|%")
    assert [
        (text, said)
        for text, said in pairs(kept(language))
        if sorted(values.findall(text)) != sorted(values.findall(said))
    ] == []


@OTHERS
def test_translations_end_as_the_text_does(language: str) -> None:
    """Texts are put one after the other, so that a full stop that is lost runs two sentences together."""
    ends = (".", ":", "?", "!")
    assert [
        (text, said)
        for text, said in pairs(kept(language))
        if text.endswith(ends) != said.endswith(ends) or text[:1].isspace() or said != said.strip()
    ] == []


@OTHERS
def test_no_translation_is_the_english_text(language: str) -> None:
    value = re.compile(r"%\(\w+\)s")
    same = {text for text, said in pairs(kept(language)) if text == said}
    assert {text for text in same if re.search("[a-zA-Z]", value.sub("", text))} == THE_SAME


# What the app says


#: Speak to programs, whoever runs the app, or nobody.
SILENT = {
    "catalogue.py",
    "headers.py",
    "health.py",
    "saleor.py",
    "sentences.py",
    "storefront.py",
    "webhooks.py",
}
#: Make sentences that pages show.
SPEAKING = (
    *(f"domain/{name}.py" for name in ("alerts", "attribution", "drift", "figures", "plan", "rules")),
    *("domain/takeover.py", "domain/verification.py", "transports/api/account.py"),
    *("pipeline/by_hand.py", "pipeline/capture.py", "pipeline/messages.py", "mail.py"),
)
#: Parts of no sentence that is shown.
NO_SENTENCES = re.compile(
    r"[<%].*|attachment; .*|Authorization, .*|.*'(none|self)'.*|There is no rule|; the rules are"
    r"|the ticket .*|Shopify user"
)


def pieces(file: Path) -> Iterator[str]:
    """The parts of the texts in a file's code that are long enough to be known again."""
    tree = ast.parse(file.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            # What joins two sentences of a text stands in the catalogue with neither.
            for part in re.split(r"(?<=[.:]) (?=[A-Z])", node.value):
                if len(part.strip()) > 11 and " " in part.strip():
                    yield part.strip()


def test_each_sentence_that_pages_may_show_is_in_the_catalogue() -> None:
    known = "\n".join(text.replace("%%", "%") for text, _ in pairs(kept("de")))
    files = [file for file in sorted((APP / "web").glob("*.py")) if file.name not in SILENT]
    files += [APP / name for name in SPEAKING]
    assert [
        (file.name, piece)
        for file in files
        for piece in pieces(file)
        if piece not in known and not NO_SENTENCES.fullmatch(piece)
    ] == [], "put it into a table that web/catalogue.py collects, or its pattern into web/sentences.py"


@pytest.fixture
def german(app: Flask) -> Iterator[None]:
    with app.test_request_context("/?locale=de"):
        yield


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Placed 91 days before.", "Vor 91 Tagen eingegangen."),
        (
            "Locked since 2026-11-01. impact.com holds 1234.50 EUR, the order is worth 1000.00 EUR: "
            "234.50 EUR too much.",
            "Gesperrt seit 1. Nov. 2026. impact.com führt 1.234,50 EUR, die Bestellung ist 1.000,00 EUR "
            "wert: 234,50 EUR zu viel.",
        ),
        (
            "MUG, TEA: 12.00 EUR. They are reported once they are paid.",
            "MUG, TEA: 12,00 EUR. Sie werden gemeldet, sobald sie bezahlt sind.",
        ),
        (
            "Item MUG: reported 2 for 20.00, impact.com holds none. 20.00 EUR too little.",
            "Artikel MUG: gemeldet 2 für 20,00, impact.com führt nichts. 20,00 EUR zu wenig.",
        ),
        (
            "CONV_MALFORMED: The data or the click cannot be read. NEW_ONE: impact.com does not explain "
            "this code.",
            "CONV_MALFORMED: Die Daten oder der Klick sind nicht lesbar. NEW_ONE: impact.com erklärt "
            "diesen Code nicht.",
        ),
        (
            "Of the last 3 days' orders 5.2% carry a click; usually 40.0% do. About 1,041 orders, "
            "3,120.50 EUR, 12,000 JPY would have carried one and do not.",
            "Von den Bestellungen der letzten 3 Tage tragen 5,2 % einen Klick; üblich sind 40,0 %. Etwa 1041 "
            "Bestellungen, 3.120,50 EUR, 12.000 JPY hätten einen getragen und tragen keinen.",
        ),
        (
            "1 order, 12.00 EUR waits: impact.com refused a field of the conversion. (ItemSku1: is missing) "
            "Correct what is named, then replay.",
            "1 Bestellung, 12,00 EUR wartet: impact.com hat ein Feld der Conversion abgelehnt. (ItemSku1: is "
            "missing) Berichtigen Sie, was genannt ist, und beurteilen Sie die Bestellung dann neu.",
        ),
        (
            "Nothing has arrived since 01 Nov 2026, 12:00 UTC. Usually about 2 orders would have come.",
            "Seit 1. Nov. 2026, 12:00 UTC ist nichts eingetroffen. Üblich wären etwa 2 Bestellungen gewesen.",
        ),
        (
            "impact.com holds 3 orders otherwise than reported. (3 orders, 9.50 EUR)",
            "impact.com führt 3 Bestellungen anders als gemeldet. (3 Bestellungen, 9,50 EUR)",
        ),
        (
            "“Text field for all promo codes” takes a whole number from 1 to 50, not '0'.",
            "„Textfeld für alle Gutscheincodes“ nimmt eine ganze Zahl von 1 bis 50, nicht '0'.",
        ),
        ("What a network said itself, 12.00 EUR.", "What a network said itself, 12.00 EUR."),
        ("none", "keiner"),
        ("", ""),
    ],
)
def test_sentences_with_values_are_told_in_german(german: None, text: str, told: str) -> None:
    assert translated(text) == told


def test_the_same_sentences_stay_as_they_are_in_english(app: Flask) -> None:
    with app.test_request_context("/"):
        for text in ("Locked since 2026-11-01.", "12.00 EUR too much.", "Placed 91 days before."):
            assert translated(text) == text


def test_amounts_and_days_are_told_in_german(german: None, clock: FixedClock) -> None:
    assert money("1234.5", "EUR") == "1.234,50 EUR"
    assert minor(-123456789, "EUR") == "-1.234.567,89 EUR"
    assert money(None, "EUR") == "unbekannt"
    assert moment(clock()) == "20. Nov. 2026, 12:00 UTC"
    assert day(clock().date()) == "20. Nov. 2026"
    assert words("no_click_or_code") == "Weder Klick noch Code"


# The pages


class Shown(HTMLParser):
    """What a reader sees or hears of a page, text by text; what is marked as code is nobody's language."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._quiet = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._quiet += tag in ("code", "pre", "style", "script")
        heard = ("aria-label", "title", "placeholder", "alt", "data-label")
        self.texts += [value or "" for name, value in attrs if name in heard]

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("code", "pre", "style", "script")

    def handle_data(self, data: str) -> None:
        if not self._quiet and data.strip():
            self.texts.append(" ".join(data.split()))


#: Words that hardly an English sentence does without, and that no German one has.
ENGLISH = re.compile(r"\b(the|and|is|are|of|to|with|not|has|this|that|your|you|for|from|by)\b", re.IGNORECASE)

#: What pages show word for word, as others wrote it.
OF_OTHERS = ("ItemSku1: is missing",)


def english_in(html: str, german: dict[str, str]) -> list[str]:
    """The texts of a page that are English, or a text of the catalogue that German tells otherwise."""
    found = []
    for text in Shown(html).texts:
        said = text
        for other in OF_OTHERS:
            said = said.replace(other, "")
        if ENGLISH.search(said) or german.get(said.strip(" :,.()"), said) != said:
            found.append(text)
    return found


@pytest.mark.parametrize(
    ("language", "typed", "found"),
    [
        ("de", "1.234,50", ["/1"]),
        ("de", "1234,5", ["/1"]),
        ("de", "1.234", ["/1"]),
        ("de", "49.90", ["/1", "/2"]),
        ("en", "1,234.50", ["/1"]),
        ("en", "1.234", ["/1", "/2"]),
        ("en", "1234.50", ["/1"]),
    ],
)
def test_an_amount_is_read_as_the_language_writes_it(
    signed_in: FlaskClient, services: Services, store: Store, language: str, typed: str, found: list[str]
) -> None:
    add_order(services, store, "1", net_minor=123450)
    add_order(services, store, "2", net_minor=4990)
    headers = {**HTML, "Accept-Language": language}
    answer = signed_in.get(f"/stores/{store.id}/orders", query_string={"least": typed}, headers=headers)
    links = [link[-2:] for link in page_of(answer).links if "/orders/" in link]
    assert sorted(links) == found


@pytest.fixture
def german_words() -> dict[str, str]:
    """Each text that stands alone on pages, with German's words for it."""
    found = {text: said for text, said in pairs(kept("de")) if text != said}
    # German words, too.
    return {text: said for text, said in found.items() if text not in {"Status", "an"}}


TOLD = "The platform's record of the visits before the order has it."
SUMS = "The items come to 1.00 EUR as ordered; the store says 2.00 EUR."
SAID = {
    **EVIDENCE,
    "carriers": [
        {
            **one,
            "fault": "it came after the order was reported",
            "told": TOLD,
        }
        for one in EVIDENCE["carriers"]
    ],
    "sums": {**EVIDENCE["sums"], "fault": SUMS},
}


def fill(services: Services, store: Store) -> None:
    """One of everything that pages show: each reason, each kind of call, alerts, messages, acts."""
    services.stores.save_settings(
        store.id,
        account_sid=SID,
        auth_token="t",
        campaign_id="1",
        event_type_id="2",
        rules={"drafts": "report"},
    )
    services.stores.save_rules(store.id, {}, by="Ann", now=services.clock())
    for number, reason in enumerate(Reason):
        verdict = EXPLANATIONS[reason].verdict
        if verdict is not None:
            add_order(
                services,
                store,
                f"{900 + number}",
                verdict=verdict,
                reason=reason,
                detail=SUMS,
                evidence=SAID,
                carrier="stored_click" if number % 2 else "cart_attribute",
                net_minor=123456,
                snapshot=readable_snapshot(),
            )
    told = {"detail": SUMS, "evidence": SAID, "snapshot": readable_snapshot()}
    order_id = add_order(services, store, "1", verdict="attention", reason="invalid_field", **told)
    for step_kind, state in (
        ("submit", "accepted"),
        ("modify", "rejected"),
        ("reverse", "gave_up"),
        ("restore", "pending"),
    ):
        step_id = add_step(services, store, order_id, kind=step_kind, state=state)
        add_attempt(services, step_id, detail="The answer is not the documented one.")
        add_attempt(services, step_id)
    failed = "The app failed on it (KeyError) and will try again; see its log."
    add_delivery(services, store, order_key="1", detail=failed)
    with services.database.write() as connection:
        for act in Act:
            record_act(connection, store.id, act, "Ann", services.clock(), order_key="1")
        for cause in Cause:
            words = "Nothing has arrived since 01 Nov 2026, 12:00 UTC."
            raise_(connection, store.id, cause, "", words, "3 orders, 12.00 EUR", services.clock())
        over(connection, store.id, Cause.DRIFT, "", services.clock())
    services.channels.save(store.id, ["ann@shop.test"], "https://hooks.test/T1", Digest.DAILY, None)
    link = f"https://{store.domain}/?im_ref=test-1"
    services.trials.begin(store.id, 0, "test-1", link, "admin password", services.clock(), is_own=True)


def paths(app: Flask, door: str, **values: object) -> list[str]:
    """Every page behind a door that a link opens, as seen of an order with everything."""
    adapter = app.url_map.bind("localhost")
    given = {"order_key": "1", "act": list(DOINGS), **values}
    found = [
        adapter.build(rule.endpoint, {name: act if name == "act" else given[name] for name in rule.arguments})
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(f"{door}.")
        and "GET" in (rule.methods or ())
        and rule.arguments <= set(given)
        and not rule.rule.endswith((".csv", ".json"))
        for act in (DOINGS if "act" in rule.arguments else [""])
    ]
    assert len(found) > 10
    return found


def check_pages(get: Callable[[str], str], pages: list[str], german: dict[str, str]) -> None:
    for path in pages:
        html = get(path)
        assert '<html lang="de">' in html, path
        assert english_in(html, german) == [], path


def test_behind_the_password_pages_speak_the_browsers_language(
    signed_in: FlaskClient, app: Flask, services: Services, store: Store, german_words: dict[str, str]
) -> None:
    headers = {**HTML, "Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}

    def get(path: str) -> str:
        return signed_in.get(path, headers=headers).get_data(as_text=True)

    pages = paths(app, "store", store_id=store.id)
    check_pages(get, pages[:5], german_words)
    fill(services, store)
    services.stores.connect("shopify", "two.myshopify.com", Tokens("pasted", "t"), now=services.clock())
    listed = [f"/stores/{store.id}/orders/{900 + number}" for number in (0, 10, 20, 30)]
    check_pages(get, ["/", *pages, *listed, "/nothing", f"/stores/{store.id}/orders?first=x"], german_words)
    assert "1.234,56 EUR" in get(f"/stores/{store.id}/orders")

    french = signed_in.get("/nothing", headers={**HTML, "Accept-Language": "fr"}).get_data(as_text=True)
    assert '<html lang="en">' in french


def test_answers_to_forms_are_german_too(
    signed_in: FlaskClient, services: Services, store: Store, german_words: dict[str, str]
) -> None:
    fill(services, store)
    headers = {**HTML, "Accept-Language": "de"}
    base = f"/stores/{store.id}"
    token = page_of(signed_in.get(f"{base}/rules", headers=headers)).fields["csrf_token"]
    wrong = {"rule.codes_field": "0", "rule.routes": "?", "rule.domains": "?", "rule.send": "?"}
    for path, sent in (
        ("/settings", {"account_sid": "IR 1", "auth_token": "", "campaign_id": "x", "event_type_id": "x"}),
        (
            "/settings",
            {"account_sid": "IRunknown", "auth_token": "x", "campaign_id": "1", "event_type_id": "2"},
        ),
        ("/rules", wrong),
        ("/rules", {"preview": "1", "rule.send": "all"}),
        ("/rules", {"rule.send": "all"}),
        ("/rules", {"rule.send": "all", "version": str(store.rules_version)}),
        ("/rules/1", {}),
        ("/alerts", {"addresses": "x", "digest": "?"}),
        ("/alerts", {"addresses": "ann@shop.test"}),
        ("/alerts/test", {}),
        ("/setup", {"step": "account", "account_sid": "?", "auth_token": ""}),
        ("/setup", {"step": "check"}),
        ("/setup", {"step": "window"}),
        ("/setup", {"step": "?"}),
        ("/trial", {"act": "begin", "shown": "1", "link": "https://elsewhere.test/"}),
        ("/trial", {"act": "begin", "shown": "0", "link": "https://one.myshopify.com/"}),
        ("/trial", {"act": "?"}),
        ("/attention", {"cause": "gone"}),
        *(("/attention", {"cause": one.key}) for one in causes(services.orders.held(store.id)) * 2),
        *((f"/orders/1/{act}", {}) for act in ("resend", "take_back")),
        ("/orders/1/nothing", {}),
    ):
        answer = signed_in.post(base + path, data={**sent, "csrf_token": token}, headers=headers)
        html = answer.get_data(as_text=True)
        assert answer.status_code < 500
        assert '<html lang="de">' in html, (path, sent)
        assert english_in(html, german_words) == [], (path, sent)


def test_inside_shopify_pages_speak_the_users_language_and_keep_it(
    client: FlaskClient, app: Flask, services: Services, pretend: PretendStore, german_words: dict[str, str]
) -> None:
    shop = services.stores.connect("shopify", pretend.domain, Tokens("pasted", "t"), now=services.clock())
    fill(services, shop)
    headers = {**HTML, "Accept-Language": "en"}

    def query() -> str:
        return launch_query(pretend).replace("locale=en", "locale=de-DE")

    def get(path: str) -> str:
        return client.get(f"{path}?{query()}", headers=headers).get_data(as_text=True)

    check_pages(get, paths(app, "embedded"), german_words)
    links = page_of(client.get(f"/shopify/?{query()}", headers=headers)).links
    followed = [link for link in links if link.startswith("/shopify/")]
    assert len(followed) > 5
    check_pages(
        lambda link: client.get(link, headers=headers).get_data(as_text=True), followed[:6], german_words
    )
    assert '<html lang="de">' in client.get(
        f"/shopify/session-token?shop={pretend.domain}&locale=de", headers=headers
    ).get_data(as_text=True)


def test_inside_saleors_dashboard_pages_speak_its_users_language(
    client: FlaskClient,
    app: Flask,
    services: Services,
    saleor: PretendSaleor,
    clock: FixedClock,
    german_words: dict[str, str],
) -> None:
    shop = connect_saleor(services, saleor)
    fill(services, shop)
    headers = {**HTML, "Accept-Language": "en"}

    def get(path: str) -> str:
        token = user_token(saleor, now=clock())
        sent = {"token": token, "saleorApiUrl": saleor.api_url, "reload": path, "locale": "de"}
        taken = client.post("/saleor/session-token", data=sent, headers=headers)
        assert urlsplit(taken.headers["Location"]).path == path
        return client.get(taken.headers["Location"], headers=headers).get_data(as_text=True)

    check_pages(get, paths(app, "dashboard"), german_words)
    asked = client.get(
        "/saleor/session-token",
        query_string={"saleorApiUrl": saleor.api_url, "locale": "de"},
        headers=headers,
    )
    assert english_in(asked.get_data(as_text=True), german_words) == []
