"""One meter settles one interval for one customer, and nobody pays for intervals of another."""

import pytest
from market_world import (
    OPERATOR,
    RICH,
    SILENT_ESTIMATE_WH,
    MarketWorld,
    address,
)

from cosim.errors import ContractRevert

OWNER, TENANT = "neighbour", "tenant"
METER = address(f"meter of {OWNER}")


def hand_over(world: MarketWorld, to: str) -> None:
    """Bind the meter to another customer, in one block."""
    world.meters.send(OPERATOR, "unregisterMeter", METER)
    world.meters.send(OPERATOR, "registerMeter", METER, address(to))


@pytest.fixture
def returned(world: MarketWorld) -> MarketWorld:
    """The meter was the tenant's in intervals 1 and 2; interval 3 has begun, and is the owner's."""
    world.names[address(TENANT)] = TENANT
    world.start(1)
    hand_over(world, TENANT)
    world.market.send(TENANT, "join", METER)
    world.start(3)
    world.market.send("anyone", "clear", 3)
    hand_over(world, OWNER)
    world.end_metering(3)
    return world


def test_nobody_is_billed_for_what_its_tenant_drew(returned: MarketWorld) -> None:
    for interval in (1, 2):
        for account in (OWNER, TENANT):
            with pytest.raises(ContractRevert, match="local market: not a member"):
                returned.market.send("anyone", "settleSilent", interval, address(account))
    assert returned.free(OWNER) == RICH


def test_who_returns_takes_part_again_from_then_on(returned: MarketWorld) -> None:
    returned.market.send("anyone", "settleSilent", 3, address(OWNER))
    reading = (True, True, -SILENT_ESTIMATE_WH)
    assert returned.market.get("readingOf", 3, address(OWNER)) == reading


def test_a_meter_reports_an_interval_for_one_customer(world: MarketWorld) -> None:
    """The owner joined first; the meter reports for the tenant, and would again for the owner."""
    world.start(0)
    hand_over(world, TENANT)
    world.market.send(TENANT, "join", METER)
    world.start(1)
    world.market.send("anyone", "clear", 1)
    world.deliver(1)
    world.market.send(f"meter of {OWNER}", "report", 1, 5_000)
    assert world.market.get("readingOf", 1, address(TENANT)) == (True, False, 5_000)
    hand_over(world, OWNER)
    with pytest.raises(ContractRevert, match="local market: meter changed hands"):
        world.market.send(f"meter of {OWNER}", "report", 1, 5_000)
    assert not world.market.get("readingOf", 1, address(OWNER))[0]
    world.end_metering(1)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        world.market.send("anyone", "settleSilent", 1, address(OWNER))


def test_registered_in_the_second_of_its_start_is_in_time(world: MarketWorld) -> None:
    world.start(1)
    world.market.send("anyone", "clear", 1)
    hand_over(world, TENANT)
    hand_over(world, OWNER)
    with pytest.raises(ContractRevert, match="local market: meter changed hands"):
        world.report(OWNER, -700, interval=0)
    world.deliver(1)
    world.report(OWNER, -700, interval=1)
    assert world.market.get("readingOf", 1, address(OWNER)) == (True, False, -700)


def test_an_order_of_who_handed_its_meter_over_is_settled_without_consumption(
    world: MarketWorld,
) -> None:
    world.open_window(1)
    world.order(OWNER, True, 1_000, 100_000, interval=1)
    hand_over(world, TENANT)
    world.market.send(TENANT, "join", METER)
    world.close_gate(1)
    world.market.send("anyone", "clear", 1)
    world.deliver(1)
    world.market.send(f"meter of {OWNER}", "report", 1, -300)
    world.end_metering(1)
    world.market.send("anyone", "settleSilent", 1, address(OWNER))
    assert world.market.get("readingOf", 1, address(OWNER)) == (True, True, 0)
    assert world.free(OWNER) == RICH


def test_the_account_that_nobody_has_is_no_member(world: MarketWorld) -> None:
    world.end_metering(0)
    with pytest.raises(ContractRevert, match="local market: not a member"):
        world.market.send("anyone", "settleSilent", 0, bytes(20))
