"""Committed clearing: root, bond, challenge of each part of it, claims, pot."""

import pytest
from local_market_world import BOND, CHALLENGE_S, Cleared, opened, three
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.ledger.hashing import keccak
from cosim.market.fill_tree import FillTree
from cosim.market.orders import Order
from cosim.market.pricing import ClearingForm, PricingRule

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


def test_supplier_cannot_lock_as_bond_what_it_owes(committed: MarketWorld) -> None:
    committed.market.send(SUPPLIER, "withdraw", RICH)
    committed.close_gate(1)
    committed.market.send("operator", "commitClearing", 1, bytes(32), 0, 0, 0)
    committed.deliver(1)
    committed.report("neighbour", 1_000, interval=1)
    assert committed.market.get("claimsTotal") == 80_000
    committed.token.send("issuer", "mint", address(SUPPLIER), 80_000 + BOND)
    committed.token.send(SUPPLIER, "approve", committed.market.address, 80_000 + BOND)
    committed.market.send(SUPPLIER, "deposit", 80_000 + BOND - 1)
    case = three()
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        committed.market.send(SUPPLIER, "commitClearing", 0, case.tree.root, *case.result)
    committed.market.send(SUPPLIER, "deposit", 1)
    committed.market.send(SUPPLIER, "commitClearing", 0, case.tree.root, *case.result)


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
    return FillTree((668, 1_000, 332), keccak).root


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
    assert done.events[0][1] == {"interval": 0, "challenger": address("watcher")}
    market = committed.market
    assert market.get("clearingOf", 0) == (True, 150_000, 150_000, 1_000, 3)
    assert committed.free("watcher") == 1 + BOND
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
    assert world.free("watcher") == BOND


# --- claims -----------------------------------------------------------------------------------


@pytest.fixture
def final(committed: MarketWorld) -> MarketWorld:
    """The clearing was committed to, and its challenge window is over."""
    three().commit(committed)
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    return committed


def test_claims_wait_for_the_challenge_window(committed: MarketWorld) -> None:
    three().commit(committed)
    committed.at(COMMITTED_S + CHALLENGE_S)
    for call in (
        lambda: three().claim(committed, BUYER),
        lambda: committed.market.send("operator", "releaseBond", 0),
    ):
        with pytest.raises(ContractRevert, match="local market: clearing may still be challenged"):
            call()


def test_claims_pay_through_the_pot(final: MarketWorld) -> None:
    case, supplier = three(), final.free(SUPPLIER)
    done = case.claim(final, BUYER)
    logged = {"interval": 0, "account": address("buyer"), "is_sell": False, "energy_wh": 667}
    assert done.events == [("FillClaimed", logged)]
    assert final.market.get("isClaimed", 0, address("buyer"))
    assert final.market.get("potOf", 0) == 100_050
    assert final.locked("buyer") == 200_001 - 100_050
    assert final.market.get("orderOf", 0, address("buyer")) == (False, 200_001, 1_000, 667)
    with pytest.raises(ContractRevert, match="local market: buyers have not paid in"):
        case.claim(final, SELLER)
    case.claim(final, NEIGHBOUR)
    assert final.market.get("potOf", 0) == 100_050 + 49_950
    case.claim(final, SELLER)
    assert final.market.get("potOf", 0) == 0
    assert final.locked("seller") == 200_000 + 150_000
    assert final.free(SUPPLIER) == supplier + case.clearing.surplus_ueur
    assert backed(final)
    with pytest.raises(ContractRevert, match="local market: already claimed"):
        case.claim(final, SELLER)
    final.market.send("anyone", "releaseBond", 0)
    assert final.free("operator") == RICH
    with pytest.raises(ContractRevert, match="local market: no bond"):
        final.market.send("anyone", "releaseBond", 0)

    final.deliver(0)
    for account, net in (("buyer", -667), ("seller", 1_000), ("neighbour", -333)):
        final.report(account, net)
    assert final.free("buyer") == RICH - 100_050
    assert final.free("seller") == RICH + 150_000
    assert final.free("neighbour") == RICH - 49_950
    assert backed(final)


def test_dust_of_claims_goes_to_the_supplier() -> None:
    world = opened(form=ClearingForm.COMMITTED)
    case = Cleared.of(
        [
            Order("buyer", False, 3, 100_001),
            Order("seller", True, 6, 100_001),
            Order("neighbour", False, 3, 100_001),
        ]
    )
    case.place(world)
    case.commit(world)
    world.at(COMMITTED_S + CHALLENGE_S + 1)
    supplier = world.free(SUPPLIER)
    for index in (BUYER, NEIGHBOUR, SELLER):
        case.claim(world, index)
    assert world.free(SUPPLIER) - supplier == 301 + 301 - 600 == case.clearing.surplus_ueur
    assert world.market.get("potOf", 0) == 0
    assert world.backed()


@pytest.mark.parametrize("more_wh", [-1, 1])
def test_claim_of_another_fill(final: MarketWorld, more_wh: int) -> None:
    with pytest.raises(ContractRevert, match="local market: not in the root"):
        three().claim(final, BUYER, more_wh)


def test_claim_with_another_proof(final: MarketWorld) -> None:
    case = three()
    proof = list(case.tree.proof(BUYER))
    for wrong in ([], proof[:-1], proof[::-1], [*proof, bytes(32)]):
        with pytest.raises(ContractRevert, match="local market: not in the root"):
            final.market.send("anyone", "claimFill", 0, address("buyer"), 667, wrong)


@pytest.mark.parametrize("account", ["stranger", SUPPLIER])
def test_claim_without_an_order(final: MarketWorld, account: str) -> None:
    with pytest.raises(ContractRevert, match="local market: no order"):
        final.market.send("anyone", "claimFill", 0, address(account), 0, [])


def test_report_waits_for_the_claim(final: MarketWorld) -> None:
    final.deliver(0)
    with pytest.raises(ContractRevert, match="local market: fill not claimed"):
        final.report("buyer", -667)
    final.market.send("anyone", "claimFill", 0, address("buyer"), 667, list(three().tree.proof(0)))
    final.report("buyer", -667)
    with pytest.raises(ContractRevert, match="local market: already claimed"):
        three().claim(final, BUYER)


def test_nothing_stays_locked_when_nobody_claims(final: MarketWorld) -> None:
    """A seller whose buyer never pays in is settled as if it had not sold."""
    final.end_metering(0)
    for account in ("buyer", "seller", "neighbour"):
        done = final.market.send("anyone", "settleSilent", 0, address(account))
        assert done.events[-1][1]["contracted_wh"] == 0
        assert final.free(account) == RICH - SILENT_ESTIMATE_WH * RETAIL // 1_000
    assert backed(final)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        three().claim(final, BUYER)


def test_late_commitment_leaves_time_for_claims(committed: MarketWorld) -> None:
    late_s = FIRST_DELIVERY_S + STEP_S + METERING_S
    committed.at(late_s)
    three().commit(committed)
    committed.at(late_s + CHALLENGE_S + METERING_S)
    with pytest.raises(ContractRevert, match="local market: fill not claimed"):
        committed.market.send("anyone", "settleSilent", 0, address("buyer"))
    committed.at(late_s + CHALLENGE_S + METERING_S + 1)
    committed.market.send("anyone", "settleSilent", 0, address("buyer"))
    assert committed.free("buyer") == RICH - SILENT_ESTIMATE_WH * RETAIL // 1_000


def test_rest_of_the_pot_goes_to_the_supplier_when_nobody_is_left(final: MarketWorld) -> None:
    case, supplier = three(), final.free(SUPPLIER)
    case.claim(final, BUYER)
    final.end_metering(0)
    estimate = SILENT_ESTIMATE_WH * RETAIL // 1_000
    for account in ("seller", "neighbour"):
        final.market.send("anyone", "settleSilent", 0, address(account))
    assert final.market.get("potOf", 0) == 0
    assert final.free(SUPPLIER) == supplier + 100_050 + 2 * estimate
    assert backed(final)


# --- a wrong root that nobody challenged -------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "fills", "claimed", "text"),
    [
        ((150_000, 150_000, 3), (1_001, 1_000, 0), BUYER, "local market: fill above the order"),
        ((200_002, 150_000, 3), (1_000, 1_000, 0), BUYER, "local market: price beyond the order"),
        ((150_000, 99_999, 3), (1_000, 1_000, 0), SELLER, "local market: price beyond the order"),
    ],
)
def test_nobody_trades_beyond_the_own_order(
    committed: MarketWorld,
    result: tuple[int, int, int],
    fills: tuple[int, ...],
    claimed: int,
    text: str,
) -> None:
    case = three()
    tree = FillTree(fills, keccak)
    case.commit(committed, tree.root, *result)
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    account = address(case.orders[claimed].account)
    with pytest.raises(ContractRevert, match=text):
        committed.market.send(
            "anyone", "claimFill", 0, account, fills[claimed], list(tree.proof(claimed))
        )
    assert backed(committed)


def test_wrong_root_takes_no_more_than_its_own_interval_holds(committed: MarketWorld) -> None:
    """All buyers get nothing, the seller everything: there is no money for it."""
    case = three()
    tree = FillTree((0, 1_000, 0), keccak)
    case.commit(committed, tree.root)
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    for index in (BUYER, NEIGHBOUR):
        account = address(case.orders[index].account)
        committed.market.send("anyone", "claimFill", 0, account, 0, list(tree.proof(index)))
    with pytest.raises(ContractRevert, match="local market: buyers have not paid in"):
        committed.market.send(
            "anyone", "claimFill", 0, address("seller"), 1_000, list(tree.proof(SELLER))
        )
    committed.end_metering(0)
    for account in ("buyer", "seller", "neighbour"):
        committed.market.send("anyone", "settleSilent", 0, address(account))
        assert committed.locked(account) == 0
    assert committed.market.get("potOf", 0) == 0
    assert backed(committed)
