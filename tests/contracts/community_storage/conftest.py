"""A storage with three members on the reference engine; every test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from market_world import GENESIS_S
from storage_world import MONEY, OWNER, StorageWorld


@pytest.fixture(scope="session")
def storage_deployed() -> StorageWorld:
    """Members ann (8 shares), bob (6) and cem (2); 4 of 20 shares unsold."""
    world = StorageWorld("py-evm")
    for account, shares in (("ann", 8), ("bob", 6), ("cem", 2)):
        world.enter(account, shares, MONEY)
    world.fund(OWNER, world.storage, MONEY)
    return world


@pytest.fixture
def storage_world(storage_deployed: StorageWorld) -> Iterator[StorageWorld]:
    """The deployed storage in the order window of interval 0, put back afterwards."""
    names = dict(storage_deployed.names)
    snapshot = storage_deployed.engine.snapshot()
    storage_deployed.at(GENESIS_S)  # a snapshot does not hold the clock
    storage_deployed.open_window(0)
    yield storage_deployed
    storage_deployed.engine.restore(snapshot)
    storage_deployed.names = names
