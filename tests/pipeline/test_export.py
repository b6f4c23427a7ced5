"""`flask export`: what was or will be sent, as a file, of one store and one period."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result

from impact_app import create_app
from impact_app.domain.rules import read_rules
from impact_app.ledger.tables import steps
from impact_app.simulator.shopify.orders import LineSpec, cancel, refund
from tests.line import OTHER_SHOP, SHOP, Bench, both_databases

Body = dict[str, Any]


def export(bench: Bench, *words: str, shop: str = SHOP, status: int = 0) -> Result:
    asked = ["export", shop, "--from", "2026-11-01", "--to", "2026-11-30", *words]
    result = create_app(bench.line).test_cli_runner().invoke(args=asked)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, "Traceback" in result.output) == (status, False)
    return result


def rows(result: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(result.stdout, newline="")))


def line(sku: str, price: str, quantity: int = 1) -> LineSpec:
    return LineSpec(sku=sku, price=Decimal(price), quantity=quantity)


def later(bench: Bench, topic: str, body: Body) -> None:
    bench.clock.advance(minutes=1)
    bench.deliver_body(topic, body)


@both_databases
def test_what_was_sent_and_what_is_due_are_the_file(bench: Bench) -> None:
    bench.connect()
    sent = bench.pay(line("B", "5.00"), line("A", "30.00", 3))
    assert bench.run() == 1
    due = bench.pay(line("C", "7.50", 2))
    withheld = bench.pay(line("D", "9.00"), note_attributes=(), customer=None)
    bench.process()

    result = export(bench)

    shown = [(row["OrderId"], row["Sku"], row["Quantity"], row["Amount"]) for row in rows(result)]
    assert shown == [
        (str(sent["id"]), "A", "3", "90.00"),
        (str(sent["id"]), "B", "1", "5.00"),
        (str(due["id"]), "C", "2", "15.00"),
    ]
    assert str(withheld["id"]) not in result.stdout
    assert result.stderr == "2 conversions, 3 lines, 110.00 USD after discounts.\n"  # 90 + 5 + 15
    assert [row["OrderId"] for row in rows(export(bench, "--state", "due"))] == [str(due["id"])]
    assert {row["OrderId"] for row in rows(export(bench, "--state", "reported"))} == {str(sent["id"])}


def test_nothing_is_written_and_nothing_sent(bench: Bench) -> None:
    bench.connect()
    bench.pay()
    bench.process()
    before = bench.counts()

    export(bench)

    assert (bench.counts(), bench.calls()) == (before, [])


@both_databases
def test_changes_have_a_file_of_their_own(bench: Bench) -> None:
    bench.connect()
    kept, gone = bench.pay(line("A", "30.00", 3)), bench.pay(line("B", "5.00"))
    assert bench.run() == 2
    later(bench, "orders/updated", refund(kept, {kept["line_items"][0]["id"]: 1})[1])
    later(bench, "orders/updated", cancel(gone))
    assert bench.run() == 2

    result = export(bench, "--changes")

    assert [(row["OrderId"], row["Sku"], row["Quantity"], row["Amount"]) for row in rows(result)] == [
        (str(kept["id"]), "A", "2", "60.00"),  # 3 x 30.00 - 1 x 30.00
        (str(gone["id"]), "", "", "0"),
    ]
    assert [row["CurrencyCode"] for row in rows(result)] == ["USD", "USD"]
    assert rows(result)[1]["Reason"] == read_rules({}).code_cancel
    # The first report stays in its own file as it was made.
    assert [row["Amount"] for row in rows(export(bench))] == ["90.00", "5.00"]


def test_a_call_that_was_replaced_or_refused_is_not_exported(bench: Bench) -> None:
    bench.connect()
    body = bench.pay(line("A", "30.00", 3))
    bench.process()
    later(bench, "orders/updated", refund(body, {body["line_items"][0]["id"]: 1})[1])
    bench.process()
    assert [state for _, state in bench.steps_of(body)] == ["replaced", "pending"]

    assert [row["Amount"] for row in rows(export(bench))] == ["60.00"]
    with bench.line.database.write() as connection:
        connection.execute(sa.update(steps).where(steps.c.state == "pending").values(state="rejected"))
    assert rows(export(bench)) == []


def test_only_the_period_and_the_store_count(bench: Bench) -> None:
    bench.connect()
    bench.connect(OTHER_SHOP)
    bench.pay(shop=OTHER_SHOP)
    old = bench.pay(processed_at=bench.clock() - timedelta(days=20))  # on 2026-10-31
    own = bench.pay()
    bench.process()

    assert [row["OrderId"] for row in rows(export(bench))] == [str(own["id"])]
    result = export(bench, "--from", "2026-10-31", "--to", "2026-10-31")
    assert [row["OrderId"] for row in rows(result)] == [str(old["id"])]


def test_it_goes_into_a_file(bench: Bench, tmp_path: Path) -> None:
    bench.connect()
    bench.pay()
    bench.process()
    printed = export(bench).stdout_bytes

    result = export(bench, "--output", str(tmp_path / "orders.csv"))

    assert (tmp_path / "orders.csv").read_bytes() == printed
    assert printed.count(b"\r\n") == 2
    assert result.stdout == ""
    missing = export(bench, "--output", str(tmp_path / "nowhere" / "orders.csv"), status=1)
    assert "cannot be used: No such file or directory." in missing.output


def test_values_that_begin_like_a_formula_are_named(bench: Bench) -> None:
    bench.connect()
    bench.pay(note_attributes=(("im_ref", "=1+1"),))
    bench.process()

    result = export(bench)
    shown = export(bench, "--to-look-at")

    assert rows(result)[0]["ClickId"] == "=1+1"
    assert "Values in ClickId begin like a formula." in result.stderr
    assert rows(shown)[0]["ClickId"] == "'=1+1"
    assert "not to be uploaded" in shown.stderr


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("--from", "2026-12-01"), 2, "--from lies behind --to."),
        (("--from", "soon"), 2, "'soon' is no day such as 2026-11-20."),
    ],
)
def test_what_is_not_understood_is_said(
    bench: Bench, words: tuple[str, ...], status: int, sentence: str
) -> None:
    bench.connect()
    assert sentence in export(bench, *words, status=status).output
    assert "There is no store" in export(bench, shop="nowhere", status=1).output
