"""Deployment, free balances, joining, and a token that misbehaves."""

import pytest
from market_world import (
    FIRST_DELIVERY_S,
    OPERATOR,
    RETAIL,
    RICH,
    STEP_S,
    SUPPLIER,
    Contract,
    MarketWorld,
    address,
    double,
)

from cosim.errors import ContractRevert


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ({"retail": 2**31}, "local market: price out of range"),
        ({"feed_in": RETAIL + 1}, "local market: feed-in above retail"),
        ({"silent_estimate_wh": 2**32}, "local market: energy out of range"),
        ({"step_s": 0}, "local market: step out of range"),
        ({"step_s": 2**64 + 1}, "local market: step out of range"),
        ({"gate_closure_s": 600}, "local market: no order window"),
        ({"rule": 6}, "local market: no such rule"),
        ({"form": 4}, "local market: no such form"),
        ({"reveal_s": 180}, "local market: reveal window too long"),
        ({"form": 2, "challenge_s": 1_080}, "local market: challenge window too long"),
        (
            {"form": 2, "reveal_s": 100, "challenge_s": 980},
            "local market: challenge window too long",
        ),
        ({"form": 2}, "local market: no challenge window"),
        ({"form": 2, "challenge_s": 1}, "local market: no clearing bond"),
    ],
)
def test_parameters_that_make_no_market(
    world: MarketWorld, override: dict[str, int], text: str
) -> None:
    with pytest.raises(ContractRevert, match=text):
        world.deploy_market(**override)


def test_longest_windows(world: MarketWorld) -> None:
    market = world.deploy_market(form=2, reveal_s=179, challenge_s=900, clearing_bond=1)
    assert market.get("REVEAL_S") + market.get("CHALLENGE_S") == 180 + STEP_S - 1


def test_parameters_are_public(world: MarketWorld) -> None:
    market = world.market
    assert market.get("TOKEN") == world.token.address
    assert market.get("METERS") == world.meters.address
    assert market.get("SUPPLIER") == address(SUPPLIER)
    assert market.get("RETAIL_PRICE_UEUR_PER_KWH") == 300_000
    assert market.get("pricesAt", 7) == (300_000, 80_000, 0, 0)
    assert market.get("localLimitsAt", 7) == (300_000, 80_000)
    assert market.get("SILENT_ESTIMATE_WH") == 2_000
    assert market.get("MAX_ORDERS") == 512
    assert market.get("MAX_ENERGY_WH") == 2**32 - 1
    assert market.get("MAX_PRICE_UEUR_PER_KWH") == 2**31 - 1
    other = world.deploy_market(
        rule=4, form=2, reveal_s=11, sealed_deposit=12, challenge_s=13, clearing_bond=14
    )
    names = ["RULE", "FORM", "REVEAL_S", "SEALED_DEPOSIT_UEUR", "CHALLENGE_S", "CLEARING_BOND_UEUR"]
    assert [other.get(name) for name in names] == [4, 2, 11, 12, 13, 14]
    assert [market.get(name) for name in names] == [0] * 6
    assert market.get("deliveryStartOf", 3) == FIRST_DELIVERY_S + 3 * STEP_S
    assert market.get("reportDeadlineOf", 3) == FIRST_DELIVERY_S + 4 * STEP_S + 240


def test_deposit_and_withdraw(world: MarketWorld) -> None:
    world.fund("saver", world.market, 500)
    assert world.free("saver") == 500
    done = world.market.send("saver", "withdraw", 200)
    assert done.events == [
        ("Withdrawn", {"account": address("saver"), "amount_ueur": 200}),
    ]
    assert world.free("saver") == 300
    assert world.token.get("balanceOf", address("saver")) == 200
    assert world.backed()


def test_withdraw_beyond_the_free_balance(world: MarketWorld) -> None:
    world.fund("saver", world.market, 500)
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        world.market.send("saver", "withdraw", 501)


def test_escrow_cannot_be_withdrawn(world: MarketWorld) -> None:
    world.open_window(0)
    world.order("buyer", False, 1_000, 200_000)
    with pytest.raises(ContractRevert, match="local market: balance too low"):
        world.market.send("buyer", "withdraw", RICH - 200_000 + 1)
    world.market.send("buyer", "withdraw", RICH - 200_000)
    assert world.backed()


def test_join_binds_a_meter(world: MarketWorld) -> None:
    world.register("tenant")
    world.at(FIRST_DELIVERY_S + 1)
    done = world.market.send("tenant", "join", address("meter of tenant"))
    member = {"account": address("tenant"), "meter": address("meter of tenant"), "from_interval": 1}
    assert done.events == [("MemberJoined", member)]
    assert world.market.get("isMember", address("tenant"))
    assert world.market.get("membershipOf", address("tenant")) == (address("meter of tenant"), 1)


@pytest.mark.parametrize(
    ("time_s", "interval"),
    [(-5, 0), (0, 0), (1, 1), (STEP_S - 1, 1), (STEP_S, 1), (STEP_S + 1, 2)],
)
def test_membership_begins_with_the_next_delivery(
    world: MarketWorld, time_s: int, interval: int
) -> None:
    world.register("tenant")
    world.at(FIRST_DELIVERY_S + time_s)
    world.market.send("tenant", "join", address("meter of tenant"))
    assert world.market.get("membershipOf", address("tenant"))[1] == interval


@pytest.mark.parametrize("meter", ["meter of buyer", "unregistered meter"])
def test_join_needs_a_meter_of_ones_own(world: MarketWorld, meter: str) -> None:
    with pytest.raises(ContractRevert, match="local market: not your meter"):
        world.market.send("tenant", "join", address(meter))


def test_second_meter_cannot_join_beside_the_first(world: MarketWorld) -> None:
    world.register("buyer", "second meter")
    with pytest.raises(ContractRevert, match="local market: already a member"):
        world.market.send("buyer", "join", address("second meter"))


def test_joins_with_a_new_meter_after_the_old_one_went(world: MarketWorld) -> None:
    world.register("buyer", "second meter")
    world.meters.send(OPERATOR, "unregisterMeter", address("meter of buyer"))
    assert not world.market.get("isMember", address("buyer"))
    world.market.send("buyer", "join", address("second meter"))
    assert world.market.get("isMember", address("buyer"))


def test_membership_ends_when_the_meter_goes_to_someone_else(world: MarketWorld) -> None:
    meter = address("meter of buyer")
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    world.meters.send(OPERATOR, "registerMeter", meter, address("next tenant"))
    assert not world.market.get("isMember", address("buyer"))
    assert not world.market.get("isMember", address("next tenant"))


def test_supplier_cannot_join(world: MarketWorld) -> None:
    meter = world.register(SUPPLIER)
    with pytest.raises(ContractRevert, match="local market: supplier cannot join"):
        world.market.send(SUPPLIER, "join", address(meter))


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_that_says_no(world: MarketWorld, function: str) -> None:
    token = Contract(world.engine, double("RefusingToken"))
    market = world.deploy_market(token=token.address)
    market.send("saver", "deposit", 10)
    token.send("anyone", "refuse")
    with pytest.raises(ContractRevert, match="local market: token transfer failed"):
        market.send("saver", function, 1)
    assert market.get("balanceOf", address("saver")) == 10


def test_deposit_without_approval_changes_nothing(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="euro token: allowance too low"):
        world.market.send("saver", "deposit", 1)
    assert world.free("saver") == 0


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_cannot_reenter(world: MarketWorld, function: str) -> None:
    token = Contract(world.engine, double("ReentrantToken"))
    market = world.deploy_market(token=token.address)
    token.send("attacker", "deposit", market.address, 100)
    token.send("attacker", "arm", True)
    token.send("attacker", function, market.address, 40)
    assert token.get("calls") == 1
    assert token.get("successes") == 0
    assert market.get("balanceOf", token.address) == (140 if function == "deposit" else 60)
