"""The rules of one store: shown in words, tried on orders of the past, kept version by version."""

from __future__ import annotations

from flask.testing import FlaskClient

from impact_app.domain.rules import RULES, default_text, read_rules
from impact_app.ledger.stores import Store
from impact_app.ledger.tables import metadata
from impact_app.web.rules_form import GROUPS
from impact_app.wiring import Services
from tests.web.conftest import HTML, Page, page_of


def form_of(client: FlaskClient, store: Store) -> dict[str, str]:
    return page_of(client.get(f"/stores/{store.id}/rules", headers=HTML)).fields


def save(client: FlaskClient, store: Store, **boxes: str) -> tuple[int, Page]:
    given = {name.replace("rule_", "rule.", 1): text for name, text in boxes.items()}
    sent = {name: text for name, text in {**form_of(client, store), **given}.items() if name != "preview"}
    if "preview" in boxes:
        sent["preview"] = boxes["preview"]
    answer = client.post(f"/stores/{store.id}/rules", data=sent, headers=HTML)
    return answer.status_code, page_of(answer)


def test_every_rule_is_on_the_page_once_with_its_default(signed_in: FlaskClient, store: Store) -> None:
    page = page_of(signed_in.get(f"/stores/{store.id}/rules", headers=HTML))

    boxes = [
        got["name"] for tag, got in page.tags if tag in ("input", "select", "textarea") and got.get("name")
    ]
    for entry in RULES:
        assert boxes.count(f"rule.{entry.name}") == 1
        assert page.fields[f"rule.{entry.name}"] == default_text(entry.name)
        assert entry.title in page.text


def test_every_rule_has_its_group_and_no_group_names_a_rule_that_is_gone() -> None:
    grouped = [name for _, names in GROUPS for name in names]

    assert sorted(grouped) == sorted(entry.name for entry in RULES)


def test_a_value_that_no_choice_has_is_refused(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    status, page = save(signed_in, store, rule_send="everything")

    assert status == 422
    assert "“Which orders to report” takes attributed, clicks_only or all, not 'everything'." in page.text
    assert services.stores.get(store.id) == store


def test_an_emptied_box_means_the_default(signed_in: FlaskClient, store: Store, services: Services) -> None:
    save(signed_in, store, rule_codes_field="45")
    status, page = save(signed_in, store, rule_codes_field="", rule_parameters=" ")

    assert status == 200
    assert services.stores.get(store.id).rules == {}  # type: ignore[union-attr]
    assert page.fields["rule.codes_field"] == "1"


def test_routes_keep_their_lines(signed_in: FlaskClient, store: Store, services: Services) -> None:
    lines = "country=DE,AT -> 12:34\r\ncustomer=new -> 56:78"
    status, page = save(signed_in, store, rule_routes=lines)

    kept = services.stores.get(store.id)
    assert status == 200
    assert kept is not None
    assert [one.campaign_id for one in read_rules(kept.rules).routes] == ["12", "56"]
    assert page.fields["rule.routes"] == "country=DE,AT -> 12:34\ncustomer=new -> 56:78"


def test_each_save_is_a_version_with_who_and_when_and_an_older_one_comes_back(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    save(signed_in, store, rule_send="all")
    save(signed_in, store, rule_send="clicks_only")
    newest, older, *_ = services.stores.rule_versions(store.id)
    assert [dict(one.rules) for one in (newest, older)] == [{"send": "clicks_only"}, {"send": "all"}]
    assert {one.saved_by for one in (newest, older)} == {"admin password"}
    assert newest.saved_at == services.clock()

    form = form_of(signed_in, store)
    sent = {"csrf_token": form["csrf_token"], "version": form["version"]}
    path = f"/stores/{store.id}/rules/{older.version}"
    answer = signed_in.post(path, data=sent, headers=HTML)

    assert answer.status_code == 200
    assert dict(services.stores.get(store.id).rules) == {"send": "all"}  # type: ignore[union-attr]
    assert services.stores.rule_versions(store.id)[0].version == newest.version + 1
    again = signed_in.post(path, data=sent, headers=HTML)
    assert again.status_code == 409
    assert "Nothing was restored" in page_of(again).text
    sent["version"] = form_of(signed_in, store)["version"]
    gone = signed_in.post(f"/stores/{store.id}/rules/999", data=sent, headers=HTML)
    assert gone.status_code == 404
    assert len(services.stores.rule_versions(store.id)) == newest.version + 1


def test_who_saves_later_is_told_and_overwrites_only_knowingly(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    mine = {**form_of(signed_in, store), "rule.send": "all"}
    mine.pop("preview", None)
    save(signed_in, store, rule_send="clicks_only", rule_codes_field="45")

    def sent(boxes: dict[str, str]) -> tuple[int, Page]:
        answer = signed_in.post(f"/stores/{store.id}/rules", data=boxes, headers=HTML)
        return answer.status_code, page_of(answer)

    status, page = sent(mine)
    assert status == 409
    assert "Nothing was saved: somebody saved other rules" in page.text
    assert "Saved meanwhile: Only orders with a click" in page.text
    assert "Saved meanwhile: 45" in page.text
    # What was typed is kept, and nothing of theirs is lost.
    assert (page.fields["rule.send"], page.fields["rule.codes_field"]) == ("all", "1")
    assert services.stores.get(store.id).rules == {"send": "clicks_only", "codes_field": "45"}  # type: ignore[union-attr]

    boxes = {name: text for name, text in page.fields.items() if name != "preview"}
    status, _ = sent(boxes)
    assert status == 200
    assert services.stores.get(store.id).rules == {"send": "all"}  # type: ignore[union-attr]


def test_saving_the_account_meanwhile_stands_in_nobodys_way(
    signed_in: FlaskClient, store: Store, services: Services
) -> None:
    mine = {**form_of(signed_in, store), "rule.send": "all"}
    mine.pop("preview", None)
    services.stores.save_settings(
        store.id, account_sid="A", auth_token="t", campaign_id="1", event_type_id="2", by="Ben"
    )
    assert signed_in.post(f"/stores/{store.id}/rules", data=mine, headers=HTML).status_code == 200
    assert services.stores.get(store.id).rules == {"send": "all"}  # type: ignore[union-attr]


def test_a_preview_writes_nothing(signed_in: FlaskClient, store: Store, services: Services) -> None:
    def everything() -> dict[str, list[object]]:
        with services.database.read() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(table.select())]
                for table in metadata.sorted_tables
            }

    before = everything()
    status, page = save(signed_in, store, rule_send="all", preview="1")

    assert status == 200
    assert "What these rules would change" in page.text
    assert page.fields["rule.send"] == "all"
    assert everything() == before


def test_what_was_typed_is_shown_as_text_and_nothing_else(signed_in: FlaskClient, store: Store) -> None:
    attack = '"><script>alert(1)</script>'
    status, page = save(signed_in, store, rule_codes_field=attack, rule_routes=f"</textarea>{attack}")

    assert status == 422
    assert [tag for tag, _ in page.tags].count("script") == 0
    assert page.fields["rule.codes_field"] == attack
    marked = {got["name"] for _, got in page.tags if got.get("aria-invalid")}
    assert marked == {"rule.codes_field", "rule.routes"}
    assert "“Text field for all promo codes” takes a whole number from 1 to 50" in page.text
