from dataclasses import replace

import numpy as np
import pytest

from cosim.devices.load import Load
from cosim.devices.pv import Photovoltaics
from cosim.prosumers.elements import Element
from cosim.prosumers.forecasting.known import autoregressive_noise
from cosim.prosumers.forecasts import make_forecasts
from cosim.prosumers.population import build_population
from cosim.scenario.prosumers import ForecastSettings, ProsumerSeeds, ProsumerSettings

SEED = ProsumerSeeds.spawn(5).forecasts


def forecast(population, **options):
    """Forecasts of the nowcast with some options."""
    settings = ForecastSettings(model={"name": "nowcast", "options": options})
    return make_forecasts(population, settings, SEED)


def test_without_errors_the_forecast_is_the_profile(population):
    forecasts = forecast(population, persistence=0.0, noise=0.0)
    np.testing.assert_array_equal(forecasts.consumed_mw, population.of(Load).p_mw)
    np.testing.assert_array_equal(forecasts.generated_mw, population.of(Photovoltaics).p_mw)
    np.testing.assert_array_equal(forecasts.flexible_mw, population.deferral.p_mw)
    q_mvar = population.of(Photovoltaics).q_mvar - population.of(Load).q_mvar
    np.testing.assert_array_equal(forecasts.q_inject_mvar, q_mvar - population.deferral.q_mvar)


def test_persistence_blends_in_the_interval_before(population):
    forecasts = forecast(population, persistence=0.25, noise=0.0)
    # load of the consumer: 2, 4, 1, 2 kW
    np.testing.assert_allclose(forecasts.consumed_mw[:, 0], [0.002, 0.0035, 0.00175, 0.00175])
    # reactive power keeps the profile's power factor: 0.4 of active 4 kW at rating 1 kvar
    assert forecasts.q_inject_mvar[1, 0] == pytest.approx(-0.0004 * 3.5 / 4)


def test_no_pv_at_night_and_none_above_the_rating(make_population):
    population = make_population()
    forecasts = forecast(population, persistence=0.5, noise=3.0)
    assert not forecasts.generated_mw[population.of(Photovoltaics).p_mw == 0].any()
    assert (forecasts.generated_mw <= population.of(Photovoltaics).rated_mw).all()
    assert (forecasts.flexible_mw <= population.deferral.rated_mw).all()
    for series in (forecasts.consumed_mw, forecasts.generated_mw, forecasts.flexible_mw):
        assert (series >= 0).all()


def test_pv_of_the_afternoon_does_not_persist_into_the_night(population):
    pv = population.of(Photovoltaics)
    sunset = pv.p_mw.copy()
    sunset[3] = 0.0
    changed = population.replaced(replace(pv, p_mw=sunset))
    forecasts = forecast(changed, persistence=0.5, noise=0.0)
    assert forecasts.generated_mw[2].max() > 0
    assert not forecasts.generated_mw[3].any()


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
        ProsumerSettings(),
        {"flat_p": np.full(4000, 0.5)},
        900,
        np.random.SeedSequence(0),
    )
    forecasts = forecast(population, persistence=0.0, noise=0.05, autocorrelation=0.5)
    for series, common in ((forecasts.generated_mw, 0.5), (forecasts.consumed_mw, 0.0)):
        correlation = np.corrcoef(series, rowvar=False)
        between = correlation[~np.eye(40, dtype=bool)].mean()
        assert between == pytest.approx(common, abs=0.04)


def test_seeds_are_independent_and_repeatable():
    first, again = ProsumerSeeds.spawn(5), ProsumerSeeds.spawn(5)
    draws = {
        name: np.random.default_rng(getattr(first, name)).random()
        for name in ("devices", "forecasts", "send_times", "strategies")
    }
    assert len(set(draws.values())) == 4
    for name, value in draws.items():
        assert np.random.default_rng(getattr(again, name)).random() == value
