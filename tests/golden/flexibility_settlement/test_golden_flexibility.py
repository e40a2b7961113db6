"""USEF's settlement example, by the contract on both engines and by the model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.local_market.orders import Reading
from cosim.units import energy_wh_from_mw, ueur_from_eur

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))
from market_world import DSO, MarketWorld, address

CASE = json.loads((Path(__file__).parent / "cases.json").read_text())
HOUR_S = 3_600
PER_KWH = 1_000  # kWh per MWh
BASELINE_WH = int(energy_wh_from_mw(CASE["baseline_mw"], HOUR_S))
ORDERED_WH = int(energy_wh_from_mw(-CASE["ordered_mw"], HOUR_S))
FEE = ueur_from_eur(CASE["fee_eur_per_mw"] / PER_KWH)
PENALTY = ueur_from_eur(CASE["penalty_eur_per_mw"] / PER_KWH)
PURSE_UEUR = ueur_from_eur(100)


def figures(row: dict[str, Any]) -> tuple[int, int]:
    """Metered energy and the settlement. [Wh], [µEUR]"""
    return int(energy_wh_from_mw(row["metered_mw"], HOUR_S)), ueur_from_eur(row["settlement_eur"])


ROWS = [
    *((row, False) for row in CASE["rows"]),
    *((row, True) for row in CASE["uncapped_rows"]),
]


@pytest.mark.parametrize(("row", "is_uncapped"), ROWS)
def test_model(row: dict[str, Any], is_uncapped: bool) -> None:
    metered_wh, settlement_ueur = figures(row)
    market = FlexibilityMarketModel(DSO, PENALTY, is_uncapped)
    market.deposit(DSO, PURSE_UEUR)
    market.deposit("generator", PURSE_UEUR)
    request = market.open_request(0, False, ORDERED_WH, FEE)
    market.offer(request, "generator", BASELINE_WH, [Block(ORDERED_WH, FEE)])
    market.award(request, ["generator"], [ORDERED_WH])
    market.settle(request, ["generator"], {"generator": Reading(metered_wh)})
    assert market.balance_of("generator") - PURSE_UEUR == settlement_ueur
    assert market.balance_of(DSO) - PURSE_UEUR == -settlement_ueur


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
@pytest.mark.parametrize(("row", "is_uncapped"), ROWS)
def test_contract(row: dict[str, Any], is_uncapped: bool, engine: str) -> None:
    metered_wh, settlement_ueur = figures(row)
    world = MarketWorld(engine, penalty=PENALTY, is_uncapped=is_uncapped)
    world.join("generator", amount=PURSE_UEUR)
    world.fund(DSO, world.flexibility, PURSE_UEUR)
    market = world.flexibility
    market.send(DSO, "openRequest", 0, False, ORDERED_WH, FEE)
    market.send("generator", "offer", 1, BASELINE_WH, [ORDERED_WH], [FEE])
    market.send(DSO, "award", 1, [address("generator")], [ORDERED_WH])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("generator", metered_wh)
    market.send("anyone", "settle", 1, [address("generator")])
    assert market.get("balanceOf", address("generator")) - PURSE_UEUR == settlement_ueur
    assert market.get("balanceOf", address(DSO)) - PURSE_UEUR == -settlement_ueur
    assert world.flexibility_backed()
