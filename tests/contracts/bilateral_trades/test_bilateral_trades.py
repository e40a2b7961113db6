"""Bilateral trades: the graph, pairs checked one by one, better matchings, settlement."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bilateral_world import FEED_IN, BilateralWorld, listed
from market_world import FIRST_DELIVERY_S, RETAIL, SUPPLIER, Contract, MarketWorld, address

from cosim.errors import ContractRevert
from cosim.evm.contracts import compile_contract
from cosim.mechanisms.local_market.bilateral.client import pair_word
from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, TradingGraph

GRAPH = listed(
    {
        ("ann", "bob"): (10_000, 5_000),
        ("ann", "cem"): (0, 0),
        ("bob", "ann"): (0, 0),
        ("cem", "bob"): (0, 0),
    }
)


@pytest.fixture(scope="module")
def deployed() -> BilateralWorld:
    return BilateralWorld("py-evm", GRAPH)


@pytest.fixture
def world(deployed: BilateralWorld) -> Iterator[BilateralWorld]:
    """Orders of one seller and two buyers whose gate has closed; arrival indexes 0, 1 and 2."""
    snapshot = deployed.engine.snapshot()
    deployed.open_window(0)
    deployed.order("ann", True, 1_000, 100_000)
    deployed.order("bob", False, 700, 200_001)
    deployed.order("cem", False, 600, 150_000)
    deployed.close_gate(0)
    yield deployed
    deployed.engine.restore(snapshot)


def test_pairs_trade_at_their_own_prices_and_the_fee_goes_to_the_supplier(
    world: BilateralWorld,
) -> None:
    world.prove("ann", "bob")
    world.prove("ann", "cem")
    done = world.propose(pair_word(0, 1, 700), pair_word(0, 2, 300))
    assert [name for name, _ in done.events] == ["PairMatched", "PairMatched", "MatchingAccepted"]
    first, second, accepted = (said for _, said in done.events)
    assert (first["price_ueur_per_kwh"], first["fee_ueur_per_kwh"]) == (142_500, 10_000)
    assert (second["price_ueur_per_kwh"], second["fee_ueur_per_kwh"]) == (125_000, 0)
    # 700 (200 001 - 15 000 - 100 000) + 300 (150 000 - 100 000)
    assert (accepted["gain_mueur"], accepted["volume_wh"]) == (74_500_700, 1_000)
    assert world.trades.get("matchingOf", 0) == (1, 74_500_700, 1_000)
    assert world.traded("ann") == (1_000, 99_750 + 37_500, 0)
    assert world.traded("bob") == (700, 106_750, 7_000)
    assert world.traded("cem") == (300, 37_500, 0)
    assert world.backed()
    before = {name: world.free(name) for name in ("ann", "bob", "cem", SUPPLIER)}
    locked = {name: world.locked(name) for name in ("ann", "bob", "cem")}
    escrow = (RETAIL - 100_000, 700 * 200_001 // 1_000 + 1, 90_000)
    assert locked == {
        "ann": escrow[0] + 137_250,
        "bob": escrow[1] - 99_750,
        "cem": escrow[2] - 37_500,
    }
    world.deliver(0)
    for name, net in (("ann", 1_000), ("bob", -700), ("cem", -400)):
        world.report(name, net)
        assert world.backed()
    # cem draws 100 Wh more than it bought, from the supplier
    assert world.free("ann") - before["ann"] == escrow[0] + 137_250
    assert world.free("bob") - before["bob"] == escrow[1] - 106_750
    assert world.free("cem") - before["cem"] == escrow[2] - 37_500 - 30_000
    assert world.free(SUPPLIER) - before[SUPPLIER] == 7_000 + 30_000
    with pytest.raises(ContractRevert, match="already reported"):
        world.report("ann", 1_000)


def test_what_no_pair_takes_is_settled_with_the_supplier(world: BilateralWorld) -> None:
    """No matching is proposed at all, and everybody is settled all the same."""
    before = world.free("ann")
    world.deliver(0)
    done = world.report("ann", 1_000)
    settled = next(said for name, said in done.events if name == "IntervalSettled")
    assert (settled["contracted_wh"], settled["supplier_ueur"]) == (0, FEED_IN)
    assert world.free("ann") - before == RETAIL - 100_000 + FEED_IN
    world.end_metering(0)
    world.market.send("anyone", "settleSilent", 0, address("bob"))
    assert world.backed()


def test_a_better_matching_takes_the_place_of_the_one_before(world: BilateralWorld) -> None:
    world.prove("ann", "bob")
    world.prove("ann", "cem")
    world.propose(pair_word(0, 2, 600), sender="rival")
    assert world.traded("cem")[0] == 600
    world.propose(pair_word(0, 1, 700), pair_word(0, 2, 300))
    assert world.traded("cem")[0] == 300
    for worse in ((pair_word(0, 2, 600),), (pair_word(0, 1, 700), pair_word(0, 2, 300)), ()):
        with pytest.raises(ContractRevert, match="no better than before"):
            world.propose(*worse)
    assert world.trades.get("matchingOf", 0)[0] == 2
    assert world.backed()


def test_of_equal_gains_more_energy_is_better(world: BilateralWorld) -> None:
    world.open_window(1)
    world.order("cem", True, 50, 150_000, interval=1)
    world.order("bob", False, 50, 150_000, interval=1)
    world.close_gate(1)
    world.prove("cem", "bob")
    world.propose(pair_word(0, 1, 20), interval=1)
    world.propose(pair_word(0, 1, 50), interval=1)
    assert world.trades.get("matchingOf", 1) == (2, 0, 50)


def refused(world: BilateralWorld, text: str, *words: int, interval: int = 0) -> None:
    with pytest.raises(ContractRevert) as caught:
        world.propose(*words, interval=interval)
    assert caught.value.text == f"bilateral trades: {text}"


def test_pairs_are_refused_one_by_one(world: BilateralWorld) -> None:
    refused(world, "edge not proven", pair_word(0, 1, 1))
    world.prove("ann", "bob")
    world.prove("ann", "cem")
    refused(world, "wrong side", pair_word(1, 0, 1))
    refused(world, "wrong side", pair_word(1, 2, 1))
    refused(world, "no order", pair_word(0, 3, 1))
    refused(world, "no order", pair_word(1_023, 1, 1))
    refused(world, "energy out of range", pair_word(0, 1, 0))
    refused(world, "energy out of range", pair_word(0, 1, 2**32))
    refused(world, "above the order", pair_word(0, 1, 701))
    refused(world, "above the order", pair_word(0, 1, 700), pair_word(0, 2, 301))
    refused(world, "pairs not ascending", pair_word(0, 2, 1), pair_word(0, 1, 1))
    refused(world, "pairs not ascending", pair_word(0, 1, 1), pair_word(0, 1, 1))
    assert world.trades.get("matchingOf", 0) == (0, 0, 0)


def test_a_pair_without_a_price_that_suits_both_is_refused(world: BilateralWorld) -> None:
    world.open_window(1)
    world.order("ann", True, 10, 100_000, interval=1)
    world.order("bob", False, 10, 114_999, interval=1)
    world.order("cem", False, 10, 99_999, interval=1)
    world.close_gate(1)
    world.prove("ann", "bob")
    world.prove("ann", "cem")
    refused(world, "no price suits both", pair_word(0, 1, 10), interval=1)
    refused(world, "no price suits both", pair_word(0, 2, 10), interval=1)


def test_matchings_are_proposed_from_gate_closure_to_the_start_of_delivery(
    world: BilateralWorld,
) -> None:
    world.prove("ann", "bob")
    world.open_window(0)
    refused(world, "orders not known", pair_word(0, 1, 1))
    world.close_gate(0)
    world.propose(pair_word(0, 1, 1))
    world.at(FIRST_DELIVERY_S - 1)
    world.propose(pair_word(0, 1, 699))
    world.start(0)
    refused(world, "delivery has begun", pair_word(0, 1, 700))
    refused(world, "orders not known", pair_word(0, 1, 1), interval=2**255)


def test_an_edge_is_proven_once_and_as_the_graph_has_it(world: BilateralWorld) -> None:
    done = world.prove("ann", "bob")
    assert done.events == [
        (
            "EdgeProven",
            {
                "seller": address("ann"),
                "buyer": address("bob"),
                "fee_ueur_per_kwh": 10_000,
                "penalty_ueur_per_kwh": 5_000,
            },
        )
    ]
    assert world.trades.get("edgeOf", address("ann"), address("bob")) == (True, 10_000, 5_000)
    assert world.trades.get("edgeOf", address("bob"), address("ann")) == (False, 0, 0)
    with pytest.raises(ContractRevert, match="bilateral trades: already proven"):
        world.prove("ann", "bob")
    with pytest.raises(ContractRevert, match="bilateral trades: not in the graph"):
        world.prove("ann", "cem", EdgeTerms(0, 1))
    with pytest.raises(ContractRevert) as caught:
        world.prove("ann", "cem", EdgeTerms(2**31, 0))
    assert caught.value.text.removeprefix("bilateral trades: ") == "price out of range"
    edge = address("bob"), address("cem")
    assert world.tree is not None
    for proof in ([], list(world.tree.proof(address("ann"), address("cem")))):
        with pytest.raises(ContractRevert, match="not in the graph"):
            world.trades.send("anyone", "proveEdge", *edge, 0, 0, proof)


def test_everybody_may_trade_without_a_root_at_one_fee() -> None:
    world = BilateralWorld("revm", TradingGraph(None, EdgeTerms(20_000, 7)))
    world.open_window(0)
    world.order("ann", True, 1_000, 100_000)
    world.order("bob", False, 1_000, 200_000)
    world.close_gate(0)
    world.propose(pair_word(0, 1, 1_000))
    assert world.traded("ann") == (1_000, 139_996, 0)
    assert world.traded("bob") == (1_000, 159_996, 20_000)
    assert world.trades.get("edgeOf", address("cem"), address("bob")) == (True, 20_000, 7)
    with pytest.raises(ContractRevert) as caught:
        world.trades.send("anyone", "proveEdge", address("ann"), address("bob"), 0, 0, [])
    assert caught.value.text == "bilateral trades: " + "everybody may trade"
    assert "everybody may trade" in caught.value.text


def test_a_market_knows_its_bilateral_trades_and_they_their_market(world: BilateralWorld) -> None:
    trades, market = world.trades, world.market
    assert trades.get("LOCAL_MARKET") == market.address
    assert market.settlement.get("BILATERAL") == trades.address
    assert (trades.get("FEE_UEUR_PER_KWH"), trades.get("PENALTY_UEUR_PER_KWH")) == (0, 0)
    assert world.tree is not None
    assert trades.get("GRAPH") == world.tree.root
    kind = compile_contract("BilateralTrades")

    def deploy(*arguments: object) -> str:
        with pytest.raises(ContractRevert) as caught:
            Contract(world.engine, kind, *arguments, deployer="copycat")
        return caught.value.text.removeprefix("bilateral trades: ")

    assert deploy(market.address, bytes(32), 0, 0) == "settled elsewhere"
    auction = MarketWorld("revm")
    with pytest.raises(ContractRevert) as caught:
        Contract(auction.engine, kind, auction.market.address, bytes(32), 0, 0)
    assert caught.value.text.removeprefix("bilateral trades: ") == "cleared otherwise"
    other = BilateralWorld("revm", TradingGraph(None))
    with pytest.raises(ContractRevert, match="bilateral trades: price out of range"):
        BilateralWorld("revm", TradingGraph(None, EdgeTerms(0, 2**31)))
    assert other.trades.get("GRAPH") == bytes(32)
    for method in ("clear", "clearVerified", "commitClearing"):
        assert method in market.artifact.selectors
    with pytest.raises(ContractRevert, match="local market: clearing is bilateral"):
        market.send("anyone", "clear", 0)
    with pytest.raises(ContractRevert, match="local market: clearing is bilateral"):
        market.send("anyone", "clearVerified", 0, [], 0, 0, 0)


def test_unrevealed_orders_are_in_no_pair() -> None:
    from local_market_world import DEPOSIT, REVEAL_S, commit, reveal

    from cosim.mechanisms.local_market.orders import Order

    world = BilateralWorld("revm", TradingGraph(None), reveal_s=REVEAL_S, sealed_deposit=DEPOSIT)
    ask, bid = Order("ann", True, 10, 100_000), Order("bob", False, 10, 100_001)
    hidden = Order("cem", False, 10, 200_000)
    world.open_window(0)
    for order in (ask, bid, hidden):
        commit(world, order)
    world.close_gate(0)
    reveal(world, ask)
    reveal(world, bid)
    refused(world, "orders not known", pair_word(0, 1, 10))
    world.at(FIRST_DELIVERY_S - 180 + REVEAL_S)
    refused(world, "no order", pair_word(0, 2, 10))
    world.propose(pair_word(0, 1, 10))
    # 10 Wh at ⌊100 000.5⌋: one µEUR each; the buyer's sum is exact
    assert world.traded("bob") == (10, 1_000, 0)
    world.deliver(0)
    for name in ("ann", "bob", "cem"):
        world.report(name, 0)
    assert world.backed()


def test_largest_amounts_fit() -> None:
    world = BilateralWorld("revm", TradingGraph(None, EdgeTerms(2**31 - 1, 0)))
    for name in ("ann", "bob"):
        world.fund(name, world.market, 10**16)
    energy, price = 2**32 - 1, 2**31 - 1
    world.open_window(0)
    world.order("ann", True, energy, 0)
    world.order("bob", False, energy, price)
    world.close_gate(0)
    world.propose(pair_word(0, 1, energy))
    # the fee takes all of the spread
    paid = -(-energy * price // 1_000)
    assert world.traded("bob") == (energy, paid, paid)
    assert world.traded("ann") == (energy, 0, 0)
    world.deliver(0)
    world.report("bob", -energy)
    world.report("ann", energy)
    assert world.backed()


def test_a_matching_of_an_earlier_interval_is_not_of_the_one_that_has_its_slots() -> None:
    ring = 3
    world = BilateralWorld("revm", TradingGraph(None), ring=ring)
    laps = []
    for interval, energies_wh in ((0, (1_000, 700, 300)), (ring, (500, 500, 100))):
        world.open_window(interval)
        for name, energy_wh in zip(("ann", "bob", "cem"), energies_wh, strict=True):
            is_sell = name == "ann"
            world.order(name, is_sell, energy_wh, 100_000 if is_sell else 200_000, interval)
        world.close_gate(interval)
        pairs = [pair_word(0, 1, energies_wh[1])]
        if interval == 0:
            pairs.append(pair_word(0, 2, energies_wh[2]))
        world.propose(*pairs, interval=interval)
        laps.append([world.traded(name, interval)[0] for name in ("ann", "bob", "cem")])
        assert world.trades.get("matchingOf", interval)[0] == 1
        assert world.backed([interval])
        world.deliver(interval)
        for name in ("ann", "bob", "cem"):
            world.report(name, 0, interval)
    assert laps == [[1_000, 700, 300], [500, 500, 0]]
    # what was traded in the past is in the events
    assert [world.traded(name)[0] for name in ("ann", "bob", "cem")] == [0, 0, 300]
    slots = {where: len(kept) for where, *_, kept in world.engine.accounts()}
    assert slots[world.trades.address] == 3 + 2
