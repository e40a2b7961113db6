"""Time and memory that a long run's verification takes, said before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cosim.results.manifest import TABLES_FOLDER, read_manifest
from cosim.results.stretches import LONG_RUN_DAYS, SECONDS_PER_DAY

POWER_FLOW_S = 0.02
"""Processor time of a power flow by ``runpp``. [s]"""

_FLOWS_PER_INTERVAL = 2.5
"""As scheduled, as delivered, and where something was bought as dispatched."""

TRANSACTION_BYTES = 7_000
"""Memory that a replayed transaction takes with its events. [B]"""


def expected_effort(
    folder: str | Path, parts: Sequence[str], every: int, jobs: int
) -> Sequence[str]:
    """Return lines on the time and memory that a verification will take; none for a short run.

    Parameters
    ----------
    folder : str or Path
        Of a result, a study or a campaign; of the last two nothing is said.
    parts : sequence of str
        That are checked.
    every, jobs : int
        Power flows are solved of one interval in so many, by so many processes.
    """
    manifest = read_manifest(folder)
    intervals, step_s = manifest.get("intervals_done"), manifest.get("step_s")
    if not isinstance(intervals, int) or not isinstance(step_s, int):
        return ()
    days = intervals * step_s / SECONDS_PER_DAY
    if days <= LONG_RUN_DAYS:
        return ()
    found = []
    if "rerun" in parts:
        timing = manifest.get("timing")
        spent = timing.values() if isinstance(timing, dict) else ()
        seconds = sum(each for each in spent if isinstance(each, int | float))
        found.append(f"playing it again {_time(seconds)}")
    if "grid" in parts:
        n_flows = intervals * _FLOWS_PER_INTERVAL / every
        found.append(f"solving its power flows {_time(n_flows * POWER_FLOW_S / jobs)}")
    if "ledger" in parts and (n := _transactions(Path(folder))):
        found.append(f"replaying its ledger {n * TRANSACTION_BYTES / 1e9:.1f} GB of memory")
    if not found:
        return ()
    return (
        f"a run of {days:.0f} days: {', '.join(found)}, or so; --only takes parts of it, --every N "
        "power flows of one interval in N, --jobs N as many processes for them",
    )


def _time(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{max(minutes, 1):.0f} min"


def _transactions(folder: Path) -> int:
    try:
        return int(pq.read_metadata(folder / TABLES_FOLDER / "transactions.parquet").num_rows)
    except (OSError, pa.ArrowException):  # the checks will say it
        return 0
