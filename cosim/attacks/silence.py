"""Meters that do not report, and senders of batches that send none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cosim.mechanisms.local_market.interference import LedgerAttack


@dataclass(frozen=True)
class SilentMeters(LedgerAttack):
    """Meters that stay silent in some intervals.

    Parameters
    ----------
    who : collection of int
        Prosumers by position.
    intervals : range
    """

    who: Collection[int]
    intervals: range

    def is_silent(self, interval: int, i: int) -> bool:
        """True for these meters in these intervals."""
        return interval in self.intervals and i in self.who


@dataclass(frozen=True)
class SilentSender(LedgerAttack):
    """A sender of batches that sends none in some intervals.

    Parameters
    ----------
    sender : str
        ``aggregator`` or ``head_end``.
    intervals : range
    """

    sender: str
    intervals: range

    def fails(self, interval: int, sender: str) -> bool:
        """True for this sender in these intervals."""
        return interval in self.intervals and sender == self.sender
