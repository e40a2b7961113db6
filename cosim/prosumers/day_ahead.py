"""Net injection that each prosumer expects of the coming day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cosim.units import SECONDS_PER_HOUR, FloatArray

SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class DayAhead:
    """Forecasts that were made on the day before each interval's.

    Parameters
    ----------
    net_mw : (T, n) float
        Net injection of the devices without storages, by interval of the run. [MW]
    first_slot, slots : int
        Time of day of interval 0, and intervals of a day.
    """

    net_mw: FloatArray
    first_slot: int
    slots: int

    @classmethod
    def of(cls, net_mw: FloatArray, start: datetime, step_s: int) -> DayAhead:
        """Return forecasts of a run that starts at a time, in the profiles' time."""
        since_midnight_s = start.hour * SECONDS_PER_HOUR + start.minute * 60 + start.second
        slots = max(1, round(SECONDS_PER_DAY / step_s))
        return cls(net_mw, since_midnight_s // step_s, slots)

    def coming_mw(self, interval: int) -> FloatArray:
        """Return what is expected of the day after an interval, the next one first. [MW]

        Of the next day there may be no forecast yet: it is expected to be as this one at the same
        time. Of times that the run does not have, nothing is expected: 0.

        Returns
        -------
        (slots, n) float
        """
        rows = np.arange(interval + 1, interval + 1 + self.slots)
        ends = (interval + self.first_slot) // self.slots * self.slots + self.slots
        rows = np.where(rows + self.first_slot >= ends, rows - self.slots, rows)
        known = (rows >= 0) & (rows < len(self.net_mw))
        return np.where(known[:, None], self.net_mw[np.where(known, rows, 0)], 0.0)


def expected_mw(day_ahead_mw: FloatArray, day_before_mw: FloatArray) -> FloatArray:
    """Return what is expected of a class on the day before, from whatever says it. [MW]

    Parameters
    ----------
    day_ahead_mw, day_before_mw : (T, n) float
        Its forecast, and the same time of the last day that was reported; NaN where there is none.
    """
    known = np.where(np.isnan(day_ahead_mw), day_before_mw, day_ahead_mw)
    return np.asarray(np.nan_to_num(known, nan=0.0), dtype=np.float64)
