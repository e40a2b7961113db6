"""Tables, contracts and checks of the two markets, while the registry does not name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosim.replay.checks import MechanismChecks
    from cosim.results.columns import Table
    from cosim.scenario import Scenario

CONTRACTS = ("LocalMarket", "FlexibilityMarket")


def market_tables() -> tuple[Table, ...]:
    """Return the tables of both."""
    from cosim.mechanisms.flexibility_market import tables as flexibility
    from cosim.mechanisms.local_market import tables as market

    return (*market.TABLES, *flexibility.TABLES)


def market_checks(scenario: Scenario) -> tuple[MechanismChecks[Any], ...]:
    """Return the checks of both."""
    from cosim.mechanisms.flexibility_market.checks import FlexibilityChecks
    from cosim.mechanisms.local_market.checks import LocalMarketChecks

    return (LocalMarketChecks(scenario.market), FlexibilityChecks(scenario.dso))
