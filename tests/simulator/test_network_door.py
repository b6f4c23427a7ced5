"""Who is let in: credentials, scopes, agencies, versions, formats, rate limits."""

import dataclasses
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
import requests

from impact_app.simulator.network import Account, Agency, Setup, Token

from .brand import NOON, Brand, brand, conversion

SETUP = Setup()


@pytest.fixture(scope="module")
def shared():
    narrow = (Token("programs-only", ("Programs",)), Token("contracts-only", ("Contracts",)))
    account = dataclasses.replace(Account(), tokens=(*Account().tokens, *narrow))
    with brand(Setup(rate_limit=None, accounts=(account,))) as caller:
        yield caller


@pytest.fixture
def caller(shared: Brand):
    shared.network.books.reset()
    return shared


def post(caller: Brand, path: str, auth: tuple[str, str] | None) -> requests.Response:
    headers = {"Accept": "application/json"}
    return requests.post(caller.network.url + path, data=conversion(), auth=auth, headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("sid", "auth"),
    [
        (SETUP.sid, None),
        (SETUP.sid, (SETUP.sid, "wrong")),
        (SETUP.sid, (SETUP.sid.lower(), SETUP.token)),
        (SETUP.sid, ("", SETUP.token)),
        ("IRUnknown", (SETUP.sid, SETUP.token)),
        ("IRUnknown", ("IRUnknown", SETUP.token)),
    ],
)
def test_wrong_credentials_are_401_and_nothing_is_booked(caller: Brand, sid, auth):
    answer = post(caller, f"/Advertisers/{sid}/Conversions", auth)
    assert answer.status_code == 401
    assert answer.json()["Status"] == "ERROR"
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert caller.books()["submissions"] == []


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Bearer abc"])
def test_unreadable_credentials_are_401(caller: Brand, header: str):
    answer = requests.get(f"{caller.base}/Campaigns", headers={"Authorization": header}, timeout=10)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("token", "method", "path", "status"),
    [
        ("pretend-conversions-token", "POST", "Conversions", 200),
        ("pretend-conversions-token", "GET", "CompanyInformation", 403),
        ("pretend-conversions-token", "GET", "Actions?CampaignId=1000", 403),
        ("pretend-conversions-token", "GET", "APISubmissions", 403),
        ("pretend-conversions-token", "GET", "PromoCodes", 403),
        ("pretend-conversions-token", "GET", "Campaigns", 403),
        ("pretend-conversions-token", "GET", "Campaigns/1000/Contracts", 403),
        ("programs-only", "GET", "Campaigns/1000", 200),
        ("programs-only", "GET", "Campaigns/1000/Contracts", 403),
        ("contracts-only", "GET", "Campaigns/1000/Contracts", 200),
        ("contracts-only", "GET", "Campaigns/1000", 403),
        ("pretend-conversions-token", "PUT", "Actions", 403),
        ("pretend-read-only-token", "GET", "CompanyInformation", 200),
        ("pretend-read-only-token", "GET", "Actions?CampaignId=1000", 200),
        ("pretend-read-only-token", "POST", "Conversions", 403),
        ("pretend-read-only-token", "DELETE", "Actions", 403),
        ("pretend-disabled-token", "GET", "CompanyInformation", 403),
    ],
)
def test_a_token_does_what_its_scope_allows(caller: Brand, token, method, path, status):
    data = conversion() if path == "Conversions" else {}
    answer = requests.request(method, f"{caller.base}/{path}", data=data, auth=(SETUP.sid, token), timeout=10)
    assert answer.status_code == status
    assert len(caller.books()["submissions"]) == (1 if (method, status) == ("POST", 200) else 0)


def test_a_disabled_account_is_403():
    setup = Setup(accounts=(dataclasses.replace(Account(), disabled=True),))
    with brand(setup) as caller:
        assert caller.get("CompanyInformation").status_code == 403


def test_an_agency_reaches_the_accounts_it_manages():
    agencies = (Agency("IRAgency", "a-token", (SETUP.sid,)), Agency("IROther", "o-token", ("IRNobody",)))
    with brand(Setup(agencies=agencies)) as caller:
        brand_path = f"Advertisers/{SETUP.sid}/Conversions"
        taken = post(caller, f"/Agencies/IRAgency/{brand_path}", ("IRAgency", "a-token"))
        assert taken.status_code == 200
        # The record lies at the brand's own path.
        assert taken.json()["QueuedUri"].startswith(f"/Advertisers/{SETUP.sid}/APISubmissions/")
        assert post(caller, f"/Agencies/IROther/{brand_path}", ("IROther", "o-token")).status_code == 403
        assert post(caller, f"/Agencies/IRAgency/{brand_path}", ("IRAgency", "wrong")).status_code == 401
        assert post(caller, f"/Agencies/IRAgency/{brand_path}", (SETUP.sid, SETUP.token)).status_code == 401
        assert post(caller, f"/{brand_path}", ("IRAgency", "a-token")).status_code == 401
        assert caller.action()["account"] == SETUP.sid
        calls = caller.books()["calls"]["by_resource"]
        assert calls == {"POST Conversions": 5}


def test_json_is_answered_for_the_header_or_the_suffix_and_xml_otherwise(caller: Brand):
    auth = (SETUP.sid, SETUP.token)
    by_suffix = requests.post(f"{caller.base}/Conversions.json", data=conversion(), auth=auth, timeout=10)
    assert by_suffix.json()["Status"] == "QUEUED"
    plain = requests.post(f"{caller.base}/Conversions", data=conversion(OrderId="2"), auth=auth, timeout=10)
    assert plain.headers["Content-Type"].startswith("application/xml")
    root = ET.fromstring(plain.content)
    assert root.tag == "ImpactRadiusResponse"
    assert root.findtext("Status") == "QUEUED"
    refused = requests.post(f"{caller.base}/Conversions", data={"Note": "<&\x0b"}, auth=auth, timeout=10)
    assert ET.fromstring(refused.content).findtext("Status") == "ERROR"
    listed = ET.fromstring(requests.get(f"{caller.base}/APISubmissions", auth=auth, timeout=10).content)
    assert (listed.get("total"), len(listed.findall("APISubmission"))) == ("2", 2)


@pytest.mark.parametrize(
    ("headers", "query", "status", "noted"),
    [
        ({}, "", 200, ""),
        ({"IR-Version": "14"}, "", 200, "14"),
        ({}, "?IrVersion=13", 200, "13"),
        ({"IR-Version": "99"}, "", 400, "99"),
    ],
)
def test_the_version_of_each_call_is_noted(caller: Brand, headers, query, status, noted):
    answer = caller.call("GET", f"CompanyInformation{query}", headers=headers)
    assert answer.status_code == status
    (call,) = caller.books()["calls"]["latest"]
    assert (call["version"], call["status"], call["method"]) == (noted, status, "GET")


def test_unknown_resources_and_verbs_have_the_general_envelope(caller: Brand):
    unknown, wrong = caller.get("ActionSubmissions"), caller.call("DELETE", "Conversions")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert unknown.json()["Message"].startswith("There is no resource at /Advertisers/")
    assert wrong.json() == {"Status": "ERROR", "Message": "DELETE is not possible here."}
    assert requests.get(f"{caller.network.url}/nothing", timeout=10).status_code == 404


def test_the_hour_is_limited_per_account_and_begins_anew():
    other = dataclasses.replace(Account(), sid="IROther", tokens=(Token("t"),))
    with brand(Setup(rate_limit=2, accounts=(Account(), other))) as caller:
        statuses = [caller.submit(OrderId=number).status_code for number in range(3)]
        assert statuses == [200, 200, 429]
        assert post(caller, "/Advertisers/IROther/Conversions", ("IROther", "t")).status_code == 200
        assert len(caller.books()["submissions"]) == 3  # two and the other account's one
        caller.clock.go_on(hours=1)
        assert caller.submit(OrderId=9).status_code == 200


def rate_headers(answer: requests.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if "rate" in name.lower() or name == "Retry-After"
    }


EPOCH = str(int((NOON + timedelta(hours=1)).timestamp()))


@pytest.mark.parametrize(
    ("family", "reset", "first", "over"),
    [
        (
            "brand",
            "seconds",
            {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"},
            {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3540"},
        ),
        (
            "partner",
            "epoch",
            {"X-RateLimit-Limit-hour": "1", "X-RateLimit-Remaining-hour": "0", "RateLimit-Reset": EPOCH},
            {
                "X-RateLimit-Limit-hour": "1",
                "X-RateLimit-Remaining-hour": "0",
                "RateLimit-Reset": EPOCH,
                "Retry-After": "3540",
            },
        ),
        ("none", "seconds", {}, {}),
    ],
)
def test_each_family_of_headers_tells_the_standing(family, reset, first, over):
    with brand(Setup(rate_limit=1, rate_headers=family, rate_reset=reset)) as caller:
        assert rate_headers(caller.submit()) == first
        caller.clock.go_on(minutes=1)
        refused = caller.submit()
        assert refused.status_code == 429
        assert rate_headers(refused) == over


def test_a_thousand_calls_an_hour_are_the_default():
    assert Setup().rate_limit == 1000
    with brand() as caller:
        answer = caller.get("CompanyInformation")
        assert answer.headers["X-RateLimit-Remaining"] == "999"
    with brand(Setup(rate_limit=None)) as caller:
        assert rate_headers(caller.get("CompanyInformation")) == {}


def test_a_refused_call_says_why_in_the_log(caller: Brand):
    caller.submit(ItemSubTotal1="28,00")
    (call,) = caller.books()["calls"]["latest"]
    assert call["refusal"].startswith("ItemSubTotal1: '28,00' is not an amount.")
