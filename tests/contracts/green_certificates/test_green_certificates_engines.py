"""One long sequence of calls does the same on both engines, refusals included."""

from __future__ import annotations

from typing import Any

from certificates_world import FIRST_DELIVERY_S, HOUR, PRICE, STEP_S, CertificatesWorld
from market_world import GAS_LIMIT, address

from cosim.evm.abi import pack_mixed

SEQUENCE: list[tuple[int, str, str, tuple[Any, ...]]] = [
    # interval whose end it is, sender, function, arguments
    (0, "meter of producer", "record", (0, 1_000, 300)),
    (0, "meter of producer", "record", (0, 1_000, 300)),
    (0, "meter of producer", "record", (1, 1_000, 300)),
    (0, "meter of buyer", "record", (0, 0, 700)),
    (0, "meter of nobody", "record", (0, 1, 1)),
    (0, "producer", "retire", (HOUR, 120)),
    (0, "producer", "retire", (HOUR, 181)),
    (0, "producer", "offer", (HOUR, 600, PRICE)),
    (0, "producer", "offer", (HOUR, 281, PRICE)),
    (0, "producer", "offer", (HOUR, 100, 0)),
    (0, "buyer", "buy", (1, 333)),
    (0, "buyer", "buy", (1, 268)),
    (0, "neighbour", "buy", (1, 267)),
    (0, "neighbour", "buy", (1, 1)),
    (0, "stranger", "buy", (2, 7)),
    (0, "buyer", "cancelOffer", (2,)),
    (0, "producer", "cancelOffer", (2,)),
    (0, "buyer", "retire", (HOUR, 333)),
    (0, "neighbour", "retire", (HOUR, 1)),
    (0, "neighbour", "transfer", (HOUR, address("buyer"), 267)),
    (0, "neighbour", "transfer", (HOUR, bytes(20), 1)),
    (1, "meter of producer", "record", (0, 5, 5)),
    (1, "meter of producer", "record", (1, 5, 5)),
    (2, "meter of producer", "record", (2, 2**32 - 1, 0)),
    (2, "meter of buyer", "record", (2, 2**32, 0)),
    (2, "producer", "offer", (HOUR + 1, 2**32 - 1, 2**31 - 1)),
    (2, "buyer", "buy", (3, 2**32 - 1)),
    (2, "producer", "withdraw", (10**9 + 667 + 535,)),
    (2, "producer", "withdraw", (1,)),
    (2, "buyer", "deposit", (1,)),
]


def played(engine: str) -> list[Any]:
    """Status, output, gas, log and storage after every transaction."""
    world = CertificatesWorld(engine)
    for account in ("producer", "buyer", "neighbour"):
        world.register(account)
        world.fund(account)
    world.names.add("stranger")
    contract, done = world.certificates, []
    for interval, sender, function, arguments in SEQUENCE:
        world.at(FIRST_DELIVERY_S + (interval + 1) * STEP_S)
        data = contract.artifact.selectors[function] + pack_mixed(*arguments)
        receipt = world.engine.transact(address(sender), contract.address, data, GAS_LIMIT)
        done.append((*receipt, world.root(), world.engine.storage_root(world.token.address)))
    assert world.balances(HOUR, HOUR + 1)
    return done


def test_same_receipts_and_storage_on_both_engines() -> None:
    reference, fast = played("py-evm"), played("revm")
    statuses = [outcome[0] for outcome in reference]
    assert statuses.count(1) == 15
    assert statuses.count(0) == 15
    assert fast == reference
