"""What prosumers expect of the next interval: the truth, persistence and autocorrelated noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.prosumers.population import Population
from cosim.prosumers.settings import ForecastParameters
from cosim.seeds import child_seed
from cosim.units import FloatArray

#: Share of the variance of the PV error that all prosumers have in common: they share the weather.
PV_COMMON_VARIANCE = 0.5


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts made one interval ahead, for every interval of a run.

    Parameters
    ----------
    load_p_mw, flexible_p_mw, pv_p_mw : (T, n) float
        Load, EV and heat pump together, and available PV, as magnitudes. [MW]
    load_q_mvar, flexible_q_mvar, pv_q_mvar : (T, n) float
        Reactive power at the power factor of the interval's profile. [Mvar]
    """

    load_p_mw: FloatArray
    load_q_mvar: FloatArray
    flexible_p_mw: FloatArray
    flexible_q_mvar: FloatArray
    pv_p_mw: FloatArray
    pv_q_mvar: FloatArray


def autoregressive_noise(
    n_intervals: int,
    n: int,
    standard_deviation: float,
    autocorrelation: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Stationary AR(1) noise: ``e(k) = a e(k-1) + sqrt(1 - a²) s z(k)``, ``e(0) = s z(0)``.

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
    population: Population, parameters: ForecastParameters, seed: np.random.SeedSequence
) -> Forecasts:
    """Forecast every interval of a run, each from the interval before it.

    With the actual power ``p(k)`` of a kind of device and its persistence ``w``::

        forecast(k) = max(0, 1 + e(k)) * ((1 - w) * p(k) + w * p(k-1)),   p(-1) = p(0)

    where ``e`` is :func:`autoregressive_noise`, drawn for each prosumer and kind. Half the variance
    of the PV error is common to all prosumers (:data:`PV_COMMON_VARIANCE`), so that their errors do
    not cancel out in the sum. Forecasts stay within physical bounds: not above the rating of PV, EV
    and heat pump, and no PV while its profile is zero.

    ``p(k-1)`` is what the devices wanted, not what flexibility made of it: an energy manager knows
    what it has switched off.

    Parameters
    ----------
    population : Population
        Prosumers and their profiles.
    parameters : ForecastParameters
        Persistence, noise and autocorrelation.
    seed : numpy.random.SeedSequence
        Seed of the noise; each kind draws from its own child.

    Returns
    -------
    Forecasts
        Read-only arrays.
    """
    generators = [np.random.default_rng(child_seed(seed, kind)) for kind in range(4)]
    shape = population.load_p_mw.shape

    def noise(kind: int, columns: int) -> FloatArray:
        return autoregressive_noise(
            shape[0], columns, parameters.noise, parameters.autocorrelation, generators[kind]
        )

    def expect(actual: FloatArray, error: FloatArray) -> FloatArray:
        previous = np.concatenate((actual[:1], actual[:-1]))
        blend = (1.0 - parameters.persistence) * actual + parameters.persistence * previous
        return np.asarray(blend * np.maximum(1.0 + error, 0.0))

    pv_error = np.sqrt(PV_COMMON_VARIANCE) * noise(2, 1)
    pv_error = pv_error + np.sqrt(1.0 - PV_COMMON_VARIANCE) * noise(3, shape[1])
    flexible = population.flexible_p_mw
    load_fc = expect(population.load_p_mw, noise(0, shape[1]))
    flexible_fc = np.minimum(expect(flexible, noise(1, shape[1])), population.deferral.p_rated_mw)
    pv_fc = np.minimum(expect(population.pv_p_mw, pv_error), population.pv_rated_mw)
    pv_fc = np.where(population.pv_p_mw > 0, pv_fc, 0.0)
    return Forecasts(
        load_p_mw=_frozen(load_fc),
        load_q_mvar=_frozen(_reactive(population.load_q_mvar, population.load_p_mw, load_fc)),
        flexible_p_mw=_frozen(flexible_fc),
        flexible_q_mvar=_frozen(_reactive(population.flexible_q_mvar, flexible, flexible_fc)),
        pv_p_mw=_frozen(pv_fc),
        pv_q_mvar=_frozen(_reactive(population.pv_q_mvar, population.pv_p_mw, pv_fc)),
    )


def _reactive(q_mvar: FloatArray, p_mw: FloatArray, forecast_mw: FloatArray) -> FloatArray:
    """Reactive power of a forecast at the actual power factor; the actual one without power."""
    ratio = np.divide(forecast_mw, p_mw, out=np.ones_like(p_mw), where=p_mw > 0)
    return np.asarray(q_mvar * ratio)


def _frozen(values: FloatArray) -> FloatArray:
    array = np.ascontiguousarray(values)
    array.setflags(write=False)
    return array
