"""Makes the files of the example: a grid with a turbine, and a scenario that uses all plug-ins.

::

    python -m cosim_example.river_valley river-valley
    cosim run river-valley/river_valley.yaml
    cosim verify results/river_valley
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cosim.grid.catalogue import open_grid

GRID = "1-LV-rural1--1-sw"

SCENARIO = """\
name: river_valley
description: >
  A village with a run-of-river turbine, a fixed limit of what a connection may feed in, network
  charges by the hour, and prosumers who follow the market's price.
seed: 20160524
time: {start: 2016-05-24T10:00:00, intervals: 12}
grid: {network: river-valley}
prosumers:
  scaling: {run_of_river: 1.5}
  strategies:
    - {name: price_follower, share: 0.5, options: {margin: 0.05}}
    - {name: truthful, share: 0.5}
ledger: {engine: tracing}
dso:
  instruments:
    - {kind: export_limit, limit_kw: 25}
    - flexibility_market
    - curtailment
network_charges: {peak_eur_per_kwh: 0.12, off_peak_eur_per_kwh: 0.03, peak_hours: [11, 12]}
"""

TURBINE = {
    "name": "turbine",
    "kind": "run_of_river",
    "profile": "L2-A",
    "p_mw": 0.02,
    "q_mvar": 0.0,
    "capacity_mwh": 0.0,
}
"""A turbine of 20 kW; the river's flow is the shape of a profile that the grid has."""


def make(folder: Path) -> Path:
    """Write grid and scenario into a new folder; return the scenario's file.

    Raises
    ------
    FileExistsError
        If the folder is there already.
    """
    folder.mkdir(parents=True)
    grid = folder / "grids" / "river-valley"
    shutil.copytree(open_grid(GRID).folder, grid)
    elements = pd.read_csv(grid / "elements.csv")
    points = list(dict.fromkeys(elements["connection_point"]))
    turbine = pd.DataFrame([TURBINE | {"connection_point": points[0]}])
    columns = elements.columns
    pd.concat([elements, turbine.reindex(columns=columns)]).to_csv(
        grid / "elements.csv", index=False
    )
    file = folder / "river_valley.yaml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files in the folder given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        print("usage: python -m cosim_example.river_valley FOLDER", file=sys.stderr)
        return 2
    print(f"scenario: {make(Path(given[0]))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
