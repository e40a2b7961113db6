"""Runs measured by the central optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from cosim.report.comparison import Indicators
from cosim.report.text import number, plus_minus
from cosim.studies.declaration import CENTRAL_OPTIMUM, Compared, StudyRun
from cosim.studies.differences import OF_RUNS, Difference
from cosim.studies.estimates import estimate
from cosim.studies.optimum import MISSED_KWH, Optimum, central_optimum


@dataclass(frozen=True)
class Measured:
    """A run, and the central optimum of its scenario.

    Parameters
    ----------
    run : str
    run_welfare_eur, run_imported_kwh : float or None
        None in a run in which a power flow has no solution. [EUR, kWh]
    run_violated_minutes : float
        As delivered. [min]
    welfare_eur, gap_eur, imported_kwh : float
        Of the optimum: welfare of its dispatch by AC, the most by which a run within limits can
        beat it, and net import. [EUR, EUR, kWh]
    excess_percent, excess_pu : float
        Largest excess of a loading and of a voltage over its limit in its dispatch. [%, pu]
    within_limits : bool
    n_programmes : int
        Linear programmes solved.
    missed_kwh : float
        What storages in its dispatch end away from the energy wanted of them. [kWh]
    """

    run: str
    run_welfare_eur: float | None
    run_imported_kwh: float | None
    run_violated_minutes: float
    welfare_eur: float
    gap_eur: float
    imported_kwh: float
    excess_percent: float
    excess_pu: float
    within_limits: bool
    n_programmes: int
    missed_kwh: float = 0.0

    def sentence(self) -> str:
        """Return the comparison in words."""
        bound = f"{number(self.welfare_eur, 'EUR', 2)}, gap {number(self.gap_eur, 'EUR', 3)}"
        if not self.within_limits:
            bound += (
                f"; no dispatch of the devices keeps the limits: {number(self.excess_percent, '%')}"
                f" and {number(self.excess_pu, 'pu', 4)} beyond"
            )
        if self.missed_kwh > MISSED_KWH:
            bound += f"; storage ends {number(self.missed_kwh, 'kWh')} away from soc_end"
        text = (
            f"{self.run} against the {CENTRAL_OPTIMUM} (perfect information, no margins; {bound}): "
            f"welfare {number(self.run_welfare_eur, 'EUR', 2)}"
        )
        if self.run_welfare_eur is not None:
            text += f", {number(self.welfare_eur - self.run_welfare_eur, 'EUR', 2)} below it"
        if self.run_violated_minutes:
            minutes = number(self.run_violated_minutes, "min", 0)
            text += f"; the run violates limits in {minutes}, which the optimum may not"
        return text + "."

    def differences(self) -> list[Difference]:
        """Return welfare and net import of the run less those of the optimum."""
        compared = Compared(self.run, CENTRAL_OPTIMUM, CENTRAL_OPTIMUM)
        quantities = {quantity.key: quantity for quantity in OF_RUNS}
        return [
            Difference(
                compared, quantities[key], own, optimum, None if own is None else own - optimum
            )
            for key, own, optimum in (
                ("welfare_eur", self.run_welfare_eur, self.welfare_eur),
                ("imported_kwh", self.run_imported_kwh, self.imported_kwh),
            )
        ]


def optimum_sentences(measured: Sequence[Measured], points: Mapping[str, str]) -> list[str]:
    """Return comparisons with the optimum in words: one per run, or per point of several seeds.

    Parameters
    ----------
    measured : sequence of Measured
    points : mapping
        Point of each run, by name.
    """
    groups: dict[str, list[Measured]] = {}
    for one in measured:
        groups.setdefault(points[one.run], []).append(one)
    return [
        own[0].sentence() if own[0].run == point else _mean_sentence(point, own)
        for point, own in groups.items()
    ]


def _mean_sentence(point: str, own: Sequence[Measured]) -> str:
    pairs = [(one, one.run_welfare_eur) for one in own if one.run_welfare_eur is not None]
    optimum, run, below = (
        estimate(values)
        for values in (
            [one.welfare_eur for one, _ in pairs],
            [welfare for _, welfare in pairs],
            [one.welfare_eur - welfare for one, welfare in pairs],
        )
    )
    gap = number(max(one.gap_eur for one in own), "EUR", 3)
    text = (
        f"{point} against the {CENTRAL_OPTIMUM} (perfect information, no margins; mean "
        f"{number(optimum.mean, 'EUR', 2)}, largest gap {gap}): mean welfare "
        f"{number(run.mean, 'EUR', 2)}, {plus_minus(below.mean, below.half_width, 'EUR', 2)} below "
        f"it over {below.n} seeds, taken seed by seed"
    )
    missing, beyond, violating = (
        sum(one.missed_kwh > MISSED_KWH for one in own),
        sum(not one.within_limits for one in own),
        sum(one.run_violated_minutes > 0 for one in own),
    )
    if missing:
        text += f"; with {missing} of {len(own)} seeds its storage does not end at soc_end"
    if beyond:
        text += f"; with {beyond} of {len(own)} seeds no dispatch of the devices keeps the limits"
    if violating:
        text += (
            f"; with {violating} of {len(own)} seeds the run violates limits, which the optimum "
            "may not"
        )
    return text + "."


def measure(runs: Sequence[StudyRun], indicators: Mapping[str, Indicators]) -> tuple[Measured, ...]:
    """Compute the central optimum of every run, once for those with the same devices and grid.

    Parameters
    ----------
    runs : sequence of StudyRun
    indicators : mapping
        By run that was finished: its indicators by dotted path.
    """
    known: dict[str, Optimum] = {}
    found = []
    for run in runs:
        if run.name not in indicators:
            continue
        own = indicators[run.name]
        physics = run.scenario.model_dump_json(exclude={"name", "description", "ledger", "attack"})
        if physics not in known:
            with threadpool_limits(limits=1, user_api="blas"):
                known[physics] = central_optimum(run.scenario)
        optimum = known[physics]
        found.append(
            Measured(
                run=run.name,
                run_welfare_eur=own["welfare_eur"],
                run_imported_kwh=own["imported_kwh"],
                run_violated_minutes=own["violations.delivered.any.minutes"] or 0.0,
                welfare_eur=optimum.welfare_eur,
                gap_eur=optimum.gap_eur,
                imported_kwh=optimum.import_kwh,
                excess_percent=optimum.excess_percent,
                excess_pu=optimum.excess_pu,
                within_limits=optimum.within_limits,
                n_programmes=optimum.n_programmes,
                missed_kwh=optimum.missed_kwh,
            )
        )
    return tuple(found)
