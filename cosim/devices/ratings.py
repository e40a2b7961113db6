"""Net injection that the devices behind a connection point can reach, by their ratings."""

from __future__ import annotations

import numpy as np

from cosim.devices.population import Population
from cosim.units import SECONDS_PER_HOUR, WH_PER_MWH, FloatArray, IntArray


def net_range_wh(population: Population) -> tuple[IntArray, IntArray]:
    """Return the least and the greatest net injection of an interval, (n,) each. [Wh]

    Everything that consumes at its rating, and everything that generates or discharges at its: the
    capacity that a connection needs. A load counts with its published rating or its peak of the
    run, where that is higher; rounded outwards to whole Wh.

    Parameters
    ----------
    population : Population

    Returns
    -------
    tuple of (n,) int64
        Consumption is negative.
    """
    least_mw, most_mw = np.zeros(population.n), np.zeros(population.n)
    for consumer in (*population.consumers, *population.deferral.members):
        least_mw = least_mw - np.maximum(consumer.rated_mw, _peak_mw(consumer.p_mw))
    for generator in population.generators:
        most_mw = most_mw + np.maximum(generator.rated_mw, _peak_mw(generator.p_mw))
    for storage in population.storages:
        least_mw, most_mw = least_mw - storage.p_max_mw, most_mw + storage.p_max_mw
    whole = population.step_s / SECONDS_PER_HOUR * WH_PER_MWH
    return (
        np.floor(least_mw * whole).astype(np.int64),
        np.ceil(most_mw * whole).astype(np.int64),
    )


def _peak_mw(p_mw: FloatArray) -> FloatArray:
    peak: FloatArray = p_mw.max(axis=0, initial=0.0)
    return peak
