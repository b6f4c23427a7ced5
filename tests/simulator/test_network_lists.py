"""Reading actions, their items and change log, programs, codes and the company."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from impact_app.simulator.network import Campaign, Contract, PromoCode, Setup

from .brand import NOON, Brand, brand


@pytest.fixture(scope="module")
def caller():
    with brand(
        Setup(rate_limit=None, page_size_minimum=2, campaigns=(Campaign(), Campaign(2, "B")))
    ) as caller:
        caller.submit(OrderId="1")
        caller.clock.go_on(days=5)
        caller.submit(OrderId="2", EventDate="2026-10-01T12:00:00Z")
        caller.clock.go_on(days=5)
        caller.submit(OrderId="3", OrderPromoCode="PARTNER10")
        caller.reverse(OrderId="3", DispositionCode="TEST_ACTION")
        yield caller


def listed(caller: Brand, **filters: object) -> list[str]:
    answer = caller.get("Actions", CampaignId=1000, **filters)
    assert answer.status_code == 200, answer.text
    return [action["Oid"] for action in answer.json()["Actions"]]


def test_actions_of_the_last_seven_days_come_newest_first(caller: Brand):
    assert listed(caller) == ["3", "2"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"StartDate": "2026-11-20T00:00:00Z", "EndDate": "2026-11-25T12:00:00Z"}, ["2", "1"]),
        ({"ActionDateStart": "2026-09-30T00:00:00Z", "ActionDateEnd": "2026-10-02T00:00:00Z"}, ["2"]),
        ({"LockingDateStart": "2026-12-01T00:00:00Z", "LockingDateEnd": "2026-12-31T00:00:00Z"}, ["3", "1"]),
        ({"State": "REVERSED"}, ["3"]),
        # the sale of October locked on 28 November, the clock stands at the 30th
        ({"State": "APPROVED"}, ["2"]),
        ({"State": "PENDING"}, []),
        ({"IrVersion": "14"}, ["3", "2"]),
    ],
)
def test_filters_narrow_the_list(caller: Brand, filters, expected):
    assert listed(caller, **filters) == expected


REFUSED = [
    ({"CampaignId": ""}, "CampaignId: It is missing"),
    ({"OrderId": "1"}, "OrderId: There is no filter by order"),
    ({"Colour": "red"}, "Colour: This list has no such filter"),
    ({"State": "pending"}, "State: pending is none of"),
    ({"StartDate": "2026-11-01T00:00:00Z"}, "EndDate: StartDate needs it"),
    ({"ActionDateEnd": "2026-11-01T00:00:00Z"}, "ActionDateStart: ActionDateEnd needs it"),
    ({"StartDate": "2026-11-01", "EndDate": "2026-11-02"}, "StartDate: '2026-11-01' is not ISO 8601"),
    (
        {"StartDate": "2026-11-02T00:00:00Z", "EndDate": "2026-11-01T00:00:00Z"},
        "EndDate: The end lies before",
    ),
    (
        {"StartDate": "2026-10-01T00:00:00Z", "EndDate": "2026-11-15T00:00:01Z"},
        "EndDate: StartDate and EndDate",
    ),
    (
        {"StartDate": "2023-11-01T00:00:00Z", "EndDate": "2023-11-02T00:00:00Z"},
        "StartDate: It lies more than",
    ),
    ({"PageSize": 1}, "PageSize: A page has at least 2"),
    ({"Page": 0}, "Page: Pages are counted from 1"),
]


@pytest.mark.parametrize(("filters", "words"), REFUSED, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("resource", ["Actions", "ActionUpdates"])
def test_faulty_filters_are_refused(caller: Brand, resource: str, filters, words):
    answer = caller.get(resource, **{"CampaignId": 1000, **filters})
    assert answer.status_code == 400
    assert answer.json()["Message"].startswith(words)


def test_forty_five_days_are_allowed(caller: Brand):
    assert listed(caller, StartDate="2026-10-16T00:00:00Z", EndDate="2026-11-30T00:00:00Z") == ["2", "1"]


def test_pages_are_at_least_2000_by_default_and_ten_pages_are_the_most():
    with brand() as caller:
        assert caller.get("Actions", CampaignId=1000, PageSize=1999).status_code == 400
        assert caller.get("Actions", CampaignId=1000).json()["@pagesize"] == "20000"
    with brand(Setup(page_size=2, page_size_minimum=1)) as caller:
        for number in range(21):
            caller.submit(OrderId=number)
        answer = caller.get("Actions", CampaignId=1000)
        assert answer.status_code == 400
        assert "21 records are more than ten pages" in answer.json()["Message"]
        assert len(caller.get("Actions", CampaignId=1000, PageSize=3, Page=7).json()["Actions"]) == 3


def test_an_action_is_shown_as_the_schema_says(caller: Brand):
    action = caller.get("Actions", CampaignId=1000).json()["Actions"][1]
    assert action["Amount"] == 112.0
    assert action["Payout"] == 5.6
    assert action["IntendedAmount"] == action["DeltaAmount"] == 112.0
    assert (action["Currency"], action["MediaPartnerId"], action["ActionTrackerId"]) == ("EUR", 20001, 9876)
    assert (action["State"], action["ClearedDate"]) == ("APPROVED", "")
    assert caller.get(f"Actions/{action['Id']}").json() == action
    assert caller.session.get(caller.network.url + action["Uri"], timeout=10).json() == action


def test_the_published_fields_are_all_there(caller: Brand):
    folder = Path(__file__).parents[2].parent / "shared" / "reference" / "impact-openapi"
    if not folder.is_dir():
        pytest.skip("the reference folder ../shared/reference is not on this machine")
    schemas = (folder / "impact-brand-actions-v14.yaml").read_text().split("  schemas:")[1]
    action = caller.get("Actions", CampaignId=1000).json()["Actions"][0]
    shown = {
        "Action": action,
        "ActionItem": caller.get(f"Actions/{action['Id']}/Items").json()["ActionItems"][0],
        "ActionUpdate": caller.get("ActionUpdates", CampaignId=1000).json()["ActionUpdates"][0],
    }
    for name, record in shown.items():
        block = re.split(r"^    \w", schemas.split(f"    {name}:\n")[1], flags=re.MULTILINE)[0]
        published = re.findall(r"^        ([A-Z]\w+):$", block, re.MULTILINE)
        assert len(published) > 10
        assert list(record) == published


def test_items_are_listed_and_found_by_sku():
    with brand() as caller:
        caller.submit(ItemSku1="A/B 1.json", ItemName1="Söck")
        action_id = caller.action()["id"]
        items = caller.get(f"Actions/{action_id}/Items").json()["ActionItems"]
        assert [item["Sku"] for item in items] == ["A/B 1.json", "CD-2"]
        assert (items[0]["Quantity"], items[0]["SaleAmount"], items[0]["Payout"]) == ("2", "24.69", 1.23)
        assert caller.get(f"Actions/{action_id}/Items/A%2FB%201.json").json() == items[0]
        assert caller.get(f"Actions/{action_id}/Items/XY").status_code == 404
        assert caller.get("Actions/1.2.3/Items").status_code == 404
        assert caller.get("Actions/1.2.3").status_code == 404


def test_updates_tell_of_creation_and_reversal(caller: Brand):
    window = {"StartDate": "2026-11-30T12:00:00Z", "EndDate": "2026-11-30T12:00:00Z"}
    updates = caller.get("ActionUpdates", CampaignId=1000, **window).json()["ActionUpdates"]
    told = sorted((one["Disposition"], one["Sku"], one["DeltaAmount"], one["State"]) for one in updates)
    assert told == [
        ("IR_BLANK", "AB-1", 24.69, "PENDING"),
        ("IR_BLANK", "CD-2", 87.31, "PENDING"),
        ("TEST_ACTION", "AB-1", -24.69, "REVERSED"),
        ("TEST_ACTION", "CD-2", -87.31, "REVERSED"),
    ]
    assert len({one["Id"] for one in updates}) == 4
    for update in updates:
        assert caller.get(f"ActionUpdates/{update['Id']}").json() == update
    assert caller.get("ActionUpdates/1.2.3.4").status_code == 404


def test_programs_are_listed_and_filtered(caller: Brand):
    def names(**filters: object) -> list[str]:
        return [program["Name"] for program in caller.get("Campaigns", **filters).json()["Campaigns"]]

    assert names() == ["B", "Pretend Program"]  # by id
    assert names(Name="pretend") == ["Pretend Program"]
    assert names(State="SETUP") == []
    program = caller.get("Campaigns/1000").json()
    assert program["GatewayTrackingSettings"]["MediaPartnerTrackingTemplate"] == "im_ref={clickid}"
    assert program["PromoCodeTracking"] is True
    assert caller.get("Campaigns/9").status_code == 404


def test_a_program_shows_how_its_links_are_made():
    campaign = Campaign(
        tracking_template="clickid={clickid}",
        program_template="utm_source=impact",
        deep_linking=False,
        deep_link_domains="shop.example,*.shop.example",
        view_through=True,
        tracking_domain="go.shop.example",
    )
    with brand(Setup(campaigns=(campaign,))) as caller:
        program = caller.get("Campaigns/1000").json()
    assert (program["TrackingDomain"], program["ViewThroughCrediting"]) == ("go.shop.example", True)
    gateway = program["GatewayTrackingSettings"]
    assert gateway["MediaPartnerTrackingTemplate"] == "clickid={clickid}"
    assert gateway["CampaignTrackingTemplate"] == "utm_source=impact"
    assert (gateway["DeepLinking"], gateway["DeepLinkDomains"]) == (False, "shop.example,*.shop.example")


def test_every_active_partner_has_a_contract_by_itself(caller: Brand):
    listed = caller.get("Campaigns/1000/Contracts").json()["Contracts"]
    assert [(one["Id"], one["PartnerId"], one["Status"]) for one in listed] == [
        ("S-20001", 20001, "ACTIVE"),
        ("S-20002", 20002, "ACTIVE"),
    ]
    (payout,) = listed[0]["TemplateTerms"]["EventPayouts"]
    assert (payout["EventTypeId"], payout["DefaultPayoutRate"]) == (9876, 5.0)
    assert payout["ValidReferrals"] == [{"Type": "CLICKS", "Window": "30", "WindowUnit": "DAY"}]
    assert caller.get("Campaigns/1000/Contracts/S-20001").json() == listed[0]
    assert caller.get("Campaigns/9/Contracts").status_code == 404
    assert caller.get("Campaigns/1000/Contracts/S-1").status_code == 404


def test_contracts_are_filtered_and_paged():
    agreed = (
        Contract("S-1", 20001, window=45),
        Contract("S-2", 20002, event_type_ids=(1,), window=48, window_unit="HOUR", tells_window=False),
        Contract("S-3", 20001, end=NOON - timedelta(days=1)),
        Contract("S-4", 20001, start=NOON + timedelta(days=1)),
        Contract("S-5", 20001, campaign_id=2),
    )
    with brand(Setup(contracts=agreed)) as caller:

        def found(**filters: object) -> list[str]:
            answer = caller.get("Campaigns/1000/Contracts", **filters)
            return [one["Id"] for one in answer.json()["Contracts"]]

        assert found() == ["S-1", "S-2"]  # only those in force, unless a status is asked for
        assert found(Status="EXPIRED") == ["S-3"]
        assert found(Status="UPCOMING") == ["S-4"]
        assert found(PartnerId=20002) == ["S-2"]
        assert found(Page=2, PageSize=1) == ["S-2"]
        assert caller.get("Campaigns/1000/Contracts", Signed=1).status_code == 400
        silent = caller.get("Campaigns/1000/Contracts/S-2").json()
        assert silent["TemplateTerms"]["EventPayouts"] == []  # of an event type that there is not
        assert caller.get("Campaigns/1000/Contracts/S-5").status_code == 404


def test_a_contract_may_leave_its_window_out():
    with brand(Setup(contracts=(Contract("S-1", tells_window=False),))) as caller:
        (payout,) = caller.get("Campaigns/1000/Contracts/S-1").json()["TemplateTerms"]["EventPayouts"]
        assert payout["EventTypeId"] == 9876
        assert "ValidReferrals" not in payout


def test_promo_codes_are_listed_and_filtered():
    codes = (
        PromoCode(1, "NOW", 20001),
        PromoCode(2, "OVER", 20002, end=NOON - timedelta(days=1)),
        PromoCode(3, "ELSEWHERE", 20002, campaign_id=2, credit_policy="WINNER"),
        PromoCode(4, "X[0-9]", 20001, type="RE", start=NOON + timedelta(days=30)),
    )
    with brand(Setup(promo_codes=codes)) as caller:

        def found(**filters: object) -> list[str]:
            return [code["Code"] for code in caller.get("PromoCodes", **filters).json()["PromoCodes"]]

        assert found() == ["NOW", "OVER", "ELSEWHERE", "X[0-9]"]
        assert found(CampaignId=1000) == ["NOW", "OVER", "X[0-9]"]
        assert found(Code="OVER") == ["OVER"]
        assert found(State="ACTIVE") == ["NOW", "ELSEWHERE"]
        assert found(State="INACTIVE", CampaignId=1000) == ["OVER", "X[0-9]"]
        window = {"StartDate": "2026-11-20T00:00:00Z", "EndDate": "2026-11-21T00:00:00Z"}
        assert found(**window) == ["NOW", "ELSEWHERE"]
        assert caller.get("PromoCodes", Partner=1).status_code == 400
        code = caller.get("PromoCodes/3").json()
        assert (code["Type"], code["CreditPolicy"], code["AssignedPartnerId"]) == ("LI", "WINNER", 20002)
        assert code["AssignedPartnerName"] == "Pretend Coupon Site"
        assert caller.get("PromoCodes/9").status_code == 404


def test_the_company_has_a_currency_and_a_time_zone(caller: Brand):
    company = caller.get("CompanyInformation").json()
    assert (company["Currency"], company["CompanyName"]) == ("USD", "Pretend Brand")
    assert company["Timezone"].startswith("(GMT")
