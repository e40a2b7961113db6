"""Plays short scenarios as the product does, but for the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from strangers import grid_of

from cosim.results.writer import TableWriter
from cosim.runs import preparation
from cosim.runs.preparation import prepare_grid, prepare_ledger, prepare_prosumers
from cosim.runs.simulation import Hooks, Prepared, build_simulation
from cosim.scenario import Scenario
from cosim.timing import StageTimer

FILE = Path("short.yaml")


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Scenario], dict[str, pd.DataFrame]]:
    """Run a scenario's world and read the tables that it wrote."""
    monkeypatch.setattr(preparation, "open_grid", grid_of)

    def run(scenario: Scenario) -> dict[str, pd.DataFrame]:
        timer = StageTimer()
        grid = prepare_grid(scenario)
        with TableWriter(tmp_path / "played", force=True) as writer:
            population, bidders = prepare_prosumers(scenario, grid)
            deployment, deviation = prepare_ledger(scenario, FILE, population)
            simulation = build_simulation(
                Prepared(scenario, FILE, grid, population, bidders, deployment, deviation),
                Hooks(writer, timer, lambda interval, violated: None, lambda: False),
            )
            world = simulation.world(scenario.time.intervals + 1)
            try:
                world.run()
            finally:
                world.shut_down()
            assert simulation.domain.state.intervals_settled == scenario.time.intervals
            writer.close()
            files = sorted((writer.folder / "tables").glob("*.parquet"))
            return {file.stem: pd.read_parquet(file) for file in files}

    return run
