"""After delivery: payment, penalty, bonds, escrow back, and batches that nobody can block."""

import pytest
from market_world import DSO, OPERATOR, PENALTY, RICH, MarketWorld, address

from cosim.errors import ContractRevert

PRICE = 400_000


@pytest.fixture
def awarded(world: MarketWorld) -> MarketWorld:
    """Interval 0, 1 000 Wh down: seller awarded 600 of 700 Wh, buyer 300 of 300, delivery over."""
    market = world.flexibility
    market.send(DSO, "openRequest", 0, False, 1_000, 500_000)
    market.send("seller", "offer", 1, 2_000, [700], [PRICE])
    market.send("buyer", "offer", 1, 0, [300], [PRICE])
    market.send("neighbour", "offer", 1, 0, [400], [PRICE])
    market.send(DSO, "award", 1, [address("seller"), address("buyer")], [600, 300])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    return world


def settle(world: MarketWorld, *accounts: str, request: int = 1) -> list[dict[str, int]]:
    names = [address(name) for name in accounts]
    done = world.flexibility.send("anyone", "settle", request, names)
    return [arguments for name, arguments in done.events if name == "OfferSettled"]


def gain(world: MarketWorld, account: str) -> int:
    """Change of a free balance since before the request."""
    return int(world.flexibility.get("balanceOf", address(account))) - RICH


@pytest.mark.parametrize(
    ("net_wh", "delivered"),
    [(1_400, 600), (1_000, 600), (1_401, 599), (1_999, 1), (2_000, 0), (2_500, 0)],
)
def test_pays_delivery_and_fines_the_rest(
    awarded: MarketWorld, net_wh: int, delivered: int
) -> None:
    awarded.report("seller", net_wh)
    paid, penalty = delivered * PRICE // 1_000, (600 - delivered) * PENALTY // 1_000
    assert settle(awarded, "seller") == [
        {
            "request": 1,
            "account": address("seller"),
            "delivered_wh": delivered,
            "paid_ueur": paid,
            "penalty_ueur": penalty,
        }
    ]
    assert gain(awarded, "seller") == paid - penalty
    # the DSO: escrow less what the buyer's award still holds and less the unawarded part
    assert gain(awarded, DSO) == -500_000 + (600 * PRICE // 1_000 - paid) + penalty
    assert awarded.flexibility.get("lockedOf", 1, address("seller")) == 0
    assert awarded.flexibility_backed()


def test_upward_delivery_raises_injection(world: MarketWorld) -> None:
    world.flexibility.send(DSO, "openRequest", 0, True, 1_000, 500_000)
    world.flexibility.send("buyer", "offer", 1, -2_000, [500], [PRICE])
    world.flexibility.send(DSO, "award", 1, [address("buyer")], [500])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("buyer", -1_600)
    assert settle(world, "buyer")[0]["delivered_wh"] == 400


def test_amounts_round_against_who_is_paid_and_who_pays(world: MarketWorld) -> None:
    world.flexibility.send(DSO, "openRequest", 0, True, 10, 333_333)
    world.flexibility.send("buyer", "offer", 1, 0, [7], [333_333])
    world.flexibility.send(DSO, "award", 1, [address("buyer")], [5])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("buyer", 2)
    settled = settle(world, "buyer")[0]
    assert (settled["paid_ueur"], settled["penalty_ueur"]) == (666, 1_800)
    world.flexibility.send("anyone", "closeRequest", 1)
    assert gain(world, DSO) == 1_800 - 666
    assert world.flexibility_backed()


@pytest.mark.parametrize(
    ("net_wh", "delivered", "paid"),
    [
        (2_000, 0, 0),
        (1_940, 60, 60 * 80),
        (1_900, 100, 100 * 80),
        (1_899, 101, (100 * 80_000 + 333_333) // 1_000),
        (1_550, 450, (100 * 80_000 + 200 * 333_333 + 150 * 500_000) // 1_000),
        (1_500, 450, (100 * 80_000 + 200 * 333_333 + 150 * 500_000) // 1_000),
    ],
)
def test_delivery_is_paid_from_the_cheapest_block_up(
    world: MarketWorld, net_wh: int, delivered: int, paid: int
) -> None:
    market = world.flexibility
    market.send(DSO, "openRequest", 0, False, 450, 500_000)
    market.send("seller", "offer", 1, 2_000, [100, 200, 300], [80_000, 333_333, 500_000])
    market.send(DSO, "award", 1, [address("seller")], [450])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("seller", net_wh)
    settled = settle(world, "seller")[0]
    penalty = (450 - delivered) * PENALTY // 1_000
    assert (settled["delivered_wh"], settled["paid_ueur"]) == (delivered, paid)
    assert settled["penalty_ueur"] == penalty
    assert gain(world, "seller") == paid - penalty
    market.send("anyone", "closeRequest", 1)
    assert gain(world, DSO) == penalty - paid
    assert world.flexibility_backed()


def test_two_requests_do_not_pay_the_same_delivery_twice(world: MarketWorld) -> None:
    for request, quantity in ((1, 100), (2, 60)):
        world.flexibility.send(DSO, "openRequest", 0, False, quantity, 500_000)
        world.flexibility.send("seller", "offer", request, 1_000, [quantity], [PRICE])
        world.flexibility.send(DSO, "award", request, [address("seller")], [quantity])
    world.close_gate(0)
    world.market.send("anyone", "clear", 0)
    world.deliver(0)
    world.report("seller", 870)  # 130 lower: 100 for the first, 30 for the second
    assert settle(world, "seller", request=2)[0]["delivered_wh"] == 30
    assert settle(world, "seller", request=1)[0]["delivered_wh"] == 100
    assert world.flexibility_backed()


def test_settle_waits_for_delivery_and_for_the_reading(world: MarketWorld) -> None:
    world.flexibility.send(DSO, "openRequest", 0, False, 1_000, 500_000)
    world.flexibility.send("seller", "offer", 1, 2_000, [700], [PRICE])
    world.flexibility.send(DSO, "award", 1, [address("seller")], [700])
    with pytest.raises(ContractRevert, match="flexibility market: delivery has not started"):
        settle(world, "seller")
    with pytest.raises(ContractRevert, match="flexibility market: delivery has not started"):
        world.flexibility.send("anyone", "closeRequest", 1)
    world.start(0)
    assert settle(world, "seller") == []  # the meter may still report
    assert world.flexibility.get("offerOf", 1, address("seller"))[5] is False


def test_no_such_request(world: MarketWorld) -> None:
    for call in (("settle", 1, []), ("closeRequest", 1)):
        with pytest.raises(ContractRevert, match="flexibility market: no such request"):
            world.flexibility.send("anyone", *call)


def test_unawarded_offer_gets_its_bond_back_without_a_reading(awarded: MarketWorld) -> None:
    settled = settle(awarded, "neighbour")
    assert settled[0]["penalty_ueur"] == 0
    assert gain(awarded, "neighbour") == 0
    assert awarded.flexibility_backed()


def test_a_batch_passes_over_who_cannot_be_settled(awarded: MarketWorld) -> None:
    awarded.report("seller", 1_400)
    batch = ("stranger", "buyer", "seller", "seller")  # no offer, no reading, twice
    assert [entry["account"] for entry in settle(awarded, *batch)] == [address("seller")]
    assert settle(awarded, *batch) == []
    awarded.report("buyer", -300)
    assert [entry["account"] for entry in settle(awarded, *batch)] == [address("buyer")]


def test_estimate_counts_as_nothing_delivered(awarded: MarketWorld) -> None:
    awarded.end_metering(0)
    awarded.market.send("anyone", "settleSilent", 0, address("buyer"))
    assert awarded.market.get("readingOf", 0, address("buyer")) == (True, True, -2_000)
    settled = settle(awarded, "buyer")[0]  # the estimate lies far below the baseline
    assert (settled["delivered_wh"], settled["penalty_ueur"]) == (0, 180_000)


def test_silent_meter_locks_nothing_for_ever(awarded: MarketWorld) -> None:
    awarded.meters.send(OPERATOR, "unregisterMeter", address("meter of seller"))
    awarded.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        awarded.market.send("anyone", "settleSilent", 0, address("seller"))
    settled = settle(awarded, "seller")[0]
    assert (settled["delivered_wh"], settled["penalty_ueur"]) == (0, 360_000)
    assert gain(awarded, "seller") == -360_000
    assert awarded.flexibility_backed()


def test_last_second_of_metering_is_not_final(awarded: MarketWorld) -> None:
    awarded.at(awarded.market.get("reportDeadlineOf", 0))
    assert settle(awarded, "seller") == []


@pytest.mark.parametrize("close_first", [True, False])
def test_dso_gets_everything_back_that_was_not_earned(
    awarded: MarketWorld, close_first: bool
) -> None:
    market = awarded.flexibility
    awarded.report("seller", 1_400)
    awarded.report("buyer", -300)
    if not close_first:
        settle(awarded, "seller", "buyer", "neighbour")
    done = market.send("anyone", "closeRequest", 1)
    assert done.events == [("RequestClosed", {"request": 1, "returned_ueur": 140_000})]
    assert market.get("escrowOf", 1) == 0
    assert awarded.flexibility_backed()
    if close_first:
        settle(awarded, "seller", "buyer", "neighbour")
    assert gain(awarded, DSO) == -900 * PRICE // 1_000
    assert gain(awarded, "seller") == 240_000
    assert gain(awarded, "buyer") == 120_000
    assert awarded.flexibility_backed()
    with pytest.raises(ContractRevert, match="flexibility market: already closed"):
        market.send("anyone", "closeRequest", 1)
