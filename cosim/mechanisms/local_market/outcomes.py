"""Orders of an interval as they were sent, and as the ledger cleared them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Orders:
    """Orders as prosumers send them, (n,) each; an attacker may still write another price.

    Parameters
    ----------
    is_sell : (n,) bool
    energy_wh : (n,) int64
        0 for no order. [Wh]
    price_ueur_per_kwh : (n,) int64
        Limit prices. [µEUR/kWh]
    sent_fraction : (n,) float
        When each leaves, as a fraction of the order window less the two last blocks: who sends
        later cannot expect to be included before the gate closes.
    """

    is_sell: BoolArray
    energy_wh: IntArray
    price_ueur_per_kwh: IntArray
    sent_fraction: FloatArray


@dataclass(frozen=True)
class OrderBook:
    """Order book of one interval as the ledger cleared it; arrays of shape (n,).

    Parameters
    ----------
    status : (n,) object
        ``cleared``, ``partial``, ``unmatched``, ``late``, ``rejected``, ``unrevealed``; "" without
        order.
    reason : (n,) object
        Revert text of a late or rejected order, else None.
    sent_at_s : (n,) float
        Unix time at which it left; NaN without order. [s]
    block : (n,) int64
        Block that includes it, -1 if none does.
    filled_wh : (n,) int64
        Energy cleared, positive on both sides. [Wh]
    contracted_wh : (n,) int64
        The same with sales positive and purchases negative. [Wh]
    buy_price_ueur_per_kwh, sell_price_ueur_per_kwh, volume_wh : int
        What buyers pay and sellers earn, and how much; 0 without trade. Under pay-as-bid these are
        the prices of the last crossing pair.
    arrived : tuple of int
        Prosumers whose orders the contract took, in the order of the chain.
    revealed : tuple of bool
        Which of these could be cleared: all but sealed ones that nobody revealed.
    commitments : tuple of bytes
        Of sealed orders, in the order of arrival; none where orders are open.
    own_price_ueur_per_kwh : (n,) int64, optional
        What each order was filled at, where that is its own. [µEUR/kWh]
    pairs : mapping
        Of bilateral trades: energy, price and fee by the names of seller and buyer. [Wh, µEUR/kWh]
    in_time : bool
        Whether the clearing was confirmed when delivery started. If not, schedules are made without
        it, and what it contracted is settled all the same.
    """

    status: npt.NDArray[np.object_]
    reason: npt.NDArray[np.object_]
    sent_at_s: FloatArray
    block: IntArray
    filled_wh: IntArray
    contracted_wh: IntArray
    buy_price_ueur_per_kwh: int
    sell_price_ueur_per_kwh: int
    volume_wh: int
    arrived: tuple[int, ...]
    revealed: tuple[bool, ...]
    commitments: tuple[bytes, ...]
    own_price_ueur_per_kwh: IntArray | None = None
    pairs: Mapping[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    in_time: bool = True

    @property
    def scheduled_wh(self) -> IntArray:
        """(n,) int64, what schedules know of the fills. [Wh]"""
        return self.filled_wh if self.in_time else np.zeros_like(self.filled_wh)

    @property
    def price_ueur_per_kwh(self) -> int:
        """Price signal: between what buyers paid and what sellers earned. [µEUR/kWh]"""
        return (self.buy_price_ueur_per_kwh + self.sell_price_ueur_per_kwh) // 2
