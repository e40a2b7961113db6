"""``python -m benchmarks``: measure, print, and optionally write the figures down."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.growth import growth_table, measure_growth
from benchmarks.memory import COUNTS, SUBJECTS, measure_memory
from benchmarks.nodes import measure_node
from benchmarks.power_flows import compare_power_flows
from benchmarks.run_growth import measure_run_growth, run_growth_table
from benchmarks.runs import measure_run
from benchmarks.signing import measure_signing
from benchmarks.tables import (
    Table,
    flow_table,
    ledger_table,
    memory_table,
    node_table,
    parts_table,
    signing_table,
    speed_table,
    stage_table,
)
from benchmarks.transactions import replay_transactions
from cosim.resources import folder

VERSIONS = ("cosim", "pandapower", "mosaik", "pyrevm", "py-evm", "numpy", "scipy", "pandas")

HEAD = """# Benchmark tables

Written by `python -m benchmarks --markdown docs/benchmarks-table.md`, explained in
[benchmarks.md](benchmarks.md).
"""
WIDTH = 120
"""Narrower terminals wrap: the tables would lose more by cutting their columns."""


@dataclass(frozen=True)
class Case:
    """A scenario and the congested part of it over which both engines are compared."""

    scenario: str
    from_interval: int
    intervals: int
    quick_intervals: int


CASES = (
    Case("quickstart", from_interval=46, intervals=12, quick_intervals=4),
    Case("congested_feeder", from_interval=46, intervals=12, quick_intervals=4),
)


def main() -> None:
    """Measure what the command line asks for."""
    options = _options()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    console = Console()
    console.width = max(console.width, WIDTH)
    report: dict[str, Any] = {"machine": machine(), "quick": options.quick, "scenarios": {}}
    tables: list[Table] = []

    def show(table: Table) -> None:
        tables.append(table)
        console.print(table.rich())

    for case in CASES:
        if (
            options.memory
            or options.node
            or options.growth
            or (options.scenario and case.scenario not in options.scenario)
        ):
            continue
        with tempfile.TemporaryDirectory() as temporary, console.status("") as status:
            figures = measure_case(
                case, options.quick, Path(temporary), lambda text: status.update(text)
            )
        report["scenarios"][case.scenario] = figures
        for table in case_tables(case.scenario, figures):
            show(table)
    if report["scenarios"]:
        report["signing"] = _alone(measure_signing)
        runs = [run for figures in report["scenarios"].values() for run in figures["runs"]]
        show(signing_table(report["signing"], runs))
    if options.growth or not (options.scenario or options.node or options.memory):
        with console.status("growth …"):
            report["growth"] = _alone(measure_growth, options.quick)
        show(growth_table(report["growth"]))
        with tempfile.TemporaryDirectory() as temporary, console.status("growth of runs …"):
            grown = measure_run_growth(_alone, Path(temporary), options.quick)
        report["growth_of_runs"] = grown
        show(run_growth_table(grown))
    if options.memory or not (options.quick or options.scenario or options.node or options.growth):
        with console.status("memory …"):
            report["memory"] = measure_all_memory()
        show(memory_table(report["memory"]))
    if options.node or not (options.quick or options.scenario or options.memory or options.growth):
        with console.status("node …"):
            report["node"] = _alone(measure_node, options.quick)
        if report["node"] is None:
            console.print("no anvil here (make node): the engine rpc is not measured")
        else:
            show(node_table(report["node"]))
    report["machine"]["load_average_at_end"] = os.getloadavg()[0]
    console.print(machine_line(report["machine"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        head = f"{HEAD}\n{machine_line(report['machine'])}\n"
        text = "\n".join([head, *(table.markdown() for table in tables)])
        options.markdown.write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few intervals of each scenario")
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[case.scenario for case in CASES],
        help="only this one; may be repeated",
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="only resident memory over 100 000 transactions, about two minutes",
    )
    parser.add_argument(
        "--node", action="store_true", help="only transactions on a node, about two minutes"
    )
    parser.add_argument(
        "--growth", action="store_true", help="only power flows and runs of several sizes"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    return parser.parse_args()


def measure_case(
    case: Case, quick: bool, temporary: Path, tell: Callable[[str], None]
) -> dict[str, Any]:
    """All figures of one scenario; each run in a fresh process, one after the other.

    Parameters
    ----------
    case : Case
    quick : bool
        Shorten every run.
    temporary : Path
        Where the results go.
    tell : callable
        Told what is being measured.
    """
    file = str(folder("scenarios") / f"{case.scenario}.yaml")
    n_short = case.quick_intervals if quick else case.intervals
    short = {"intervals": n_short, "from_interval": case.from_interval}
    long = short if quick else {}
    runs = [("revm", long)] if quick else [("revm", long), ("revm", short)]
    figures: dict[str, Any] = {"runs": []}
    for engine, extent in [*runs, ("py-evm", short)]:
        tell(f"{case.scenario} with {engine}, {extent.get('intervals', 'all')} intervals …")
        out = temporary / f"{engine}-{extent.get('intervals', 'all')}"
        figures["runs"].append(_alone(measure_run, file, engine, str(out), **extent))
    result = str(temporary / f"revm-{long.get('intervals', 'all')}")
    tell(f"{case.scenario}: inside the ledger stage …")
    figures["parts"] = _alone(
        measure_run, file, "revm", str(temporary / "parts"), parts=True, **long
    )
    tell(f"{case.scenario}: transactions on revm alone …")
    figures["replays"] = [_alone(replay_transactions, result, "revm")]
    tell(f"{case.scenario}: transactions on py-evm alone …")
    slow = str(temporary / f"py-evm-{n_short}")
    figures["replays"].append(_alone(replay_transactions, slow, "py-evm"))
    tell(f"{case.scenario}: power flows …")
    figures["power_flows"] = _alone(compare_power_flows, result)
    return figures


def case_tables(scenario: str, figures: dict[str, Any]) -> list[Table]:
    """Tables of the figures of one scenario."""
    return [
        stage_table(scenario, figures["runs"]),
        parts_table(scenario, figures["parts"]),
        speed_table(scenario, figures["replays"]),
        ledger_table(scenario, figures["replays"][0]),
        flow_table(scenario, figures["power_flows"]),
    ]


def measure_all_memory() -> list[dict[str, Any]]:
    """Resident memory of every subject, each in a fresh process; py-evm shorter, for its speed."""
    return [
        _alone(measure_memory, subject, COUNTS if "py-evm" not in subject else COUNTS[:1])
        for subject in SUBJECTS
    ]


def _alone(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call in a fresh process, so that no run finds another one's caches."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(work, *args, **kwargs).result()


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in VERSIONS},
        "load_average_at_start": os.getloadavg()[0],
    }


def machine_line(facts: dict[str, Any]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"Machine: {facts['cores']} cores, {facts['processor']}; Python {facts['python']}; "
        f"{versions}; load average {facts['load_average_at_start']:.2f} at the start, "
        f"{facts['load_average_at_end']:.2f} at the end."
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
