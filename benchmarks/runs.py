"""Runs a scenario in this process and says what each stage of it took."""

from __future__ import annotations

import functools
import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.signing import counted_signatures
from cosim.results.manifest import read_manifest
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario, load_scenario
from cosim.timing import StageTimer

LEDGER_PARTS = {
    "session (orders, outcomes, arrays)": ("cosim.simulators.market:MarketSimulator.play",),
    "client and mempool: sending": ("cosim.chain.chain:Chain.submit",),
    "chain: mempool order, blocks": ("cosim.chain.chain:Chain.mine_until",),
    "engine: transactions": ("cosim.evm.revm:RevmEngine.transact",),
    "events for the session": (
        "cosim.chain.client:ContractClient.events",
        "cosim.chain.client:ContractClient.entries",
        "cosim.chain.client:LogEntries.integers",
        "cosim.chain.client:LogEntries.addresses",
    ),
    "records for the tables": ("cosim.chain.chain:Chain.drain_records",),
    "columns for the tables": (
        "cosim.mechanisms.local_market.play:orders_columns",
        "cosim.mechanisms.local_market.play:trades_columns",
        "cosim.mechanisms.session:settlement_columns",
        "cosim.mechanisms.flexibility_market.play:flexibility_columns",
        "cosim.mechanisms.session:ledger_tables",
    ),
    "balances from storage": ("cosim.mechanisms.deployment:Deployment.read",),
}
"""Functions whose own time makes up the ledger stage."""


def shortened(scenario: Scenario, intervals: int, from_interval: int) -> Scenario:
    """The same scenario over a few of its intervals.

    Parameters
    ----------
    scenario : Scenario
    intervals : int
    from_interval : int
        The first of them, counted in the scenario.
    """
    start = scenario.time.start + timedelta(seconds=from_interval * scenario.time.step_s)
    time = scenario.time.model_copy(update={"intervals": intervals, "start": start})
    grid = scenario.grid.model_copy(
        update={"reference_sample": min(scenario.grid.reference_sample, max(1, intervals // 12))}
    )
    return scenario.model_copy(update={"time": time, "grid": grid})


def measure_run(
    scenario_file: str,
    engine: str,
    out: str,
    *,
    intervals: int = 0,
    from_interval: int = 0,
    parts: bool = False,
) -> dict[str, Any]:
    """Run a scenario once.

    Parameters
    ----------
    scenario_file : str
    engine : str
        EVM engine.
    out : str
        Result folder to be.
    intervals, from_interval : int
        Only so many intervals from this one on; 0 runs them all.
    parts : bool
        Also measure inside the ledger stage, which makes it slower.

    Returns
    -------
    dict
        Own seconds by stage, wall and processor; what was run.
    """
    path = Path(scenario_file)
    scenario = load_scenario(path)
    if intervals:
        scenario = shortened(scenario, intervals, from_interval)
    ledger = scenario.ledger.model_copy(update={"engine": engine})
    scenario = scenario.model_copy(update={"ledger": ledger})
    timer, calls = StageTimer(), Counter[str]()
    with (
        mock.patch("cosim.runs.experiment.StageTimer", return_value=timer),
        _inside_ledger(timer, calls, parts),
        counted_signatures() as signatures,
        timer.measure("publishing"),
    ):
        run_scenario(scenario, path, Path(out), force=True)
    names = set(LEDGER_PARTS)
    transactions = pq.read_table(
        Path(out) / "tables" / "transactions.parquet", columns=["interval", "gas_used"]
    )
    transactions = transactions.filter(pc.greater_equal(transactions["interval"], 0))
    manifest = read_manifest(Path(out))
    n = scenario.time.intervals
    return {
        "scenario": scenario.name,
        "engine": engine,
        "intervals": n,
        "short": bool(intervals),
        "start": scenario.time.start.isoformat(),
        "prosumers": _n_prosumers(Path(out)),
        "reference_intervals": len(manifest["power_flow"]["reference_intervals"]),
        "transactions": transactions.num_rows / n,
        "mgas": pc.sum(transactions["gas_used"]).as_py() / n / 1e6,
        "wall_s": {k: v for k, v in timer.seconds.items() if k not in names},
        "cpu_s": {k: v for k, v in timer.cpu_seconds.items() if k not in names},
        "parts_wall_s": {k: v for k, v in timer.seconds.items() if k in names},
        "parts_cpu_s": {k: v for k, v in timer.cpu_seconds.items() if k in names},
        "parts_calls": dict(calls),
        "signatures": sum(signatures.values()),
        "load_average": os.getloadavg()[0],
    }


def _n_prosumers(out: Path) -> int:
    table = pq.read_table(out / "tables" / "prosumers.parquet", columns=["prosumer"])
    return len(pc.unique(table["prosumer"]))


@contextmanager
def _inside_ledger(timer: StageTimer, calls: Counter[str], wanted: bool) -> Iterator[None]:
    """Measure the parts of the ledger stage as stages of their own."""
    if not wanted:
        yield
        return
    undo: list[tuple[Any, str, Any]] = []
    try:
        for part, places in LEDGER_PARTS.items():
            for place in places:
                module, _, name = place.partition(":")
                *owners, attribute = name.split(".")
                owner: Any = importlib.import_module(module)
                for step in owners:
                    owner = getattr(owner, step)
                plain = getattr(owner, attribute)
                undo.append((owner, attribute, plain))
                setattr(owner, attribute, _measured(plain, part, timer, calls))
        yield
    finally:
        for owner, attribute, plain in reversed(undo):
            setattr(owner, attribute, plain)


def _measured(
    plain: Callable[..., Any], part: str, timer: StageTimer, calls: Counter[str]
) -> Callable[..., Any]:
    @functools.wraps(plain)
    def measured(*args: Any, **kwargs: Any) -> Any:
        if "ledger" not in timer.running:  # the set-up deploys and mines, too
            return plain(*args, **kwargs)
        calls[part] += 1
        with timer.measure(part):
            return plain(*args, **kwargs)

    return measured
