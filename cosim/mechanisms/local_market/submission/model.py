"""Model of ``contracts/local_market/Submissions.vy`` and of what takes its batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order
from cosim.mechanisms.local_market.submission.client import CAUSES

TAKEN = 0
"""In the place of a cause: the entry was taken."""
NOT_AUTHORISED = 1

_NUMBER_OF = {text: number for number, text in CAUSES.items()}


class SubmissionsModel:
    """Batches for the model of the local market, entry by entry.

    Membership, registration of meters and time are the contract's to check.

    Parameters
    ----------
    market : LocalMarketModel
    head_end : str
        Account that reports for every meter.
    """

    def __init__(self, market: LocalMarketModel, head_end: str) -> None:
        self.market = market
        self.head_end = head_end
        self._aggregators: dict[str, str] = {}

    def appoint(self, account: str, aggregator: str) -> None:
        """Let somebody send an account's orders from now on; an empty name: nobody."""
        self._aggregators[account] = aggregator

    def send_orders(self, interval: int, sender: str, orders: Sequence[Order]) -> tuple[int, ...]:
        """Place orders of accounts that appointed the sender, in this order.

        Returns
        -------
        tuple of int
            Of each the cause for which it is passed over (:data:`CAUSES`), or :data:`TAKEN`.
        """
        mine = {order.account for order in orders if self._sends(sender, order.account)}
        return self.place_authorised(interval, orders, mine)

    def place_authorised(
        self, interval: int, orders: Sequence[Order], authorised: Collection[str]
    ) -> tuple[int, ...]:
        """Place orders of some accounts, as who signed; return causes as :meth:`send_orders`."""
        return tuple(
            _cause(lambda order=order: self.market.place_order(interval, order))  # type: ignore[misc]
            if order.account in authorised
            else NOT_AUTHORISED
            for order in orders
        )

    def send_readings(
        self, interval: int, sender: str, readings: Sequence[tuple[str, int]]
    ) -> tuple[int, ...]:
        """Report readings of accounts' meters; return causes as :meth:`send_orders`.

        Raises
        ------
        ContractRevert
            If the sender is not the head end.
        """
        if sender != self.head_end:
            raise ContractRevert("submissions: not the head end")
        return self.report_authorised(interval, readings, {account for account, _ in readings})

    def report_authorised(
        self, interval: int, readings: Sequence[tuple[str, int]], authorised: Collection[str]
    ) -> tuple[int, ...]:
        """Report readings whose meters signed; return causes as :meth:`send_orders`."""
        return tuple(
            _cause(lambda who=who, wh=wh: self.market.report(interval, who, wh))  # type: ignore[misc]
            if who in authorised
            else NOT_AUTHORISED
            for who, wh in readings
        )

    def _sends(self, sender: str, account: str) -> bool:
        return self._aggregators.get(account) == sender


def _cause(act: Callable[[], object]) -> int:
    """Do one thing; return the number of the cause for which the market refuses it."""
    try:
        act()
    except ContractRevert as error:
        return _NUMBER_OF[error.text.removeprefix(f"{LocalMarketModel.subject}: ")]
    return TAKEN
