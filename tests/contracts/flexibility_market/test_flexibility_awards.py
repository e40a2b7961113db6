"""Before delivery: requests with escrow, offers with bond, awards."""

import pytest
from market_world import (
    DSO,
    FIRST_DELIVERY_S,
    OPERATOR,
    PENALTY,
    RICH,
    Contract,
    MarketWorld,
    address,
    double,
)

from cosim.errors import ContractRevert
from cosim.evm.contracts import compile_contract

CAP = 500_000
MAX_ENERGY, MAX_PRICE = 2**32 - 1, 2**31 - 1


@pytest.fixture
def asked(world: MarketWorld) -> MarketWorld:
    """Request 1: 1 000 Wh down in interval 0, at most 0.50 EUR/kWh."""
    world.flexibility.send(DSO, "openRequest", 0, False, 1_000, CAP)
    return world


def offer(
    world: MarketWorld,
    account: str,
    energy: int = 600,
    price: int = 400_000,
    request: int = 1,
    baseline: int = 2_000,
) -> None:
    world.flexibility.send(account, "offer", request, baseline, [energy], [price])


def award(world: MarketWorld, account: str, energy: int, request: int = 1) -> None:
    world.flexibility.send(DSO, "award", request, [address(account)], [energy])


def free(world: MarketWorld, account: str) -> int:
    return int(world.flexibility.get("balanceOf", address(account)))


def test_penalty_has_a_range(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="flexibility market: price out of range"):
        Contract(
            world.engine,
            compile_contract("FlexibilityMarket"),
            world.token.address,
            world.market.address,
            address(DSO),
            MAX_PRICE + 1,
        )


def test_parameters_are_public(world: MarketWorld) -> None:
    market = world.flexibility
    assert market.get("TOKEN") == world.token.address
    assert market.get("LOCAL_MARKET") == world.market.address
    assert market.get("DSO") == address(DSO)
    assert market.get("PENALTY_UEUR_PER_KWH") == PENALTY
    assert market.get("MAX_BATCH") == 256


def test_withdraw_beyond_the_free_balance(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="flexibility market: balance too low"):
        world.flexibility.send("buyer", "withdraw", RICH + 1)
    world.flexibility.send("buyer", "withdraw", RICH)
    assert world.token.get("balanceOf", address("buyer")) == RICH
    assert world.flexibility_backed()


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_that_says_no(world: MarketWorld, function: str) -> None:
    token = Contract(world.engine, double("RefusingToken"))
    market = Contract(
        world.engine,
        compile_contract("FlexibilityMarket"),
        token.address,
        world.market.address,
        address(DSO),
        PENALTY,
    )
    market.send("saver", "deposit", 10)
    token.send("anyone", "refuse")
    with pytest.raises(ContractRevert, match="flexibility market: token transfer failed"):
        market.send("saver", function, 1)


def test_token_cannot_reenter(world: MarketWorld) -> None:
    token = Contract(world.engine, double("ReentrantToken"))
    market = Contract(
        world.engine,
        compile_contract("FlexibilityMarket"),
        token.address,
        world.market.address,
        address(DSO),
        PENALTY,
    )
    token.send("attacker", "deposit", market.address, 100)
    token.send("attacker", "arm", True)
    token.send("attacker", "withdraw", market.address, 40)
    assert token.get("calls") == 1
    assert token.get("successes") == 0
    assert market.get("balanceOf", token.address) == 60


def test_request_locks_its_most_cost_rounded_up(world: MarketWorld) -> None:
    done = world.flexibility.send(DSO, "openRequest", 0, True, 3, 100_333)
    assert int.from_bytes(done.output, "big") == 1
    assert free(world, DSO) == RICH - 301
    assert world.flexibility.get("escrowOf", 1) == 301
    assert world.flexibility.get("requestOf", 1) == (0, True, 3, 100_333, 0, False)
    assert world.flexibility.get("requestCount") == 1
    opened = {
        "request": 1,
        "interval": 0,
        "is_up": True,
        "quantity_wh": 3,
        "price_cap_ueur_per_kwh": 100_333,
    }
    assert done.events == [("RequestOpened", opened)]
    assert world.flexibility_backed()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((2**64, True, 1, 1), "interval out of range"),
        ((0, True, 0, 1), "energy out of range"),
        ((0, True, MAX_ENERGY + 1, 1), "energy out of range"),
        ((0, True, 1, MAX_PRICE + 1), "price out of range"),
        ((0, True, MAX_ENERGY, MAX_PRICE), "balance too low"),
    ],
)
def test_request_out_of_range(world: MarketWorld, arguments: tuple[object, ...], text: str) -> None:
    with pytest.raises(ContractRevert, match=f"flexibility market: {text}"):
        world.flexibility.send(DSO, "openRequest", *arguments)


def test_only_the_dso_requests_and_awards(asked: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="flexibility market: not the DSO"):
        asked.flexibility.send("buyer", "openRequest", 0, True, 1, 1)
    offer(asked, "buyer")
    with pytest.raises(ContractRevert, match="flexibility market: not the DSO"):
        asked.flexibility.send("buyer", "award", 1, [address("buyer")], [1])


def test_offer_locks_a_bond(asked: MarketWorld) -> None:
    asked.flexibility.send("seller", "offer", 1, -77, [601], [400_000])
    assert free(asked, "seller") == RICH - 360_600
    assert asked.flexibility.get("lockedOf", 1, address("seller")) == 360_600
    record = (601, 400_000, -77, 0, 0, False)
    assert asked.flexibility.get("offerOf", 1, address("seller")) == record
    assert asked.flexibility_backed()


def test_a_bond_may_take_the_whole_balance(asked: MarketWorld) -> None:
    market = asked.flexibility
    free = market.get("balanceOf", address("seller"))
    market.send("seller", "withdraw", free - 360_600)
    market.send("seller", "offer", 1, 0, [601], [400_000])
    assert market.get("balanceOf", address("seller")) == 0
    assert market.get("lockedOf", 1, address("seller")) == 360_600


@pytest.mark.parametrize(
    ("account", "arguments", "text"),
    [
        ("seller", (2, 1, 1, 0), "no such request"),
        ("seller", (0, 1, 1, 0), "no such request"),
        ("seller", (1, 0, 1, 0), "energy out of range"),
        ("seller", (1, MAX_ENERGY + 1, 1, 0), "energy out of range"),
        ("seller", (1, 1, CAP + 1, 0), "price above the cap"),
        ("seller", (1, 1, 1, MAX_ENERGY + 1), "baseline out of range"),
        ("seller", (1, 1, 1, -MAX_ENERGY - 1), "baseline out of range"),
        ("seller", (1, MAX_ENERGY, 1, 0), "balance too low"),
        ("stranger", (1, 1, 1, 0), "not a member"),
    ],
)
def test_offer_out_of_range(
    asked: MarketWorld, account: str, arguments: tuple[int, ...], text: str
) -> None:
    request, energy, price, baseline = arguments
    with pytest.raises(ContractRevert, match=f"flexibility market: {text}"):
        asked.flexibility.send(account, "offer", request, baseline, [energy], [price])


def test_an_offer_is_a_curve_of_blocks(asked: MarketWorld) -> None:
    done = asked.flexibility.send(
        "seller", "offer", 1, 2_000, [100, 200, 1, 300], [80_000, 300_000, 300_000, CAP]
    )
    placed = [event[1] for event in done.events]
    assert [(one["energy_wh"], one["price_ueur_per_kwh"]) for one in placed] == [
        (100, 80_000),
        (200, 300_000),
        (1, 300_000),
        (300, CAP),
    ]
    assert {one["baseline_wh"] for one in placed} == {2_000}
    seller = address("seller")
    blocks = [asked.flexibility.get("blockOf", 1, seller, k) for k in range(5)]
    assert blocks == [(100, 80_000), (200, 300_000), (1, 300_000), (300, CAP), (0, 0)]
    assert asked.flexibility.get("offerOf", 1, seller) == (601, 80_000, 2_000, 0, 0, False)
    assert asked.flexibility.get("lockedOf", 1, seller) == 601 * PENALTY // 1_000
    assert asked.flexibility_backed()


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_blocks_of_an_offer_end_where_it_ends(asked: MarketWorld, blocks: int) -> None:
    asked.flexibility.send("seller", "offer", 1, 0, [7] * blocks, [5] * blocks)
    found = [asked.flexibility.get("blockOf", 1, address("seller"), k) for k in range(5)]
    assert found == [(7, 5)] * blocks + [(0, 0)] * (5 - blocks)


@pytest.mark.parametrize(
    ("energies", "prices", "text"),
    [
        ([1, 1], [CAP, CAP - 1], "price below the one before"),
        ([1, 1], [CAP, CAP + 1], "price above the cap"),
        ([1, 0], [1, 2], "energy out of range"),
        ([], [], "energy out of range"),
        ([MAX_ENERGY, 1], [1, 2], "energy out of range"),
        ([2**256 - 1, 2], [1, 2], "energy out of range"),
        ([1, 1], [1], "lists differ in length"),
        ([1], [1, 1], "lists differ in length"),
        ([1] * 5, [1] * 5, "no reason given"),  # more than the ABI of the call takes
    ],
)
def test_curve_out_of_range(
    asked: MarketWorld, energies: list[int], prices: list[int], text: str
) -> None:
    with pytest.raises(ContractRevert, match=text):
        asked.flexibility.send("seller", "offer", 1, 0, energies, prices)


def test_an_award_holds_the_cheapest_blocks_first(asked: MarketWorld) -> None:
    asked.flexibility.send("seller", "offer", 1, 2_000, [100, 200, 300], [80_000, 333_333, CAP])
    for energy, held in (
        (60, 60 * 80_000 // 1_000),
        (90, (100 * 80_000 + 50 * 333_333) // 1_000),
        (450, (100 * 80_000 + 200 * 333_333 + 300 * CAP) // 1_000),
    ):
        award(asked, "seller", energy)
        assert asked.flexibility.get("escrowOf", 1) == 1_000 * CAP // 1_000 - held
        locked = asked.flexibility.get("lockedOf", 1, address("seller"))
        assert locked == 600 * PENALTY // 1_000 + held
        assert asked.flexibility_backed()
    with pytest.raises(ContractRevert, match="flexibility market: more than offered"):
        award(asked, "seller", 1)


def test_offer_needs_a_valid_meter_now(asked: MarketWorld) -> None:
    asked.meters.send(OPERATOR, "unregisterMeter", address("meter of seller"))
    with pytest.raises(ContractRevert, match="flexibility market: not a member"):
        offer(asked, "seller")


def test_one_offer_per_account_and_request(asked: MarketWorld) -> None:
    offer(asked, "seller")
    with pytest.raises(ContractRevert, match="flexibility market: offer exists"):
        offer(asked, "seller")


def test_nothing_is_promised_after_delivery_started(asked: MarketWorld) -> None:
    offer(asked, "seller")
    asked.at(FIRST_DELIVERY_S - 1)
    award(asked, "seller", 1)
    asked.start(0)
    text = "flexibility market: delivery has started"
    with pytest.raises(ContractRevert, match=text):
        asked.flexibility.send(DSO, "openRequest", 0, True, 1, 1)
    with pytest.raises(ContractRevert, match=text):
        offer(asked, "buyer")
    with pytest.raises(ContractRevert, match=text):
        award(asked, "seller", 1)


def test_awards_add_up(asked: MarketWorld) -> None:
    offer(asked, "seller", price=333_333)
    offer(asked, "buyer")
    accounts = [address("seller"), address("buyer"), address("seller")]
    done = asked.flexibility.send(DSO, "award", 1, accounts, [100, 200, 7])
    assert [event[1]["energy_wh"] for event in done.events] == [100, 200, 7]
    assert asked.flexibility.get("offerOf", 1, address("seller"))[3:] == (107, 0, False)
    assert asked.flexibility.get("requestOf", 1)[4] == 307
    held = 107 * 333_333 // 1_000 + 200 * 400
    assert asked.flexibility.get("escrowOf", 1) == 500_000 - held
    assert asked.flexibility_backed()


@pytest.mark.parametrize(
    ("accounts", "energies", "text"),
    [
        (["seller"], [601], "more than offered"),
        (["seller", "seller"], [600, 1], "more than offered"),
        (["seller", "buyer"], [600, 401], "more than requested"),
        (["seller"], [0], "energy out of range"),
        (["seller"], [2**256 - 1], "energy out of range"),
        (["neighbour"], [1], "no such offer"),
        (["seller"], [1, 2], "lists differ in length"),
    ],
)
def test_award_out_of_range_is_refused_as_a_whole(
    asked: MarketWorld, accounts: list[str], energies: list[int], text: str
) -> None:
    offer(asked, "seller")
    offer(asked, "buyer")
    with pytest.raises(ContractRevert, match=f"flexibility market: {text}"):
        asked.flexibility.send(DSO, "award", 1, [address(name) for name in accounts], energies)
    assert asked.flexibility.get("requestOf", 1)[4] == 0


def test_award_needs_a_request(asked: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="flexibility market: no such request"):
        award(asked, "seller", 1, request=9)


def test_awards_of_an_account_have_one_direction(asked: MarketWorld) -> None:
    asked.flexibility.send(DSO, "openRequest", 0, True, 1_000, CAP)
    offer(asked, "seller", request=1)
    offer(asked, "seller", request=2)  # offers both ways are fine
    award(asked, "seller", 100, request=1)
    with pytest.raises(ContractRevert, match="flexibility market: awarded in the other direction"):
        award(asked, "seller", 100, request=2)


def test_awards_of_an_account_have_one_baseline(asked: MarketWorld) -> None:
    asked.flexibility.send(DSO, "openRequest", 0, False, 1_000, CAP)
    offer(asked, "seller", request=1, baseline=2_000)
    offer(asked, "seller", request=2, baseline=2_001)
    award(asked, "seller", 100, request=1)
    with pytest.raises(ContractRevert, match="flexibility market: baseline differs"):
        award(asked, "seller", 100, request=2)


def test_directions_and_baselines_of_other_intervals_are_free(asked: MarketWorld) -> None:
    asked.flexibility.send(DSO, "openRequest", 1, True, 1_000, CAP)
    offer(asked, "seller", request=1, baseline=2_000)
    offer(asked, "seller", request=2, baseline=-500)
    award(asked, "seller", 100, request=1)
    award(asked, "seller", 100, request=2)
    assert asked.flexibility.get("offerOf", 2, address("seller")) == (
        600,
        400_000,
        -500,
        100,
        0,
        False,
    )


def test_earlier_awards_are_remembered_and_closed_to_more(asked: MarketWorld) -> None:
    asked.flexibility.send(DSO, "openRequest", 0, False, 1_000, CAP)
    offer(asked, "seller", request=1)
    offer(asked, "seller", request=2)
    award(asked, "seller", 100, request=1)
    award(asked, "seller", 50, request=2)
    award(asked, "seller", 25, request=2)
    assert asked.flexibility.get("offerOf", 2, address("seller"))[3:5] == (75, 100)
    with pytest.raises(ContractRevert, match="flexibility market: awarded in a later request"):
        award(asked, "seller", 1, request=1)
