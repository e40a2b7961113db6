"""One long sequence of calls does the same on both engines, refusals included."""

from __future__ import annotations

from typing import Any

from market_world import FIRST_DELIVERY_S, GAS_LIMIT, ORDER_LEAD_S, STEP_S, address
from storage_world import MONEY, OWNER, StorageWorld

from cosim.evm.abi import pack_mixed

METER = f"meter of {OWNER}"
MEMBERS = [address(name) for name in ("ann", "bob", "cem", OWNER, "stranger")]
SEQUENCE: list[tuple[str, str, str, tuple[Any, ...]]] = [
    # time, sender, function, arguments
    ("window 0", "ann", "nominate", (0, 5_000)),
    ("", "ann", "nominate", (0, 5_000)),
    ("", "ann", "nominate", (1, 5_000)),
    ("", "bob", "nominate", (0, 3_751)),
    ("", "bob", "nominate", (0, 3_750)),
    ("", "cem", "nominate", (0, -1)),
    ("", "ann", "offerShares", (address("cem"), 2, 1_234)),
    ("", "cem", "acceptShares", (address("ann"), 2, 1_234)),
    ("", "stranger", "nominate", (0, 1)),
    ("", OWNER, "nominate", (0, 1)),
    ("", "stranger", "buyShares", (1,)),
    ("end 0", METER, "reportStorage", (0, -8_777)),
    ("", METER, "reportStorage", (0, -8_777)),
    ("", "ann", "reportStorage", (0, -8_777)),
    ("", METER, "reportStorage", (1, 0)),
    ("", "cem", "acceptShares", (address("ann"), 2, 1_234)),
    ("", "cem", "acceptShares", (address("ann"), 2, 1_234)),
    ("", "anyone", "settle", (MEMBERS,)),
    ("", "anyone", "settle", (MEMBERS,)),
    ("", "anyone", "settle", ([],)),
    ("", "bob", "withdraw", (MONEY,)),
    ("", "bob", "withdraw", (MONEY - 5_000,)),
    ("window 2", "ann", "nominate", (2, -3_000)),
    ("", "bob", "nominate", (2, -3_000)),
    ("", "cem", "nominate", (2, 2_500)),
    ("", "ann", "nominate", (1, -1)),
    ("end 2", METER, "reportStorage", (2, 4_000)),
    ("", OWNER, "withdraw", (2**200,)),
    ("", OWNER, "withdraw", (3,)),
    ("", "anyone", "settle", (MEMBERS[::-1],)),
    ("", "bob", "deposit", (1,)),
    ("end 3", METER, "reportStorage", (3, -(2**32 - 1))),
    ("", "anyone", "settle", (MEMBERS,)),
    ("", "bob", "offerShares", (OWNER.encode()[:1] * 20, 6, 0)),
    ("", "cem", "withdraw", (2**255,)),
    ("", "cem", "buyShares", (4,)),
]


def played(engine: str) -> list[Any]:
    """Status, output, gas, log and storage after every transaction."""
    world = StorageWorld(engine)
    for account, shares in (("ann", 8), ("bob", 6), ("cem", 2)):
        world.enter(account, shares, MONEY)
    world.fund(OWNER, world.storage, MONEY)
    contract, done = world.storage, []
    for time, sender, function, arguments in SEQUENCE:
        what, _, interval = time.partition(" ")
        if what == "window":
            world.at(FIRST_DELIVERY_S + int(interval) * STEP_S - ORDER_LEAD_S)
        elif what == "end":
            world.at(FIRST_DELIVERY_S + (int(interval) + 1) * STEP_S)
        data = contract.artifact.selectors[function] + pack_mixed(*arguments)
        receipt = world.engine.transact(address(sender), contract.address, data, GAS_LIMIT)
        roots = [world.engine.storage_root(a) for a in (contract.address, world.token.address)]
        done.append((*receipt, *roots))
    assert world.storage_backed()
    return done


def test_same_receipts_and_storage_on_both_engines() -> None:
    reference, fast = played("py-evm"), played("revm")
    statuses = [outcome[0] for outcome in reference]
    assert (statuses.count(1), statuses.count(0)) == (19, 17)
    assert fast == reference
