"""``python -m benchmarks.region``: play intervals of a region, and say what each of them takes.

The grid of scenario ``region`` is not sent along: it is imported first, from the package simbench.
Exit code 1 if an interval takes more processor time, or the run more memory, than is wanted.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Mapping
from pathlib import Path

import yaml

from benchmarks.runs import measure_run
from cosim.grid.importers import import_simbench
from cosim.resources import folder

SECONDS_MAX, MEMORY_MAX_MB = 1.2, 4096
INTERVALS, FROM_INTERVAL = 4, 24
WEEK = 672
ONCE = ("set-up", "indicators", "publishing", "reference power flow")
"""Stages of a run that do not grow with its intervals."""


def per_interval_s(cpu_s: Mapping[str, float], intervals: int) -> float:
    """Return processor time of an interval: all stages but those of every run once. [s]"""
    return sum(spent for stage, spent in cpu_s.items() if stage not in ONCE) / intervals


def measure_region(intervals: int, from_interval: int, out: Path) -> bool:
    """Play intervals of the region, print what they took, and tell if that is in bounds.

    Parameters
    ----------
    intervals, from_interval : int
        So many of scenario ``region``, from this one on.
    out : Path
        Result folder; one that is there is replaced.
    """
    file = folder("scenarios") / "region.yaml"
    code = yaml.safe_load(file.read_text(encoding="utf-8"))["grid"]["network"]
    grid = file.parent / "grids" / code
    if not grid.is_dir():
        print(f"importing simbench:{code} into {grid}")
        import_simbench(code, grid)
    done = measure_run(
        str(file), "revm", str(out), intervals=intervals, from_interval=from_interval
    )
    seconds = per_interval_s(done["cpu_s"], intervals)
    # Linux counts in KiB
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stages = ", ".join(
        f"{stage} {spent / intervals:.2f}"
        for stage, spent in done["cpu_s"].items()
        if stage not in ONCE
    )
    once_s = sum(done["cpu_s"].get(stage, 0.0) for stage in ONCE)
    print(f"{done['prosumers']} connection points, {intervals} intervals from {done['start']}")
    print(f"{seconds:.2f} s of processor time an interval ({stages}); once {once_s:.0f} s")
    print(f"{done['transactions']:.0f} transactions, {done['mgas']:.0f} Mgas an interval")
    print(f"memory at most: {memory_mb:.0f} MiB")
    bounds = (("time", seconds, SECONDS_MAX, "s"), ("memory", memory_mb, MEMORY_MAX_MB, "MiB"))
    beyond = [each for each in bounds if each[1] > each[2]]
    for name, value, most, unit in beyond:
        print(f"{name}: {value:.1f} {unit}, at most {most} {unit} are wanted")
    return not beyond


def main() -> int:
    """Read the command line, measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.region", description=__doc__)
    parser.add_argument(
        "--intervals", type=int, default=INTERVALS, choices=range(1, WEEK + 1), metavar="N"
    )
    parser.add_argument("--first", type=int, default=FROM_INTERVAL, metavar="N")
    parser.add_argument("--out", type=Path, default=Path("results/region"))
    given = parser.parse_args()
    return 0 if measure_region(given.intervals, given.first, given.out) else 1


if __name__ == "__main__":
    raise SystemExit(main())
