"""Seeing and setting the network below `/_simulator/`."""

from decimal import Decimal

import pytest
import requests

from impact_app.simulator.network import PromoCode, Setup, Token, UnusableSetup, setup_from_json

from .brand import Brand, brand, conversion


@pytest.fixture
def caller():
    with brand() as caller:
        yield caller


def test_an_action_is_found_by_its_order(caller: Brand):
    url = f"{caller.network.url}/_simulator/actions/%23A%2F1.json"
    assert requests.get(url, timeout=10).status_code == 404
    caller.submit(OrderId="#A/1")
    found = requests.get(url, timeout=10).json()
    assert found == caller.action()
    assert (found["order_id"], found["amount"], found["currency"]) == ("#A/1", "112.00", "EUR")


def test_the_books_say_which_form_made_an_action(caller: Brand):
    form = conversion(ItemName1="Söck & Co")
    caller.call("POST", "Conversions", data=form)
    assert caller.action()["form"] == [list(pair) for pair in form.items()]


def test_settings_are_changed_for_the_next_call(caller: Brand):
    changes = {
        "strict_clicks": True,
        "rate_limit": None,
        "clicks": [{"id": "c1", "partner_id": 7, "date": "2026-11-19T00:00:00Z"}],
        "partners": [{"id": 7, "name": "Blog", "rate": "0.2"}],
        "event_types": [{"id": 5, "code": "SALE"}],
    }
    assert caller.tell("settings", **changes).json() == {"changed": True}
    assert caller.reason(caller.submit(EventTypeId=5)) == "ACTION_REF_NOT_FOUND"
    assert caller.reason(caller.submit(EventTypeId=5, ClickId="c1")) == ""
    assert caller.action()["payout"] == "22.40"  # 20 % of 24.69 and of 87.31: 4.94 + 17.46
    assert caller.network.books.setup.campaigns == Setup().campaigns


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "red"}, "no setting is called 'colour'"),
        ({"strict_clicks": "yes"}, "setup.strict_clicks: expected bool"),
        ({"rate_limit": "1000"}, "setup.rate_limit: expected int"),
        ({"rate_limit": True}, "setup.rate_limit: expected int"),
        ({"rate_limit": -1}, "setup.rate_limit: expected 0 to"),
        ({"referral_window_days": 1e9}, "setup.referral_window_days: expected 0 to 100000"),
        ({"page_size": 0}, "setup.page_size: expected 1 to"),
        ({"rate_headers": "both"}, "setup.rate_headers: expected one of brand, partner, none"),
        ({"clicks": {"id": "c1"}}, "setup.clicks: expected a list"),
        ({"clicks": [{"partner_id": 7}]}, "setup.clicks[0]: 'id' is missing"),
        ({"clicks": [{"id": "c1", "date": "yesterday"}]}, "setup.clicks[0].date: 'yesterday' cannot be read"),
        ({"clicks": [{"id": "c1", "date": "2026-11-19T00:00:00"}]}, "A time needs an offset"),
        ({"partners": [{"rate": "much"}]}, "setup.partners[0].rate"),
        ({"partners": [7]}, "setup.partners[0]: expected an object"),
        ({"promo_codes": [{"id": 1, "code": "(", "type": "RE"}]}, "no regular expression"),
        ({"accounts": []}, "setup.accounts: at least one"),
        ({"accounts": [{"tokens": []}]}, "every account needs a token"),
    ],
)
def test_settings_that_cannot_be_are_refused_whole(caller: Brand, changes, words):
    before = caller.network.books.setup
    answer = caller.tell("settings", queue_seconds=5, **changes)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert caller.network.books.setup is before


def test_a_setup_is_read_from_json_with_every_kind_of_value():
    setup = setup_from_json(
        {
            "accounts": [{"sid": "IRMine", "tokens": [{"value": "t", "categories": ["Conversions"]}]}],
            "partners": [{"id": 1, "rate": "0.125"}],
            "promo_codes": [{"id": 9, "code": "A", "end": "2026-12-31T23:59:59+01:00"}],
            "queue_seconds": 1.5,
            "rate_limit": None,
        }
    )
    assert (setup.sid, setup.token) == ("IRMine", "t")
    assert setup.accounts[0].tokens == (Token("t", ("Conversions",)),)
    assert setup.partners[0].rate == Decimal("0.125")
    assert isinstance(setup.promo_codes[0], PromoCode)
    assert setup.promo_codes[0].end.isoformat() == "2026-12-31T23:59:59+01:00"
    with pytest.raises(UnusableSetup, match="expected an object"):
        setup_from_json([])


def test_reset_forgets_everything_but_the_setup(caller: Brand):
    caller.tell("settings", rate_limit=50)
    caller.submit()
    caller.tell("faults", script=["500_before"], share=1)
    caller.tell("reset")
    books = caller.books()
    assert (books["actions"], books["submissions"], books["calls"]["total"]) == ([], [], 0)
    assert caller.submit().headers["X-RateLimit-Remaining"] == "49"


@pytest.mark.parametrize("what", ["faults", "settings", "reset", "lock", "process"])
def test_control_takes_json_only_so_that_no_web_page_can_post_to_it(caller: Brand, what: str):
    caller.submit()
    url = f"{caller.network.url}/_simulator/{what}"
    assert requests.post(url, data={"clear": "1"}, timeout=10).status_code == 415
    assert (
        requests.post(url, data=b"{", headers={"Content-Type": "application/json"}, timeout=10).status_code
        == 400
    )
    assert caller.action()["state"] == "PENDING"


def test_all_actions_are_locked_if_none_is_named(caller: Brand):
    caller.submit()
    caller.submit(OrderId="2")
    assert caller.tell("lock").json() == {"locked": 2}
    assert [action["state"] for action in caller.books()["actions"]] == ["APPROVED", "APPROVED"]
