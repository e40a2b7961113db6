"""Committed clearing: root, bond, challenge of each part of it, claims, pot."""

import pytest
from local_market_world import BOND, CHALLENGE_S, Cleared, opened, three
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    RETAIL,
    RICH,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule

COMMITTED_S = FIRST_DELIVERY_S - GATE_CLOSURE_S
BUYER, SELLER, NEIGHBOUR = range(3)


@pytest.fixture
def committed() -> MarketWorld:
    """A market whose clearings are committed, with the gate closed on three orders."""
    world = opened("py-evm", form=ClearingForm.COMMITTED)
    three().place(world)
    return world


def backed(world: MarketWorld) -> bool:
    return world.backed(range(1))


def test_commitment_locks_a_bond_and_fills_nothing(committed: MarketWorld) -> None:
    case = three()
    done = case.commit(committed)
    logged = {
        "interval": 0,
        "committer": address("operator"),
        "root": case.tree.root,
        "buy_price_ueur_per_kwh": 150_000,
        "sell_price_ueur_per_kwh": 150_000,
        "volume_wh": 1_000,
        "n_orders": 3,
        "bond_ueur": BOND,
    }
    assert done.events == [("ClearingCommitted", logged)]
    market = committed.market
    assert market.get("clearingOf", 0) == (True, 150_000, 150_000, 1_000, 3)
    assert market.get("rootOf", 0) == case.tree.root
    assert market.get("commitmentOf", 0) == (address("operator"), COMMITTED_S)
    assert market.get("bondOf", 0) == BOND
    assert committed.free("operator") == RICH - BOND
    assert market.get("orderOf", 0, address("buyer")) == (False, 200_001, 1_000, 0)
    assert not market.get("isClaimed", 0, address("buyer"))
    assert backed(committed)
    with pytest.raises(ContractRevert, match="local market: already cleared"):
        case.commit(committed)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ((2**31, 0, 0), "local market: price out of range"),
        ((0, 2**31, 0), "local market: price out of range"),
        ((0, 0, 2**41), "local market: energy out of range"),
    ],
)
def test_commitment_out_of_range(
    committed: MarketWorld, result: tuple[int, int, int], text: str
) -> None:
    with pytest.raises(ContractRevert, match=text):
        three().commit(committed, None, *result)
    three().commit(committed, None, 2**31 - 1, 2**31 - 1, 2**41 - 1)
    assert committed.market.get("clearingOf", 0) == (True, 2**31 - 1, 2**31 - 1, 2**41 - 1, 3)


def test_bond_must_be_there(committed: MarketWorld) -> None:
    committed.market.send("operator", "withdraw", RICH - BOND + 1)
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        three().commit(committed)


def test_supplier_cannot_commit(committed: MarketWorld) -> None:
    """Its accomplice challenged, and took half of the bond out without notice."""
    case, before = three(), committed.free(SUPPLIER)
    for root in (bytes(32), case.tree.root):
        with pytest.raises(ContractRevert, match="local market: supplier cannot commit"):
            committed.market.send(SUPPLIER, "commitClearing", 0, root, *case.result)
    assert committed.free(SUPPLIER) == before
    case.commit(committed)


def test_book_that_does_not_cross_is_final_at_once() -> None:
    world = opened(form=ClearingForm.COMMITTED)
    case = Cleared.of([Order("buyer", False, 1_000, 1), Order("seller", True, 1_000, 2)])
    case.place(world)
    with pytest.raises(ContractRevert, match="local market: not the clearing"):
        case.commit(world, None, 0, 1, 0)
    done = case.commit(world)
    assert [name for name, _ in done.events] == ["IntervalCleared"]
    assert world.market.get("bondOf", 0) == 0
    assert world.market.get("clearingOf", 0) == (True, 0, 0, 0, 2)
    with pytest.raises(ContractRevert, match="local market: no committed clearing"):
        world.market.send("anyone", "challengeClearing", 0, case.ranking)
    with pytest.raises(ContractRevert, match="local market: no committed clearing"):
        case.claim(world, BUYER)
    with pytest.raises(ContractRevert, match="local market: no bond"):
        world.market.send("anyone", "releaseBond", 0)
    world.deliver(0)
    world.report("buyer", 0)
    assert world.free("buyer") == RICH
    assert world.backed()


# --- challenge --------------------------------------------------------------------------------


def wrong_fill() -> bytes:
    return FillTree((668, 1_000, 332)).root


@pytest.mark.parametrize(
    ("root", "result"),
    [
        (wrong_fill(), (150_000, 150_000, 1_000)),
        (bytes(32), (150_000, 150_000, 1_000)),
        (None, (150_001, 150_000, 1_000)),
        (None, (150_000, 149_999, 1_000)),
        (None, (150_000, 150_000, 999)),
    ],
    ids=["fill", "root", "buy price", "sell price", "volume"],
)
def test_wrong_clearing_is_overturned(
    committed: MarketWorld, root: bytes | None, result: tuple[int, int, int]
) -> None:
    case = three()
    case.commit(committed, root, *result)
    committed.at(COMMITTED_S + CHALLENGE_S)  # the last second
    committed.fund("watcher", committed.market, 1)
    supplier = committed.free(SUPPLIER)
    done = committed.market.send("watcher", "challengeClearing", 0, case.ranking)
    names = [name for name, _ in done.events]
    assert names == ["ClearingOverturned", *["OrderFilled"] * 3, "IntervalCleared"]
    assert done.events[0][1] == {
        "interval": 0,
        "challenger": address("watcher"),
        "committer": address("operator"),
        "reward_ueur": BOND // 2,
        "burned_ueur": BOND - BOND // 2,
    }
    market = committed.market
    assert market.get("clearingOf", 0) == (True, 150_000, 150_000, 1_000, 3)
    assert committed.free("watcher") == 1 + BOND // 2
    assert market.get("balanceOf", bytes(20)) == BOND - BOND // 2
    assert committed.free("operator") == RICH - BOND
    assert committed.free(SUPPLIER) - supplier == case.clearing.surplus_ueur
    assert market.get("rootOf", 0) == bytes(32)
    assert market.get("commitmentOf", 0) == (bytes(20), 0)
    assert market.get("bondOf", 0) == 0
    fills = [market.get("orderOf", 0, address(o.account))[3] for o in case.orders]
    assert tuple(fills) == case.clearing.fills_wh
    assert backed(committed)

    # what stands needs no claims, and cannot be challenged again
    with pytest.raises(ContractRevert, match="local market: no committed clearing"):
        committed.market.send("watcher", "challengeClearing", 0, case.ranking)
    with pytest.raises(ContractRevert, match="local market: no committed clearing"):
        case.claim(committed, BUYER)
    with pytest.raises(ContractRevert, match="local market: no bond"):
        committed.market.send("operator", "releaseBond", 0)
    committed.deliver(0)
    committed.report("seller", 1_000)
    assert committed.free("seller") == RICH + 150_000
    assert backed(committed)


def test_right_clearing_withstands(committed: MarketWorld) -> None:
    case = three()
    case.commit(committed)
    with pytest.raises(ContractRevert, match="local market: clearing is right"):
        committed.market.send("watcher", "challengeClearing", 0, case.ranking)
    for ranking, text in [
        ([0x0001_0000_0002], "local market: ranking not in merit order"),
        ([], "local market: ranking incomplete"),
    ]:
        with pytest.raises(ContractRevert, match=text):
            committed.market.send("watcher", "challengeClearing", 0, ranking)
    assert committed.market.get("bondOf", 0) == BOND


def test_who_challenges_itself_loses_half_of_its_bond(committed: MarketWorld) -> None:
    case, before = three(), committed.free("operator")
    case.commit(committed, bytes(32))
    committed.market.send("operator", "challengeClearing", 0, case.ranking)
    assert committed.free("operator") == before - (BOND - BOND // 2)
    assert backed(committed)


def test_challenge_in_time_only(committed: MarketWorld) -> None:
    case = three()
    case.commit(committed, bytes(32))
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    with pytest.raises(ContractRevert, match="local market: too late to challenge"):
        committed.market.send("watcher", "challengeClearing", 0, case.ranking)


@pytest.mark.parametrize("rule", PricingRule)
def test_wrong_clearing_is_overturned_by_every_rule(rule: PricingRule) -> None:
    world = opened(rule=rule, form=ClearingForm.COMMITTED)
    orders = three().orders
    if rule.sets_price:
        orders = [
            Order(o.account, o.is_sell, o.energy_wh, 0 if o.is_sell else RETAIL) for o in orders
        ]
    case = Cleared.of(orders, rule)
    case.place(world)
    case.commit(world, keccak(case.tree.root))
    world.market.send("watcher", "challengeClearing", 0, case.ranking)
    assert world.market.get("clearingOf", 0) == (True, *case.result, 3)
    fills = [world.market.get("orderOf", 0, address(o.account))[3] for o in case.orders]
    assert tuple(fills) == case.clearing.fills_wh
    assert world.free("watcher") == BOND // 2
