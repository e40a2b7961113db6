"""Points of an interval at which an attack may act; by default it does nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from cosim.mechanisms.local_market.orders import Order

SendOrder = Callable[[int, float, int], None]
"""Sends the order of a prosumer, by position, that was held back: at a time [s], at a price
[µEUR/kWh]; sealed where orders are sealed."""


class LedgerAttack:
    """Hooks that the session calls, in the order in which they come in an interval."""

    def holds_back(self, interval: int) -> Collection[int]:
        """Return prosumers, by position, whose orders do not leave at their time but wait."""
        return ()

    def orders_sent(self, interval: int, held: Mapping[int, Order], send: SendOrder) -> None:
        """Act when all orders but those held back are sent; it may mine blocks up to gate closure.

        Parameters
        ----------
        interval : int
        held : mapping of int to Order
            Honest orders that wait, by the position of their prosumer.
        send : callable
            Sends one of them.
        """

    def before_delivery(self, interval: int) -> None:
        """Act when the schedules are accepted, and delivery has not started."""

    def fails(self, interval: int, sender: str) -> bool:
        """Tell if who sends batches sends none in an interval: ``aggregator`` or ``head_end``."""
        return False

    def is_silent(self, interval: int, i: int) -> bool:
        """Tell if the meter of a prosumer, by position, does not report an interval."""
        return False
