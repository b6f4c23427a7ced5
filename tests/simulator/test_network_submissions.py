"""The way from QUEUED to a result."""

import dataclasses

from impact_app.simulator.network import Setup

from .brand import brand, conversion


def test_a_submission_is_processed_at_once_by_default():
    with brand() as caller:
        record = caller.result(caller.submit())
        assert record["Status"] == "Complete"
        assert (record["ErrorType"], record["ErrorReason"]) == ("", "")
        assert record["Type"] == "Conversion"
        assert record["OrderId"] == "450789469"
        assert record["CampaignId"] == 1000
        assert "ActionId" not in record
        assert record["Payload"].startswith("CampaignId=1000&EventTypeId=9876&")


def test_a_submission_waits_its_time_in_both_states():
    with brand(Setup(queue_seconds=60, processing_seconds=30)) as caller:
        answer = caller.submit()
        assert caller.result(answer)["Status"] == "Queued"
        assert caller.result(answer)["CompletionDate"] == ""
        caller.clock.go_on(seconds=60)
        assert caller.result(answer)["Status"] == "In Progress"
        assert caller.books()["actions"] == []
        caller.clock.go_on(seconds=30)
        assert caller.result(answer)["Status"] == "Complete"
        assert caller.result(answer)["CompletionDate"] == "2026-11-20T12:01:30Z"
        assert caller.action()["created_at"] == "2026-11-20T12:01:30Z"


def test_submissions_can_be_processed_without_waiting():
    with brand(Setup(queue_seconds=3600)) as caller:
        caller.submit()
        caller.submit(OrderId="2")
        assert caller.tell("process").json() == {"processed": 2}
        assert len(caller.books()["actions"]) == 2


def test_a_duplicate_is_found_when_it_is_processed_not_when_it_arrives():
    with brand(Setup(queue_seconds=60)) as caller:
        first, second = caller.submit(), caller.submit()
        caller.clock.go_on(seconds=60)
        assert caller.reason(first) == ""
        assert caller.reason(second) == "CONV_DUPLICATE"


def test_all_submissions_are_listed_newest_first_in_pages():
    with brand() as caller:
        for number in range(5):
            caller.submit(OrderId=number)
        first = caller.get("APISubmissions", PageSize=2).json()
        assert [record["OrderId"] for record in first["APISubmission"]] == ["4", "3"]
        assert (first["@page"], first["@numpages"], first["@pagesize"]) == ("1", "3", "2")
        assert (first["@total"], first["@start"], first["@end"]) == ("5", "0", "1")
        assert first["@previouspageuri"] == ""
        found, page = list(first["APISubmission"]), first
        while page["@nextpageuri"]:
            page = caller.session.get(caller.network.url + page["@nextpageuri"], timeout=10).json()
            found += page["APISubmission"]
        assert [record["OrderId"] for record in found] == ["4", "3", "2", "1", "0"]
        assert page["@uri"] == page["@lastpageuri"]


def test_an_unknown_submission_is_404():
    with brand() as caller:
        answer = caller.get("APISubmissions/A-nothing")
        assert answer.status_code == 404
        assert answer.json() == {"Status": "ERROR", "Message": "There is no submission A-nothing."}


def test_another_accounts_submission_is_not_shown():
    first = Setup().accounts[0]
    setup = Setup(accounts=(first, dataclasses.replace(first, sid="IROther", number=2)))
    with brand(setup) as caller:
        batch = caller.submit().json()["QueuedUri"].rpartition("/")[2]
        other = caller.session.get(
            f"{caller.network.url}/Advertisers/IROther/APISubmissions/{batch}",
            auth=("IROther", setup.token),
            timeout=10,
        )
        assert other.status_code == 404
        again = caller.session.post(
            f"{caller.network.url}/Advertisers/IROther/Conversions",
            data=conversion(),
            auth=("IROther", setup.token),
            timeout=10,
        )
        assert again.status_code == 200
        assert [action["account"] for action in caller.books()["actions"]] == [setup.sid, "IROther"]
