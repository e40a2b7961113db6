"""Bidding strategies, which price prosumers' orders and flexibility; others plug in.

A strategy sees what its followers are about to trade and names a limit price for each, and may
offer less than all of it; and likewise of what they can offer to the DSO. See docs/strategies.md
for how to write one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.errors import ScenarioError
from cosim.plugins import STRATEGIES
from cosim.plugins.options import make_with_options
from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices
from cosim.scenario.prosumers import StrategySettings
from cosim.scenario.tariff import Tariff, Tariffs
from cosim.units import BoolArray, FloatArray, IntArray

PRICE_LIMIT_UEUR_PER_KWH = 2**31
FIELD = "prosumers.strategies"


@dataclass(frozen=True)
class StrategySetup:
    """Followers, prices and draws of a strategy, known before the first interval.

    Parameters
    ----------
    names : tuple of str
        The prosumers that follow it, ``m`` of them; arrays are in this order.
    step_s : int
        Length of an interval. [s]
    tariff : Tariff
        The supplier's prices in the first interval.
    rng : numpy.random.Generator
        Seeded; for draws that stay the same over the run.
    """

    names: tuple[str, ...]
    step_s: int
    tariff: Tariff
    rng: np.random.Generator


@dataclass(frozen=True)
class BidContext:
    """State of the market and of the followers for a bid of one interval, with read-only arrays.

    Parameters
    ----------
    interval : int
        The delivery interval.
    is_sell : (m,) bool
        Side of each prosumer's order.
    energy_wh : (m,) int64
        What each has to trade, 0 for nothing. [Wh]
    battery_wh : (m,) int64
        Part of it that goes into or comes out of the battery, or is consumed now and does not
        wait, only because it is traded. [Wh]
    battery_price_ueur_per_kwh : (m,) int64
        Price at which that part breaks even: the most to pay when buying, the least to ask when
        selling. [µEUR/kWh]
    expected_price_ueur_per_kwh : float or (m,) float
        Clearing price that the price forecast expects; by follower in a run with several local
        markets. [µEUR/kWh]
    last_price_ueur_per_kwh : int or None, or (m,) float
        What the last interval cleared at; None if nothing was traded. In a run with several local
        markets by follower, NaN where nothing was traded. [µEUR/kWh]
    rng : numpy.random.Generator
        Seeded by the interval, so draws do not depend on those of earlier intervals.
    tariff : Tariff or None
        The supplier's prices in the interval; None: those of the set-up.
    coming_tariffs : Tariffs or None
        The supplier's prices of the coming day, this interval first; None if they never change.
    """

    interval: int
    is_sell: BoolArray
    energy_wh: IntArray
    battery_wh: IntArray
    battery_price_ueur_per_kwh: IntArray
    expected_price_ueur_per_kwh: FloatArray | float
    last_price_ueur_per_kwh: FloatArray | int | None
    rng: np.random.Generator
    tariff: Tariff | None = None
    coming_tariffs: Tariffs | None = None


@dataclass(frozen=True)
class LimitOrders:
    """Orders of a strategy for one interval.

    Parameters
    ----------
    energy_wh : (m,) int64
        Energy of each order: from 0, no order, to the ``energy_wh`` of the context. [Wh]
    price_ueur_per_kwh : (m,) int64
        Limit prices. [µEUR/kWh]
    """

    energy_wh: IntArray
    price_ueur_per_kwh: IntArray


class Strategy(ABC):
    """Base of all bidding strategies; options of the scenario become keyword arguments.

    Parameters
    ----------
    setup : StrategySetup
        Who follows it, and the supplier's prices.
    """

    def __init__(self, setup: StrategySetup) -> None:
        self.setup = setup

    def tariff_of(self, context: BidContext) -> Tariff:
        """Return the supplier's prices in the interval of a bid."""
        return self.setup.tariff if context.tariff is None else context.tariff

    @abstractmethod
    def bid(self, context: BidContext) -> LimitOrders:
        """Price the orders of one interval."""

    def price_flexibility(self, context: FlexibilityContext) -> FlexibilityPrices:
        """Price the flexibility of one interval; by default all of it at cost."""
        return FlexibilityPrices.at_cost(context)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what it has learnt, for a checkpoint; without memory keep this default."""
        return {}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:  # noqa: B027
        """Go back to a state that :meth:`state` gave."""


def values_of(context: BidContext, tariff: Tariff, given_up: FloatArray | float = 0.0) -> IntArray:
    """Return what each order is worth to its prosumer, (m,), rounded towards its good.

    Between the supplier's prices, which a trade is the alternative to; energy that passes through
    the battery because of the trade counts at its break-even price, an order of both kinds at
    their mean by energy. [µEUR/kWh]

    Parameters
    ----------
    context : BidContext
    tariff : Tariff
        The supplier's prices in the interval.
    given_up : (m,) float or float
        Share of the spread between the supplier's prices that a trade must leave. [-]
    """
    least, most = tariff.feed_in_price_ueur_per_kwh, tariff.local_limit_ueur_per_kwh
    left = np.rint(np.asarray(given_up) * (most - least)).astype(np.int64)
    value = np.where(context.is_sell, least + left, most - left)
    energy = np.maximum(context.energy_wh, 1)
    gain = context.battery_wh * (context.battery_price_ueur_per_kwh - value)
    mean = value + np.where(context.is_sell, -(-gain // energy), gain // energy)
    clipped: IntArray = np.clip(mean, least, most)
    return clipped


def require_options(**options: tuple[float, float, float]) -> None:
    """Refuse an option of a strategy that is out of range.

    Parameters
    ----------
    **options : tuple of float
        Value, least and most, by name.

    Raises
    ------
    ScenarioError
        If one is not in its range; names it.
    """
    for name, (value, least, most) in options.items():
        if not least <= value <= most:
            raise ScenarioError(
                f"{name} is {value}",
                field=f"{FIELD}.options.{name}",
                remedy=f"give a number from {least:g} to {most:g}",
            )


def require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse an option of a strategy that is none of some words.

    Raises
    ------
    ScenarioError
        If it is none of them; names them.
    """
    if value not in choices:
        raise ScenarioError(
            f"{name} is {value!r}",
            field=f"{FIELD}.options.{name}",
            remedy=f"give one of {', '.join(choices)}",
        )


class Truthful(Strategy):
    """Everyone asks for or offers their value.

    A buyer can always fall back on the supplier's retail price and a seller on the feed-in price,
    so these bound what a trade in the community is worth. A prosumer gives up a share of the spread
    between them that it keeps for the whole run, drawn uniformly from 0 to ``preference``: a buyer
    pays up to retail less that, a seller asks at least feed-in plus that. Retail counts less what a
    local purchase is charged. Energy that passes
    through the battery because of the trade counts at its break-even price, which holds losses and
    wear, and an order of both kinds at their mean by energy.

    Parameters
    ----------
    setup : StrategySetup
        Who follows it, and the supplier's prices.
    preference : float
        Largest share of the spread, from 0 to 0.5. [-]
    """

    def __init__(self, setup: StrategySetup, preference: float = 0.25) -> None:
        super().__init__(setup)
        require_options(preference=(preference, 0.0, 0.5))
        self._given_up = setup.rng.uniform(0.0, preference, len(setup.names))

    def bid(self, context: BidContext) -> LimitOrders:
        """Ask or offer each value, rounded towards the prosumer's good: asks up, bids down."""
        value = values_of(context, self.tariff_of(context), self._given_up)
        return LimitOrders(context.energy_wh, value)


class ZeroIntelligence(Strategy):
    """Random prices under a budget constraint: "ZI-C" of Gode and Sunder (1993).

    Bids are uniform between the least price and the buyer's value, asks between the seller's cost
    and the highest price. Here the value is the retail price less what a local purchase is charged,
    the cost the feed-in price, and they
    are the bounds too, so both sides draw from ``[feed-in, retail]`` anew in each interval.

    References
    ----------
    D. K. Gode, S. Sunder: Allocative Efficiency of Markets with Zero-Intelligence Traders. Journal
    of Political Economy 101 (1993) 119–137, doi:10.1086/261868.
    """

    def bid(self, context: BidContext) -> LimitOrders:
        """Draw uniform integer prices."""
        tariff = self.tariff_of(context)
        price = context.rng.integers(
            tariff.feed_in_price_ueur_per_kwh,
            tariff.local_limit_ueur_per_kwh,
            size=len(context.energy_wh),
            endpoint=True,
        )
        return LimitOrders(context.energy_wh, price)


class SupplierOnly(Strategy):
    """Nobody orders: everything is bought from the supplier, and sold to it.

    The counterfactual without a market; batteries do what they do when no order clears.
    """

    def bid(self, context: BidContext) -> LimitOrders:
        """Order nothing."""
        nothing = np.zeros_like(context.energy_wh)
        return LimitOrders(nothing, nothing)


def make_strategy(share: StrategySettings, setup: StrategySetup) -> Strategy:
    """Load a strategy and give it its options.

    Raises
    ------
    ScenarioError
        If the options do not fit.
    PluginError
        If two packages claim the name, or it is no strategy.
    """
    return make_with_options(STRATEGIES.load(share.name), share.name, setup, share.options, FIELD)


def check_orders(name: str, context: BidContext, orders: object) -> LimitOrders:
    """Return orders, unless a market contract could not take them.

    Raises
    ------
    ScenarioError
        If they are no :class:`LimitOrders`, an array has another shape than the followers or is not
        of integers, an energy is not between 0 and what there is to trade, or a price is not in
        ``[0, 2**31)``.
    """

    def refuse(problem: str) -> ScenarioError:
        return ScenarioError(
            f"strategy '{name}' in interval {context.interval}: {problem}",
            field=FIELD,
            remedy="mend the strategy (docs/strategies.md)",
        )

    if not isinstance(orders, LimitOrders):
        raise refuse(f"bid answered with {_kind_of(orders)}, not with LimitOrders")
    _check_columns(
        refuse,
        context.energy_wh,
        {"energy_wh": orders.energy_wh, "price_ueur_per_kwh": orders.price_ueur_per_kwh},
        "energy to trade",
    )
    return orders


def check_flexibility(name: str, context: FlexibilityContext, answer: object) -> FlexibilityPrices:
    """Return prices of flexibility, unless they are none that an offer could have.

    Raises
    ------
    ScenarioError
        As of :func:`check_orders`.
    """

    def refuse(problem: str) -> ScenarioError:
        return ScenarioError(
            f"strategy '{name}' in interval {context.interval}: {problem}",
            field=FIELD,
            remedy="mend the strategy (docs/strategies.md)",
        )

    if not isinstance(answer, FlexibilityPrices):
        raise refuse(
            f"price_flexibility answered with {_kind_of(answer)}, not with FlexibilityPrices"
        )
    _check_columns(refuse, context.energy_wh, vars(answer), "energy of the block")
    return answer


def _check_columns(
    refuse: Callable[[str], ScenarioError],
    most_wh: IntArray,
    columns: Mapping[str, Any],
    most: str,
) -> None:
    """Refuse columns that are no integers, of another length or out of range; energy is first."""
    for label, array in columns.items():
        if type(array) is not np.ndarray or array.dtype.kind not in "iu":
            raise refuse(f"{label} is no array of integers but {_kind_of(array)}")
        if array.shape != most_wh.shape:
            raise refuse(f"{label} has shape {array.shape}, not {most_wh.shape}")
    energy_wh, *prices = columns.values()
    if ((energy_wh < 0) | (energy_wh > most_wh)).any():
        raise refuse(f"energy_wh is not between 0 and the {most}")
    for price in prices:
        if ((price < 0) | (price >= PRICE_LIMIT_UEUR_PER_KWH)).any():
            raise refuse("a price is negative or does not fit in 31 bits")


def _kind_of(value: object) -> str:
    """Return words for what a strategy gave."""
    if not isinstance(value, np.ndarray):
        return "None" if value is None else f"a {type(value).__name__}"
    nan = value.dtype.kind == "f" and np.isnan(value).any()
    return f"{type(value).__name__} of {value.dtype}" + (" with NaN" if nan else "")
