"""Readings that meters report."""

from __future__ import annotations

from cosim.units import IntArray


class Meters:
    """Meters that report what they measured."""

    def reported_wh(self, interval: int, measured_wh: IntArray) -> IntArray:
        """Return the readings of an interval.

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
