"""Every way to fail, seen from the other end of the connection, and what the books hold afterwards."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from impact_app.simulator.network import ALL, LASTING, TRANSIENT, Setup, fault
from impact_app.simulator.network.faults import CATALOGUE, Faults, UnknownFault

from .brand import NOON, Brand, brand, conversion


@pytest.fixture(scope="module")
def shared():
    with brand(Setup(rate_limit=None)) as caller:
        yield caller


@pytest.fixture
def caller(shared: Brand):
    shared.network.books.reset()
    return shared


def booked(caller: Brand) -> int:
    return len(caller.books()["actions"])


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(("when", "actions"), [("before", 0), ("after", 1)])
def test_server_errors(caller: Brand, status: int, when: str, actions: int):
    caller.network.faults.script(f"{status}_{when}")
    answer = caller.submit()
    assert answer.status_code == status
    assert answer.json()["Status"] == "ERROR"
    assert booked(caller) == actions
    # The repeat is booked, or found to be a duplicate: one action either way.
    assert caller.reason(caller.submit()) == ("CONV_DUPLICATE" if actions else "")
    assert booked(caller) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403])
def test_lasting_errors_book_nothing(caller: Brand, status: int):
    caller.network.faults.script(str(status))
    assert caller.submit().status_code == status
    assert booked(caller) == 0


NOON_AND_A_SECOND = str(int(NOON.timestamp()) + 1)


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("429_brand", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
        ("429_brand_epoch", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": NOON_AND_A_SECOND}),
        ("429_partner", {"RateLimit-Reset": "1", "Retry-After": "1"}),
        ("429_partner_epoch", {"RateLimit-Reset": NOON_AND_A_SECOND, "Retry-After": "1"}),
        ("429_none", {}),
    ],
)
def test_rate_limits_in_each_family(caller: Brand, name: str, headers: dict[str, str]):
    caller.network.faults.script(name)
    answer = caller.submit()
    assert answer.status_code == 429
    assert answer.headers.items() >= headers.items()
    assert ("Retry-After" in answer.headers) == ("Retry-After" in headers)
    assert booked(caller) == 0


@pytest.mark.parametrize(("when", "actions"), [("before", 0), ("after", 1)])
def test_time_outs(caller: Brand, when: str, actions: int):
    caller.network.faults.script(fault(f"timeout_{when}", seconds=5))
    began = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        caller.call("POST", "Conversions", data=conversion(), timeout=0.2)
    assert time.monotonic() - began < 4
    while caller.network.books.call_counts["total"] == 0:
        time.sleep(0.01)  # the client's patience may end before the network has looked at the call
    assert booked(caller) == actions


def test_a_client_without_a_time_out_sees_the_connection_end(caller: Brand):
    caller.network.faults.script(fault("timeout_before", seconds=0.2))
    with pytest.raises(requests.ConnectionError, match="without response"):
        caller.submit()


@pytest.mark.parametrize(("when", "actions"), [("before", 0), ("after", 1)])
def test_resets(caller: Brand, when: str, actions: int):
    caller.network.faults.script(f"reset_{when}")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        caller.submit()
    assert booked(caller) == actions
    assert caller.books()["calls"]["latest"][-1]["status"] is None


def test_a_slow_answer_is_late_but_whole(caller: Brand):
    caller.network.faults.script(fault("slow", seconds=0.3))
    began = time.monotonic()
    assert caller.submit().json()["Status"] == "QUEUED"
    assert time.monotonic() - began >= 0.3
    assert booked(caller) == 1


def test_a_cut_off_answer_is_shorter_than_it_says(caller: Brand):
    caller.network.faults.script("cut_off")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)) as raised:
        caller.submit()
    assert "IncompleteRead" in str(raised.value)
    assert booked(caller) == 1


@pytest.mark.parametrize(("when", "actions"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [("html_ok", 200, "<html"), ("html_error", 502, "<html"), ("empty_ok", 200, "")],
)
def test_answers_that_are_not_the_networks_own(caller: Brand, kind, status, text, when, actions):
    caller.network.faults.script(f"{kind}_{when}")
    answer = caller.submit()
    assert answer.status_code == status
    assert text in answer.text
    assert bool(answer.text) == bool(text)
    assert booked(caller) == actions


def test_the_script_is_played_once_in_order(caller: Brand):
    caller.network.faults.script("500_before", "none", "503_after")
    assert [caller.submit(OrderId=number).status_code for number in range(4)] == [500, 200, 503, 200]
    assert caller.network.faults.waiting == 0
    assert caller.books()["calls"]["by_fault"] == {"500_before": 1, "503_after": 1}
    assert caller.books()["calls"]["by_status"] == {"200": 2, "500": 1, "503": 1}


def test_an_entry_waits_for_the_call_it_is_meant_for(caller: Brand):
    caller.network.faults.script(fault("500_before", method="DELETE"), fault("502_before", path="PromoCodes"))
    assert caller.submit().status_code == 200
    assert caller.get("PromoCodes").status_code == 502
    assert caller.reverse().status_code == 500
    assert caller.reverse().status_code == 200


def test_a_random_share_is_repeatable_by_its_seed():
    def drawn(seed: int) -> list[str]:
        faults = Faults()
        faults.at_random(0.3, seed)
        return [found.name if (found := faults.draw("POST", "/x")) else "" for _ in range(5000)]

    first = drawn(7)
    assert first == drawn(7)
    assert first != drawn(8)
    assert 0.27 < sum(name != "" for name in first) / 5000 < 0.33
    assert set(first) - {""} == set(ALL)


def test_the_catalogue_is_split_by_who_must_act():
    assert set(ALL) == set(CATALOGUE) - {"none"}
    assert not set(LASTING) & set(TRANSIENT)


def test_the_control_pages_meet_no_faults(caller: Brand):
    caller.network.faults.at_random(1.0, kinds=["500_before"])
    assert caller.books()["actions"] == []
    assert caller.submit().status_code == 500
    caller.network.faults.clear()
    assert caller.submit().status_code == 200


def test_faults_are_told_over_http(caller: Brand):
    script = ["500_before", {"name": "502_after", "method": "POST", "path": "Conversions"}]
    assert caller.tell("faults", script=script).json() == {"waiting": 2}
    assert caller.get("PromoCodes").status_code == 500
    assert caller.submit().status_code == 502
    assert caller.tell("faults", share=1, seed=3, kinds=["503_before"]).status_code == 200
    assert caller.submit().status_code == 503
    assert caller.tell("faults", clear=True).status_code == 200
    assert caller.submit(OrderId="2").status_code == 200
    assert caller.tell("faults", share=1, kinds="transient").status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {"script": ["500"]},
        {"script": "500_before"},
        {"script": [{"name": "slow", "seconds": "two"}]},
        {"script": [{"name": "slow", "seconds": -1}]},
        {"script": [{"name": "slow", "colour": "red"}]},
        {"script": [7]},
        {"share": 2},
        {"share": True},
        {"share": 0.5, "seed": "x"},
        {"share": 0.5, "kinds": "some"},
        {"colour": "red"},
    ],
)
def test_a_fault_that_cannot_be_is_refused_and_nothing_changes(caller: Brand, document):
    answer = caller.tell("faults", **document)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert caller.network.faults.waiting == 0
    assert caller.submit().status_code == 200


def test_an_unknown_fault_lists_the_known():
    with pytest.raises(UnknownFault, match="500_before"):
        fault("500")


def test_repeating_through_every_transient_fault_books_each_order_once(caller: Brand):
    """What a client that repeats under the same order id may rely on, from several threads at once."""
    caller.network.faults.at_random(0.5, seed=11, kinds=[fault(name, seconds=0.01) for name in TRANSIENT])

    def deliver(order: int) -> int:
        for attempt in range(1, 200):
            try:
                if caller.submit(OrderId=order).json().get("Status") == "QUEUED":
                    return attempt
            except (requests.RequestException, ValueError):
                continue
        raise AssertionError(f"order {order} was never taken")

    with ThreadPoolExecutor(4) as pool:
        attempts = list(pool.map(deliver, range(60)))
    caller.network.faults.clear()
    assert sum(attempts) > 60
    orders = [action["order_id"] for action in caller.books()["actions"]]
    assert sorted(orders, key=int) == [str(number) for number in range(60)]
