"""Random calling: contract equals model, calls are as frequent as said, phantoms gain nothing."""

from __future__ import annotations

import functools
import math

import pytest
from flexibility_world import CAP, FlexibilityWorld, Times, refusal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from market_world import DSO, PENALTY, address

from cosim.mechanisms.flexibility_market.baselines import Baselines, BaselineTerms
from cosim.mechanisms.flexibility_market.calling import Calling, CallingTerms, hash_chain
from cosim.mechanisms.flexibility_market.curves import Block
from cosim.mechanisms.flexibility_market.model import FlexibilityMarketModel
from cosim.mechanisms.flexibility_market.settings import BaselineSettings
from cosim.mechanisms.local_market.orders import Reading

SELLERS = ("anna", "ben", "carl")
ADDRESSES = {name: address(name) for name in (*SELLERS, DSO)}
LINKS = hash_chain(b"another secret", 600)
START_UEUR = 30_000_000
TIMES = Times()
PRICE = 79_000


def model_of(terms: CallingTerms, is_uncapped: bool = False) -> FlexibilityMarketModel:
    baselines = Baselines(BaselineTerms(), TIMES.step_s, TIMES.first_delivery_s)
    calling = Calling(terms, ADDRESSES)
    model = FlexibilityMarketModel(DSO, PENALTY, is_uncapped, baselines, calling)
    for seller in SELLERS:
        model.deposit(seller, START_UEUR)
    model.deposit(DSO, 10**12)
    return model


@functools.cache
def deployed(terms: CallingTerms, is_uncapped: bool) -> FlexibilityWorld:
    world = FlexibilityWorld(BaselineTerms(), calling=terms, is_uncapped=is_uncapped, times=TIMES)
    for seller in SELLERS:
        world.fund(seller, START_UEUR)
    world.fund(DSO, 10**12)
    return world


wh = st.integers(1, 4_000)
blocks = st.lists(st.tuples(wh, st.integers(0, CAP)), min_size=1, max_size=4).map(
    lambda rows: [Block(*row) for row in sorted(rows, key=lambda row: row[1])]
)
sellers = st.sampled_from(SELLERS)
acts = st.one_of(
    st.tuples(st.just("open"), st.booleans(), st.integers(1, 9_000)),
    st.tuples(st.just("offer"), sellers, st.integers(0, 2), st.integers(-3_000, 3_000), blocks),
    st.tuples(st.just("award"), sellers, st.integers(0, 2), wh),
    st.tuples(st.just("close")),
    st.tuples(st.just("draw"), st.integers(0, 3)),
    st.tuples(st.just("cut"), sellers, st.integers(-4_000, 4_000)),
)
usual = [("open", False, 8_000), ("open", True, 8_000)]
readings = st.dictionaries(
    sellers, st.tuples(st.integers(-6_000, 6_000), st.booleans()), max_size=3
)
story = st.lists(
    st.tuples(
        st.lists(acts, max_size=4),
        st.lists(acts.filter(lambda act: act[0] == "offer"), max_size=4),
        st.booleans(),
        st.lists(acts, max_size=5),
        readings,
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("is_uncapped", [False, True])
@pytest.mark.parametrize("terms", [(500_000, 300_000), (800_000, 2_400_000), (0, 0)])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=story)
def test_contract_and_model_agree(terms: tuple[int, int], is_uncapped: bool, story: list) -> None:  # type: ignore[type-arg]
    calling = CallingTerms(*terms, LINKS[-1] if terms[0] else bytes(32))
    world, model = deployed(calling, is_uncapped), model_of(calling, is_uncapped)
    snapshot = world.engine.snapshot()
    try:
        for interval, (before, offers, draws, after, read) in enumerate(story):
            world.before(interval)
            requests: list[int] = []
            whole = [("close",), ("draw", 0)] if draws else []
            for act in (*usual, *before, *offers, *whole, *after):
                do(world, model, interval, requests, act)
            settle(world, model, interval, requests, read)
            for account in (*SELLERS, DSO):
                assert world.balance(account) == model.balance_of(account)
                assert world.debt(account) == model.debts.get(account, 0)
        held = int(world.token.get("balanceOf", world.flexibility.address))
        assert held == model.free_total_ueur() + model.locked_total_ueur()
    finally:
        world.engine.restore(snapshot)


def do(world, model, interval, requests, act) -> None:  # type: ignore[no-untyped-def]
    """Do a thing in the contract and in the model: both do it, or refuse it with one text."""
    calling, market = model.calling, world.flexibility
    match act:
        case ("open", is_up, quantity_wh):
            requests.append(world.open(interval, is_up, quantity_wh))
            assert model.open_request(interval, is_up, quantity_wh, CAP) == requests[-1]
        case ("offer", seller, k, baseline_wh, curve):
            request = requests[k % len(requests)]
            energies, prices = map(list, zip(*curve, strict=True))
            both(
                lambda: market.send(seller, "offer", request, baseline_wh, energies, prices),
                lambda: model.offer(request, seller, baseline_wh, curve),
            )
        case ("award", seller, k, energy_wh):
            request = requests[k % len(requests)]
            both(
                lambda: world.award(seller, request, energy_wh),
                lambda: model.award(request, [seller], [energy_wh]),
            )
        case ("close",):
            both(lambda: market.send(DSO, "closeOffers", interval), lambda: calling.close(interval))
            world.before(interval)  # the next block
        case ("draw", skipped):
            link = LINKS[-2 - interval - skipped]
            both(
                lambda: market.send(DSO, "drawCalls", interval, link),
                lambda: calling.draw(interval, link),
            )
        case ("cut", seller, cut_wh):
            both(
                lambda: market.send(DSO, "orderCuts", interval, [address(seller)], [cut_wh]),
                lambda: calling.order_cut(interval, seller, cut_wh),
            )
    closed, digest, seed = market.get("drawOf", interval)
    assert digest == calling.digest_of(interval)
    assert seed == (calling.seed_of(interval) or bytes(32))
    assert bool(closed) == (interval in calling._closed)
    assert market.get("lastLink") == calling.link
    for seller in SELLERS:
        is_called = calling.terms.is_random and calling.is_called(interval, seller)
        assert market.get("isCalled", interval, address(seller)) == is_called


def settle(world, model, interval, requests, read) -> None:  # type: ignore[no-untyped-def]
    """Settle every request by the same readings, before the deadline and after it."""
    known = {name: Reading(*reading) for name, reading in read.items()}
    for name, (net_wh, estimated) in read.items():
        world.read(interval, name, net_wh, estimated)
    for is_final in (False, True):
        if is_final:
            world.after(interval)
        else:
            world.at(TIMES.first_delivery_s + interval * TIMES.step_s)
        for request in requests:
            events = world.settle(request, *SELLERS).events
            settled = model.settle(request, SELLERS, known, is_final)
            assert [
                (said["account"], said["delivered_wh"], said["paid_ueur"], said["penalty_ueur"])
                for name, said in events
                if name == "OfferSettled"
            ] == [
                (address(name), one.delivered_wh, one.paid_ueur, one.penalty_ueur)
                for name, one in settled.items()
            ]
    for request in requests:
        world.flexibility.send("anyone", "closeRequest", request)
        model.close_request(request)


def both(on_chain, off_chain) -> None:  # type: ignore[no-untyped-def]
    """Do a thing on chain and off chain; both do it, or refuse it with one text."""
    assert refusal(on_chain) == refusal(off_chain)


@pytest.mark.parametrize("called_ppm", [100_000, 500_000, 800_000])
def test_calls_are_as_frequent_as_said(called_ppm: int) -> None:
    terms = CallingTerms(called_ppm, 0, LINKS[-1])
    calling, n = Calling(terms, ADDRESSES), 600
    calls = dict.fromkeys(SELLERS, 0)
    together = 0
    for interval in range(n):
        for k, seller in enumerate(SELLERS):
            calling.enter(interval, interval + 1, seller, 17 * k, [Block(1_000 + interval, PRICE)])
        calling.close(interval)
        calling.draw(interval, LINKS[-2 - interval])
        own = {seller: calling.is_called(interval, seller) for seller in SELLERS}
        for seller in SELLERS:
            calls[seller] += own[seller]
        together += own["anna"] and own["ben"]
    share = called_ppm / 1e6
    for seller in SELLERS:
        # five standard deviations of a binomial variable
        assert abs(calls[seller] - n * share) < 5 * math.sqrt(n * share * (1 - share))
    # one seller's call says nothing of another's
    pair = share * share
    assert abs(together - n * pair) < 5 * math.sqrt(n * pair * (1 - pair))


@pytest.mark.parametrize(
    ("called_ppm", "penalty", "gains"),
    [
        (500_000, 79_000, 0),
        (500_000, 60_000, 1),
        (500_000, 600_000, -1),
        (800_000, 4 * 79_000, 0),
        (800_000, 79_000, 1),
        (200_000, 19_750, 0),
        (200_000, 10_000, 1),
    ],
)
def test_what_is_made_up_pays_where_the_condition_fails_and_nowhere_else(
    called_ppm: int, penalty: int, gains: int
) -> None:
    terms = CallingTerms(called_ppm, penalty, LINKS[-1])
    expected = terms.gain_ueur_per_kwh(PRICE)
    assert (expected > 1e-6) - (expected < -1e-6) == gains
    model, n, energy_wh = model_of(terms), 600, 10_000
    model.deposit("anna", 10**10)
    start, outcomes = model.balance_of("anna"), []
    for interval in range(n):
        request = model.open_request(interval, False, energy_wh, CAP)
        before = model.balance_of("anna")
        # nominated, and not there
        model.offer(request, "anna", energy_wh, [Block(energy_wh, PRICE)])
        model.calling.close(interval)
        model.calling.draw(interval, LINKS[-2 - interval])
        if model.calling.is_called(interval, "anna"):
            model.award(request, ["anna"], [energy_wh])
        model.settle(request, ["anna"], {"anna": Reading(0, False)})
        model.close_request(request)
        outcomes.append(model.balance_of("anna") - before)
        model.forget(interval)
    earned, lost = PRICE * energy_wh // 1_000, -penalty * energy_wh // 1_000
    assert set(outcomes) == {earned, lost}
    assert sum(outcomes) == model.balance_of("anna") - start
    mean = sum(outcomes) / n
    share = called_ppm / 1e6
    spread = (earned - lost) * math.sqrt(share * (1 - share) / n)
    assert abs(mean - expected * energy_wh / 1_000) < 4 * spread
    if gains and abs(expected) * energy_wh / 1_000 > 4 * spread:
        assert (mean > 0) == (gains > 0)


def test_default_penalty_is_the_least_that_makes_up_for_the_price_cap() -> None:
    for called in (0.1, 0.5, 0.7, 0.8, 0.999):
        settings_of = BaselineSettings(calling_probability=called)
        terms = CallingTerms.of(settings_of, CAP)
        ppm = terms.calling_ppm
        assert ppm == round(called * 1e6)
        # α p ≤ (1 − α) λ, and not with one µEUR less
        assert ppm * CAP <= (10**6 - ppm) * terms.uncalled_penalty_ueur_per_kwh
        assert ppm * CAP > (10**6 - ppm) * (terms.uncalled_penalty_ueur_per_kwh - 1)
