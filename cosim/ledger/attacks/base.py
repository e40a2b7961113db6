"""Where an attack may act in the market session of an interval; by default nowhere."""

from __future__ import annotations


class LedgerAttack:
    """Hooks that the session calls, in the order in which they come in an interval."""

    def is_silent(self, interval: int, i: int) -> bool:
        """Whether the meter of a prosumer, by position, does not report an interval."""
        return False
