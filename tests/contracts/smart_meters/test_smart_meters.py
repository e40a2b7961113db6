"""The registry: who may write, and what a meter is bound to."""

import pytest
from market_world import GENESIS_S, OPERATOR, MarketWorld, address

from cosim.errors import ContractRevert

METER, CUSTOMER = address("meter 7"), address("customer")


def test_registered_meter_is_valid_and_bound(world: MarketWorld) -> None:
    assert not world.meters.get("isValid", METER)
    done = world.meters.send(OPERATOR, "registerMeter", METER, CUSTOMER)
    assert world.meters.get("isValid", METER)
    assert world.meters.get("customerOf", METER) == CUSTOMER
    assert world.meters.get("registrationOf", METER) == (CUSTOMER, GENESIS_S)
    assert done.events == [("MeterRegistered", {"meter": METER, "customer": CUSTOMER})]
    assert world.meters.get("OPERATOR") == address(OPERATOR)


def test_unregistered_meter_may_get_another_customer(world: MarketWorld) -> None:
    world.meters.send(OPERATOR, "registerMeter", METER, CUSTOMER)
    done = world.meters.send(OPERATOR, "unregisterMeter", METER)
    assert done.events == [("MeterUnregistered", {"meter": METER, "customer": CUSTOMER})]
    assert not world.meters.get("isValid", METER)
    assert world.meters.get("customerOf", METER) == bytes(20)
    assert world.meters.get("registrationOf", METER) == (bytes(20), 0)
    world.at(GENESIS_S + 7)
    world.meters.send(OPERATOR, "registerMeter", METER, address("next tenant"))
    assert world.meters.get("customerOf", METER) == address("next tenant")
    assert world.meters.get("registrationOf", METER) == (address("next tenant"), GENESIS_S + 7)


@pytest.mark.parametrize("call", [("registerMeter", METER, CUSTOMER), ("unregisterMeter", METER)])
def test_only_the_operator_writes(world: MarketWorld, call: tuple[object, ...]) -> None:
    with pytest.raises(ContractRevert, match="smart meters: not the operator"):
        world.meters.send("customer", *call)


def test_a_meter_has_one_customer(world: MarketWorld) -> None:
    world.meters.send(OPERATOR, "registerMeter", METER, CUSTOMER)
    with pytest.raises(ContractRevert, match="smart meters: already registered"):
        world.meters.send(OPERATOR, "registerMeter", METER, address("someone else"))
    assert world.meters.get("customerOf", METER) == CUSTOMER


@pytest.mark.parametrize("pair", [(bytes(20), CUSTOMER), (METER, bytes(20))])
def test_zero_addresses_are_refused(world: MarketWorld, pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ContractRevert, match="smart meters: zero address"):
        world.meters.send(OPERATOR, "registerMeter", *pair)


def test_unknown_meter_cannot_be_unregistered(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="smart meters: not registered"):
        world.meters.send(OPERATOR, "unregisterMeter", METER)
