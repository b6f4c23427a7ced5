"""Asking impact.com what a set-up needs, over HTTP against the pretend network, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from impact_app.domain.programs import Allowance, EventType, Need, Told
from impact_app.http import Answer, Http
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import accounts, lookups, setups, stores
from impact_app.ledger.verification import LOOKUPS_AN_HOUR, Checks
from impact_app.pipeline.setup import CALLS, Inquirer
from impact_app.simulator.network import Account, Campaign, Contract, Setup, Token, fault
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.lookups import Asks
from impact_app.transports.api.request import Call
from impact_app.web.sentences import recognised
from tests.line import OTHER_SHOP, TOKEN, Bench, both_databases

MAY, MAY_NOT, NOT_KNOWN = Allowance.MAY, Allowance.MAY_NOT, Allowance.NOT_KNOWN


def inquirer(bench: Bench, *, api: Asks | None = None, read: float = 5.0, seconds: float = 60.0) -> Inquirer:
    line = bench.line
    asks = api or ImpactApi(Http(connect=1.0, read=read), bench.network.url)
    return Inquirer(line.stores, line.setups, Checks(line.database), asks, bench.clock, seconds)


def allowances(told: Told) -> dict[Need, Allowance]:
    assert [right.need for right in told.rights] == list(Need)
    return {right.need: right.allowance for right in told.rights}


def nothing_booked(bench: Bench) -> bool:
    books = bench.network.books
    return not books.actions() and not books.submissions(books.setup.sid)


# What is told


@both_databases
def test_a_token_that_may_everything_tells_everything(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(
        Setup(rate_limit=None, contracts=(Contract("S-1", window=45), Contract("S-2", window=10)))
    )
    store = bench.connect()
    told = bench.line.inquirer.ask(store)
    assert (told.account.outcome, told.account.currency, told.told_at) == ("works", "USD", bench.clock())
    assert allowances(told) == dict.fromkeys(Need, MAY)
    assert [(one.id, one.name, one.tracking_templates) for one in told.programs] == [
        ("1000", "Pretend Program", ("im_ref={clickid}",))
    ]
    assert (told.campaign_id, told.window("9876"), told.contracts_complete) == ("1000", 45, True)
    assert told.event_types == (EventType("9876", "Online Sale", 0, "contracts"),)
    assert nothing_booked(bench)
    assert bench.line.setups.told(store.id) == told


@both_databases
def test_actions_prove_an_event_type(bench: Bench) -> None:
    store = bench.connect()
    bench.pay()
    bench.pay()
    assert bench.run() == 2
    told = bench.line.inquirer.ask(store)
    assert told.event_types == (EventType("9876", "Online Sale", 2, "both"),)
    assert len(bench.network.books.actions()) == 2


def test_eight_calls_are_made_and_each_is_counted(bench: Bench) -> None:
    store = bench.connect()
    bench.line.inquirer.ask(store)
    assert len(bench.network.books.calls()) == 8 <= CALLS
    assert bench.count(lookups) == 8


_SCOPES = {
    "Conversions": {Need.CONVERSIONS},
    "Actions": {Need.ACTIONS_CHANGE, Need.ACTIONS_READ},
    "Submissions": {Need.SUBMISSIONS},
    "Programs": {Need.PROGRAMS},
    "Promo Codes": {Need.PROMO_CODES},
    "Contracts": {Need.CONTRACTS},
    "Account": set[Need](),
}


def with_token(make_bench: Callable[[Setup], Bench], token: Token) -> Bench:
    narrow = replace(Account(), tokens=(replace(token, value=TOKEN),))
    return make_bench(Setup(rate_limit=None, accounts=(narrow,)))


@pytest.mark.parametrize("scope", _SCOPES)
def test_each_narrow_token_is_known_for_what_it_may(make_bench: Callable[[Setup], Bench], scope: str) -> None:
    bench = with_token(make_bench, Token("", (scope,)))
    told = bench.line.inquirer.ask(bench.connect())
    assert told.account.outcome == ("works" if scope == "Account" else "limited")
    assert {need for need, allowance in allowances(told).items() if allowance is MAY} == _SCOPES[scope]
    assert {need for need, allowance in allowances(told).items() if allowance is MAY_NOT} == (
        set(Need) - _SCOPES[scope]
    )
    assert bool(told.programs) == (scope == "Programs")
    assert bool(told.contracts) == (scope == "Contracts")
    assert nothing_booked(bench)


def test_a_token_that_only_reads_may_not_post(make_bench: Callable[[Setup], Bench]) -> None:
    bench = with_token(make_bench, Token("", read_only=True))
    told = bench.line.inquirer.ask(bench.connect())
    assert {need for need, one in allowances(told).items() if one is MAY_NOT} == {
        Need.CONVERSIONS,
        Need.ACTIONS_CHANGE,
    }


# Which campaign


def unchosen(bench: Bench) -> Store:
    store = bench.connect(configured=False)
    sid = bench.network.books.setup.sid
    bench.line.stores.save_settings(
        store.id, account_sid=sid, auth_token=TOKEN, campaign_id="", event_type_id="", now=bench.clock()
    )
    return fresh(bench, store)


def fresh(bench: Bench, store: Store) -> Store:
    found = bench.line.stores.get(store.id)
    assert found is not None
    return found


def test_the_only_active_program_is_asked_about_before_it_is_chosen(
    make_bench: Callable[[Setup], Bench],
) -> None:
    campaigns = (Campaign(), Campaign(2000, "Not yet", state="SETUP"))
    bench = make_bench(Setup(rate_limit=None, campaigns=campaigns))
    told = bench.line.inquirer.ask(unchosen(bench))
    assert (told.campaign_id, told.window("9876")) == ("1000", 30)


def test_of_several_programs_none_is_guessed(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(Setup(rate_limit=None, campaigns=(Campaign(), Campaign(2000, "Other"))))
    store = unchosen(bench)
    told = bench.line.inquirer.ask(store)
    assert (told.campaign_id, told.contracts, told.event_types) == ("", (), ())
    assert allowances(told) == {**dict.fromkeys(Need, MAY), Need.CONTRACTS: NOT_KNOWN}
    assert recognised(told.right(Need.CONTRACTS).sentence)
    bench.configure(store)
    told = bench.line.inquirer.ask(fresh(bench, store))
    assert (told.campaign_id, told.window("9876")) == ("1000", 30)


@both_databases
def test_another_campaign_forgets_what_was_told_of_the_former(bench: Bench) -> None:
    store = bench.connect()
    assert bench.line.inquirer.ask(store).contracts
    sid = store.account_sid or ""
    bench.line.stores.save_settings(
        store.id, account_sid=sid, auth_token=None, campaign_id="2000", event_type_id="1", now=bench.clock()
    )
    kept = bench.line.setups.told(store.id)
    assert kept is not None
    assert (kept.campaign_id, len(kept.programs)) == ("1000", 1)
    bench.network.faults.script(fault("500_before", path="Contracts"), fault("500_before", path="Actions"))
    told = bench.line.inquirer.ask(fresh(bench, store))
    assert (told.campaign_id, told.contracts, told.event_types) == ("2000", (), ())


def test_another_guess_forgets_what_was_told_of_the_former(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(Setup(rate_limit=None, campaigns=(Campaign(), Campaign(2000, "Next", state="SETUP"))))
    store = unchosen(bench)
    assert bench.line.inquirer.ask(store).contracts
    bench.network.books.change_setup(
        replace(bench.network.books.setup, campaigns=(Campaign(state="CLOSED"), Campaign(2000, "Next")))
    )
    bench.network.faults.script(
        fault("500_before", path="Contracts"), fault("500_before", method="GET", path="Actions")
    )
    told = bench.line.inquirer.ask(store)
    assert (told.campaign_id, told.contracts, told.event_types) == ("2000", (), ())


def test_what_a_token_may_not_read_any_more_is_forgotten(bench: Bench) -> None:
    store = bench.connect()
    before = bench.line.inquirer.ask(store)
    assert before.programs
    assert before.contracts
    for path in ("Campaigns/", "Campaigns"):
        bench.network.faults.script(fault("403", method="GET", path=path))
    told = bench.line.inquirer.ask(store)
    assert {need for need, one in allowances(told).items() if one is MAY_NOT} == {
        Need.PROGRAMS,
        Need.CONTRACTS,
    }
    assert (told.programs, told.contracts, told.event_types) == ((), (), ())


# Where nothing is told


def test_refused_credentials_are_asked_nothing_else_and_forget_what_was_known(bench: Bench) -> None:
    store = bench.connect()
    assert bench.line.inquirer.ask(store).programs
    bench.configure(store, token="wrong")
    made = len(bench.network.books.calls())
    told = bench.line.inquirer.ask(fresh(bench, store))
    assert (told.account.outcome, told.programs, told.contracts) == ("refused", (), ())
    assert allowances(told) == dict.fromkeys(Need, NOT_KNOWN)
    assert len(bench.network.books.calls()) == made + 1
    assert bench.line.setups.told(store.id) == told


def test_an_unreachable_impact_is_tried_once_and_what_was_told_before_stays(bench: Bench) -> None:
    store = bench.connect()
    before = bench.line.inquirer.ask(store)
    bench.clock.advance(days=1)
    seen: list[Call] = []
    told = inquirer(bench, api=Watched(ImpactApi(Http(connect=1.0), "http://127.0.0.1:1"), seen)).ask(store)
    assert len(seen) == 1
    assert told.account.outcome == "unreachable"
    assert allowances(told) == dict.fromkeys(Need, NOT_KNOWN)
    assert (told.programs, told.contracts, told.event_types) == (
        before.programs,
        before.contracts,
        before.event_types,
    )
    assert told.told_at == before.told_at + timedelta(days=1)
    assert bench.line.setups.told(store.id) == told


class Watched:
    """Notes each call, and does something before one of them."""

    def __init__(
        self, api: Asks, seen: list[Call], at: int = 0, act: Callable[[], None] | None = None
    ) -> None:
        self.api, self.seen, self.at, self.act = api, seen, at, act

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        self.seen.append(call)
        if self.act is not None and len(self.seen) == self.at:
            self.act()
        return self.api.ask(call, account_sid, auth_token)


def test_a_first_ask_that_reaches_nobody_tells_nothing_but_that(bench: Bench) -> None:
    store = bench.connect()
    told = inquirer(bench, api=ImpactApi(Http(connect=1.0), "http://127.0.0.1:1")).ask(store)
    assert (told.account.outcome, told.programs, told.event_types) == ("unreachable", (), ())
    assert "could not be reached" in told.account.sentence


_PARTS = {
    Need.CONVERSIONS: "Conversions",
    Need.ACTIONS_CHANGE: "Actions",
    Need.PROGRAMS: "Campaigns",
    Need.CONTRACTS: "Contracts",
    Need.ACTIONS_READ: "Actions",
    Need.SUBMISSIONS: "APISubmissions",
    Need.PROMO_CODES: "PromoCodes",
}


@pytest.mark.parametrize("need", Need)
@pytest.mark.parametrize("kind", ["500_before", "503_before", "html_ok_before", "empty_ok_before", "402"])
def test_a_fault_of_one_list_leaves_the_others_alone(bench: Bench, need: Need, kind: str) -> None:
    store = bench.connect()
    before = bench.line.inquirer.ask(store)
    method = {Need.CONVERSIONS: "POST", Need.ACTIONS_CHANGE: "PUT"}.get(need, "GET")
    bench.network.faults.script(fault(kind, method=method, path=_PARTS[need]))
    told = bench.line.inquirer.ask(store)
    assert bench.network.faults.waiting == 0
    assert allowances(told) == {**dict.fromkeys(Need, MAY), need: NOT_KNOWN}
    assert recognised(told.right(need).sentence)
    assert (told.programs, told.contracts, told.event_types) == (
        before.programs,
        before.contracts,
        before.event_types,
    )
    assert nothing_booked(bench)


@pytest.mark.parametrize(
    "kind", ["429_brand", "429_partner_epoch", "reset_after", "cut_off", "timeout_before", "slow", "401"]
)
def test_after_an_answer_that_says_stop_nothing_more_is_asked(bench: Bench, kind: str) -> None:
    store = bench.connect()
    bench.network.faults.script(fault(kind, seconds=2, path="Campaigns"))
    told = inquirer(bench, read=1.0).ask(store)
    # account, posting and changing came before; nothing came after
    assert len(bench.network.books.calls()) == 4
    assert allowances(told) == {
        **dict.fromkeys(Need, NOT_KNOWN),
        Need.CONVERSIONS: MAY,
        Need.ACTIONS_CHANGE: MAY,
    }
    sentences = [told.right(need).sentence for need in Need if told.right(need).allowance is NOT_KNOWN]
    assert all(recognised(sentence) for sentence in sentences)
    assert not any("Error" in sentence or "127.0.0.1" in sentence for sentence in sentences)


def test_the_rate_limit_of_the_account_is_a_sentence(make_bench: Callable[[Setup], Bench]) -> None:
    bench = make_bench(Setup(rate_limit=2))
    told = bench.line.inquirer.ask(bench.connect())
    assert (told.account.outcome, told.right(Need.CONVERSIONS).allowance) == ("works", MAY)
    assert "429" in told.right(Need.ACTIONS_CHANGE).sentence
    assert len(bench.network.books.calls()) == 3


def test_when_the_time_is_over_nothing_more_is_asked(bench: Bench) -> None:
    store = bench.connect()
    told = inquirer(bench, seconds=0.0).ask(store)
    assert bench.network.books.calls() == []
    assert told.account.outcome == "unreachable"


# Pace


@both_databases
def test_an_account_whose_hour_is_used_up_is_not_asked(bench: Bench) -> None:
    store = bench.connect()
    with bench.line.database.write() as connection:
        used = [{"account_sid": store.account_sid, "at": bench.clock()}] * LOOKUPS_AN_HOUR
        connection.execute(sa.insert(lookups), used)
    told = bench.line.inquirer.ask(store)
    assert bench.network.books.calls() == []
    assert told.account.outcome == "unreachable"
    assert "Try again after 13:00" in told.account.sentence
    assert recognised(told.account.sentence)
    bench.clock.advance(hours=1, seconds=1)
    assert bench.line.inquirer.ask(store).account.outcome == "works"


@both_databases
def test_a_paused_account_is_left_alone_and_a_held_one_is_asked(bench: Bench) -> None:
    store = bench.connect()
    bench.line.outbox.pause(store.account_sid or "", bench.clock() + timedelta(minutes=5))
    assert "Try again after 12:05" in bench.line.inquirer.ask(store).account.sentence
    assert bench.network.books.calls() == []
    bench.clock.advance(minutes=6)
    with bench.line.database.write() as connection:
        connection.execute(
            sa.update(accounts).values(held_reason="credentials_refused", held_at=bench.clock())
        )
    assert bench.line.inquirer.ask(store).account.outcome == "works"


def test_an_order_that_waits_to_be_posted_does_not_stop_a_person(bench: Bench) -> None:
    store = bench.connect()
    bench.pay()
    bench.process()
    assert bench.line.inquirer.ask(store).account.outcome == "works"
    assert bench.deliver() == 1


# Whose answer it is


@both_databases
def test_credentials_that_change_under_way_leave_nothing_behind(bench: Bench) -> None:
    store, seen = bench.connect(), list[Call]()
    api = ImpactApi(Http(), bench.network.url)
    told = inquirer(bench, api=Watched(api, seen, 4, lambda: bench.configure(store, token="new"))).ask(store)
    assert told.account.outcome == "works"
    assert bench.line.setups.told(store.id) is None
    assert bench.count(setups) == 0


@both_databases
def test_new_credentials_forget_what_the_former_were_told(bench: Bench) -> None:
    store = bench.connect()
    bench.line.inquirer.ask(store)
    bench.line.stores.save_rules(store.id, {"mode": "live"}, by="a test", now=bench.clock())
    assert bench.line.setups.told(store.id) is not None
    bench.configure(store)
    assert bench.line.setups.told(store.id) is None


@both_databases
def test_another_account_sid_was_told_nothing_yet(bench: Bench) -> None:
    store = bench.connect()
    bench.line.inquirer.ask(store)
    bench.line.stores.save_settings(
        store.id, account_sid="IROther", auth_token=None, campaign_id="1000", event_type_id="9876"
    )
    assert bench.line.setups.told(store.id) is None


@both_databases
def test_each_store_has_its_own_and_takes_it_along_when_it_goes(bench: Bench) -> None:
    store, other = bench.connect(), bench.connect(OTHER_SHOP)
    bench.line.inquirer.ask(store)
    assert bench.line.setups.told(other.id) is None
    bench.line.inquirer.ask(other)
    with bench.line.database.write() as connection:
        connection.execute(sa.delete(stores).where(stores.c.id == store.id))
    assert [row.store_id for row in bench.rows(setups)] == [other.id]


def test_what_another_version_wrote_is_asked_for_anew(bench: Bench) -> None:
    store = bench.connect()
    bench.line.inquirer.ask(store)
    with bench.line.database.write() as connection:
        connection.execute(sa.update(setups).values(told={"account_sid": "IR", "rights": 7}))
    assert bench.line.setups.told(store.id) is None
    assert bench.line.inquirer.ask(store) == bench.line.setups.told(store.id)


def test_a_store_without_credentials_has_nobody_to_ask_for(bench: Bench) -> None:
    store = bench.connect(configured=False)
    with pytest.raises(LookupError, match=r"no impact\.com account SID"):
        bench.line.inquirer.ask(store)
    assert bench.network.books.calls() == []


def test_a_token_under_a_lost_key_has_to_be_entered_again(bench: Bench) -> None:
    store = bench.connect()
    with bench.line.database.write() as connection:
        connection.execute(sa.update(stores).values(auth_token="unreadable"))
    with pytest.raises(LookupError, match="Enter it again"):
        bench.line.inquirer.ask(store)


@both_databases
def test_two_who_ask_at_once_leave_one_answer(bench: Bench) -> None:
    store = bench.connect()
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(bench.line.inquirer.ask, [store] * 4))
    assert told == [told[0]] * 4
    assert bench.line.setups.told(store.id) == told[0]
    assert (bench.count(setups), bench.count(lookups)) == (1, 4 * 8)
