"""Flexibility for more than it costs: a mark-up that may learn, and energy that is withheld."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices
from cosim.prosumers.strategies import (
    PRICE_LIMIT_UEUR_PER_KWH,
    StrategySetup,
    Truthful,
    require_options,
)
from cosim.units import FloatArray, IntArray, ueur_from_eur


def marked_up(
    cost_ueur_per_kwh: IntArray, factor: FloatArray, adder_ueur_per_kwh: int = 0
) -> IntArray:
    """Return costs times a factor, rounded up, and an adder: at most what an offer can ask.

    Parameters
    ----------
    cost_ueur_per_kwh : (b,) int64
        [µEUR/kWh]
    factor : (b,) float
        [-]
    adder_ueur_per_kwh : int
        [µEUR/kWh]
    """
    asked = np.ceil(np.round(cost_ueur_per_kwh * factor, 6)) + adder_ueur_per_kwh
    whole: IntArray = np.minimum(asked, PRICE_LIMIT_UEUR_PER_KWH - 1).astype(np.int64)
    return whole


class MarkUp(Truthful):
    """Orders at value, flexibility above cost: ``price = cost · (1 + mark_up) + adder``.

    Of every block a share can be withheld, which makes others pivotal or leaves more to dearer
    blocks. With a ``step`` each prosumer's mark-up is its own and learns from what became of its
    last offer: it rises by the step when all that was offered in a requested direction was awarded,
    and falls by it when nothing was, as margins of "ZIP" traders do (Cliff: Minimal-Intelligence
    Agents for Bargaining Behaviors in Market-Based Environments, HP Labs HPL-97-91 (1997), section
    4: raise the margin after a deal, lower it when out-competed). Simplified: steps of one size
    instead of a learning rate towards a target price, and no momentum.

    Parameters
    ----------
    setup : StrategySetup
        Who follows it, and the supplier's prices.
    preference : float
        As of :class:`Truthful`. [-]
    mark_up : float
        At the start; 0 prices at cost. [-]
    adder_eur_per_kwh : float
        On top, also where the cost is 0. [EUR/kWh]
    withheld : float
        Share of each block that is not offered, from 0 to 1. [-]
    step : float
        Change of the mark-up after an interval in which the DSO asked; 0: it stays. [-]
    highest : float
        Above which no mark-up rises. [-]
    """

    def __init__(
        self,
        setup: StrategySetup,
        preference: float = 0.25,
        mark_up: float = 0.2,
        adder_eur_per_kwh: float = 0.0,
        withheld: float = 0.0,
        step: float = 0.0,
        highest: float = 5.0,
    ) -> None:
        super().__init__(setup, preference)
        require_options(
            highest=(highest, 0.0, 1_000.0),
            mark_up=(mark_up, 0.0, highest),
            adder_eur_per_kwh=(adder_eur_per_kwh, 0.0, 1_000.0),
            withheld=(withheld, 0.0, 1.0),
            step=(step, 0.0, highest),
        )
        self._adder_ueur_per_kwh = ueur_from_eur(adder_eur_per_kwh)
        self._withheld, self._step, self._highest = withheld, step, highest
        self._mark_up = np.full(len(setup.names), float(mark_up))

    def price_flexibility(self, context: FlexibilityContext) -> FlexibilityPrices:
        """Ask for the mark-up on each cost, rounded up; offer what is not withheld."""
        self._learn(context)
        return FlexibilityPrices(
            np.floor(context.energy_wh * (1.0 - self._withheld)).astype(np.int64),
            self._asked(context.cost_ueur_per_kwh, context),
            self._asked(context.cost_if_traded_ueur_per_kwh, context),
        )

    def _asked(self, cost_ueur_per_kwh: IntArray, context: FlexibilityContext) -> IntArray:
        factor = 1.0 + self._mark_up[context.follower]
        return marked_up(cost_ueur_per_kwh, factor, self._adder_ueur_per_kwh)

    def _learn(self, context: FlexibilityContext) -> None:
        own = context.outcomes
        change = np.zeros_like(self._mark_up)
        for requested, offered, awarded in (
            (own.requested_down_wh, own.offered_down_wh, np.maximum(-own.awarded_wh, 0)),
            (own.requested_up_wh, own.offered_up_wh, np.maximum(own.awarded_wh, 0)),
        ):
            if requested > 0:
                asked = offered > 0
                change += np.where(asked & (awarded >= offered), self._step, 0.0)
                change -= np.where(asked & (awarded == 0), self._step, 0.0)
        self._mark_up = np.clip(self._mark_up + change, 0.0, self._highest)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the mark-ups that were learnt."""
        return {"mark_up": self._mark_up.copy()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to mark-ups that were learnt."""
        self._mark_up = np.array(state["mark_up"], dtype=np.float64)
