"""Every kind of baseline: contract and model agree over any history of awards and readings."""

from __future__ import annotations

import functools

import pytest
from flexibility_world import CAP, FlexibilityWorld, Times, refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from market_world import DSO, PENALTY

from cosim.mechanisms.flexibility_market.baselines import Baselines, BaselineTerms, NetRange
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH, Reading

SELLER = "seller"
LARGEST = MAX_ENERGY_WH
TIMES = Times(first_delivery_s=1_700_000_000 - 1_700_000_000 % 86_400 + 28_800, step_s=28_800)
"""Three intervals a day; the run begins with the second of one."""
START_UEUR = 20_000_000

KINDS = {
    "nomination": BaselineTerms(),
    "bounded": BaselineTerms("bounded_nomination"),
    "capacity": BaselineTerms("capacity_limit"),
    "before": BaselineTerms("meter_before", 3),
    "high": BaselineTerms("high_x_of_y", 5, 2, 3, 2, 0),
    "high_unadjusted": BaselineTerms("high_x_of_y", 4, 1, 1),
    "high_with_gap": BaselineTerms("high_x_of_y", 4, 3, 4, 3, 1),
}


@functools.cache
def deployed(kind: str, is_uncapped: bool) -> FlexibilityWorld:
    """A seller with money for a few promises, and a DSO with plenty."""
    world = FlexibilityWorld(KINDS[kind], is_uncapped=is_uncapped, times=TIMES)
    world.fund(SELLER, START_UEUR)
    world.fund(DSO, 10**12)
    world.register(SELLER, -2_000, 1_500)
    return world


nets = st.integers(-3_000, 3_000) | st.sampled_from([-LARGEST, LARGEST, 0])
acts = st.tuples(
    st.booleans(),
    st.lists(st.tuples(st.integers(1, 2_500), st.integers(0, 2_500)), min_size=1, max_size=2),
    st.integers(-2_500, 2_500),
)
read = st.tuples(nets, st.just(False))
seldom = st.integers(0, 5)
# readings as a rule, awards now and then, so that there is history
steps = st.lists(
    st.tuples(
        seldom.flatmap(lambda n: acts if n == 0 else st.none()),
        seldom.flatmap(
            lambda n: st.none() if n == 0 else read if n > 1 else st.tuples(nets, st.just(True))
        ),
    ),
    min_size=16,
    max_size=26,
)


@pytest.mark.parametrize("is_uncapped", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=steps)
def test_contract_and_model_agree(kind: str, is_uncapped: bool, story: list) -> None:  # type: ignore[type-arg]
    world = deployed(kind, is_uncapped)
    snapshot = world.engine.snapshot()
    baselines = Baselines(KINDS[kind], TIMES.step_s, TIMES.first_delivery_s)
    model = FlexibilityMarketModel(DSO, PENALTY, is_uncapped, baselines)
    model.deposit(SELLER, START_UEUR)
    model.deposit(DSO, 10**12)
    baselines.register(SELLER, NetRange(-2_000, 1_500))
    try:
        for interval, (act, reading) in enumerate(story):
            play(world, model, interval, act, reading)
            for account in (SELLER, DSO):
                assert world.balance(account) == model.balance_of(account)
                assert world.debt(account) == model.debts.get(account, 0)
            if model.debts.get(SELLER):
                assert is_uncapped
                assert world.balance(SELLER) == 0
        held = int(world.token.get("balanceOf", world.flexibility.address))
        assert held == model.free_total_ueur() + model.locked_total_ueur()
    finally:
        world.engine.restore(snapshot)


def play(world: FlexibilityWorld, model: FlexibilityMarketModel, interval: int, act, reading):  # type: ignore[no-untyped-def]
    """Requests, offers and awards of an interval, its reading, settlement."""
    world.before(interval)
    requests = []
    if act is not None:
        is_up, parts, stated_wh = act
        for offered_wh, awarded_wh in parts:
            request = world.open(interval, is_up, 3_000)
            assert model.open_request(interval, is_up, 3_000, CAP) == request
            requests.append(request)
            both(
                lambda r=request, e=offered_wh: world.offer(SELLER, r, e, 400_000, stated_wh),
                lambda r=request, e=offered_wh: model.offer(
                    r, SELLER, stated_wh, [Block(e, 400_000)]
                ),
            )
            both(
                lambda r=request, e=awarded_wh: world.award(SELLER, r, e),
                lambda r=request, e=awarded_wh: model.award(r, [SELLER], [e]),
            )
    readings = {}
    if reading is not None:
        net_wh, estimated = reading
        world.read(interval, SELLER, net_wh, estimated)
        readings[SELLER] = Reading(net_wh, estimated)
    model.baselines.read(interval, readings)
    world.after(interval)
    for request in requests:
        done = world.settle(request, SELLER)
        settled = model.settle(request, [SELLER], readings, is_final=True)
        events = [said for name, said in done.events if name == "OfferSettled"]
        assert [(e["delivered_wh"], e["paid_ueur"], e["penalty_ueur"]) for e in events] == [
            (s.delivered_wh, s.paid_ueur, s.penalty_ueur) for s in settled.values()
        ]
        offer = model.offer_of(request, SELLER)
        measured = [said["baseline_wh"] for n, said in done.events if n == "BaselineMeasured"]
        if measured:
            assert offer is not None
            assert measured == [offer.baseline_wh]
        world.flexibility.send("anyone", "closeRequest", request)
        model.close_request(request)


def both(on_chain, off_chain) -> None:  # type: ignore[no-untyped-def]
    """Do a thing on chain and off chain; both do it, or refuse it with one text."""
    assert refusal(on_chain) == refusal(off_chain)
