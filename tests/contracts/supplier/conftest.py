"""One deployed supply contract on the reference engine; every test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from supply_world import SupplyWorld


@pytest.fixture(scope="session")
def settled_in() -> SupplyWorld:
    """Customers ann and bob with meters and tokens; subscription is open."""
    world = SupplyWorld("py-evm")
    for account in ("ann", "bob"):
        world.settle_in(account)
    world.open()
    return world


@pytest.fixture
def world(settled_in: SupplyWorld) -> Iterator[SupplyWorld]:
    """The contract with its customers, put back afterwards."""
    snapshot = settled_in.engine.snapshot()
    settled_in.open()  # a snapshot does not hold the clock
    yield settled_in
    settled_in.engine.restore(snapshot)
