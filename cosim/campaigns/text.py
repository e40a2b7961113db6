"""Tables of a campaign, as report and terminal show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from cosim.campaigns.sensitivity import FIRST, RANK, TOTAL
from cosim.campaigns.table import DONE, FAILED, MISSING
from cosim.report.panel import TextTable
from cosim.report.text import number, plus_minus
from cosim.studies.estimates import Estimate, estimate
from cosim.studies.study import axis_labels, value_text

if TYPE_CHECKING:
    from cosim.campaigns.sweep import SweepResult

MOST_POINTS = 40
"""Points that tables show; Parquet and CSV have all."""
_HEADINGS = {
    FIRST: "first order (95 % interval)",
    TOTAL: "total (95 % interval)",
    RANK: "rank correlation (95 % interval)",
}


@dataclass(frozen=True)
class Place:
    """A point with its finished runs.

    Parameters
    ----------
    values : dict
        Value of each parameter.
    rows : DataFrame
        Of the campaign's table, one per seed.
    """

    values: Mapping[str, Any]
    rows: pd.DataFrame

    def estimate(self, indicator: str) -> Estimate:
        """Return mean and interval of an indicator over the seeds."""
        if indicator not in self.rows.columns:
            return estimate([])
        values = self.rows[indicator].dropna().astype(float)
        return estimate(values.tolist())


def places(table: pd.DataFrame, parameters: Sequence[str]) -> list[Place]:
    """Return the points of a table that have a finished run, in the order of the design."""
    done = table[table["status"] == DONE]
    found = []
    for _, rows in done.groupby("point", sort=True):
        first = rows.iloc[0]
        found.append(Place({name: _own(first[name]) for name in parameters}, rows))
    return found


def varying(table: pd.DataFrame, parameters: Sequence[str]) -> tuple[str, ...]:
    """Return the parameters in which points differ, finished or not."""
    return tuple(name for name in parameters if len({*map(_shown, table[name])}) > 1)


def point_table(result: SweepResult) -> TextTable | None:
    """Return points with the indicators that a campaign shows; None if no run is finished."""
    return table_of_points(
        result.table, result.campaign.parameters, result.campaign.indicators, result.campaign.seeds
    )


def table_of_points(
    table: pd.DataFrame, parameters: Sequence[str], indicators: Sequence[str], seeds: int
) -> TextTable | None:
    """Return points with indicators as text; None if no run is finished.

    A point whose runs are not all done says so. Of many points the first are shown.

    Parameters
    ----------
    table : DataFrame
        As :func:`cosim.campaigns.table.campaign_table`.
    parameters, indicators : sequence of str
    seeds : int
    """
    if not (table["status"] == DONE).any():
        return None
    differing = varying(table, parameters)
    labels = axis_labels(differing)
    shown = [name for name in indicators if name in table.columns]
    digits = {name: decimals(table[name]) for name in shown}
    rows = []
    for _, own in list(table.groupby("point", sort=True))[:MOST_POINTS]:
        first = own.iloc[0]
        label = ", ".join(f"{labels[name]} {short(_own(first[name]))}" for name in differing)
        place = Place({}, own[own["status"] == DONE])
        cells = []
        for name in shown:
            mean = place.estimate(name)
            cells.append(plus_minus(mean.mean, mean.half_width, "", digits[name]))
        rows.append(((label or "as given") + _lacking(own), *cells))
    title = (
        f"Means of {seeds} seeds, ± half of their 95 % interval" if seeds > 1 else "One run each"
    )
    if (n := table["point"].nunique()) > MOST_POINTS:
        title += f"; the first {MOST_POINTS} of {n} points"
    return TextTable(title, ("Point", *map(spaced, shown)), rows)


def _lacking(rows: pd.DataFrame) -> str:
    """Return how many runs of a point are failed or missing, in brackets; nothing if none is."""
    counts = rows["status"].value_counts()
    told = [
        f"{int(counts[status])} {status}" if len(rows) > 1 else status
        for status in (FAILED, MISSING)
        if status in counts
    ]
    return f" ({', '.join(told)})" if told else ""


def _shown(value: Any) -> str:
    return value_text(_own(value))


def sensitivity_tables(
    found: pd.DataFrame, indicators: Sequence[str] | None = None
) -> list[TextTable]:
    """Return a table per indicator: parameters with their indices and intervals.

    Parameters
    ----------
    found : DataFrame
        As :func:`cosim.campaigns.sensitivity.sensitivities`.
    indicators : sequence of str, optional
        Shown; default: all.
    """
    tables = []
    for name, rows in found.groupby("indicator", sort=False):
        if indicators is not None and name not in indicators:
            continue
        kinds = list(dict.fromkeys(rows["index"]))
        cells: dict[str, dict[str, str]] = {}
        for row in rows.to_dict("records"):
            text = number(row["value"], "", 2)
            if row["low"] == row["low"]:
                text += f"\u00a0({number(row['low'], '', 2)}\u00a0to\u00a0"
                text += f"{number(row['high'], '', 2)})"
            cells.setdefault(row["parameter"], {})[row["index"]] = text
        tables.append(
            TextTable(
                f"Sensitivity of {name} (n = {rows['n'].iloc[0]})",
                ("Parameter", *(_HEADINGS[kind] for kind in kinds)),
                [
                    (parameter, *(own.get(kind, number(None)) for kind in kinds))
                    for parameter, own in cells.items()
                ],
            )
        )
    return tables


def decimals(values: pd.Series) -> int:
    """Return how many digits after the point show numbers of this size: four figures in all."""
    largest = values.dropna().abs().max() if len(values.dropna()) else 0.0
    return (
        0 if largest >= 1000 else 1 if largest >= 100 else 2 if largest >= 1 or not largest else 4
    )


def short(value: Any) -> str:
    """Return a value in few characters."""
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)


def spaced(indicator: str) -> str:
    """Return an indicator's name in words, which a heading can break."""
    return indicator.replace(".", " ").replace("_", " ")


def _own(value: Any) -> Any:
    """Return a cell as Python has it."""
    return value.item() if hasattr(value, "item") else value
