"""One deployed market on the reference engine; every test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from market_world import DSO, GENESIS_S, RICH, SUPPLIER, MarketWorld


@pytest.fixture(scope="session")
def deployed() -> MarketWorld:
    """Members buyer, seller and neighbour, a supplier and a DSO, all with money."""
    world = MarketWorld("py-evm")
    for account in ("buyer", "seller", "neighbour"):
        world.join(account)
    world.fund(SUPPLIER, world.market, RICH)
    world.fund(DSO, world.flexibility, RICH)
    return world


@pytest.fixture
def world(deployed: MarketWorld) -> Iterator[MarketWorld]:
    """The deployed market, put back afterwards."""
    names, market = dict(deployed.names), deployed.market
    snapshot = deployed.engine.snapshot()
    deployed.at(GENESIS_S)  # a snapshot does not hold the clock
    yield deployed
    deployed.engine.restore(snapshot)
    deployed.names, deployed.market = names, market
