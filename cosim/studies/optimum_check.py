"""Central optima of a study solved again, from what its runs hold, and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cosim.replay.findings import Check
from cosim.results.manifest import MANIFEST, RUNS_FOLDER
from cosim.results.reader import Results
from cosim.studies.folder import STUDY_FILE
from cosim.studies.optimum import AGREED, MISSED_KWH
from cosim.studies.optimum_plant import TOLERANCE_PERCENT, TOLERANCE_PU
from cosim.studies.results import read_runs
from cosim.studies.study import load_study
from cosim.studies.yardstick import Measured, measure

EXACT = ("run_welfare_eur", "run_imported_kwh", "run_violated_minutes", "within_limits")
"""Fields that follow from the run's indicators, or are no number."""


def check_optima(folder: str | Path) -> Check:
    """Solve every central optimum again, and compare its welfare, import and what it misses.

    The programme is solved on devices, profiles and grid that each run's own folder holds, and its
    dispatch by the AC power flow. The search ends at a gap of `AGREED` of the cost, and another
    version of the solver may end elsewhere within it: so much a welfare may differ, and an import
    by so much of itself. How many programmes it took is not compared.
    """
    check = Check("central optimum", "solved again, its dispatch by the AC power flow")
    root = Path(folder)
    manifest, runs = read_runs(root)
    stated = {str(one.get("run")): one for one in manifest.get("optima", ())}
    measured = {run.name: run for run in load_study(root / STUDY_FILE).measured}
    found = {run.name: run.indicators for run in runs}
    # a run that is stated twice is one too many
    named = [str(one.get("run")) for one in manifest.get("optima", ())]
    check.equal(
        MANIFEST, "optima", "run", named, [run.name for run in runs if run.name in measured]
    )
    wanted = [
        replace(measured[name], scenario=Results(root / RUNS_FOLDER / name).scenario)
        for name in stated
        if name in measured and name in found
    ]
    for own in measure(wanted, found):
        _compare(check, stated[own.run], own)
    return check


def _compare(check: Check, said: dict[str, Any], own: Measured) -> None:
    row = f"central optimum of {own.run}"
    for field in EXACT:
        check.equal(MANIFEST, row, field, said.get(field), getattr(own, field))
    for field, tolerance in (
        ("welfare_eur", AGREED * max(abs(own.welfare_eur), 1.0)),
        ("gap_eur", AGREED * max(abs(own.welfare_eur), 1.0)),
        ("imported_kwh", AGREED * max(abs(own.imported_kwh), 1.0)),
        ("excess_percent", TOLERANCE_PERCENT),
        ("excess_pu", TOLERANCE_PU),
        ("missed_kwh", MISSED_KWH),
    ):
        value = said.get(field)
        number = float(value) if isinstance(value, int | float) else float("nan")
        check.numbers(MANIFEST, [row], field, [number], [getattr(own, field)], tolerance)


__all__ = ["check_optima"]
