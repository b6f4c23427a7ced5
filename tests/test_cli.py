"""The commands: what they do, what they print, and one sentence for whatever is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from impact_app import create_app
from impact_app.ledger.tables import steps, stores
from impact_app.simulator.network import RunningNetwork
from impact_app.simulator.shopify.orders import encode, refund
from impact_app.wiring import Services
from tests.line import OTHER_SHOP, SHOP, Bench, Clock

ROOT = Path(__file__).resolve().parents[1]


def run(line: Services, *words: str, input: bytes | None = None) -> Result:
    result = create_app(line).test_cli_runner().invoke(args=list(words), input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output
    return result


def flask(environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *words],
        cwd=ROOT,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# check-config


def test_check_config_says_what_is_used(bench: Bench) -> None:
    result = run(bench.line, "check-config")
    assert result.exit_code == 0
    assert result.output.startswith("Configuration is fine. Database: sqlite:///")
    assert f"Redis: from REDIS_URL. Shopify: on. impact.com: {bench.network.url}" in result.output


def test_check_config_as_a_person_runs_it(tmp_path: Path) -> None:
    done = flask({"INSTANCE_PATH": str(tmp_path), "ADMIN_PASSWORD": "known already"}, "check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Redis: embedded. Shopify: off. impact.com: https://api.impact.com" in done.stdout


def test_check_config_tells_every_fault_at_once_in_words(tmp_path: Path) -> None:
    environ = {
        "INSTANCE_PATH": str(tmp_path),
        "SECRET_KEY": "short",
        "PORT": "many",
        "DATABASE_URL": "oracle://x",
        "SHOPIFY_API_KEY": "key",
    }
    done = flask(environ, "check-config")
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert lines[0] == "The configuration cannot be used:"
    named = ["DATABASE_URL", "PORT", "SECRET_KEY", "SHOPIFY_API_KEY"]
    assert sorted(line.split()[1] for line in lines[1:]) == named
    assert done.stdout == ""


def test_check_config_tells_a_database_and_a_redis_that_do_not_answer(
    bench: Bench, clock: Clock, tmp_path: Path
) -> None:
    gone = replace(
        bench.line.config,
        database_url=f"sqlite:///{tmp_path}/missing/impact.sqlite3",
        redis_url="unix:///nonexistent/redis.sock",
    )
    result = run(Services(gone, clock), "check-config")
    assert result.exit_code == 1
    assert "DATABASE_URL: the database cannot be used: unable to open database file" in result.output
    assert "REDIS_URL: Redis does not answer" in result.output


def test_check_config_tells_a_file_that_is_no_database(bench: Bench, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are my notes. " * 100)
    config = replace(bench.line.config, database_url=f"sqlite:///{tmp_path}/notes.txt")
    result = run(Services(config, clock), "check-config")
    assert (result.exit_code, "file is not a database" in result.output) == (1, True)
    listed = run(Services(config, clock), "stores", "list")
    assert (listed.exit_code, "file is not a database" in listed.output) == (1, True)


def test_a_database_of_a_newer_version_is_one_sentence(bench: Bench, clock: Clock) -> None:
    with bench.line.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for words in (("check-config",), ("stores", "list"), ("sweep",)):
        result = run(Services(bench.line.config, clock), *words)
        assert (result.exit_code, "newer version" in result.output) == (1, True)


# stores


def test_a_store_is_added_and_reports(bench: Bench) -> None:
    sid = bench.network.books.setup.sid
    added = run(
        bench.line,
        *("stores", "add", "shopify", SHOP, "--account-sid", sid, "--auth-token", "pretend-auth-token"),
        *("--campaign-id", "1000", "--event-type-id", "9876", "--rule", "order_id=number"),
    )
    assert (added.exit_code, added.output) == (0, "1\n")
    body = bench.pay()
    assert bench.run() == 1
    (action,) = bench.network.books.actions()
    assert action.order_id == str(body["order_number"])
    listed = run(bench.line, "stores", "list")
    assert listed.output == f"1\tshopify\t{SHOP}\tconnected\tconfigured\n"
    assert "pretend-auth-token" not in added.output + listed.output


def test_adding_a_store_again_changes_what_is_given(bench: Bench) -> None:
    bench.connect(order_id="number")
    result = run(bench.line, "stores", "add", "shopify", SHOP, "--campaign-id", "77", "--rule", "send=all")
    assert (result.exit_code, result.output) == (0, "1\n")
    store = bench.line.stores.get(1)
    assert store is not None
    assert (store.campaign_id, store.event_type_id) == ("77", "9876")
    assert store.rules == {"order_id": "number", "send": "all"}
    assert bench.line.stores.credentials(1) is not None


@pytest.mark.parametrize(
    "words",
    [
        ("shopify", "shop.example"),
        ("shopify", "https://impact-demo.myshopify.com"),
        ("magento", SHOP),
        ("shopify", SHOP, "--rule", "send"),
        ("shopify", SHOP, "--rule", "send=sometimes"),
        ("shopify", SHOP, "--rule", "no_such_rule=1"),
        ("shopify", SHOP, "--account-sid", "IR/../x"),
        ("shopify", SHOP, "--account-sid", ""),
        ("shopify", SHOP, "--auth-token", "with blanks"),
        ("shopify", SHOP, "--campaign-id", "12a"),
        ("shopify", SHOP, "--event-type-id", "12345678901"),
        ("shopify",),
    ],
)
def test_a_store_that_cannot_be_added_is_not(bench: Bench, words: tuple[str, ...]) -> None:
    result = run(bench.line, "stores", "add", *words)
    assert result.exit_code == 2
    assert "Error:" in result.output
    assert bench.count(stores) == 0


def test_client_credentials_without_shopify_are_one_sentence(bench: Bench, clock: Clock) -> None:
    off = Services(replace(bench.line.config, shopify=None), clock)
    result = run(off, "stores", "add", "shopify", SHOP, "--client-credentials")
    assert (result.exit_code, "Shopify is switched off" in result.output) == (1, True)
    assert bench.count(stores) == 0


# orders


def test_orders_are_listed_newest_first_with_their_verdicts(bench: Bench) -> None:
    bench.connect()
    bench.connect(OTHER_SHOP)
    first, second = bench.pay(), bench.pay(financial_status="pending")
    other = bench.pay(shop=OTHER_SHOP)
    assert bench.run() == 2
    rows = [line.split("\t") for line in run(bench.line, "orders", "list").output.splitlines()]
    assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows] == [
        ("1", str(second["id"]), "withheld", "not_paid", "100.00 USD"),
        ("1", str(first["id"]), "reported", "accepted", "100.00 USD"),
        ("2", str(other["id"]), "reported", "accepted", "100.00 USD"),
    ]
    assert _ids(bench, "--verdict", "withheld") == [second["id"]]
    assert _ids(bench, "--reason", "accepted", "--store", SHOP) == [first["id"]]
    assert _ids(bench, "--store", "2") == [other["id"]]
    assert _ids(bench, "--search", first["name"]) == [first["id"]]
    assert _ids(bench, "--search", "click-2") == [second["id"]]
    assert _ids(bench, "--limit", "1", "--store", "1") == [second["id"]]


def _ids(bench: Bench, *words: str) -> list[int]:
    output = run(bench.line, "orders", "list", "--json", *words).output
    return [int(json.loads(line)["order_key"]) for line in output.splitlines()]


def test_an_order_is_shown_with_its_evidence(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    bench.network.faults.script("500_after")
    bench.run()
    bench.clock.advance(hours=1)
    bench.run()
    for name in (str(body["id"]), body["name"], body["name"].removeprefix("#")):
        shown = run(bench.line, "orders", "show", SHOP, name)
        assert shown.exit_code == 0
        for part in (
            "reported, accepted",
            "im_ref='click-1': used",
            "list 100.00, paid 100.00",
            "net 100.00",
            "orders/paid: judged",
            "POST",
            "uncertain, server_error, status 500",
            "accepted, accepted, status 200",
        ):
            assert part in shown.output
    told = json.loads(run(bench.line, "orders", "show", "1", str(body["id"]), "--json").output)
    assert [attempt["outcome"] for attempt in told["steps"][0]["attempts"]] == ["uncertain", "accepted"]
    assert "pretend-auth-token" not in str(told)


def test_an_order_is_replayed(bench: Bench) -> None:
    bench.connect()
    body = bench.pay()
    bench.network.faults.script("400")
    assert bench.run() == 1
    replayed = run(bench.line, "orders", "replay", SHOP, body["name"])
    assert (replayed.exit_code, replayed.output) == (0, "Judged again: waiting, queued.\n")
    assert bench.run() == 1
    assert bench.verdict(body) == ("reported", "accepted")


@pytest.mark.parametrize("command", ["show", "replay"])
def test_what_is_not_there_is_one_sentence(bench: Bench, command: str) -> None:
    bench.connect()
    no_store = run(bench.line, "orders", command, "nowhere.myshopify.com", "1")
    assert (no_store.exit_code, "There is no store 'nowhere" in no_store.output) == (1, True)
    no_order = run(bench.line, "orders", command, SHOP, "#1")
    assert (no_order.exit_code, "has no order '#1' here." in no_order.output) == (1, True)
    assert bench.count(steps) == 0


def test_an_order_of_another_store_is_not_there(bench: Bench) -> None:
    bench.connect()
    bench.connect(OTHER_SHOP)
    body = bench.pay()
    bench.run()
    assert run(bench.line, "orders", "show", OTHER_SHOP, str(body["id"])).exit_code == 1


# preview


def _file(tmp_path: Path, body: Mapping[str, Any] | bytes, name: str = "order.json") -> str:
    file = tmp_path / name
    file.write_bytes(body if isinstance(body, bytes) else encode(dict(body)))
    return str(file)


def test_a_preview_prints_the_call_and_sends_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.connect()
    result = run(bench.line, "preview", "shopify", _file(tmp_path, bench.order()))
    assert result.exit_code == 0
    told = json.loads(result.output)
    assert (told["decision"], told["reason"]) == ("submit", "click")
    assert told["call"]["method"] == "POST"
    assert told["call"]["path"] == f"/Advertisers/{bench.network.books.setup.sid}/Conversions"
    assert ["ClickId", "click-1"] in told["call"]["form"]
    assert bench.calls() == []
    assert set(bench.counts().values()) == {0}


def test_a_preview_against_an_earlier_snapshot_is_the_change(bench: Bench, tmp_path: Path) -> None:
    body = bench.order()
    _, gone = refund(body, {body["line_items"][0]["id"]: 1})
    earlier, later = _file(tmp_path, body, "earlier"), _file(tmp_path, gone, "later")
    told = json.loads(run(bench.line, "preview", "shopify", later, "--against", earlier).output)
    assert (told["decision"], told["call"]["method"]) == ("reverse", "DELETE")
    back = json.loads(run(bench.line, "preview", "shopify", earlier, "--against", later).output)
    assert (back["decision"], back["reason"], back["call"]) == ("nothing", "older_snapshot", None)


def test_a_preview_reads_standard_input(bench: Bench) -> None:
    result = run(bench.line, "preview", "shopify", "-", input=encode(bench.order()))
    assert json.loads(result.output)["decision"] == "submit"


def test_a_preview_judges_as_of_the_moment_given(bench: Bench, tmp_path: Path) -> None:
    file = _file(tmp_path, bench.order())
    told = json.loads(run(bench.line, "preview", "shopify", file, "--now", "2027-11-20").output)
    assert (told["decision"], told["reason"]) == ("nothing", "too_old")


def test_a_preview_takes_rules(bench: Bench, tmp_path: Path) -> None:
    file = _file(tmp_path, bench.order(note_attributes=()))
    assert json.loads(run(bench.line, "preview", "shopify", file).output)["decision"] == "nothing"
    told = json.loads(run(bench.line, "preview", "shopify", file, "--rule", "send=all").output)
    assert (told["decision"], told["reason"]) == ("submit", "all_orders")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "complete JSON"),
        (b"{", "complete JSON"),
        (b"\xff\xfe{}", "complete JSON"),
        (b"{}", "not as Shopify sends it"),
        (b"[]", "not as Shopify sends it"),
        (b'{"orders": 5}', ""),
        (b'{"orders": []}', ""),
        (b'{"order": null}', ""),
        (b"[" * 200_000, ""),
    ],
)
def test_a_file_that_holds_no_order_is_one_sentence(
    bench: Bench, tmp_path: Path, body: bytes, words: str
) -> None:
    result = run(bench.line, "preview", "shopify", _file(tmp_path, body))
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("missing.json",), 1),
        ((".",), 1),
        (("FILE", "--rule", "send=sometimes"), 2),
        (("FILE", "--rule", "send"), 2),
        (("FILE", "--now", "tomorrow"), 2),
        (("FILE", "--against", "missing.json"), 1),
    ],
)
def test_a_preview_that_was_asked_wrongly_is_one_sentence(
    bench: Bench, tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    file = _file(tmp_path, bench.order())
    result = run(bench.line, "preview", "shopify", *(file if word == "FILE" else word for word in words))
    assert (result.exit_code, result.stdout) == (code, "")
    assert "Error:" in result.output


# sweep


def test_a_sweep_frees_and_tells_what_is_due(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    assert len(bench.line.inbox.claim(1, bench.clock())) == 1
    bench.clock.advance(seconds=91)
    told = json.loads(run(bench.line, "sweep").output.splitlines()[-1])
    assert told == {
        "freed_deliveries": 1,
        "freed_steps": 0,
        "has_due_deliveries": True,
        "next_step_due": None,
    }


def test_a_sweep_without_redis_still_frees(bench: Bench, clock: Clock, network: RunningNetwork) -> None:
    gone = Services(replace(bench.line.config, redis_url="unix:///nonexistent/redis.sock"), clock)
    bench.line.database.close()
    assert run(gone, "sweep").exit_code == 0
