"""Results of patched programs: a DSO, a strategy, a contract other than the scenario's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forger import found, places

import cosim.evm.contracts
from cosim.dso.instruments.flexibility_market import FlexibilityMarketInstrument
from cosim.evm.contracts import compile_source, source_of
from cosim.prosumers.strategies import Truthful
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.verify.verification import verify


def test_a_dso_that_favours_a_prosumer(
    honest: Path,
    played: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    award, moved = FlexibilityMarketInstrument.award, []

    def partial_award(self: Any, round: Any, *, cut_rest: bool) -> Any:
        action = award(self, round, cut_rest=cut_rest)
        offers, awarded = round.offers, np.array(action.awarded_wh)
        spare = offers.energy_wh - awarded
        for giver in np.flatnonzero(awarded > 0):
            same = offers.direction == offers.direction[giver]
            takers = np.flatnonzero(same & (spare > 0) & (awarded > 0))
            takers = takers[takers != giver]
            if takers.size:
                awarded[giver] -= 1
                awarded[takers[0]] += 1
                moved.append(1)
                break
        return replace(action, awarded_wh=awarded)

    monkeypatch.setattr(FlexibilityMarketInstrument, "award", partial_award)
    run_scenario(Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False)
    assert moved
    assert ("flexibility", "awarded_wh") in places(found(tmp_path / "patched", played))


def test_a_strategy_that_is_not_the_one_named(
    honest: Path, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Truthful.__init__

    def bolder(self: Truthful, setup: Any, preference: float = 0.25) -> None:
        start(self, setup, 0.4)

    monkeypatch.setattr(Truthful, "__init__", bolder)
    run_scenario(Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False)
    assert ("orders", "price_ueur_per_kwh") in places(found(tmp_path / "patched", played))


def test_a_contract_with_a_back_door(
    honest: Path, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that anybody may issue: everything else of the run is as before."""
    own = source_of("EuroToken")
    lines = own.read_text().splitlines()
    guard = next(k for k, line in enumerate(lines) if "assert msg.sender == " in line)
    lines[guard] = "    pass"
    (tmp_path / "EuroToken.vy").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    patched = compile_source(tmp_path / "EuroToken.vy")
    assert patched.bytecode != compile_source(own).bytecode
    compiled = cosim.evm.contracts._compiled

    def with_door(path: Path) -> Any:
        return patched if path == own else compiled(path)

    with monkeypatch.context() as during:
        during.setattr(cosim.evm.contracts, "_compiled", with_door)
        run_scenario(
            Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False
        )
    state = next(
        c for c in verify(tmp_path / "patched", parts=("ledger",)).checks if c.name == "state"
    )
    assert [one.row for one in state.differences] == ["creation of EuroToken"]
    assert ("transactions", "data") in places(found(tmp_path / "patched", played))
