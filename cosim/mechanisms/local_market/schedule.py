"""From fills to schedules: what each prosumer intends to inject after clearing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cosim.mechanisms.play import Schedules
from cosim.messages import BidsMessage
from cosim.messages.extras import SupplierOrders
from cosim.units import IntArray

_MAX_WH = 2**31 - 1  # so that a product of two fits int64


def schedule_wh(
    firm_wh: npt.ArrayLike,
    planned_wh: npt.ArrayLike,
    filled_wh: npt.ArrayLike,
    order_wh: npt.ArrayLike,
) -> IntArray:
    """Schedule between what is done anyway and what is done when the order is filled.

    ``firm + (planned - firm) * filled / order``, rounded half to even; ``firm`` without an order.

    Parameters
    ----------
    firm_wh : (n,) int
        Net injection when nothing of the order is filled. [Wh]
    planned_wh : (n,) int
        Net injection when all of it is filled. [Wh]
    filled_wh, order_wh : (n,) int
        Filled and ordered energy, ``0 <= filled <= order``. [Wh]

    Returns
    -------
    (n,) int64
        Scheduled net injection. [Wh]

    Raises
    ------
    ValueError
        If a fill is outside its order, or an energy beyond 2**31 - 1 Wh.
    """
    firm, planned, filled, order = (
        np.asarray(values, dtype=np.int64) for values in (firm_wh, planned_wh, filled_wh, order_wh)
    )
    if np.any((filled < 0) | (filled > order)):
        raise ValueError("filled_wh must lie between 0 and order_wh")
    span = planned - firm
    if any(np.any(np.abs(values) > _MAX_WH) for values in (span, order)):
        raise ValueError(f"energies must not exceed {_MAX_WH} Wh")
    divisor = np.where(order == 0, 1, order)
    quotient, remainder = np.divmod(span * filled, divisor)
    round_up = (2 * remainder > divisor) | ((2 * remainder == divisor) & (quotient % 2 == 1))
    schedule: IntArray = firm + quotient + round_up
    return schedule


def supplier_orders(bids: BidsMessage, schedules: Schedules) -> SupplierOrders:
    """Return what every connection point still sells to the supplier or buys from it.

    As far as it can be held back: what was traded, and consumption that cannot wait, is not among
    it.
    """
    residual_wh = schedules.reported_wh - schedules.contracted_wh
    return SupplierOrders(
        sell_wh=np.clip(residual_wh, 0, bids.curtailable_down_wh),
        buy_wh=np.clip(-residual_wh, 0, bids.flex_up_wh),
    )
