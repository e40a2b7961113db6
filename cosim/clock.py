"""Delivery intervals, and when on the ledger's clock each thing of an interval happens.

Interval ``k`` is delivered in ``[start + k * step, start + (k + 1) * step)``. On the ledger::

      opens              gate closure        delivery start              delivery end
        |--- order window ---|--- clear, relieve ---|--- deliver ---------------|--- meters --->
     start_k - lead      start_k - gate          start_k                     start_(k+1)

The window of interval ``k + 1`` opens ``lead`` before its delivery and after the readings of
interval ``k - 1`` are in, so ledger time only moves forward: ``gate < lead``, and
``lead + metering <= step``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class DeliveryClock:
    """Times of a run.

    Parameters
    ----------
    start : datetime
        Start of interval 0; naive values are read as UTC (SimBench profiles carry no zone).
    step_s : int
        Length of a delivery interval. [s]
    n_intervals : int
        Number of delivery intervals.
    order_lead_s : int
        How long before delivery the order window opens. [s]
    gate_closure_s : int
        How long before delivery the order window closes. [s]
    metering_s : int
        How long after delivery meters may report. [s]
    block_time_s : int
        Seconds between blocks. [s]
    """

    start: datetime
    step_s: int
    n_intervals: int
    order_lead_s: int
    gate_closure_s: int
    metering_s: int
    block_time_s: int

    @property
    def start_s(self) -> int:
        """Start of interval 0 as a Unix time. [s]"""
        start = self.start if self.start.tzinfo else self.start.replace(tzinfo=UTC)
        return int(start.timestamp())

    def delivery_start_s(self, interval: int) -> int:
        """Start of delivery of an interval as a Unix time. [s]"""
        return self.start_s + interval * self.step_s

    def window_opens_s(self, interval: int) -> int:
        """Opening of the order window as a Unix time. [s]"""
        return self.delivery_start_s(interval) - self.order_lead_s

    def gate_closes_s(self, interval: int) -> int:
        """Gate closure as a Unix time. [s]"""
        return self.delivery_start_s(interval) - self.gate_closure_s

    def wall_time(self, interval: int) -> datetime:
        """Start of delivery as a date, in the zone of ``start``."""
        return self.start + timedelta(seconds=interval * self.step_s)
