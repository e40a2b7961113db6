"""Studies of attacks as the tests look at them: tables, indicators, rows of docs/attacks.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from cosim.results.manifest import RUNS_FOLDER
from cosim.studies.runner import StudyResult

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "scenarios" / "attacks"
OF_BASELINES = ("inc_dec", "phantom_baseline")
"""Those that play with baselines of flexibility; they have a test file of their own."""

REPORTED = ("honest", "attacked")
"""Runs whose reports the tests read."""

Studies = Callable[[str], StudyResult]


def folder(study: StudyResult, variant: str) -> Path:
    return study.folder / RUNS_FOLDER / variant


def table(study: StudyResult, variant: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder(study, variant) / "tables" / f"{name}.parquet")


def indicator(study: StudyResult, variant: str, name: str) -> float:
    (value,) = (run.indicators[name] for run in study.runs if run.name == variant)
    assert value is not None
    return value


def values_of(study: StudyResult, variant: str) -> dict[str, float]:
    (values,) = (run.indicators for run in study.runs if run.name == variant)
    return values  # type: ignore[return-value]


def comes_true(study: StudyResult, name: str) -> None:
    """Assert what is expected of a study, and that reports show the attack."""
    assert [outcome for outcome in study.outcomes if not outcome.met] == []
    assert study.outcomes
    assert {"honest", "attacked", "defended"} <= {run.name for run in study.runs}
    report = (folder(study, "attacked") / "report.html").read_text(encoding="utf-8")
    title = name.replace("_", " ")
    assert f'<h2 id="attack-title">Attack: {title}</h2>' in report
    for chart in ("attack-money", "attack-meters", "attack-grid"):
        assert f'<div class="plot" data-chart="{chart}"' in report
    honest = (folder(study, "honest") / "report.html").read_text(encoding="utf-8")
    assert f"Attack: {title}, not active" in honest


def section_of(name: str) -> str:
    """Return what docs/attacks.md says of an attack."""
    page = (REPOSITORY / "docs" / "attacks.md").read_text(encoding="utf-8")
    _, _, section = page.partition(f"`{name}`\n")
    return section.partition("\n## ")[0]


def rows_of(text: str) -> list[str]:
    """Return the rows of a table, its heading first."""
    return [line for line in text.splitlines() if line[:2] == "| "]


def page_shows(study: StudyResult, name: str) -> None:
    """Assert that the first table of an attack on its page has what its study gives."""
    given = rows_of(section_of(name).partition("\n### ")[0])
    played = [run.name for run in study.runs if not run.name.startswith("no_market_")]
    assert given[1:] == [page_row(study, name) for name in played]


def page_row(study: StudyResult, variant: str) -> str:
    """A row of a table in docs/attacks.md: cost of every party, energy, and the grid."""
    (values,) = (run.indicators for run in study.runs if run.name == variant)
    received = values["supplier_received_eur"]
    assert received is not None
    money = [values[f"{party}_cost_eur"] for party in ("attackers", "victims", "others")]
    cells = [
        *("–" if value is None else f"{value:.2f}" for value in (*money, -received)),
        f"{values['flexibility_cost_eur']:.2f}",
        f"{values['traded_kwh']:.1f}",
        f"{values['highest_trafo_loading_percent']:.1f}",
        f"{values['lowest_vm_pu']:.4f}",
        f"{values['highest_vm_pu']:.4f}",
    ]
    return f"| {variant} | " + " | ".join(cells).replace("-", "−") + " |"
