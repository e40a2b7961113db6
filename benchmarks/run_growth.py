"""Growth of the cost of a run with its prosumers and with its intervals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.areas import write_areas
from benchmarks.growth import exponent
from benchmarks.runs import measure_run
from benchmarks.tables import Table, number, stage_ms
from cosim.grid.catalogue import open_grid
from cosim.resources import folder

_NETWORKS = (
    ("1-LV-rural1--1-sw", 1, 1),
    ("1-LV-rural3--2-sw", 1, 1),
    ("1-LV-rural3--2-sw", 3, 1),
    ("1-LV-rural3--2-sw", 9, 3),
)
"""Grid, how many copies of it, and in how many markets: 13, 118 and 354 prosumers in one, 1 062 in
three."""
_INTERVALS, _QUICK_INTERVALS = (96, 384, 1536), (12, 24, 48)
_MORNING, _OF_A_MORNING = 24, 8
"""A calm morning: what is measured is what every interval has, whatever the grid can carry."""


def measure_run_growth(
    alone: Callable[..., Any], temporary: Path, quick: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Run the quickstart's scenario with more prosumers, and over more intervals.

    Parameters
    ----------
    alone : callable
        Calls a function in a process of its own.
    temporary : Path
        Where grids and results go.
    quick : bool
        Fewer prosumers and intervals.

    Returns
    -------
    dict
        ``prosumers`` and ``intervals``: figures of :func:`benchmarks.runs.measure_run`.
    """
    plain = folder("scenarios") / "quickstart.yaml"
    networks = _NETWORKS[:2] if quick else _NETWORKS
    grown = []
    for name, areas, markets in networks:
        file = _with_network(plain, name, areas, markets, temporary)
        extent = {"intervals": _OF_A_MORNING, "from_interval": _MORNING}
        grown.append(alone(measure_run, str(file), "revm", str(temporary / file.stem), **extent))
    longer = [
        alone(measure_run, str(plain), "revm", str(temporary / f"over-{n}"), intervals=n)
        for n in (_QUICK_INTERVALS if quick else _INTERVALS)
    ]
    return {"prosumers": grown, "intervals": longer}


def run_growth_table(runs: dict[str, list[dict[str, Any]]]) -> Table:
    """Processor time of a run by its size, with the exponents of its growth."""
    shared = "up to 354 prosumers in one market, 1 062 in three"
    rows, notes = [], [f"Processor time; quickstart's scenario, {shared}."]
    for key in ("prosumers", "intervals"):
        own, costs = runs[key], []
        for run in own:
            cpu_s = dict(run["cpu_s"])
            # only long runs have checkpoints, and they come by interval
            ms = 1000.0 * cpu_s.pop("checkpoints", 0.0) / run["intervals"]
            ms += stage_ms(cpu_s, run["intervals"])["interval"]
            ends_s = sum(cpu_s.get(one, 0.0) for one in ("set-up", "indicators", "publishing"))
            costs.append(ms if key == "prosumers" else ms * run["intervals"])
            rows.append(
                (
                    f"{run['prosumers']} prosumers, {run['intervals']} intervals",
                    number(ms),
                    number(run["transactions"], 1),
                    number(ms * run["intervals"] / 1000.0),
                    number(ends_s),
                )
            )
        power = exponent([run[key] for run in own], costs)
        what = "an interval" if key == "prosumers" else "all intervals"
        notes.append(f"Growth with {key}, of {what}: to the power of {power:.2f}.")
    columns = (
        "run",
        "an interval [ms]",
        "transactions in it",
        "all intervals [s]",
        "set-up, tables, report [s]",
    )
    return Table("runs by size", columns, rows, tuple(notes))


def _with_network(plain: Path, name: str, areas: int, markets: int, temporary: Path) -> Path:
    """Write the scenario with copies of another grid, equally many of them in each market."""
    scenario = yaml.safe_load(plain.read_text(encoding="utf-8"))
    grid = write_areas(open_grid(name), areas, temporary / f"grid-{name}-{areas}")
    scenario["grid"]["network"] = str(grid)
    if markets > 1:
        points = open_grid(str(grid)).connection_points
        place = points["area"].str.removeprefix("A").astype(int) - 1
        market = "M" + (place * markets // areas + 1).astype(str)
        scenario["market"] = {
            "areas": {key: own.tolist() for key, own in points["name"].groupby(market)}
        }
    file = temporary / f"{name}-{areas}.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return file
