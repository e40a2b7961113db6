"""Results under every consensus: blocks are drawn again, and forks are what can have been."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from forgery import hash_again, rewrite, with_other_cell

from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.blocks import check_reorganisations
from cosim.verify.verification import verify

FEES = {"initial_base_fee_gwei": 1.0, "tip_gwei": 0.1}
LEDGERS: dict[str, dict[str, Any]] = {
    "forks": {"consensus": "proof_of_work", "propagation_delay_s": 4.0, "confirmations": 1} | FEES,
    "missed slots": {"consensus": "proof_of_stake", "missed_slot_probability": 0.2},
    "a failed validator": {"consensus": "pbft", "failed_validators": 1},
}
MARKET = {"order_lead_s": 600, "gate_closure_s": 240}


@pytest.fixture(scope="module")
def results(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """A result of one interval by the name of its ledger."""
    parent = tmp_path_factory.mktemp("consensus")

    def result(name: str) -> Path:
        folder = parent / name
        if not folder.exists():
            scenario = short_scenario(1, ledger=LEDGERS[name], market=MARKET)
            run_scenario(scenario, parent / "scenario.yaml", folder)
        return folder

    return result


@pytest.mark.parametrize("name", sorted(LEDGERS))
def test_blocks_are_drawn_again(results: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(results(name), folder)
    assert verify(folder).failed == []
    path = folder / "tables" / "blocks.parquet"
    honest = pq.read_table(path)
    empty = honest["n_transactions"].to_pylist().index(0, honest.num_rows // 2)
    for column in ("timestamp_s", "proposer"):
        rewrite(path, with_other_cell(honest, column, empty))
        hash_again(folder)
        assert "blocks" in verify(folder, parts=("files", "ledger")).failed


def test_forks_are_what_can_have_been(results: Callable[[str], Path]) -> None:
    read = Results(results("forks"))
    honest = read.arrow("reorganisations")
    assert honest.num_rows > 3
    assert check_reorganisations(read).passed
    for column in ("block", "depth_blocks", "seen_at_s", "cause"):
        read = Results(read.folder)
        forged = with_other_cell(honest, column, honest.num_rows // 2)
        read._whole["reorganisations"] = forged.to_pandas()
        assert not check_reorganisations(read).passed, column
    # more left out than there were
    read = Results(read.folder)
    frame = honest.to_pandas()
    frame["n_left_out"] = frame["n_transactions"] + 1
    read._whole["reorganisations"] = frame
    assert check_reorganisations(read).n_differences == honest.num_rows
