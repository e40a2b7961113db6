"""Certificates on the reference engine; every test starts from the same state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from certificates_world import CertificatesWorld
from market_world import GENESIS_S


@pytest.fixture(scope="session")
def issued() -> CertificatesWorld:
    """Producer, buyer and neighbour with meters and money."""
    world = CertificatesWorld("py-evm")
    for account in ("producer", "buyer", "neighbour"):
        world.register(account)
        world.fund(account)
    return world


@pytest.fixture
def world(issued: CertificatesWorld) -> Iterator[CertificatesWorld]:
    """The deployed certificates, put back afterwards."""
    names = set(issued.names)
    snapshot = issued.engine.snapshot()
    issued.at(GENESIS_S)  # a snapshot does not hold the clock
    yield issued
    issued.engine.restore(snapshot)
    issued.names = names


@pytest.fixture
def recorded(world: CertificatesWorld) -> CertificatesWorld:
    """Interval 0 recorded: the producer made 1 000 Wh and used 300, the buyer used 700."""
    world.deliver(0)
    world.record("producer", 1_000, 300)
    world.record("buyer", 0, 700)
    return world
