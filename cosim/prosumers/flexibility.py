"""Flexibility that a strategy prices: what its followers have, and what became of what they had."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Outcomes:
    """Own outcomes of each follower that are known when it bids; zeros before there are any.

    Parameters
    ----------
    contracted_wh : (m,) int64
        Filled of its order in the interval before; sales positive. [Wh]
    offered_down_wh, offered_up_wh : (m,) int64
        Most flexibility that it offered to one request of the interval before. [Wh]
    awarded_wh : (m,) int64
        Awarded of it; raising positive. [Wh]
    requested_down_wh, requested_up_wh : int
        All that the DSO asked for in the interval before, which everybody can read. [Wh]
    traded_ueur, supplier_ueur, flexibility_ueur : (m,) int64
        Received from the market, the supplier and the DSO in the last settled interval, one before
        that. [µEUR]
    """

    contracted_wh: IntArray
    offered_down_wh: IntArray
    offered_up_wh: IntArray
    awarded_wh: IntArray
    requested_down_wh: int
    requested_up_wh: int
    traded_ueur: IntArray
    supplier_ueur: IntArray
    flexibility_ueur: IntArray

    @classmethod
    def none(cls, n: int) -> Self:
        """Return outcomes of nothing."""
        zeros = np.zeros(n, dtype=np.int64)
        return cls(zeros, zeros, zeros, zeros, 0, 0, zeros, zeros, zeros)

    def of(self, who: IntArray) -> Self:
        """Return those of some, as read-only arrays."""
        own: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in own.items():
            if isinstance(value, np.ndarray):
                own[name] = value[who]
                own[name].setflags(write=False)
        return type(self)(**own)


@dataclass(frozen=True)
class FlexibilityContext:
    """Blocks of flexibility of the followers in one interval, with read-only arrays.

    There are ``m`` followers, and ``b`` blocks; each follower's are in the order in which its
    devices use them.

    Parameters
    ----------
    interval : int
        The delivery interval.
    follower : (b,) int64
        Position of the follower in ``setup.names``.
    lowers : (b,) bool
        Whether the block lowers the net injection; or else it raises it.
    energy_wh : (b,) int64
        Most energy that can be offered. [Wh]
    cost_ueur_per_kwh : (b,) int64
        What it costs of energy that the supplier would take, or deliver. [µEUR/kWh]
    cost_if_traded_ueur_per_kwh : (b,) int64
        What it costs of energy that was sold or bought in the market, or beyond. [µEUR/kWh]
    planned_wh, firm_wh : (m,) int64
        Expected net injection if the order clears in full, and if it does not. [Wh]
    state_of_charge : (m,) float
        Stored energy relative to the capacity, NaN without storage. [-]
    expected_price_ueur_per_kwh : float or (m,) float
        Clearing price that the price forecast expects; by follower in a run with several local
        markets. [µEUR/kWh]
    outcomes : Outcomes
        Own fills, awards and money.
    rng : numpy.random.Generator
        Seeded by the interval.
    """

    interval: int
    follower: IntArray
    lowers: BoolArray
    energy_wh: IntArray
    cost_ueur_per_kwh: IntArray
    cost_if_traded_ueur_per_kwh: IntArray
    planned_wh: IntArray
    firm_wh: IntArray
    state_of_charge: FloatArray
    expected_price_ueur_per_kwh: FloatArray | float
    outcomes: Outcomes
    rng: np.random.Generator


@dataclass(frozen=True)
class FlexibilityPrices:
    """Energy and prices of a strategy's blocks in one interval.

    Parameters
    ----------
    energy_wh : (b,) int64
        Energy that may be offered: from 0, none, to the ``energy_wh`` of the context. [Wh]
    price_ueur_per_kwh, price_if_traded_ueur_per_kwh : (b,) int64
        Asked in place of the two costs of the context. [µEUR/kWh]
    """

    energy_wh: IntArray
    price_ueur_per_kwh: IntArray
    price_if_traded_ueur_per_kwh: IntArray

    @classmethod
    def at_cost(cls, context: FlexibilityContext) -> Self:
        """Return all that there is, for what it costs."""
        return cls(
            context.energy_wh, context.cost_ueur_per_kwh, context.cost_if_traded_ueur_per_kwh
        )
