"""The final state of a run in titanoboa: what the contracts say is what the tables say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cosim.cli import EXIT_USER, main
from cosim.errors import UserError
from cosim.inspection import REQUIREMENTS, Inspection, inspect
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario


@pytest.fixture(scope="module")
def opened(quickstart_result: Path) -> Inspection:
    return inspect(quickstart_result)


def readings_differ(opened: Inspection, result: Path, interval: int) -> list[str]:
    settlement = pd.read_parquet(result / "tables" / "settlement.parquet")
    rows = settlement[settlement.interval == interval]
    assert rows.metered_wh.abs().sum() > 0
    market = opened.contracts["LocalMarket"]
    return [
        row.prosumer
        for row in rows.itertuples()
        if market.readingOf(interval, opened.accounts[f"prosumer {row.prosumer}"])[2]
        != row.metered_wh
    ]


def test_views_are_those_of_the_tables(opened: Inspection, quickstart_result: Path) -> None:
    assert readings_differ(opened, quickstart_result, 95) == []
    blocks = pd.read_parquet(quickstart_result / "tables" / "blocks.parquet")
    assert opened.block == blocks.block.max() == opened.env.evm.patch.block_number
    assert opened.env.timestamp == blocks.timestamp_s.max()


def test_contracts_are_traced_and_changed_in_their_own_environment(opened: Inspection) -> None:
    import boa

    market, token = opened.contracts["LocalMarket"], opened.contracts["EuroToken"]
    assert market.reportDeadlineOf(0) > 0
    assert "LocalMarket.reportDeadlineOf" in str(market.call_trace())
    payer = opened.accounts["DSO"]
    held = token.balanceOf(payer)
    with opened.env.anchor():
        token.transfer(market.address, held, sender=payer)
        assert token.balanceOf(payer) == 0
    assert token.balanceOf(payer) == held
    assert boa.env is not opened.env


def test_without_pyrevm_py_evm_brings_the_state(
    short_scenario: Callable[..., Scenario], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_scenario(short_scenario(2), Path("short.yaml"), tmp_path / "run")
    monkeypatch.setattr("cosim.evm.engines.Revm.missing", lambda: ("pyrevm",))
    assert readings_differ(inspect(tmp_path / "run"), tmp_path / "run", 1) == []


def test_one_call_on_the_command_line(
    quickstart_result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["inspect", str(quickstart_result), "--call"]
    assert main([*call, "SmartMeters.nothing"]) == EXIT_USER
    assert "SmartMeters has no method 'nothing'" in capsys.readouterr().err
    assert main([*call, "Market.clear", "1"]) == EXIT_USER
    assert "one of EuroToken, SmartMeters, LocalMarket" in capsys.readouterr().err
    assert main([*call, "EuroToken.balanceOf", "LocalMarket"]) == 0
    assert int(capsys.readouterr().out) > 0


def test_a_refusal_shows_the_contracts_words(opened: Inspection) -> None:
    with pytest.raises(UserError, match=r"LocalMarket\.clear\(3\) fails: (?s:.)*too late to clear"):
        opened.call("LocalMarket.clear", ["3"])
    with pytest.raises(UserError, match="expected 2, got 1"):
        opened.call("LocalMarket.readingOf", ["3"])


def test_without_titanoboa_one_command_is_named(
    quickstart_result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "boa", None)
    assert main(["inspect", str(quickstart_result)]) == EXIT_USER
    assert f"pip install --no-deps -r {REQUIREMENTS}" in capsys.readouterr().err
    assert REQUIREMENTS.is_file()


def test_the_prompt(
    quickstart_result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter(["print('block', env.evm.patch.block_number, SmartMeters.address)"])

    def typed(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    assert main(["inspect", str(quickstart_result)]) == 0
    told = capsys.readouterr()
    assert "after block 7265, in titanoboa: EuroToken, SmartMeters" in told.err
    assert "block 7265 0x" in told.out
