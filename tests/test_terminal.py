"""What a person sees while a command works: a bar on the error stream, tables that line up."""

from __future__ import annotations

import pytest

from impact_app.terminal import progress, table


def test_a_table_lines_up_and_ends_without_blanks() -> None:
    rows = [("waiting", "USD", "2", "1000.00"), ("withheld", "JPY", "10", "5")]
    assert table(("verdict", "currency", "orders", "net"), rows, right=2).splitlines() == [
        "verdict   currency  orders      net",
        "waiting   USD            2  1000.00",
        "withheld  JPY           10        5",
    ]


def test_a_bar_tells_how_far_it_is_where_somebody_looks_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("Orders of a shop") as bar:
        bar.preparing(3)
        bar.at(2, 10)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Orders of a shop" in shown.err
    assert "2/10" in shown.err


def test_nothing_is_shown_where_nobody_looks_on(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Orders of a shop") as bar:
        bar.at(2, 10)
    assert capsys.readouterr().err.strip() == ""
