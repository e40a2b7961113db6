"""Limits of a clearing: order book, block and transaction that it has to fit into."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.bilateral.client import propose_gas
from cosim.mechanisms.local_market.client import clear_gas
from cosim.mechanisms.local_market.orders import MAX_ORDERS
from cosim.scenario import Scenario


def check_clearing_fits(scenario: Scenario, scenario_file: Path, most: int) -> None:
    """Require that the orders of a local market can be cleared.

    Parameters
    ----------
    scenario : Scenario
    scenario_file : Path
    most : int
        Members of the market that has most of them.

    Raises
    ------
    ScenarioError
        If its book, a block or a transaction is too small.
    """
    ledger = scenario.ledger
    if most > MAX_ORDERS:
        raise ScenarioError(
            f"{most} prosumers take part, and in a market an interval's order book holds "
            f"{MAX_ORDERS} orders",
            file=scenario_file,
            field="prosumers.participants",
            remedy=f"set it to {MAX_ORDERS} at most, or give each area of the grid a market of its "
            "own (market.areas)",
        )
    is_bilateral = scenario.market.clearing == "bilateral"
    most_gas = propose_gas(most - 1) if is_bilateral else clear_gas(most)
    own_share = 1.0 - ledger.others_gas_share
    if most_gas > own_share * ledger.block_gas_limit:
        raise ScenarioError(
            f"clearing {most} orders may take {most_gas} gas, more than a block has for it",
            file=scenario_file,
            field="ledger.block_gas_limit",
            remedy=f"set it to at least {ceil(most_gas / own_share)}",
        )
    cap = ledger.transaction_gas_limit
    if cap is not None and most_gas > cap:
        raise ScenarioError(
            f"clearing {most} orders may take {most_gas} gas, and a transaction {cap} by "
            f"the rules of {ledger.rules}",
            file=scenario_file,
            field="ledger.rules",
            remedy="set it to prague, or let fewer prosumers take part (prosumers.participants)",
        )
