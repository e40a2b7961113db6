"""Tables of money by role and of differences, and their width in a terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from cosim.studies.comparison_text import comparison_tables
from cosim.studies.declaration import Compared
from cosim.studies.differences import OF_PAIRS, OF_RUNS, Difference
from cosim.studies.money_text import money_of_runs
from cosim.studies.results import FinishedRun
from cosim.studies.screen import print_text_table

MONEY = {"with_generation": 1_090.5, "supplier": -40.25, "state": 12.0, "outside_market": 0.0}


def finished(name: str, **money: float) -> FinishedRun:
    indicators: dict[str, Any] = {f"money_by_role_eur.{role}": eur for role, eur in money.items()}
    return FinishedRun(name, name, {}, indicators)


def differences(*pairs: tuple[str, str]) -> list[Difference]:
    """Every quantity of each pair: 2 469.4 of the run, 1 684.0 of the run it is against."""
    found = []
    for run, left_out in pairs:
        compared = Compared(run, left_out, left_out)
        found += [Difference(compared, quantity, 2469.4, 1684.0, 785.4) for quantity in OF_RUNS]
        for key in ("schedule_differs_kwh", "delivery_differs_kwh"):
            quantity = next(q for q in OF_PAIRS if q.key == key)
            found.append(Difference(compared, quantity, None, None, 103.8))
    return found


def test_money_of_runs_has_the_roles_that_take_part() -> None:
    (table,) = money_of_runs([finished("flat", **MONEY), finished("peak", **MONEY | {"dso": 3.0})])
    assert table.headings == ("Run", "Members with generation", "Supplier", "DSO", "State")
    assert [row[0] for row in table.rows] == ["flat", "peak"]
    assert table.rows[0][2:] == ("−40.25", "—", "12.00")
    assert table.rows[1][2:] == ("−40.25", "3.00", "12.00")
    assert money_of_runs([finished("alone", **MONEY)]) == []


@pytest.mark.parametrize(
    ("pairs", "headings", "title"),
    [
        ([("a", "no_market"), ("a", "no_relief")], ("against",), "a less the same run with"),
        ([("a", "no_market"), ("b", "no_market")], ("Run",), "each run less the same run as no_m"),
        ([("a", "no_market"), ("b", "no_relief")], ("Run", "against"), "each run less the same"),
    ],
)
def test_what_all_pairs_share_stands_in_the_title(
    pairs: list[tuple[str, str]], headings: tuple[str, ...], title: str
) -> None:
    short, money, *every = comparison_tables(differences(*pairs))
    for table in (short, money):
        assert table.headings[: len(headings)] == headings
        assert title.lower() in table.title.lower()
        assert [row[: len(headings)] for row in table.rows] == [
            tuple({"Run": run, "against": left}[h] for h in headings) for run, left in pairs
        ]
    assert money.rows[0][len(headings) :] == ("785.40",) * 9
    assert len(every) == (len({run for run, _ in pairs}) == 1)


@pytest.mark.parametrize("width", [80, 100])
def test_no_cell_is_cut_in_a_terminal(width: int) -> None:
    """Four runs quantity by quantity, and money by every role of seven variants."""
    one = [("as_given", name) for name in ("no_market", "no_flexibility", "no_relief")]
    for table in (*comparison_tables(differences(*one)), *money_of_runs([
        finished(f"unmetered_{k}", **MONEY, dso=-18.44, upstream=-100.0) for k in range(7)
    ])):  # fmt: skip
        out = StringIO()
        print_text_table(
            table, Console(file=out, width=width, force_terminal=True, color_system=None)
        )
        text = out.getvalue()
        assert "…" not in text.replace("… delivered", "")
        assert max(map(len, text.splitlines())) <= width
        words = set(text.replace("(", " ").replace(")", " ").split())
        for row in table.rows:
            for cell in row:
                for word in cell.replace("(", " ").replace(")", " ").split():
                    assert word in words
