"""What meters report of what they measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cosim.units import BoolArray, IntArray


class Meters:
    """Meters that report what they measured."""

    def reported_wh(self, interval: int, measured_wh: IntArray) -> IntArray:
        """Readings of an interval.

        Parameters
        ----------
        interval : int
        measured_wh : (n,) int64
            Net injection. [Wh]

        Returns
        -------
        (n,) int64
        """
        return measured_wh


@dataclass(frozen=True)
class FalseMeters(Meters):
    """Meters of which some report less consumption, or more feed-in, than they measured.

    Parameters
    ----------
    who : (n,) bool
        Which meters are false.
    intervals : range
        When.
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
        """Readings of an interval, false ones among them."""
        if interval not in self.intervals:
            return measured_wh
        factor = np.where(measured_wh < 0, self.consumption_factor, self.feed_in_factor)
        return np.where(self.who, np.trunc(measured_wh * factor).astype(np.int64), measured_wh)
