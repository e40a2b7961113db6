"""Expected clearing prices: a prior, then the last days by time of day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.scenario.tariff import Tariff, Tariffs
from cosim.units import SECONDS_PER_HOUR, FloatArray

HOURS_PER_DAY = 24
#: Days of clearing prices that are remembered.
DAYS_REMEMBERED = 3


def prior_prices(
    demand_mw: FloatArray, supply_mw: FloatArray, tariff: Tariff | Tariffs
) -> FloatArray:
    """Return prices before the market has cleared: from feed-in to retail by the balance.

    ``feed_in + (retail - feed_in) * demand / (demand + supply)``: near the feed-in price when PV
    abounds, at the retail price when there is none. Retail counts without what local trades are
    charged.

    Parameters
    ----------
    demand_mw, supply_mw : (T,) float
        Consumption and generation that the community expects, day ahead. [MW]
    tariff : Tariff or Tariffs
        The supplier's prices, the same in every interval or not.

    Returns
    -------
    (T,) float
        Expected prices. [µEUR/kWh]
    """
    total = demand_mw + supply_mw
    scarcity = np.divide(demand_mw, total, out=np.ones_like(total), where=total > 0)
    if isinstance(tariff, Tariffs):
        return np.asarray(tariff.feed_in + (tariff.local_limit - tariff.feed_in) * scarcity)
    feed_in = tariff.feed_in_price_ueur_per_kwh
    return np.asarray(feed_in + (tariff.local_limit_ueur_per_kwh - feed_in) * scarcity)


class PriceForecast:
    """Expected clearing prices of the coming day.

    The price expected of an interval is the mean of what the same time of day cleared at in the
    last days, and the prior where it has not cleared yet. Where the supplier's prices change, what
    is remembered is the place of the price between feed-in and retail.

    Parameters
    ----------
    prior_ueur_per_kwh : (T,) float
        Prior of every interval of the run, e.g. :func:`prior_prices`. [µEUR/kWh]
    step_s : int
        Length of an interval. [s]
    days : int
        How many days are remembered.
    tariffs : Tariffs, optional
        The supplier's prices, where they change.
    """

    def __init__(
        self,
        prior_ueur_per_kwh: FloatArray,
        step_s: int,
        days: int = DAYS_REMEMBERED,
        tariffs: Tariffs | None = None,
    ) -> None:
        self.slots = max(1, HOURS_PER_DAY * SECONDS_PER_HOUR // step_s)
        self._prior = prior_ueur_per_kwh
        self._low = self._span = None
        if tariffs is not None and tariffs.varies:
            self._low = tariffs.feed_in.astype(np.float64)
            self._span = (tariffs.local_limit - tariffs.feed_in).astype(np.float64)
        self._history = np.full((days, self.slots), np.nan)
        self._mean = np.full(self.slots, np.nan)

    def update(self, interval: int, price_ueur_per_kwh: int) -> None:
        """Learn what an interval cleared at.

        Parameters
        ----------
        interval : int
            The interval; it replaces the one ``days`` days before it.
        price_ueur_per_kwh : int
            Its clearing price. [µEUR/kWh]
        """
        day, slot = divmod(interval, self.slots)
        self._history[day % len(self._history), slot] = self._place(interval, price_ueur_per_kwh)
        known = self._history[:, slot]
        self._mean[slot] = np.mean(known[~np.isnan(known)])

    def expected(self, interval: int) -> float:
        """Return the price expected of an interval. [µEUR/kWh]"""
        learnt = self._mean[interval % self.slots]
        if self._low is not None and self._span is not None:
            learnt = self._low[interval] + learnt * self._span[interval]
        return float(self._prior[interval] if np.isnan(learnt) else learnt)

    def coming_day(self, interval: int) -> FloatArray:
        """Return prices expected of a day from an interval on, or to the end of the run.

        Returns
        -------
        (up to slots per day,) float
            In order of time. [µEUR/kWh]
        """
        prior = self._prior[interval : interval + self.slots]
        learnt = np.roll(self._mean, -(interval % self.slots))[: len(prior)]
        if self._low is not None and self._span is not None:
            window = slice(interval, interval + len(prior))
            learnt = self._low[window] + learnt * self._span[window]
        return np.where(np.isnan(learnt), prior, learnt)

    def _place(self, interval: int, price_ueur_per_kwh: int) -> float:
        """Return what is remembered of a price."""
        if self._low is None or self._span is None:
            return price_ueur_per_kwh
        span = self._span[interval]
        return float((price_ueur_per_kwh - self._low[interval]) / span) if span else 1.0

    def state(self) -> dict[str, FloatArray]:
        """Return what it has learnt."""
        return {"history": self._history.copy(), "mean": self._mean.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self._history = np.array(state["history"], dtype=np.float64)
        self._mean = np.array(state["mean"], dtype=np.float64)
