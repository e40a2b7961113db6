"""Claims of a committed clearing: proofs, the pot, and a wrong root that nobody challenged."""

import pytest
from local_market_world import CHALLENGE_S, Cleared, opened, three
from market_world import (
    FEED_IN,
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    METERING_S,
    OPERATOR,
    RETAIL,
    RICH,
    SILENT_ESTIMATE_WH,
    STEP_S,
    SUPPLIER,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.fill_tree import FillTree
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.pricing import ClearingForm

COMMITTED_S = FIRST_DELIVERY_S - GATE_CLOSURE_S
BUYER, SELLER, NEIGHBOUR = range(3)


@pytest.fixture
def committed() -> MarketWorld:
    """A market whose clearings are committed, with the gate closed on three orders."""
    world = opened("py-evm", form=ClearingForm.COMMITTED)
    three().place(world)
    return world


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
    assert final.backed()
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
    assert final.backed()


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


def test_pot_is_shared_out_before_the_unfilled_claim() -> None:
    """When all that was traded is claimed, nobody can claim out of the pot any more."""
    world = opened(form=ClearingForm.COMMITTED)
    case = Cleared.of(
        [
            Order("buyer", False, 3, 100_001),
            Order("seller", True, 3, 100_001),
            Order("neighbour", False, 3, 100_000),
        ]
    )
    case.place(world)
    case.commit(world)
    world.at(COMMITTED_S + CHALLENGE_S + 1)
    supplier = world.free(SUPPLIER)
    case.claim(world, BUYER)
    assert world.market.get("potOf", 0) == 301
    case.claim(world, SELLER)
    assert world.market.get("potOf", 0) == 0
    assert world.free(SUPPLIER) == supplier + 1
    done = case.claim(world, NEIGHBOUR)
    assert done.events[-1][1]["energy_wh"] == 0
    assert world.free(SUPPLIER) == supplier + 1
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


def test_a_report_does_not_wait_for_the_claim(final: MarketWorld) -> None:
    """The reading is there at once; what it makes of the trade follows with the claim."""
    final.deliver(0)
    done = final.report("buyer", -1_000)
    assert [name for name, _ in done.events] == ["MeterReported"]
    assert final.market.get("readingOf", 0, address("buyer")) == (True, False, -1_000)
    assert final.locked("buyer") == 200_001
    assert final.free("buyer") == RICH - 200_001
    with pytest.raises(ContractRevert, match="local market: already reported"):
        final.report("buyer", -667)
    assert final.backed()
    done = three().claim(final, BUYER)
    assert [name for name, _ in done.events] == ["FillClaimed", "IntervalSettled"]
    settled = done.events[-1][1]
    assert (settled["contracted_wh"], settled["metered_wh"]) == (-667, -1_000)
    assert (settled["trade_ueur"], settled["supplier_ueur"]) == (-100_050, -99_900)
    assert final.free("buyer") == RICH - 100_050 - 99_900
    assert final.locked("buyer") == 0
    assert final.backed()
    with pytest.raises(ContractRevert, match="local market: already claimed"):
        three().claim(final, BUYER)


def test_nothing_stays_locked_when_nobody_claims(final: MarketWorld) -> None:
    """A seller whose buyer never pays in is settled as if it had not sold."""
    final.end_metering(0)
    for account in ("buyer", "seller", "neighbour"):
        done = final.market.send("anyone", "settleSilent", 0, address(account))
        assert done.events[-1][1]["contracted_wh"] == 0
        assert final.free(account) == RICH - SILENT_ESTIMATE_WH * RETAIL // 1_000
    assert final.backed()
    with pytest.raises(ContractRevert, match="local market: too late to claim"):
        three().claim(final, BUYER)


def test_claims_end_with_the_time_of_the_meters(final: MarketWorld) -> None:
    final.at(FIRST_DELIVERY_S + STEP_S + METERING_S)
    three().claim(final, BUYER)
    final.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: too late to claim"):
        three().claim(final, NEIGHBOUR)


def test_who_reported_and_is_not_claimed_is_settled_by_anybody_at_last(final: MarketWorld) -> None:
    final.deliver(0)
    final.report("buyer", -1_000)
    with pytest.raises(ContractRevert, match="local market: meter may still report"):
        final.market.send("anyone", "settleSilent", 0, address("buyer"))
    final.end_metering(0)
    final.meters.send(OPERATOR, "unregisterMeter", address("meter of buyer"))
    done = final.market.send("anyone", "settleSilent", 0, address("buyer"))
    assert [name for name, _ in done.events] == ["IntervalSettled"]
    assert final.free("buyer") == RICH - RETAIL  # what it drew, at retail
    assert final.market.get("readingOf", 0, address("buyer")) == (True, False, -1_000)
    with pytest.raises(ContractRevert, match="local market: already reported"):
        final.market.send("anyone", "settleSilent", 0, address("buyer"))
    assert final.backed()


def test_no_commitment_comes_too_late_for_its_challenge(committed: MarketWorld) -> None:
    """When delivery ends, every clearing that stands is final."""
    end_s = FIRST_DELIVERY_S + STEP_S
    committed.at(end_s - CHALLENGE_S)
    with pytest.raises(ContractRevert, match="local market: too late to clear"):
        three().commit(committed)
    committed.at(end_s - CHALLENGE_S - 1)
    three().commit(committed)
    committed.at(end_s - 1)
    with pytest.raises(ContractRevert, match="local market: clearing may still be challenged"):
        three().claim(committed, BUYER)
    committed.at(end_s)
    three().claim(committed, BUYER)


def test_a_wrong_root_that_nobody_challenged_keeps_no_meter_from_reporting(
    committed: MarketWorld,
) -> None:
    three().commit(committed, bytes(32))
    committed.deliver(0)
    for account, net in (("buyer", -667), ("seller", 1_000), ("neighbour", -333)):
        committed.report(account, net)
        assert committed.market.get("readingOf", 0, address(account)) == (True, False, net)
    committed.end_metering(0)
    for account in ("buyer", "seller", "neighbour"):
        committed.market.send("anyone", "settleSilent", 0, address(account))
        assert committed.locked(account) == 0
    assert committed.free("buyer") == RICH - 667 * RETAIL // 1_000
    assert committed.free("seller") == RICH + 1_000 * FEED_IN // 1_000
    assert committed.backed()


def test_an_interval_that_nobody_commits_to_is_settled_without_trades(
    committed: MarketWorld,
) -> None:
    committed.deliver(0)
    committed.report("buyer", -667)
    assert committed.free("buyer") == RICH - 667 * RETAIL // 1_000
    with pytest.raises(ContractRevert, match="local market: too late to clear"):
        three().commit(committed)
    assert committed.backed()


def test_rest_of_the_pot_goes_to_the_supplier_when_nobody_is_left(final: MarketWorld) -> None:
    case, supplier = three(), final.free(SUPPLIER)
    case.claim(final, BUYER)
    final.end_metering(0)
    estimate = SILENT_ESTIMATE_WH * RETAIL // 1_000
    for account in ("seller", "neighbour"):
        final.market.send("anyone", "settleSilent", 0, address(account))
    assert final.market.get("potOf", 0) == 0
    assert final.free(SUPPLIER) == supplier + 100_050 + 2 * estimate
    assert final.backed()


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
    tree = FillTree(fills)
    case.commit(committed, tree.root, *result)
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    account = address(case.orders[claimed].account)
    with pytest.raises(ContractRevert, match=text):
        committed.market.send(
            "anyone", "claimFill", 0, account, fills[claimed], list(tree.proof(claimed))
        )
    assert committed.backed()


def test_a_node_is_no_leaf(committed: MarketWorld) -> None:
    """A node over two words that look like an index and a fill proves no fill."""
    case = three()
    node = keccak((0).to_bytes(32, "big") + (667).to_bytes(32, "big"))
    case.commit(committed, node)
    committed.at(COMMITTED_S + CHALLENGE_S + 1)
    with pytest.raises(ContractRevert, match="local market: not in the root"):
        committed.market.send("anyone", "claimFill", 0, address("buyer"), 667, [])


def test_wrong_root_takes_no_more_than_its_own_interval_holds(committed: MarketWorld) -> None:
    """All buyers get nothing, the seller everything: there is no money for it."""
    case = three()
    tree = FillTree((0, 1_000, 0))
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
    assert committed.backed()
