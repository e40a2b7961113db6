"""Loads of their own for connection points that share a published profile.

SimBench gives all households of a kind one profile, so that they peak together: the 118 loads of
``1-LV-rural3--2-sw`` are nine shapes. Here each connection point gets the shape at its own time and
with fluctuations of its own::

    p_i(t) = c_i * p(t - s_i) * exp(n_i(t))

``s_i`` is normal with a standard deviation of some minutes, rounded to whole intervals; ``n_i`` is
an AR(1) process, begun anew at every midnight so that a day does not depend on the days before it;
``c_i`` keeps the connection point's energy over the run, and over the days before it. Fluctuations
of real households are skewed and intermittent, and a standard profile has none of them (M. Anvari
and others: Data-driven load profiles and the dynamics of residential consumption. Nature
Communications 13 (2022) 4593, doi:10.1038/s41467-022-31942-9); a lognormal factor is skewed. Not
modelled: single appliances, absence, correlation with the weather.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.prosumers.forecasting.known import autoregressive_noise
from cosim.prosumers.forecasting.reports import Rows
from cosim.scenario.prosumers import VariationSettings
from cosim.seeds import child_seed
from cosim.units import SECONDS_PER_HOUR, FloatArray

SECONDS_PER_MINUTE = 60
_SHIFTS, _FLUCTUATIONS = 0, 1


def with_variation(
    run: Population,
    before: Population | None,
    settings: VariationSettings,
    seed: np.random.SeedSequence,
    start: datetime,
) -> tuple[Population, Population | None]:
    """Return the populations of a run and of the days before it with loads of their own.

    Parameters
    ----------
    run, before : Population
        Before anything is added to them; the second None where nothing was reported.
    settings : VariationSettings
    seed : numpy.random.SeedSequence
        Of shifts and fluctuations.
    start : datetime
        Start of interval 0.

    Returns
    -------
    run, before : Population
        Energy of each load and its power factors are kept.
    """
    past = 0 if before is None else before.n_intervals
    rows = Rows(start, run.step_s, past, run.n_intervals)
    loads = [population.of(Load) for population in (before, run) if population is not None]
    p_mw, q_mvar = (
        np.concatenate([getattr(load, name) for load in loads]) for name in ("p_mw", "q_mvar")
    )
    every = np.arange(len(p_mw))
    rng = np.random.default_rng(child_seed(seed, _SHIFTS))
    drawn_s = rng.standard_normal(run.n) * settings.shift_min * SECONDS_PER_MINUTE
    shift = np.rint(drawn_s / run.step_s).astype(np.int64)
    source = np.clip(every[:, np.newaxis] - shift, 0, len(every) - 1)
    factor = np.exp(_fluctuations(rows, run.n, settings, seed))
    shapes = [np.take_along_axis(part, source, axis=0) * factor for part in (p_mw, q_mvar)]
    first = 0
    varied: list[Population | None] = []
    for population in (before, run):
        if population is None:
            varied.append(None)
            continue
        own = slice(first, first + population.n_intervals)
        first += population.n_intervals
        load = population.of(Load)
        energy, shaped = load.p_mw.sum(axis=0), shapes[0][own].sum(axis=0)
        scale = np.divide(energy, shaped, out=np.zeros_like(energy), where=shaped > 0)
        parts = [np.ascontiguousarray(shape[own] * scale) for shape in shapes]
        rated_mw = np.maximum(load.rated_mw, parts[0].max(axis=0, initial=0.0))
        for part in (*parts, rated_mw):
            part.setflags(write=False)
        varied.append(
            population.replaced(replace(load, p_mw=parts[0], q_mvar=parts[1], rated_mw=rated_mw))
        )
    past_population, of_run = varied
    assert of_run is not None
    return of_run, past_population


def _fluctuations(
    rows: Rows, n: int, settings: VariationSettings, seed: np.random.SeedSequence
) -> FloatArray:
    """Return the logarithms of the factors, (R, n); a calendar day has its own draws."""
    every = np.arange(rows.before + rows.intervals)
    days, slots = rows.day(every), rows.slot(every)
    per_interval = settings.autocorrelation ** (rows.step_s / SECONDS_PER_HOUR)
    parts = []
    for day in np.unique(days):
        rng = np.random.default_rng(child_seed(seed, _FLUCTUATIONS, int(day)))
        whole = autoregressive_noise(rows.per_day, n, settings.fluctuation, per_interval, rng)
        parts.append(whole[np.minimum(slots[days == day], rows.per_day - 1)])
    return np.concatenate(parts)
