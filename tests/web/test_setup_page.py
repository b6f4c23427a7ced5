"""The set-up page against the pretend impact.com: steps are really checked, and save their own boxes only."""

from __future__ import annotations

import re
from dataclasses import replace

from flask.testing import FlaskClient

from impact_app.domain.programs import Contract, Term
from impact_app.domain.setup import StepName
from impact_app.ledger.stores import Store
from impact_app.wiring import Services
from tests.web.conftest import HTML, SID, Page, page_of

TOKEN = "pretend-auth-token"


def opened(client: FlaskClient, store: Store) -> Page:
    return page_of(client.get(f"/stores/{store.id}/setup", headers=HTML))


def post(client: FlaskClient, store: Store, path: str = "setup", **sent: str) -> tuple[int, Page]:
    token = opened(client, store).fields["csrf_token"]
    answer = client.post(f"/stores/{store.id}/{path}", data={"csrf_token": token, **sent}, headers=HTML)
    return answer.status_code, page_of(answer)


def enter_account(client: FlaskClient, store: Store, token: str = TOKEN) -> tuple[int, Page]:
    return post(client, store, step="account", account_sid=SID, auth_token=token)


def step(page: Page, name: StepName) -> str:
    """What is to be read of one step, its heading first."""
    number = list(StepName).index(name) + 1
    found = re.search(rf"(?<!\d){number}\. .*?(?=(?<!\d){number + 1}\. |$)", page.text)
    assert found, page.text
    return found[0]


def done(page: Page) -> str:
    found = re.search(r"\d of \d done", page.text)
    assert found, page.text
    return found[0]


def kept(services: Services, store: Store) -> Store:
    found = services.stores.get(store.id)
    assert found is not None
    return found


def test_an_account_a_program_and_an_event_type_make_a_store_ready(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    first = page_of(signed_in.get(f"/stores/{store.id}/", headers=HTML))
    assert "Setup" in first.text
    assert "No account is entered yet." in step(first, StepName.ACCOUNT)
    assert "campaign_id" not in first.fields

    status, page = enter_account(signed_in, store)
    assert status == 200
    assert "Saved. impact.com accepts these credentials." in page.text
    assert "impact.com accepts these credentials." in step(page, StepName.ACCOUNT)
    # The only program is offered, and not chosen for the merchant.
    assert page.fields["campaign_id"] == "1000"
    assert kept(services, store).campaign_id is None
    assert "No program is chosen yet." in step(page, StepName.PROGRAM)

    _, page = post(signed_in, store, step="program", campaign_id="1000")
    assert "Orders go to Pretend Program (1000), which is active." in step(page, StepName.PROGRAM)
    assert "the click as im_ref, and the app looks for that." in step(page, StepName.PROGRAM)

    _, page = post(signed_in, store, step="event_type", event_type_id="9876")
    now = kept(services, store)
    assert now.is_configured
    assert (now.account_sid, now.campaign_id, now.event_type_id) == (SID, "1000", "9876")
    assert services.stores.credentials(store.id).auth_token == TOKEN  # type: ignore[union-attr]


def test_of_contracts_that_were_not_all_read_no_shorter_window_is_taken_over(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    enter_account(signed_in, store)
    services.stores.save_settings(
        store.id, account_sid=SID, auth_token=None, campaign_id="1000", event_type_id="9876"
    )
    told = services.inquirer.ask(kept(services, store))
    short = Contract("S-1", (Term("9876", "Online Sale", 20),))
    for complete, said in ((False, "You have more contracts than were read."), (True, "Take over")):
        services.setups.save(
            kept(services, store), replace(told, contracts=(short,), contracts_complete=complete)
        )
        shown = step(opened(signed_in, store), StepName.WINDOW)
        assert said in shown
        assert ("Take over" in shown) is complete
