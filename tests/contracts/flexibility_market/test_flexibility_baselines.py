"""Baselines and USEF's settlement on the reference engine, with figures worked out by hand."""

from __future__ import annotations

import pytest
from flexibility_world import FlexibilityWorld, Times, refusal
from market_world import DSO, address

from cosim.errors import ContractRevert
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms

EUR = 1_000_000
PRICE = 79_000
DAY = Times(first_delivery_s=1_700_006_400, step_s=21_600)
"""Four intervals a day; the run begins with a day (UTC)."""


def world_of(terms: BaselineTerms, **options: object) -> FlexibilityWorld:
    world = FlexibilityWorld(terms, engine="py-evm", **options)  # type: ignore[arg-type]
    for account in ("household", DSO):
        world.fund(account, 100 * EUR)
    return world


def bought(world: FlexibilityWorld, interval: int, energy_wh: int, stated_wh: int = 0) -> int:
    """Buy a lowering of the household's injection; the request."""
    world.before(interval)
    request = world.open(interval, False, energy_wh)
    world.offer("household", request, energy_wh, PRICE, stated_wh)
    world.award("household", request, energy_wh)
    return request


def settled(world: FlexibilityWorld, interval: int, request: int, net_wh: int) -> dict[str, int]:
    """Settle what was bought by a reading."""
    world.read(interval, "household", net_wh)
    world.after(interval)
    done = dict(world.settle(request, "household").events)
    return {key: done["OfferSettled"][key] for key in ("delivered_wh", "paid_ueur", "penalty_ueur")}


def test_phantom_of_ten_kwh_is_paid_where_it_is_believed() -> None:
    world = world_of(BaselineTerms())
    request = bought(world, 0, 10_000, stated_wh=10_000)
    # it has no PV, and consumes 400 Wh as ever
    assert settled(world, 0, request, -400) == {
        "delivered_wh": 10_000,
        "paid_ueur": 790_000,
        "penalty_ueur": 0,
    }


def test_nomination_is_within_what_the_devices_can_do() -> None:
    world = world_of(BaselineTerms("bounded_nomination"))
    world.before(0)
    request = world.open(0, False, 20_000)
    name = "flexibility market: "
    offer = world.offer
    assert refusal(offer, "household", request, 1, PRICE, 0) == name + "no registered range"
    world.register("household", -6_000, 0)
    assert world.flexibility.get("rangeOf", address("household")) == (True, -6_000, 0)
    beyond = name + "baseline beyond the range"
    assert refusal(offer, "household", request, 10_000, PRICE, 10_000) == beyond
    assert refusal(offer, "household", request, 1, PRICE, 1) == beyond
    assert refusal(offer, "household", request, 1, PRICE, -6_001) == beyond
    lower = name + "offer beyond the range"
    assert refusal(offer, "household", request, 5_001, PRICE, -1_000) == lower
    assert refusal(offer, "household", request, 5_000, PRICE, -1_000) is None
    # what was bought already counts as well
    world.award("household", request, 2_000)
    second = world.open(0, False, 20_000)
    assert refusal(offer, "household", second, 3_001, PRICE, -1_000) == lower
    assert refusal(offer, "household", second, 3_000, PRICE, -1_000) is None
    upwards = world.open(0, True, 20_000)
    assert refusal(offer, "household", upwards, 1, PRICE, 0) == lower


def test_only_the_dso_registers_ranges() -> None:
    world = world_of(BaselineTerms("bounded_nomination"))
    register = world.flexibility.send
    arguments = ("registerRanges", [address("household")], [0], [1])
    assert refusal(register, "household", *arguments) == "flexibility market: not the DSO"
    assert refusal(register, DSO, "registerRanges", [address("household")], [0], []) == (
        "flexibility market: lists differ in length"
    )
    assert refusal(register, DSO, "registerRanges", [address("household")], [1], [0]) == (
        "flexibility market: range out of range"
    )
    assert refusal(register, DSO, "registerRanges", [address("household")], [0], [2**32]) == (
        "flexibility market: range out of range"
    )
    register(DSO, *arguments)


def test_meter_before_goes_back_to_the_last_reading_without_activation() -> None:
    world = world_of(BaselineTerms("meter_before", 3))
    world.before(0)
    first = world.open(0, False, 1_000)
    assert refusal(world.offer, "household", first, 1_000, PRICE, 5_000) == (
        "flexibility market: no baseline"
    )
    world.read(0, "household", 3_000)
    # 3 000 before, 2 200 now
    request = bought(world, 1, 1_000)
    assert settled(world, 1, request, 2_200)["delivered_wh"] == 800
    # interval 1 had an activation: still against interval 0
    request = bought(world, 2, 1_000)
    assert settled(world, 2, request, 2_900)["delivered_wh"] == 100
    # interval 3 has no activation, but no reading: against interval 0 again
    request = bought(world, 3, 1_000)
    assert settled(world, 3, request, 2_600)["delivered_wh"] == 400
    # now interval 0 is too far back
    world.before(4)
    late = world.open(4, False, 1_000)
    assert refusal(world.offer, "household", late, 1_000, PRICE) == (
        "flexibility market: no baseline"
    )


def test_meter_before_without_a_reading_counts_as_nothing_delivered() -> None:
    world = world_of(BaselineTerms("meter_before", 2))
    world.read(0, "household", 3_000, estimated=True)
    request = bought(world, 1, 1_000)
    assert settled(world, 1, request, -9_000) == {
        "delivered_wh": 0,
        "paid_ueur": 0,
        "penalty_ueur": 600_000,
    }
    assert world.flexibility.get("offerOf", 1, address("household"))[2] == 0


def test_high_2_of_3_with_same_day_adjustment() -> None:
    terms = BaselineTerms("high_x_of_y", 6, 2, 3, adjusting=2, adjusting_gap=0)
    world = world_of(terms, times=DAY)
    # injection in the third interval of days 0 to 4, and in the two before it
    for day, (early, late, measured) in enumerate(
        [(900, 900, 9_000), (100, 200, 1_000), (300, 500, 1_300), (0, 0, 1_100), (0, 0, 400)]
    ):
        for place, net_wh in enumerate((early, late, measured)):
            if (day, place) != (4, 2):
                world.read(4 * day + place, "household", net_wh)
    # an activation on day 3, at another time of the day, leaves the day out
    bought(world, 15, 10)
    # day 4: 240 and 500 before; the last three days without activation are 2, 1 and 0
    world.read(16, "household", 240)
    world.read(17, "household", 500)
    request = bought(world, 18, 9_000)
    # the highest two of 1 300, 1 000 and 9 000 are days 0 and 2: mean 5 150; the day is off their
    # mean by 240 - 600 and 500 - 700, which is -280 on average
    world.read(18, "household", 0)
    world.after(18)
    events = dict(world.settle(request, "household").events)
    assert events["BaselineMeasured"]["baseline_wh"] == 5_150 - 280
    assert events["OfferSettled"]["delivered_wh"] == 4_870
    assert world.flexibility.get("offerOf", request, address("household"))[2] == 4_870


def test_high_of_consumption_where_injection_is_raised() -> None:
    terms = BaselineTerms("high_x_of_y", 3, 1, 2)
    world = world_of(terms, times=DAY)
    for day, net_wh in enumerate((-100, -700, -300)):
        world.read(4 * day, "household", net_wh)
    world.before(12)
    request = world.open(12, True, 500)
    world.offer("household", request, 500, PRICE)
    world.award("household", request, 500)
    world.read(12, "household", -350)
    world.after(12)
    events = dict(world.settle(request, "household").events)
    assert events["BaselineMeasured"]["baseline_wh"] == -700
    assert events["OfferSettled"]["delivered_wh"] == 350


def test_high_x_of_y_without_the_days_is_refused() -> None:
    world = world_of(BaselineTerms("high_x_of_y", 3, 2, 2), times=DAY)
    world.before(7)
    request = world.open(7, False, 1_000)
    assert refusal(world.offer, "household", request, 1_000, PRICE) == (
        "flexibility market: no baseline"
    )
    world.before(8)
    request = world.open(8, False, 1_000)
    world.offer("household", request, 1_000, PRICE)


def test_capacity_limit_pays_what_is_below_the_capacity() -> None:
    world = world_of(BaselineTerms("capacity_limit"))
    world.register("household", -4_000, 5_000)
    # a limit of 2 000: at 1 500 all of it is kept, at 2 600 600 Wh are missing
    request = bought(world, 0, 3_000, stated_wh=123)
    assert world.flexibility.get("offerOf", request, address("household"))[2] == 5_000
    assert settled(world, 0, request, 1_500)["delivered_wh"] == 3_000
    request = bought(world, 1, 3_000)
    assert settled(world, 1, request, 2_600)["delivered_wh"] == 2_400
    # raising: consumption kept below what is registered
    world.before(2)
    request = world.open(2, True, 1_000)
    world.offer("household", request, 1_000, PRICE)
    world.award("household", request, 1_000)
    assert settled(world, 2, request, -3_100)["delivered_wh"] == 900


@pytest.mark.parametrize(
    ("net_wh", "paid_eur", "penalty_eur"), [(7, 14, 0), (9, 7, 11), (11, 0, 33), (15, 0, 77)]
)
def test_usef_fines_the_whole_deviation(net_wh: int, paid_eur: int, penalty_eur: int) -> None:
    """Baseline 10, ordered -2, fee 7, penalty 11: metered 11 gives -33 (USEF's settle phase)."""
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm", is_uncapped=True, penalty=11_000)
    world.fund("generator", 100 * EUR)
    world.fund(DSO, 10_000 * EUR)
    world.before(0)
    request = world.open(0, False, 2_000_000)
    world.offer("generator", request, 2_000_000, 7_000, 10_000_000)
    world.award("generator", request, 2_000_000)
    world.read(0, "generator", net_wh * 1_000_000)
    world.after(0)
    done = dict(world.settle(request, "generator").events)["OfferSettled"]
    assert (done["paid_ueur"], done["penalty_ueur"]) == (paid_eur * EUR, penalty_eur * EUR)
    assert world.balance("generator") == (100 + paid_eur - penalty_eur) * EUR
    assert world.debt("generator") == 0


def test_usef_beyond_bond_payment_and_balance_is_a_debt() -> None:
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm", is_uncapped=True, penalty=11_000)
    world.fund("generator", 25 * EUR)
    world.fund(DSO, 10_000 * EUR)
    world.before(0)
    request = world.open(0, False, 2_000_000)
    world.offer("generator", request, 2_000_000, 7_000, 10_000_000)
    world.award("generator", request, 2_000_000)
    world.read(0, "generator", 12_000_000)
    world.after(0)
    done = world.settle(request, "generator")
    # 44 owed: 22 of the bond, 3 of the balance
    assert dict(done.events)["OfferSettled"]["penalty_ueur"] == 44 * EUR
    assert dict(done.events)["DebtChanged"]["debt_ueur"] == 19 * EUR
    assert (world.balance("generator"), world.debt("generator")) == (0, 19 * EUR)
    world.flexibility.send("anyone", "closeRequest", request)
    assert world.balance(DSO) == 10_025 * EUR
    # repaid out of the next deposits
    world.fund("generator", 15 * EUR)
    assert (world.balance("generator"), world.debt("generator")) == (0, 4 * EUR)
    world.fund("generator", 15 * EUR)
    assert (world.balance("generator"), world.debt("generator")) == (11 * EUR, 0)
    assert world.balance(DSO) == 10_044 * EUR


def test_usef_counts_the_wrong_way_once_over_several_requests() -> None:
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm", is_uncapped=True, penalty=11_000)
    world.fund("generator", 100 * EUR)
    world.fund(DSO, 10_000 * EUR)
    world.before(0)
    requests = [world.open(0, False, 1_000_000) for _ in range(2)]
    for request in requests:
        world.offer("generator", request, 1_000_000, 7_000, 10_000_000)
        world.award("generator", request, 1_000_000)
    world.read(0, "generator", 11_000_000)
    world.after(0)
    fined = [
        dict(world.settle(request, "generator").events)["OfferSettled"]["penalty_ueur"]
        for request in requests
    ]
    assert fined == [22 * EUR, 11 * EUR]


def test_usef_fines_nobody_who_was_awarded_nothing() -> None:
    world = FlexibilityWorld(BaselineTerms(), engine="py-evm", is_uncapped=True, penalty=11_000)
    world.fund("generator", 100 * EUR)
    world.fund(DSO, 10_000 * EUR)
    world.before(0)
    request = world.open(0, False, 2_000_000)
    world.offer("generator", request, 2_000_000, 7_000, 10_000_000)
    world.read(0, "generator", 15_000_000)
    world.after(0)
    assert dict(world.settle(request, "generator").events)["OfferSettled"]["penalty_ueur"] == 0
    assert world.balance("generator") == 100 * EUR


@pytest.mark.parametrize(
    ("terms", "times", "text"),
    [
        (BaselineTerms("meter_before", 0), None, "look-back out of range"),
        (BaselineTerms("meter_before", 97), None, "look-back out of range"),
        (BaselineTerms("meter_before", 1), Times(metering_s=900), "meters report too late"),
        (BaselineTerms("high_x_of_y", 5, 3, 2), None, "days out of range"),
        (BaselineTerms("high_x_of_y", 5, 0, 2), None, "days out of range"),
        (BaselineTerms("high_x_of_y", 5, 3, 11), None, "days out of range"),
        (BaselineTerms("high_x_of_y", 5, 3, 4, 17), None, "adjustment out of range"),
        (BaselineTerms("high_x_of_y", 5, 3, 4, 1, 17), None, "adjustment out of range"),
        (BaselineTerms("high_x_of_y", 5, 3, 4), Times(step_s=1_000), "no whole intervals a day"),
    ],
)
def test_terms_that_cannot_be_settled_are_refused(
    terms: BaselineTerms, times: Times | None, text: str
) -> None:
    with pytest.raises(ContractRevert) as refused:
        FlexibilityWorld(terms, times=times)
    assert refused.value.text == f"flexibility market: {text}"


def test_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaselineTerms, "baseline", property(lambda terms: 5))
    with pytest.raises(ContractRevert, match="no such baseline"):
        FlexibilityWorld(BaselineTerms())
