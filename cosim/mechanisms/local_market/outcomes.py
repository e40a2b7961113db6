"""What the ledger made of an interval: orders, requests of the DSO, settlement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class OrderBook:
    """What became of the orders of one interval; arrays of shape (n,).

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
    in_time: bool = True

    @property
    def scheduled_wh(self) -> IntArray:
        """(n,) int64, what schedules know of the fills. [Wh]"""
        return self.filled_wh if self.in_time else np.zeros_like(self.filled_wh)

    @property
    def price_ueur_per_kwh(self) -> int:
        """Price signal: between what buyers paid and what sellers earned. [µEUR/kWh]"""
        return (self.buy_price_ueur_per_kwh + self.sell_price_ueur_per_kwh) // 2


@dataclass(frozen=True)
class OffChainClearing:
    """What the market operator cleared off chain.

    Parameters
    ----------
    ranking : tuple of int
        Arrival indexes of the revealed orders in merit order, bids first.
    buy_price_ueur_per_kwh, sell_price_ueur_per_kwh, volume_wh : int
        As in :class:`OrderBook`.
    fills_wh : tuple of int
        Fill of every order by arrival index. [Wh]
    """

    ranking: tuple[int, ...]
    buy_price_ueur_per_kwh: int
    sell_price_ueur_per_kwh: int
    volume_wh: int
    fills_wh: tuple[int, ...]


@dataclass(eq=False)
class Request:
    """A request of the DSO, its offers and their settlement; lists by offer.

    ``direction`` is +1 to raise net injections and -1 to lower them.
    """

    number: int
    interval: int
    direction: int
    quantity_wh: int
    prosumers: list[int] = field(default_factory=list)
    offered_wh: list[int] = field(default_factory=list)
    prices_ueur_per_kwh: list[int] = field(default_factory=list)
    baselines_wh: list[int] = field(default_factory=list)
    awarded_wh: list[int] = field(default_factory=list)
    delivered_wh: list[int] = field(default_factory=list)
    paid_ueur: list[int] = field(default_factory=list)
    penalty_ueur: list[int] = field(default_factory=list)

    def add_offer(
        self, prosumer: int, energy_wh: int, price_ueur_per_kwh: int, baseline_wh: int
    ) -> None:
        """Note an offer that the contract took."""
        self.prosumers.append(prosumer)
        self.offered_wh.append(energy_wh)
        self.prices_ueur_per_kwh.append(price_ueur_per_kwh)
        self.baselines_wh.append(baseline_wh)
        for column in (self.awarded_wh, self.delivered_wh, self.paid_ueur, self.penalty_ueur):
            column.append(0)


@dataclass(frozen=True)
class FlexibilityStep:
    """Something that happened to a request: it was opened, or an offer, or awards.

    Parameters
    ----------
    request : Request
    offer : int, optional
        Position of an offer that was taken.
    awarded_wh : mapping of int to int, optional
        Energy awarded in one transaction by position of the offer. [Wh]
    """

    request: Request
    offer: int | None = None
    awarded_wh: Mapping[int, int] | None = None


@dataclass(frozen=True)
class Rewritten:
    """What the chain says of an interval after blocks were replaced.

    Parameters
    ----------
    orders : OrderBook
    steps : tuple of FlexibilityStep
        Requests, offers and awards in the order of the chain.
    """

    orders: OrderBook
    steps: tuple[FlexibilityStep, ...]


@dataclass(frozen=True)
class Settled:
    """What the contracts settled of one interval; arrays of shape (n,).

    Money is positive when the prosumer receives it. ``estimated`` marks silent meters. ``claimed``
    are the prosumers who claimed a fill of a committed clearing, in the order of their claims.
    """

    contracted_wh: IntArray
    metered_wh: IntArray
    estimated: BoolArray
    traded_ueur: IntArray
    supplier_ueur: IntArray
    flexibility_ueur: IntArray
    fees_wei: list[int]
    requests: tuple[Request, ...]
    claimed: tuple[int, ...] = ()
