"""A forger who recomputes whatever can be, and what a run played again finds of it."""

from __future__ import annotations

import json
from pathlib import Path

from forgery import hash_again

from cosim.replay.findings import Check
from cosim.report.indicators import compute_indicators
from cosim.report.report import write_report
from cosim.results.reader import Results
from cosim.verify.rerun import compare


def publish(folder: Path, report: bool = True) -> None:
    """Recompute all that a forger can: what follows from scenario and tables, and every hash."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    scenario = Results(folder).scenario
    manifest |= {
        "name": scenario.name,
        "seed": scenario.seed,
        "start": scenario.time.start.isoformat(),
        "step_s": scenario.time.step_s,
        "intervals": scenario.time.intervals,
        "complete": manifest["intervals_done"] == scenario.time.intervals,
    }
    manifest["chain"]["settings"] = scenario.ledger.model_dump(mode="json", exclude={"engine"})
    manifest["power_flow"]["engine"] = scenario.grid.power_flow
    path.write_text(json.dumps(manifest), encoding="utf-8")
    manifest["indicators"] = compute_indicators(Results(folder)).as_dict()
    path.write_text(json.dumps(manifest), encoding="utf-8")
    hash_again(folder)  # also the revision, which the report shows
    if report:
        write_report(folder)


def found(folder: Path, played: Path) -> Check:
    """What the comparison with a run played again finds."""
    check = Check("rerun", "")
    compare(check, Results(folder), played)
    return check


def places(check: Check) -> set[tuple[str, str]]:
    return {(one.table, one.column) for one in check.differences}
