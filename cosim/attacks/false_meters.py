"""Meters that report other energy than they measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.mechanisms.metering.readings import Meters
from cosim.units import BoolArray, IntArray


@dataclass(frozen=True)
class FalseMeters(Meters):
    """Meters of which some report less consumption, or more feed-in, than they measured.

    Parameters
    ----------
    who : (n,) bool
        True for false meters.
    intervals : range
        Intervals in which they are.
    consumption_factor : float
        Reported share of consumption; what is reported is rounded down to whole Wh. [-]
    feed_in_factor : float
        Reported feed-in per measured, rounded down too. [-]
    """

    who: BoolArray
    intervals: range
    consumption_factor: float = 1.0
    feed_in_factor: float = 1.0

    def reported_wh(self, interval: int, measured_wh: IntArray) -> IntArray:
        """Return the readings of an interval, false ones among them."""
        if interval not in self.intervals:
            return measured_wh
        factor = np.where(measured_wh < 0, self.consumption_factor, self.feed_in_factor)
        return np.where(self.who, np.trunc(measured_wh * factor).astype(np.int64), measured_wh)
