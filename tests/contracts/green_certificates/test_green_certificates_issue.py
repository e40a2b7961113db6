"""Deployment, money, recording once, and retirement."""

import pytest
from certificates_world import (
    FIRST_DELIVERY_S,
    HOUR,
    METERING_S,
    RICH,
    STEP_S,
    CertificatesWorld,
)
from market_world import OPERATOR, Contract, address, double

from cosim.errors import ContractRevert

LARGEST = 2**32 - 1


# --- deployment ---------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [0, 7, 1_000, 7_200])
def test_step_must_divide_the_hour(world: CertificatesWorld, step_s: int) -> None:
    with pytest.raises(ContractRevert, match="green certificates: step does not divide the hour"):
        world.deploy(step_s=step_s, first_delivery_s=0)


def test_intervals_must_not_cross_the_hour(world: CertificatesWorld) -> None:
    text = "green certificates: first delivery not at a whole step"
    with pytest.raises(ContractRevert, match=text):
        world.deploy(first_delivery_s=FIRST_DELIVERY_S + 450)


@pytest.mark.parametrize(("step_s", "per_hour"), [(1, 3_600), (300, 12), (900, 4), (3_600, 1)])
def test_hours_are_clock_hours_of_any_number_of_intervals(
    world: CertificatesWorld, step_s: int, per_hour: int
) -> None:
    first_s = HOUR * 3_600
    contract = world.deploy(step_s=step_s, first_delivery_s=first_s)
    hours = [contract.get("hourOf", k) for k in (0, per_hour - 1, per_hour, 2 * per_hour)]
    assert hours == [HOUR, HOUR, HOUR + 1, HOUR + 2]


def test_first_hour_may_be_a_part_of_one(world: CertificatesWorld) -> None:
    hours = [world.certificates.get("hourOf", k) for k in range(7)]
    assert hours == [HOUR] * 2 + [HOUR + 1] * 4 + [HOUR + 2]


def test_parameters_are_public(world: CertificatesWorld) -> None:
    contract = world.certificates
    assert contract.get("TOKEN") == world.token.address
    assert contract.get("METERS") == world.meters.address
    assert contract.get("FIRST_DELIVERY_S") == FIRST_DELIVERY_S
    assert contract.get("STEP_S") == STEP_S
    assert contract.get("METERING_S") == METERING_S
    assert contract.get("MAX_ENERGY_WH") == LARGEST
    assert contract.get("MAX_PRICE_UEUR_PER_KWH") == 2**31 - 1
    assert contract.get("recordDeadlineOf", 3) == FIRST_DELIVERY_S + 4 * STEP_S + METERING_S


# --- money --------------------------------------------------------------------------------------


def test_deposit_and_withdraw(world: CertificatesWorld) -> None:
    done = world.send("buyer", "withdraw", 200)
    assert done.events == [("Withdrawn", {"account": address("buyer"), "amount_ueur": 200})]
    assert world.free("buyer") == RICH - 200
    assert world.token.get("balanceOf", address("buyer")) == 200
    assert world.backed()


def test_withdraw_beyond_the_free_balance(world: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: balance too low"):
        world.send("buyer", "withdraw", RICH + 1)


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_that_says_no(world: CertificatesWorld, function: str) -> None:
    token = Contract(world.engine, double("RefusingToken"))
    contract = world.deploy(token=token.address)
    contract.send("saver", "deposit", 10)
    token.send("anyone", "refuse")
    with pytest.raises(ContractRevert, match="green certificates: token transfer failed"):
        contract.send("saver", function, 1)
    assert contract.get("balanceOf", address("saver")) == 10


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_cannot_reenter(world: CertificatesWorld, function: str) -> None:
    token = Contract(world.engine, double("ReentrantToken"))
    contract = world.deploy(token=token.address)
    token.send("attacker", "deposit", contract.address, 100)
    token.send("attacker", "arm", True)
    token.send("attacker", function, contract.address, 40)
    assert token.get("calls") == 1
    assert token.get("successes") == 0
    assert contract.get("balanceOf", token.address) == (140 if function == "deposit" else 60)


# --- recording ----------------------------------------------------------------------------------


def test_record_issues_to_the_customer(world: CertificatesWorld) -> None:
    world.deliver(1)
    done = world.record("producer", 1_000, 300, interval=1)
    assert done.events == [
        (
            "EnergyRecorded",
            {
                "interval": 1,
                "meter": address("meter of producer"),
                "account": address("producer"),
                "hour": HOUR,
                "produced_wh": 1_000,
                "consumed_wh": 300,
            },
        )
    ]
    assert world.held("producer") == 1_000
    assert world.consumption("producer") == (300, 0, 300)
    assert world.totals() == (1_000, 300, 0)
    assert world.certificates.get("isRecorded", 1, address("meter of producer"))
    assert not world.certificates.get("isRecorded", 0, address("meter of producer"))


def test_intervals_add_up_to_their_hour(world: CertificatesWorld) -> None:
    for interval, produced in enumerate((10, 200, 3_000, 40_000, 5, 600)):
        world.deliver(interval)
        world.record("producer", produced, 1, interval)
    assert [world.held("producer", HOUR + k) for k in range(3)] == [210, 43_605, 0]
    assert world.consumption("producer", HOUR + 1) == (4, 0, 4)
    assert world.totals(HOUR) == (210, 2, 0)


def test_meters_of_one_customer_add_up(recorded: CertificatesWorld) -> None:
    recorded.register("producer", "meter on the roof")
    recorded.deliver(1)  # in the same hour
    recorded.send("meter on the roof", "record", 1, 500, 0)
    assert recorded.held("producer") == 1_500


@pytest.mark.parametrize("second", [(1_000, 300), (0, 0), (7, 7)])
def test_same_interval_is_never_recorded_twice(
    recorded: CertificatesWorld, second: tuple[int, int]
) -> None:
    before = recorded.root()
    with pytest.raises(ContractRevert, match="green certificates: already recorded"):
        recorded.record("producer", *second)
    assert recorded.root() == before


def test_nothing_is_a_record_too(world: CertificatesWorld) -> None:
    world.deliver(0)
    world.record("producer", 0, 0)
    with pytest.raises(ContractRevert, match="green certificates: already recorded"):
        world.record("producer", 1_000, 300)


@pytest.mark.parametrize("customer", ["producer", "next tenant"])
def test_nor_after_the_meter_was_registered_again(
    recorded: CertificatesWorld, customer: str
) -> None:
    meter = address("meter of producer")
    recorded.meters.send(OPERATOR, "unregisterMeter", meter)
    recorded.meters.send(OPERATOR, "registerMeter", meter, address(customer))
    with pytest.raises(ContractRevert, match="green certificates: meter changed hands"):
        recorded.record("producer", 1_000, 300)
    assert recorded.totals() == (1_000, 1_000, 0)
    recorded.deliver(1)
    recorded.record("producer", 50, 0, interval=1)
    assert recorded.held(customer) == 50 + (1_000 if customer == "producer" else 0)


@pytest.mark.parametrize("late_s", [-1, 0, METERING_S])
def test_what_was_metered_for_another_certifies_nothing(
    world: CertificatesWorld, late_s: int
) -> None:
    """Who gets a meter in an interval, or its metering window, gets no certificates of it."""
    meter = address("meter of producer")
    world.deliver(0, late_s)
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    world.meters.send(OPERATOR, "registerMeter", meter, address("next tenant"))
    world.deliver(0, max(late_s, 0))
    with pytest.raises(ContractRevert, match="green certificates: meter changed hands"):
        world.record("producer", 1_000, 300)
    assert (world.held("producer"), world.held("next tenant")) == (0, 0)
    assert world.totals() == (0, 0, 0)


def test_who_has_the_meter_when_an_interval_begins_gets_its_certificates(
    world: CertificatesWorld,
) -> None:
    meter = address("meter of producer")
    world.deliver(0)  # in this second interval 1 begins
    world.meters.send(OPERATOR, "unregisterMeter", meter)
    world.meters.send(OPERATOR, "registerMeter", meter, address("next tenant"))
    world.deliver(1)
    world.record("producer", 1_000, 300, interval=1)
    assert (world.held("producer", HOUR), world.held("next tenant", HOUR)) == (0, 1_000)


@pytest.mark.parametrize("interval", [255, 256, 257, 511, 512])
def test_intervals_do_not_share_a_record(world: CertificatesWorld, interval: int) -> None:
    neighbours = (interval - 1, interval + 1, interval - 256, interval + 256, interval % 256)
    world.deliver(interval)
    world.record("producer", 1, 0, interval)
    meter = address("meter of producer")
    assert world.certificates.get("isRecorded", interval, meter)
    for other in set(neighbours) - {interval}:
        assert other < 0 or not world.certificates.get("isRecorded", other, meter)
    with pytest.raises(ContractRevert, match="green certificates: already recorded"):
        world.record("producer", 1, 0, interval)
    world.deliver(interval + 1)
    world.record("producer", 2, 0, interval + 1)


@pytest.mark.parametrize("sender", ["producer", "meter of nobody"])
def test_only_a_registered_meter_records(world: CertificatesWorld, sender: str) -> None:
    world.deliver(0)
    with pytest.raises(ContractRevert, match="green certificates: unknown meter"):
        world.send(sender, "record", 0, 1, 1)


def test_unregistered_meter_does_not_record(world: CertificatesWorld) -> None:
    world.deliver(0)
    world.meters.send(OPERATOR, "unregisterMeter", address("meter of producer"))
    with pytest.raises(ContractRevert, match="green certificates: unknown meter"):
        world.record("producer", 1_000, 300)


@pytest.mark.parametrize(
    ("late_s", "text"),
    [
        (-1, "green certificates: not yet delivered"),
        (0, None),
        (METERING_S, None),
        (METERING_S + 1, "green certificates: too late to record"),
    ],
)
def test_metering_window(world: CertificatesWorld, late_s: int, text: str | None) -> None:
    world.deliver(0, late_s)
    if text is None:
        world.record("producer", 1, 0)
        assert world.held("producer") == 1
    else:
        with pytest.raises(ContractRevert, match=text):
            world.record("producer", 1, 0)


@pytest.mark.parametrize("interval", [2**64 - 1, 2**64, 2**256 - 1])
def test_interval_beyond_any_clock_is_just_far_away(
    world: CertificatesWorld, interval: int
) -> None:
    with pytest.raises(ContractRevert, match="green certificates: not yet delivered"):
        world.record("producer", 1, 0, interval)


def test_largest_energies_fit(world: CertificatesWorld) -> None:
    world.deliver(0)
    world.record("producer", LARGEST, LARGEST)
    world.deliver(1)
    world.record("producer", LARGEST, LARGEST, interval=1)
    assert world.held("producer") == 2 * LARGEST
    assert world.consumption("producer") == (2 * LARGEST, 0, 2 * LARGEST)
    world.send("producer", "retire", HOUR, 2 * LARGEST)
    assert world.held("producer") == 0
    assert world.consumption("producer") == (2 * LARGEST, 2 * LARGEST, 0)
    assert world.totals() == (2 * LARGEST, 2 * LARGEST, 2 * LARGEST)


@pytest.mark.parametrize("energies", [(LARGEST + 1, 0), (0, LARGEST + 1), (2**256 - 1, 2**255)])
def test_energy_beyond_the_largest(world: CertificatesWorld, energies: tuple[int, int]) -> None:
    world.deliver(0)
    with pytest.raises(ContractRevert, match="green certificates: energy out of range"):
        world.record("producer", *energies)


# --- retirement ---------------------------------------------------------------------------------


def test_retire_against_own_consumption_of_the_hour(recorded: CertificatesWorld) -> None:
    done = recorded.send("producer", "retire", HOUR, 120)
    event = {"hour": HOUR, "account": address("producer"), "energy_wh": 120}
    assert done.events == [("CertificatesRetired", event)]
    assert recorded.held("producer") == 880
    assert recorded.consumption("producer") == (300, 120, 180)
    assert recorded.totals() == (1_000, 1_000, 120)
    recorded.send("producer", "retire", HOUR, 180)
    assert recorded.consumption("producer") == (300, 300, 0)
    assert recorded.balances(HOUR)


def test_no_more_than_was_consumed(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: more than consumed"):
        recorded.send("producer", "retire", HOUR, 301)
    recorded.send("producer", "retire", HOUR, 299)
    with pytest.raises(ContractRevert, match="green certificates: more than consumed"):
        recorded.send("producer", "retire", HOUR, 2)
    assert recorded.consumption("producer") == (300, 299, 1)


def test_consumption_recorded_later_in_the_hour_counts(recorded: CertificatesWorld) -> None:
    recorded.send("producer", "retire", HOUR, 300)
    recorded.deliver(1)
    recorded.record("producer", 0, 50, interval=1)
    recorded.send("producer", "retire", HOUR, 50)
    assert recorded.consumption("producer") == (350, 350, 0)


def test_not_against_consumption_of_another_hour(recorded: CertificatesWorld) -> None:
    recorded.deliver(2)
    recorded.record("neighbour", 400, 0, interval=2)
    recorded.record("producer", 0, 400, interval=2)
    with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
        recorded.send("producer", "retire", HOUR + 1, 1)
    with pytest.raises(ContractRevert, match="green certificates: more than consumed"):
        recorded.send("neighbour", "retire", HOUR + 1, 1)


def test_retired_certificates_are_gone(recorded: CertificatesWorld) -> None:
    recorded.send("producer", "transfer", HOUR, address("buyer"), 700)
    recorded.send("buyer", "retire", HOUR, 700)
    for function, arguments in (
        ("transfer", (HOUR, address("producer"), 1)),
        ("offer", (HOUR, 1, 1)),
        ("retire", (HOUR, 1)),
    ):
        with pytest.raises(ContractRevert, match="green certificates: too few certificates"):
            recorded.send("buyer", function, *arguments)
    assert recorded.balances(HOUR)


def test_retire_nothing(recorded: CertificatesWorld) -> None:
    with pytest.raises(ContractRevert, match="green certificates: energy out of range"):
        recorded.send("producer", "retire", HOUR, 0)
