"""Model of ``contracts/local_market/Submissions.vy`` and of what takes its batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cosim.errors import ContractRevert
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH, Order
from cosim.mechanisms.local_market.submission.client import CAUSES

TAKEN = 0
"""In the place of a cause: the entry was taken."""
NOT_AUTHORISED = 1
BEYOND_APPOINTMENT = 15

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
        self._appointments: dict[str, tuple[str, int, int]] = {}

    def appoint(
        self,
        account: str,
        aggregator: str,
        highest_bid_ueur_per_kwh: int = MAX_PRICE_UEUR_PER_KWH,
        lowest_ask_ueur_per_kwh: int = 0,
    ) -> None:
        """Let somebody send an account's orders, within limits; an empty name: nobody."""
        limits = highest_bid_ueur_per_kwh, lowest_ask_ueur_per_kwh
        self._appointments[account] = (aggregator, *limits)

    def send_orders(self, interval: int, sender: str, orders: Sequence[Order]) -> tuple[int, ...]:
        """Place orders of accounts that appointed the sender, in this order.

        Returns
        -------
        tuple of int
            Of each the cause for which it is passed over (:data:`CAUSES`), or :data:`TAKEN`.
        """
        return tuple(
            self._refusal(sender, order)
            or self.place_authorised(interval, [order], {order.account})[0]
            for order in orders
        )

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

    def _refusal(self, sender: str, order: Order) -> int:
        """Return why a sender may not send an order by a role; 0 if it may."""
        aggregator, highest_bid, lowest_ask = self._appointments.get(order.account, ("", 0, 0))
        if not sender or aggregator != sender:
            return NOT_AUTHORISED
        price = order.price_ueur_per_kwh
        within = price >= lowest_ask if order.is_sell else price <= highest_bid
        return TAKEN if within else BEYOND_APPOINTMENT


def _cause(act: Callable[[], object]) -> int:
    """Do one thing; return the number of the cause for which the market refuses it."""
    try:
        act()
    except ContractRevert as error:
        return _NUMBER_OF[error.text.removeprefix(f"{LocalMarketModel.subject}: ")]
    return TAKEN
