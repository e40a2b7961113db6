"""``python -m benchmarks.year``: play a year, and say what it takes.

Exit code 1 if that is too much. The whole way as a user goes it: ``cosim run`` in a process of its
own, indicators and report among it. With ``--days`` the first days alone, of which nothing is
demanded but the report's size.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from cosim.resources import folder

SECONDS_MAX = 15 * 60
MEMORY_MAX_MB = 1024
REPORT_MAX_MB = 10
DAYS, PER_DAY = 366, 96


def measure_year(days: int, out: Path) -> bool:
    """Play the first days of scenario ``year``, print what it took, and tell if that is in bounds.

    Parameters
    ----------
    days : int
        From 1 to 366; the year's bounds on time and memory hold for all of it.
    out : Path
        Result folder; one that is there is replaced.
    """
    fields = yaml.safe_load((folder("scenarios") / "year.yaml").read_text(encoding="utf-8"))
    fields["time"]["intervals"] = days * PER_DAY
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "year.yaml"
        file.write_text(yaml.safe_dump(fields), encoding="utf-8")
        begin = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "cosim.cli",
            "run",
            str(file),
            "--out",
            str(out),
            "--force",
        ]
        code = subprocess.run(command, check=False).returncode
        seconds = time.perf_counter() - begin
    if code:
        print(f"cosim run ended with exit code {code}")
        return False
    # Linux counts in KiB, of the largest child
    memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    report_mb = (out / "report.html").stat().st_size / 1e6
    per_interval_ms = 1000 * seconds / (days * PER_DAY)
    print(f"{days} days: {seconds:.0f} s, {per_interval_ms:.1f} ms an interval")
    print(f"memory at most: {memory_mb:.0f} MiB; report: {report_mb:.1f} MB")
    bounds = [("report.html", report_mb, REPORT_MAX_MB, "MB")]
    if days == DAYS:
        bounds += [("time", seconds, SECONDS_MAX, "s"), ("memory", memory_mb, MEMORY_MAX_MB, "MiB")]
    beyond = [each for each in bounds if each[1] > each[2]]
    for name, value, most, unit in beyond:
        print(f"{name}: {value:.1f} {unit}, at most {most} {unit} are wanted")
    return not beyond


def main() -> int:
    """Read the command line, measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS, choices=range(1, DAYS + 1), metavar="N")
    parser.add_argument("--out", type=Path, default=Path("results/year"))
    given = parser.parse_args()
    return 0 if measure_year(given.days, given.out) else 1


if __name__ == "__main__":
    sys.exit(main())
