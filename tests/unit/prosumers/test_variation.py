"""Loads of their own: energy is kept, peaks spread, and a day does not depend on others."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from cosim.devices.load import Load
from cosim.prosumers.elements import Element
from cosim.prosumers.population import build_population
from cosim.prosumers.variation import with_variation
from cosim.scenario.prosumers import ProsumerSettings, VariationSettings

NAMES = [f"point {i}" for i in range(60)]
SEED = np.random.SeedSequence(11)
START = datetime(2016, 5, 24)
DAY = 0.2 + np.exp(-(((np.arange(96) - 76) / 6.0) ** 2))


def build(days: int, first: int = 0):
    shape = np.tile(DAY, days)[first:]
    elements = [
        Element(name, "load", "h0", 0.004 + 1e-4 * i, 0.001) for i, name in enumerate(NAMES)
    ]
    profiles = {"h0_p": shape, "h0_q": shape}
    return build_population(
        elements, NAMES, ProsumerSettings(), profiles, 900, np.random.SeedSequence(0)
    )


def vary(run, before=None, start=START, **settings):
    return with_variation(run, before, VariationSettings(**settings), SEED, start)


def coincidence(p_mw):
    return p_mw.sum(axis=1).max() / p_mw.max(axis=0).sum()


def test_energy_and_power_factor_of_each_load_are_kept() -> None:
    run, before = build(2), build(3)
    varied, past = vary(run, before)
    for own, published in ((varied, run), (past, before)):
        p_mw, q_mvar = own.of(Load).p_mw, own.of(Load).q_mvar
        energy = published.of(Load).p_mw.sum(axis=0)
        np.testing.assert_allclose(p_mw.sum(axis=0), energy, rtol=1e-12)
        factor = published.of(Load).q_mvar[0] / published.of(Load).p_mw[0]
        np.testing.assert_allclose(q_mvar / p_mw, np.broadcast_to(factor, p_mw.shape))
        assert (own.of(Load).rated_mw >= p_mw.max(axis=0)).all()
        assert not p_mw.flags.writeable


def test_peaks_no_longer_coincide() -> None:
    run = build(2)
    assert coincidence(run.of(Load).p_mw) == pytest.approx(1.0)
    varied, _ = vary(run)
    assert 0.3 < coincidence(varied.of(Load).p_mw) < 0.7
    shifted, _ = vary(run, fluctuation=0.0)
    assert 0.8 < coincidence(shifted.of(Load).p_mw) < 1.0


def test_without_spread_nothing_varies() -> None:
    run = build(1)
    varied, _ = vary(run, fluctuation=0.0, shift_min=0.0)
    np.testing.assert_allclose(varied.of(Load).p_mw, run.of(Load).p_mw, rtol=1e-12)


def test_fluctuations_have_the_stated_spread_and_memory() -> None:
    run = build(20)
    varied, _ = vary(run, fluctuation=0.4, autocorrelation=0.5, shift_min=0.0)
    left = np.log(varied.of(Load).p_mw / run.of(Load).p_mw)
    left -= left.mean(axis=0)
    assert left.std() == pytest.approx(0.4, rel=0.03)
    within = left.reshape(20, 96, 60)
    memory = np.mean(within[:, 4:] * within[:, :-4]) / left.var()
    assert memory == pytest.approx(0.5, abs=0.03)


def test_a_run_does_not_depend_on_how_many_days_lie_before_it() -> None:
    run = build(2)
    some, _ = vary(run, build(2), shift_min=0.0)
    more, _ = vary(run, build(5), shift_min=0.0)
    np.testing.assert_array_equal(some.of(Load).p_mw, more.of(Load).p_mw)


def test_a_day_has_its_fluctuations_wherever_a_run_begins() -> None:
    whole, _ = vary(build(2), shift_min=0.0)
    later, _ = vary(build(2, first=40), start=START + timedelta(hours=10), shift_min=0.0)
    ratio = later.of(Load).p_mw / whole.of(Load).p_mw[40:]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-12)
