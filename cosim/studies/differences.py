"""Differences between a run and its counterfactuals: money by role, energy, violations, schedules.

A difference is the run less the run it is against, and every row names both. Two of them need the
tables of both runs: by how much schedules and deliveries differ, summed as magnitudes over
connection points and intervals, so that nothing cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.report.checks import KIND_LABELS, KINDS
from cosim.report.comparison import Indicators
from cosim.report.costs import costs_by_prosumer
from cosim.report.resource_cost import ResourceCost
from cosim.report.roles import ROLES
from cosim.results.manifest import RUNS_FOLDER
from cosim.results.reader import Results
from cosim.results.schemas import STAGES
from cosim.studies.declaration import Compared
from cosim.studies.estimates import Estimate, estimate
from cosim.units import WH_PER_KWH

COMPARISON_TABLE, COMPARISON_CSV = "comparison.parquet", "comparison.csv"


@dataclass(frozen=True)
class Quantity:
    """A number that runs are compared by.

    Parameters
    ----------
    key : str
        Dotted path of the indicator, or name of a difference that has no value of one run.
    title, unit : str
    digits : int
    """

    key: str
    title: str
    unit: str
    digits: int


_ENERGIES = {
    "traded_kwh": "Traded between prosumers",
    "imported_kwh": "Net import from upstream",
    "losses_kwh": "Losses",
    "generation_kwh": "Generation",
    "consumption_kwh": "Consumption",
    "curtailed_injection_kwh": "Curtailed injection",
    "curtailed_consumption_kwh": "Curtailed consumption",
    "flexibility_delivered_kwh": "Flexibility delivered",
}
_STAGE_TITLES = {"scheduled": "scheduled", "relieved": "after relief", "delivered": "delivered"}

SCHEDULE_DIFFERS, DELIVERY_DIFFERS = "schedule_differs_kwh", "delivery_differs_kwh"
BETTER_OFF, WORSE_OFF = "members_better_off", "members_worse_off"

OF_RUNS: tuple[Quantity, ...] = (
    Quantity("welfare_eur", "Welfare (minus resource cost)", "EUR", 2),
    *(
        Quantity(f"resource_cost_eur.{name}", f"Resource cost: {name}", "EUR", 2)
        for name in (field.removesuffix("_eur") for field in ResourceCost.__dataclass_fields__)
    ),
    *(
        Quantity(f"money_by_role_eur.{key}", f"Money: {title}", "EUR", 2)
        for key, title in ROLES.items()
    ),
    Quantity("network_charge_eur_per_kwh", "Charge that would cover the DSO", "EUR/kWh", 4),
    *(Quantity(key, title, "kWh", 1) for key, title in _ENERGIES.items()),
    *(
        Quantity(
            f"violations.{stage}.any.minutes", f"Limits violated, {_STAGE_TITLES[stage]}", "min", 0
        )
        for stage in STAGES
    ),
    *(
        Quantity(
            f"violations.delivered.{kind}.minutes", f"… delivered: {KIND_LABELS[kind]}", "min", 0
        )
        for kind in KINDS
        if kind != "any"
    ),
)
"""Quantities that each run has, by indicator."""

OF_PAIRS: tuple[Quantity, ...] = (
    Quantity(SCHEDULE_DIFFERS, "Schedules that differ (final dispatch)", "kWh", 1),
    Quantity(DELIVERY_DIFFERS, "Deliveries that differ (net injection)", "kWh", 1),
    Quantity(BETTER_OFF, "Members who pay less", "", 0),
    Quantity(WORSE_OFF, "Members who pay more", "", 0),
)
"""Quantities of two runs."""


@dataclass(frozen=True)
class Difference:
    """One quantity of a run and of the run it is against.

    Parameters
    ----------
    compared : Compared
    quantity : Quantity
    of_run, of_against : float or None
        None in a quantity of both, and where an indicator has no value.
    difference : float or None
        The run less the run it is against; None where either has no value.
    over_seeds : Estimate or None
        Of the difference, where the three numbers are means over seeds.
    """

    compared: Compared
    quantity: Quantity
    of_run: float | None
    of_against: float | None
    difference: float | None
    over_seeds: Estimate | None = None

    @property
    def half_width(self) -> float | None:
        """Half of the difference's interval; None for single runs."""
        return self.over_seeds.half_width if self.over_seeds else None


def mean_differences(found: Sequence[Difference], points: Mapping[str, str]) -> list[Difference]:
    """Return the mean of differences that were taken seed by seed.

    Parameters
    ----------
    found : sequence of Difference
        Between runs with the same seed.
    points : mapping
        Point of each run, by name.

    Returns
    -------
    list of Difference
        Between points. A seed counts in all three numbers, or, where either run has no value, in
        none.
    """
    groups: dict[tuple[Compared, Quantity], list[Difference]] = {}
    for each in found:
        pair = Compared(
            points[each.compared.run],
            each.compared.counterfactual,
            points.get(each.compared.against, each.compared.against),
        )
        groups.setdefault((pair, each.quantity), []).append(each)
    averaged = []
    for (pair, quantity), own in groups.items():
        pairs = [each for each in own if each.difference is not None]
        of_run, of_against, change = (
            estimate(values)
            for values in (
                [each.of_run for each in pairs],
                [each.of_against for each in pairs],
                [each.difference for each in pairs],
            )
        )
        averaged.append(
            Difference(pair, quantity, of_run.mean, of_against.mean, change.mean, change)
        )
    return averaged


def differences(
    folder: Path, compared: Compared, indicators: Mapping[str, Indicators]
) -> list[Difference]:
    """Compare a run with a counterfactual.

    Parameters
    ----------
    folder : Path
        Of the study.
    compared : Compared
    indicators : mapping
        By run: its indicators by dotted path. What neither run has is left out.
    """
    of_run, of_against = indicators[compared.run], indicators[compared.against]
    found = [
        _difference(compared, quantity, of_run.get(quantity.key), of_against.get(quantity.key))
        for quantity in OF_RUNS
        if quantity.key in of_run or quantity.key in of_against
    ]
    run, against = (Results(folder / RUNS_FOLDER / n) for n in (compared.run, compared.against))
    values = physical_differences(run, against) | members_off(run, against)
    return found + [
        Difference(compared, quantity, None, None, values[quantity.key]) for quantity in OF_PAIRS
    ]


def physical_differences(run: Results, against: Results) -> dict[str, float]:
    """Return by how much the physics of two runs of the same prosumers differ.

    Returns
    -------
    dict of str to float
        ``schedule_differs_kwh``: sum over connection points and intervals of the magnitudes by
        which the final schedules (``schedules.dispatched_wh``) differ; ``delivery_differs_kwh``:
        the same of what meters counted (``prosumers.metered_wh``). [kWh]
    """
    columns = {
        SCHEDULE_DIFFERS: ("schedules", "dispatched_wh"),
        DELIVERY_DIFFERS: ("prosumers", "metered_wh"),
    }
    found = {}
    for name, (table, column) in columns.items():
        one, other = (
            results.frame(table, ("interval", "prosumer", column))
            .astype({"prosumer": str})
            .set_index(["interval", "prosumer"])[column]
            for results in (run, against)
        )
        found[name] = float(one.sub(other, fill_value=0).abs().sum()) / WH_PER_KWH
    return found


def members_off(run: Results, against: Results) -> dict[str, float]:
    """Return how many members of both runs pay less, and how many more, than in the other."""
    change = costs_by_prosumer(run)["cost_ueur"] - costs_by_prosumer(against)["cost_ueur"]
    return {BETTER_OFF: float((change < 0).sum()), WORSE_OFF: float((change > 0).sum())}


def write_comparison(folder: Path, found: Sequence[Difference]) -> None:
    """Write ``comparison.parquet`` and ``comparison.csv`` into a study's folder."""
    table = comparison_table(found)
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, folder / COMPARISON_TABLE)
    table.to_csv(folder / COMPARISON_CSV, index=False)


def comparison_table(found: Sequence[Difference]) -> pd.DataFrame:
    """Return one row per quantity of each pair of runs; missing where there is no value.

    Means over seeds also have ``n``, and ``low`` and ``high`` of the difference's interval.
    """
    table = pd.DataFrame(
        {
            "run": [each.compared.run for each in found],
            "counterfactual": [each.compared.counterfactual for each in found],
            "against": [each.compared.against for each in found],
            "quantity": [each.quantity.key for each in found],
            "unit": [each.quantity.unit or "-" for each in found],
            "of_run": pd.Series([each.of_run for each in found], dtype="float64"),
            "of_against": pd.Series([each.of_against for each in found], dtype="float64"),
            "difference": pd.Series([each.difference for each in found], dtype="float64"),
        }
    )
    means = [each.over_seeds for each in found if each.over_seeds is not None]
    if means:
        table["n"] = [each.n for each in means]
        table["low"] = pd.Series([each.low for each in means], dtype="float64")
        table["high"] = pd.Series([each.high for each in means], dtype="float64")
    return table


def _difference(
    compared: Compared, quantity: Quantity, of_run: float | None, of_against: float | None
) -> Difference:
    change = None if of_run is None or of_against is None else of_run - of_against
    return Difference(compared, quantity, of_run, of_against, change)
