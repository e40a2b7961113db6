"""Expected clearing prices: a prior, then the last days by time of day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.scenario.tariff import Tariff, Tariffs
from cosim.units import SECONDS_PER_HOUR, FloatArray, IntArray

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
    demand_mw, supply_mw : (T,) or (T, markets) float
        Consumption and generation that the community expects, day ahead, or each market's. [MW]
    tariff : Tariff or Tariffs
        The supplier's prices, the same in every interval or not.

    Returns
    -------
    (T,) or (T, markets) float
        Expected prices. [µEUR/kWh]
    """
    total = demand_mw + supply_mw
    scarcity = np.divide(demand_mw, total, out=np.ones_like(total), where=total > 0)
    if isinstance(tariff, Tariffs):
        low, span = (along(one, scarcity) for one in _range(tariff))
        return np.asarray(low + span * scarcity)
    feed_in = tariff.feed_in_price_ueur_per_kwh
    return np.asarray(feed_in + (tariff.local_limit_ueur_per_kwh - feed_in) * scarcity)


def along(values: FloatArray, like: FloatArray) -> FloatArray:
    """Return values by interval, (T,), as they count for every market of (T, markets)."""
    return values[:, None] if like.ndim > 1 else values


def _range(tariffs: Tariffs) -> tuple[FloatArray, FloatArray]:
    """Return the lowest price that anybody would take, and what the highest is above it."""
    low: FloatArray = tariffs.feed_in.astype(np.float64)
    return low, tariffs.local_limit - low


class PriceForecast:
    """Expected clearing prices of the coming day, of one market or of several.

    The price expected of an interval is the mean of what the same time of day cleared at in the
    last days, and the prior where it has not cleared yet. Where the supplier's prices change, what
    is remembered is the place of the price between feed-in and retail.

    Parameters
    ----------
    prior_ueur_per_kwh : (T,) or (T, markets) float
        Prior of every interval of the run, e.g. :func:`prior_prices`. [µEUR/kWh]
    step_s : int
        Length of an interval. [s]
    days : int
        How many days are remembered.
    tariffs : Tariffs, optional
        The supplier's prices, where they change.
    market_of : (n,) int64, optional
        Market that each prosumer is in, of those of the prior; default: there is one. What is
        expected is then by prosumer.
    """

    def __init__(
        self,
        prior_ueur_per_kwh: FloatArray,
        step_s: int,
        days: int = DAYS_REMEMBERED,
        tariffs: Tariffs | None = None,
        market_of: IntArray | None = None,
    ) -> None:
        self.slots = max(1, HOURS_PER_DAY * SECONDS_PER_HOUR // step_s)
        self._prior = prior_ueur_per_kwh
        self._market_of = market_of
        self._first_of = None if market_of is None else np.unique(market_of, return_index=True)[1]
        self._low = self._span = None
        if tariffs is not None and tariffs.varies:
            low, span = _range(tariffs)
            self._low, self._span = (along(one, prior_ueur_per_kwh) for one in (low, span))
        markets = prior_ueur_per_kwh.shape[1:]
        self._history = np.full((days, self.slots, *markets), np.nan)
        self._mean = np.full((self.slots, *markets), np.nan)

    def learn(self, interval: int, price_ueur_per_kwh: IntArray, volume_wh: IntArray) -> None:
        """Learn what an interval cleared at where anything was traded.

        Parameters
        ----------
        interval : int
        price_ueur_per_kwh, volume_wh : (n,) int64
            Of the market that each prosumer is in. [µEUR/kWh, Wh]
        """
        if self._first_of is None:
            if volume_wh.any():
                at = int(volume_wh.argmax())
                self.update(interval, int(price_ueur_per_kwh[at]))
            return
        traded = volume_wh[self._first_of] > 0
        day, slot = divmod(interval, self.slots)
        place = self._place(interval, price_ueur_per_kwh[self._first_of])
        own = self._history[day % len(self._history), slot]
        own[traded] = place[traded]
        known = self._history[:, slot][:, traded]
        counts = np.count_nonzero(~np.isnan(known), axis=0)
        self._mean[slot, traded] = np.nansum(known, axis=0) / counts

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

    def expected(self, interval: int) -> FloatArray | float:
        """Return the price expected of an interval, (n,) of several markets. [µEUR/kWh]"""
        learnt = self._mean[interval % self.slots]
        if self._low is not None and self._span is not None:
            learnt = self._low[interval] + learnt * self._span[interval]
        found = np.where(np.isnan(learnt), self._prior[interval], learnt)
        return float(found) if self._market_of is None else found[self._market_of]

    def coming_day(self, interval: int) -> FloatArray:
        """Return prices expected of a day from an interval on, or to the end of the run.

        Returns
        -------
        (up to slots per day,) or (up to slots per day, n) float
            In order of time. [µEUR/kWh]
        """
        prior = self._prior[interval : interval + self.slots]
        learnt = np.roll(self._mean, -(interval % self.slots), axis=0)[: len(prior)]
        if self._low is not None and self._span is not None:
            window = slice(interval, interval + len(prior))
            learnt = self._low[window] + learnt * self._span[window]
        found = np.where(np.isnan(learnt), prior, learnt)
        return found if self._market_of is None else found[:, self._market_of]

    def _place(self, interval: int, price_ueur_per_kwh: IntArray | int) -> Any:
        """Return what is remembered of a price, or of one by market."""
        if self._low is None or self._span is None:
            return price_ueur_per_kwh
        span = float(self._span[interval].flat[0])
        if not span:
            return price_ueur_per_kwh * 0.0 + 1.0
        return (price_ueur_per_kwh - self._low[interval]) / span

    def state(self) -> dict[str, FloatArray]:
        """Return what it has learnt."""
        return {"history": self._history.copy(), "mean": self._mean.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self._history = np.array(state["history"], dtype=np.float64)
        self._mean = np.array(state["mean"], dtype=np.float64)
