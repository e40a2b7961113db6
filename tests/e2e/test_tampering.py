"""A run whose ledger, meters and models disagree by one unit stops, and says where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_folders import contents

import cosim.mechanisms.local_market.terms
from cosim.cli import EXIT_FAILED, main
from cosim.devices.delivery import Devices
from cosim.grid.catalogue import open_grid
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.local_market.clearing import Clearing
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.session import Session
from cosim.scenario import Scenario

VICTIM = 4
INTERVAL = 2


@pytest.fixture(scope="module")
def names() -> list[str]:
    return [str(name) for name in open_grid("1-LV-rural1--1-sw").connection_points["name"]]


@pytest.fixture
def stopped(
    tmp_path: Path,
    short_scenario: Callable[..., Scenario],
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], str]:
    """Run four intervals that must be stopped; gives the message."""

    def run() -> str:
        file = tmp_path / "scenario.yaml"
        file.write_text(short_scenario(intervals=4).to_yaml())
        assert main(["run", str(file), "--out", str(tmp_path / "result")]) == EXIT_FAILED
        assert contents(tmp_path).keys() == {"scenario.yaml"}
        message = capsys.readouterr().err
        assert message.startswith("cosim: the run stopped: ")
        assert "Traceback" not in message
        return message.removeprefix("cosim: the run stopped: ")

    return run


def test_a_reading_changed_between_meter_and_ledger(
    stopped: Callable[[], str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = MarketSettlement.report
    seen = []

    def tampered(
        self: MarketSettlement, meter: bytes, interval: int, net_wh: int, **options: Any
    ) -> int:
        if interval == INTERVAL:
            seen.append(net_wh)
            net_wh += len(seen) == VICTIM + 1
        return report(self, meter, interval, net_wh, **options)

    monkeypatch.setattr(MarketSettlement, "report", tampered)
    message = stopped()
    true = seen[VICTIM]
    name = names[VICTIM]
    assert message.startswith(
        f"interval {INTERVAL}, {name}: reported energy [Wh] is not delivered energy [Wh] "
        f"({name}: {true + 1} against {true})"
    )


def test_a_meter_that_counts_other_than_the_devices_feed(
    stopped: Callable[[], str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = Devices.deliver

    def tampered(self: Devices, interval: int, *schedule: Any) -> Any:
        delivery = deliver(self, interval, *schedule)
        if interval != INTERVAL:
            return delivery
        power = delivery.p_inject_mw.copy()
        power[VICTIM] += 1e-5  # 10 W for a quarter of an hour
        return replace(delivery, p_inject_mw=power)

    monkeypatch.setattr(Devices, "deliver", tampered)
    assert stopped().startswith(f"interval {INTERVAL}, {names[VICTIM]}: reported energy [Wh]")


def test_a_token_minted_in_mid_run(
    stopped: Callable[[], str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Session.settle

    def tampered(self: Session, interval: int, *delivered: Any) -> Any:
        if interval == INTERVAL:
            deployment = self.deployment
            deployment.token.mint(
                deployment.issuer.address, deployment.prosumers[VICTIM].address, 1
            )
        return settle(self, interval, *delivered)

    monkeypatch.setattr(Session, "settle", tampered)
    message = stopped()
    assert message.startswith(f"interval {INTERVAL}, {names[VICTIM]}: tokens outside the markets")
    assert "10000000001 against 10000000000" in message  # the bank account, and one more


def test_money_that_leaves_a_market_in_mid_run(
    stopped: Callable[[], str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = Session.settle

    def tampered(self: Session, interval: int, *delivered: Any) -> Any:
        if interval == INTERVAL:
            deployment = self.deployment
            market = deployment.client(FlexibilityMarket)
            market.withdraw(deployment.prosumers[VICTIM].address, 1)
        return settle(self, interval, *delivered)

    monkeypatch.setattr(Session, "settle", tampered)
    assert stopped().startswith(f"interval {INTERVAL}, {names[VICTIM]}: ")


def test_a_fill_that_contract_and_model_see_differently(
    stopped: Callable[[], str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clear = cosim.mechanisms.local_market.terms.clear
    changed: list[str] = []

    def tampered(orders: Any, *rule: Any, **prices: Any) -> Clearing:
        clearing = clear(orders, *rule, **prices)
        filled = np.flatnonzero(clearing.fills_wh)
        if not filled.size:
            return clearing
        fills = list(clearing.fills_wh)
        fills[filled[0]] -= 1
        changed.append(orders[filled[0]].account)
        return replace(clearing, fills_wh=tuple(fills))

    monkeypatch.setattr(cosim.mechanisms.local_market.terms, "clear", tampered)
    message = stopped()
    assert changed[0] in names
    assert message.startswith(f"interval 0, {changed[0]}: fill of the contract")
