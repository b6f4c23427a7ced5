"""What the network takes, what it refuses, and in which words."""

import re
from pathlib import Path

import pytest
import requests

from impact_app.simulator.network import Books, Setup, create_network
from impact_app.simulator.network.parameters import ITEM, ORDER

from .brand import Brand, brand, conversion


@pytest.fixture(scope="module")
def shared():
    with brand(Setup(rate_limit=None)) as caller:
        yield caller


@pytest.fixture
def caller(shared: Brand):
    shared.network.books.reset()
    return shared


def complaints(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert body.keys() == {"Status", "errors"}
    assert body["Status"] == "ERROR"
    assert all(error["level"] == "ERROR" for error in body["errors"])
    return {error["field"]: error["message"] for error in body["errors"]}


def test_the_worked_example_is_queued_and_booked(caller: Brand):
    answer = caller.submit()
    assert answer.status_code == 200
    assert answer.json().keys() == {"Status", "QueuedUri"}
    assert answer.json()["QueuedUri"].startswith(
        f"/Advertisers/{caller.network.books.setup.sid}/APISubmissions/A-"
    )
    action = caller.action()
    assert action["form"] == [list(pair) for pair in conversion().items()]
    # 15 * 28/127 = 3.307… and 15 * 99/127 = 11.692…; the cent left goes to the larger remainder.
    assert [item["order_discount"] for item in action["items"]] == ["3.31", "11.69"]
    assert [item["amount"] for item in action["items"]] == ["24.69", "87.31"]
    assert action["amount"] == "112.00"  # 28.00 + 99.00 - 15.00
    assert [item["payout"] for item in action["items"]] == ["1.23", "4.37"]  # 5 % of each, rounded half up


REFUSED = [
    # what is sent differently, which field is complained about, words of the sentence
    ({"Colour": "red"}, "Colour", "no parameter of this name"),
    ({"orderid": "1"}, "orderid", "spelled OrderId"),
    ({"StatusPending": "1"}, "StatusPending", "exists in no version"),
    ({"OrderRebate": "1.00"}, "OrderRebate", "browser tag"),
    ({"Sku": "AB-1"}, "Sku", "ItemSku1"),
    ({"Text51": "x"}, "Text51", "no parameter"),
    ({"ItemSku": "x"}, "ItemSku", "number is missing"),
    ({"ItemSubTotal": "1.00"}, "ItemSubTotal", "number is missing"),
    ({"ItemSku0": "x"}, "ItemSku0", "counted 1, 2, 3"),
    ({"ItemSku03": "x"}, "ItemSku03", "without zeros"),
    ({"ItemColour1": "red"}, "ItemColour1", "No item parameter"),
    ({"ItemSubtotal1": "1.00"}, "ItemSubtotal1", "spelled ItemSubTotal"),
    ({"ItemText1": "x"}, "ItemText1", "ItemText1_1 to ItemText1_50"),
    ({"ItemText1_51": "x"}, "ItemText1_51", "ItemText1_1 to ItemText1_50"),
    ({"ItemSku2_1": "x"}, "ItemSku2_1", "no second number"),
    ({"ItemSku4": "EF-4"}, "ItemSku3", "gap"),
    ({"ItemSku999999": "EF-4"}, "ItemSku3", "gap"),
    ({"ItemSku2": "AB-1"}, "ItemSku2", "same SKU"),
    ({"ItemPrice1": "14.00"}, "ItemPrice1", "both sent"),
    ({"ItemQuantity1": "0"}, "ItemQuantity1", "at least one"),
    ({"ItemQuantity1": "1.5"}, "ItemQuantity1", "whole number"),
    ({"ItemQuantity1": "-1"}, "ItemQuantity1", "whole number"),
    ({"ItemDiscount1": "1.00", "ItemTotalDiscount1": "2.00"}, "ItemTotalDiscount1", "one after the other"),
    ({"ItemTotalDiscount1": "28.01"}, "ItemSku1", "more than its amount"),
    ({"OrderDiscount": "127.01"}, "OrderDiscount", "more than the 127.00"),
    ({"OrderDiscountRate": "10"}, "OrderDiscountRate", "subtract twice"),
    ({"Amount": "127.00"}, "Amount", "not sent together with items"),
    ({"OrderSubTotalPostDiscount": "112.00"}, "OrderSubTotalPostDiscount", "not sent together"),
    ({"ItemSubTotal1": "28,00"}, "ItemSubTotal1", "no separators"),
    ({"ItemSubTotal1": "1,028.00"}, "ItemSubTotal1", "no separators"),
    ({"ItemSubTotal1": "€28.00"}, "ItemSubTotal1", "no currency sign"),
    ({"ItemSubTotal1": "28.005"}, "ItemSubTotal1", "more decimals"),
    ({"ItemSubTotal1": "2.8e1"}, "ItemSubTotal1", "not an amount"),
    ({"ItemSubTotal1": "٢٨"}, "ItemSubTotal1", "not an amount"),
    ({"ItemSubTotal1": "NaN"}, "ItemSubTotal1", "not an amount"),
    ({"ItemSubTotal1": "-28.00"}, "ItemSubTotal1", "negative"),
    ({"OrderDiscount": "-15.00"}, "OrderDiscount", "negative"),
    ({"ItemSubTotal1": "1" + "0" * 12}, "ItemSubTotal1", "too large"),
    ({"OrderShipping": "free"}, "OrderShipping", "not an amount"),
    ({"CurrencyCode": "eur"}, "CurrencyCode", "ISO 4217"),
    ({"CurrencyCode": "XYZ"}, "CurrencyCode", "ISO 4217"),
    ({"Currency": "EUR"}, "Currency", "two names of one field"),
    ({"CurrencyCode": "JPY", "ItemSubTotal1": "28.50"}, "ItemSubTotal1", "more decimals than JPY has (0)"),
    ({"CustomerEmail": "jane@example.com"}, "CustomerEmail", "in the clear"),
    ({"CustomerEmail": "40BD001563085FC35165329EA1FF5C5ECBDBBEEF"}, "CustomerEmail", "lower-case"),
    ({"CustomerEmail": "abc"}, "CustomerEmail", "40 or 64"),
    ({"CustomerId": "jane@example.com"}, "CustomerId", "e-mail address"),
    ({"EventDate": "2026-11-20"}, "EventDate", "not ISO 8601"),
    ({"EventDate": "2026-11-20T12:00:00"}, "EventDate", "offset"),
    ({"EventDate": "2026-11-20T12:00:00 01:00"}, "EventDate", "%2B"),
    ({"EventDate": "2026-02-30T12:00:00Z"}, "EventDate", "date that exists"),
    ({"EventDate": "20-Nov-2026 12:00:00 XYZ"}, "EventDate", "not ISO 8601"),
    ({"EventDate": "9999-12-31T00:00:00Z"}, "EventDate", "cannot be meant"),
    ({"Date1": "NOW"}, "Date1", "EventDate only"),
    ({"ActionTrackerId": "9876"}, "EventTypeId", "exactly one of"),
    ({"EventTypeCode": "ONLINE_SALE"}, "EventTypeId", "found EventTypeId and EventTypeCode"),
    ({"ClickId": "x" * 65}, "ClickId", "at most 64"),
    ({"ClickId": ""}, "ClickId", "sent empty"),
    ({"OrderId": "1" * 65}, "OrderId", "at most 64"),
    ({"Oid": "450789469"}, "Oid", "two names of one field"),
    ({"CustomProfileId": "x" * 71}, "CustomProfileId", "at most 70"),
    ({"Text1": "ü" * 65}, "Text1", "65 characters"),
    ({"ItemText2_50": "x" * 65}, "ItemText2_50", "at most 64"),
    ({"ItemSku1": "x" * 256}, "ItemSku1", "at most 255"),
    ({"ItemMpn1": "x" * 65}, "ItemMpn1", "at most 64"),
    ({"Note": "a\x00b"}, "Note", "control character"),
    ({"CampaignId": "12345678901"}, "CampaignId", "at most 10"),
    ({"CampaignId": "one"}, "CampaignId", "whole number"),
    ({"MediaId": "1", "MediaPartnerId": "1"}, "MediaPartnerId", "two names"),
    ({"SubId1": "x"}, "SubId1", "MediaId"),
    ({"TrackingConsent": "yes"}, "TrackingConsent", "true or false"),
    ({"CountryCode": "Germany"}, "CountryCode", "two capitals"),
    ({"IpAddress": "300.1.1.1"}, "IpAddress", "not an IP address"),
    ({"UniqueUrl": "shop.example"}, "UniqueUrl", "https://"),
    ({"Numeric1": "1 000"}, "Numeric1", "no separators"),
    ({"ItemDiscountRate1": "101"}, "ItemDiscountRate1", "0 to 100"),
]


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_each_fault_is_named_and_nothing_is_booked(caller: Brand, changes, field, words):
    found = complaints(caller.submit(**changes))
    assert list(found) == [field]
    assert words in found[field]
    assert caller.books()["submissions"] == []
    assert caller.books()["actions"] == []


MISSING = [
    (("CampaignId",), "CampaignId", "missing"),
    (("EventDate",), "EventDate", "missing"),
    (("OrderId",), "OrderId", "missing"),
    (("EventTypeId",), "EventTypeId", "found none of them"),
    (("CurrencyCode",), "CurrencyCode", "whenever amounts are sent"),
    (("ItemSku2",), "ItemSku2", "missing from item 2"),
    (("ItemCategory1",), "ItemCategory1", "missing from item 1"),
    (("ItemQuantity1",), "ItemQuantity1", "missing from item 1"),
    (("ItemSubTotal1",), "ItemSubTotal1", "no money"),
    (("ClickId", "CustomerId", "OrderPromoCode"), "ClickId", "who sent the customer"),
]


@pytest.mark.parametrize(("without", "field", "words"), MISSING, ids=lambda value: str(value)[:40])
def test_each_missing_field_is_named(caller: Brand, without, field, words):
    found = complaints(caller.submit(without))
    assert list(found) == [field]
    assert words in found[field]
    assert caller.books()["submissions"] == []


def test_all_faults_are_named_at_once(caller: Brand):
    found = complaints(caller.submit(("CampaignId",), Colour="red", ItemSubTotal1="28,00", ItemSku2="AB-1"))
    assert sorted(found) == ["CampaignId", "Colour", "ItemSku2", "ItemSubTotal1"]


def test_a_field_sent_twice_is_refused(caller: Brand):
    pairs = [*conversion().items(), ("OrderId", "450789470")]
    assert "sent 2 times" in complaints(caller.call("POST", "Conversions", data=pairs))["OrderId"]


def test_json_is_refused_with_a_sentence(caller: Brand):
    found = complaints(caller.call("POST", "Conversions", json=conversion()))
    assert found == {
        "Content-Type": "Send the fields as application/x-www-form-urlencoded; application/json was sent."
    }
    assert caller.books()["submissions"] == []


def test_a_json_body_under_the_form_type_is_refused(caller: Brand):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = caller.call("POST", "Conversions", data='{"CampaignId": 1000}', headers=headers)
    assert answer.status_code == 400
    assert caller.books()["submissions"] == []


@pytest.mark.parametrize("body", [b"Note=%ff", "Note=ü".encode(), b"Note=\xff"])
def test_a_form_in_another_encoding_is_refused(caller: Brand, body: bytes):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    found = complaints(caller.call("POST", "Conversions", data=body, headers=headers))
    assert found == {"body": "The form is not percent-encoded UTF-8."}


TAKEN = [
    {"ItemText1_50": "x" * 64, "ItemNumeric2_10": "1.5", "ItemDate1_1": "2026-11-20T12:00:00Z"},
    {"ItemMoney1_3": "1.00", "Text50": "ü" * 64, "Money3": "1.00", "Numeric10": "-2.5"},
    {"EventDate": "2026-11-20T11:00:00Z"},
    {"EventDate": "2026-11-20T11:00:00.123+0100"},
    {"CustomerEmail": "a" * 64},
    {"ClickId": "x" * 64, "OrderId": "1" * 64},
    {"ClickId": "a+b/c=%&ü"},
    {"CustomerStatus": "existing"},
    {"CurrencyCode": "KWD", "ItemSubTotal1": "28.005"},
    {"CurrencyCode": "JPY", "ItemSubTotal1": "2800.00", "ItemSubTotal2": "99000", "OrderDiscount": "1500"},
    {"ItemSubTotal1": "9" * 12 + ".99"},
    {
        "TrackingConsent": "true",
        "IpAddress": "2001:db8::1",
        "UserAgent": "Mozilla/5.0",
        "GiftPurchase": "false",
    },
]


@pytest.mark.parametrize("changes", TAKEN, ids=lambda value: str(value)[:40])
def test_what_fits_is_booked_as_sent(caller: Brand, changes):
    assert caller.submit(**changes).status_code == 200
    sent = dict(caller.action()["form"])
    assert sent.items() >= changes.items()


def test_five_hundred_items_are_booked(caller: Brand):
    form = conversion(
        without=tuple(name for name in conversion() if name.startswith(("Item", "OrderDiscount")))
    )
    for number in range(1, 501):
        form |= {
            f"ItemSku{number}": f"SKU-{number}",
            f"ItemCategory{number}": "Any",
            f"ItemQuantity{number}": "1",
            f"ItemSubTotal{number}": "1.10",
        }
    assert caller.call("POST", "Conversions", data=form).status_code == 200
    action = caller.action()
    assert len(action["items"]) == 500
    assert action["amount"] == "550.00"  # 500 * 1.10


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"EventDate": "NOW"}, "EventDate was NOW"),
        ({"EventDate": "20-Nov-2026 03:00:00 PST"}, "legacy form"),
        ({"EventDate": "2026-11-22T12:00:00Z"}, "future"),
        ({"ClickId": "abc%3Ad"}, "encoded twice"),
        ({"OrderPromoCode": "A,B"}, "only one code"),
    ],
)
def test_what_is_taken_but_unwise_is_remarked(caller: Brand, changes, remark):
    assert caller.submit(**changes).status_code == 200
    (submission,) = caller.books()["submissions"]
    (found,) = submission["remarks"]
    assert remark in found


def test_a_legacy_date_is_read_with_its_zone(caller: Brand):
    caller.submit(EventDate="20-Nov-2026 03:00:00 PST")
    assert caller.action()["event_date"] == "2026-11-20T03:00:00-08:00"


def test_the_table_holds_every_field_of_the_published_schema(reference):
    yaml = (reference / "impact-openapi" / "impact-brand-conversions-v14.yaml").read_text()
    schema = yaml[yaml.index("ConversionPayload:\n      type: object") :]
    names = re.findall(r"^        ([A-Z][A-Za-z0-9]+)(\[i\])?:$", schema, re.MULTILINE)
    assert len(names) >= 80
    missing = [name for name, item in names if name not in (ITEM if item else ORDER)]
    assert missing == []


def test_the_application_runs_under_any_wsgi_server():
    client = create_network(Books(Setup())).test_client()
    setup = Setup()
    answer = client.post(
        f"/Advertisers/{setup.sid}/Conversions.json", data=conversion(), auth=(setup.sid, setup.token)
    )
    assert answer.get_json()["Status"] == "QUEUED"


@pytest.fixture
def reference():
    folder = Path(__file__).parents[2].parent / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the reference folder ../shared/reference is not on this machine")
    return folder
