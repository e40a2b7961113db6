"""Forecasts of the next interval: the truth, persistence and autocorrelated noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cosim.devices.population import Population
from cosim.devices.profiled import Series, frozen, ratio, total
from cosim.scenario.prosumers import ForecastSettings
from cosim.seeds import child_seed
from cosim.units import FloatArray

Forecast = tuple[FloatArray, FloatArray]
"""Active and reactive power of a kind, (T, n) each. [MW, Mvar]"""


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts made one interval ahead, for every interval of a run; powers are magnitudes.

    Parameters
    ----------
    generated_mw, consumed_mw, flexible_mw : (T, n) float
        All generation, all consumption that cannot wait, and all that can. [MW]
    throttleable_mw, cuttable_mw : (T, n) float
        Generation that owners offer to throttle, and that the DSO may cut. [MW]
    sheddable_mw : (T, n) float
        Consumption that cannot wait and that the DSO may cut. [MW]
    q_inject_mvar : (T, n) float
        Net reactive injection, at the power factors of the interval's profiles. [Mvar]
    """

    generated_mw: FloatArray
    consumed_mw: FloatArray
    flexible_mw: FloatArray
    throttleable_mw: FloatArray
    cuttable_mw: FloatArray
    sheddable_mw: FloatArray
    q_inject_mvar: FloatArray


def autoregressive_noise(
    n_intervals: int,
    n: int,
    standard_deviation: float,
    autocorrelation: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw stationary AR(1) noise: ``e(k) = a e(k-1) + sqrt(1 - a²) s z(k)``, ``e(0) = s z(0)``.

    The first intervals do not depend on how many follow.

    Parameters
    ----------
    n_intervals, n : int
        Shape.
    standard_deviation : float
        ``s``, of every value. [-]
    autocorrelation : float
        ``a`` in [0, 1), of successive values. [-]
    rng : numpy.random.Generator
        Source of ``z``, standard normal.

    Returns
    -------
    (n_intervals, n) float
        Noise.
    """
    noise = rng.standard_normal((n_intervals, n)) * standard_deviation
    innovation = np.sqrt(1.0 - autocorrelation**2)
    for k in range(1, n_intervals):
        noise[k] *= innovation
        noise[k] += autocorrelation * noise[k - 1]
    return noise


def make_forecasts(
    population: Population, parameters: ForecastSettings, seed: np.random.SeedSequence
) -> Forecasts:
    """Forecast every interval of a run, each from the interval before it.

    With the actual power ``p(k)`` of a kind of device and its persistence ``w``::

        forecast(k) = max(0, 1 + e(k)) * ((1 - w) * p(k) + w * p(k-1)),   p(-1) = p(0)

    where ``e`` is :func:`autoregressive_noise`, drawn for each prosumer and kind; consumption that
    can wait counts as one kind. A kind may have a part of the variance in common to all prosumers
    (half of it with PV), so that their errors do not cancel out in the sum. Forecasts stay within
    physical bounds: not above a rating, and no generation while its profile is zero.

    ``p(k-1)`` is what the devices wanted, not what flexibility made of it: an energy manager knows
    what it has switched off.

    Parameters
    ----------
    population : Population
        Prosumers and their profiles.
    parameters : ForecastSettings
        Persistence, noise and autocorrelation.
    seed : numpy.random.SeedSequence
        Seed of the noise; each kind draws from its own child.

    Returns
    -------
    Forecasts
        Read-only arrays.
    """

    def noise(key: tuple[int, ...], columns: int) -> FloatArray:
        return autoregressive_noise(
            population.n_intervals,
            columns,
            parameters.noise,
            parameters.autocorrelation,
            np.random.default_rng(child_seed(seed, *key)),
        )

    def expect(series: Series) -> Forecast:
        error, common = noise(series.noise_key(), population.n), series.common_variance
        if common:
            error = np.sqrt(1.0 - common) * error
            error = np.sqrt(common) * noise(series.common_noise_key(), 1) + error
        actual = series.p_mw
        previous = np.concatenate((actual[:1], actual[:-1]))
        blend = (1.0 - parameters.persistence) * actual + parameters.persistence * previous
        expected = series.bounded(blend * np.maximum(1.0 + error, 0.0))
        return expected, series.q_mvar * ratio(expected, actual, 1.0)

    generation = [expect(device) for device in population.generators]
    consumption = [expect(device) for device in population.consumers]
    flexible_mw, flexible_q_mvar = expect(population.deferral)
    generated_mw = total([p_mw for p_mw, _ in generation])
    consumed_mw = total([p_mw for p_mw, _ in consumption])

    def of(kinds: Sequence[Forecast], whole_mw: FloatArray, chosen: Sequence[bool]) -> FloatArray:
        if all(chosen):
            return whole_mw
        own = [p_mw for (p_mw, _), is_in in zip(kinds, chosen, strict=True) if is_in]
        return total(own or [np.zeros_like(whole_mw)])

    return Forecasts(
        generated_mw=frozen(generated_mw),
        consumed_mw=frozen(consumed_mw),
        flexible_mw=frozen(flexible_mw),
        throttleable_mw=frozen(
            of(generation, generated_mw, [d.is_flexible for d in population.generators])
        ),
        cuttable_mw=frozen(
            of(generation, generated_mw, [d.is_curtailable for d in population.generators])
        ),
        sheddable_mw=frozen(
            of(consumption, consumed_mw, [d.is_curtailable for d in population.consumers])
        ),
        q_inject_mvar=frozen(
            total([q_mvar for _, q_mvar in generation])
            - total([q_mvar for _, q_mvar in consumption])
            - flexible_q_mvar
        ),
    )
