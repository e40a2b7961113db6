from dataclasses import replace

import numpy as np
import pytest

from cosim.prosumers.elements import Element
from cosim.prosumers.forecasts import autoregressive_noise, make_forecasts
from cosim.prosumers.population import build_population
from cosim.prosumers.settings import ForecastParameters, ProsumerParameters, ProsumerSeeds

SEED = ProsumerSeeds.spawn(5).forecasts


def forecast(population, **parameters):
    return make_forecasts(population, ForecastParameters(**parameters), SEED)


def test_without_errors_the_forecast_is_the_profile(population):
    forecasts = forecast(population, persistence=0.0, noise=0.0)
    np.testing.assert_array_equal(forecasts.load_p_mw, population.load_p_mw)
    np.testing.assert_array_equal(forecasts.pv_p_mw, population.pv_p_mw)
    np.testing.assert_array_equal(forecasts.flexible_p_mw, population.flexible_p_mw)
    np.testing.assert_array_equal(forecasts.load_q_mvar, population.load_q_mvar)


def test_persistence_blends_in_the_interval_before(population):
    forecasts = forecast(population, persistence=0.25, noise=0.0)
    # load of the consumer: 2, 4, 1, 2 kW
    np.testing.assert_allclose(forecasts.load_p_mw[:, 0], [0.002, 0.0035, 0.00175, 0.00175])
    # reactive power keeps the profile's power factor: 0.4 of active 4 kW at rating 1 kvar
    assert forecasts.load_q_mvar[1, 0] == pytest.approx(0.0004 * 3.5 / 4)


def test_no_pv_at_night_and_none_above_the_rating(make_population):
    population = make_population()
    forecasts = forecast(population, persistence=0.5, noise=3.0)
    assert not forecasts.pv_p_mw[population.pv_p_mw == 0].any()
    assert (forecasts.pv_p_mw <= population.pv_rated_mw).all()
    assert (forecasts.flexible_p_mw <= population.deferral.p_rated_mw).all()
    for series in (forecasts.load_p_mw, forecasts.pv_p_mw, forecasts.flexible_p_mw):
        assert (series >= 0).all()


def test_pv_of_the_afternoon_does_not_persist_into_the_night(population):
    sunset = population.pv_p_mw.copy()
    sunset[3] = 0.0
    forecasts = forecast(replace(population, pv_p_mw=sunset), persistence=0.5, noise=0.0)
    assert forecasts.pv_p_mw[2].max() > 0
    assert not forecasts.pv_p_mw[3].any()


def test_noise_has_the_stated_spread_and_memory():
    noise = autoregressive_noise(4000, 50, 0.05, 0.7, np.random.default_rng(0))
    assert noise[0].std() == pytest.approx(0.05, rel=0.3)
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    assert np.mean(noise[1:] * noise[:-1]) / noise.var() == pytest.approx(0.7, abs=0.01)
    assert np.mean(noise[3:] * noise[:-3]) / noise.var() == pytest.approx(0.7**3, abs=0.01)


def test_first_intervals_do_not_depend_on_how_many_follow():
    short, long = (
        autoregressive_noise(count, 3, 0.1, 0.5, np.random.default_rng(9)) for count in (5, 50)
    )
    np.testing.assert_array_equal(short, long[:5])


def test_half_of_the_variance_of_the_pv_error_is_common():
    names = [f"house-{i}" for i in range(40)]
    elements = [Element(name, kind, "flat", 0.01, 0.0) for name in names for kind in ("pv", "load")]
    population = build_population(
        elements,
        names,
        ProsumerParameters(),
        {"flat_p": np.full(4000, 0.5)},
        900,
        np.random.default_rng(0),
    )
    forecasts = forecast(population, persistence=0.0, noise=0.05, autocorrelation=0.5)
    for series, common in ((forecasts.pv_p_mw, 0.5), (forecasts.load_p_mw, 0.0)):
        correlation = np.corrcoef(series, rowvar=False)
        between = correlation[~np.eye(40, dtype=bool)].mean()
        assert between == pytest.approx(common, abs=0.04)


def test_seeds_are_independent_and_repeatable():
    first, again = ProsumerSeeds.spawn(5), ProsumerSeeds.spawn(5)
    draws = {
        name: np.random.default_rng(getattr(first, name)).random()
        for name in ("batteries", "forecasts", "send_times", "strategies")
    }
    assert len(set(draws.values())) == 4
    for name, value in draws.items():
        assert np.random.default_rng(getattr(again, name)).random() == value
