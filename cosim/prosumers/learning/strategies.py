"""Bidding strategies whose prices are learnt: mark-ups on value and cost, by what they earned.

Every follower has learners of its own for orders, one situation for selling and one for buying,
and for flexibility, one for lowering and one for raising its injection. An action is how far the
price lies from the follower's value or cost, on an even grid. A learner sees its own fills, awards
and money alone, two intervals later, when they are settled.

What an action earned is measured so that hours of much and of little energy count alike, from 0 to
about 1:

* an order: the money of the trade beyond its value, by what it could have been at most, the energy
  offered times the spread between the supplier's prices;
* flexibility: the money of the DSO, penalties taken off, less the cost of what was awarded, by the
  cost of all that was offered times the highest mark-up. It counts in intervals in which the DSO
  asked for one direction in which the follower had offered; where it had offered in both, money
  cannot be told apart and nothing is learnt.

Simplified: costs of awards are those of energy that the supplier would take or deliver, though some
of it may have been traded; money of an interval includes its deviations from what was planned.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices, Outcomes
from cosim.prosumers.learning.learners import Learner, QLearning, RothErev
from cosim.prosumers.mark_up import marked_up
from cosim.prosumers.strategies import (
    BidContext,
    LimitOrders,
    Strategy,
    StrategySetup,
    require_choice,
    require_options,
    values_of,
)
from cosim.units import WH_PER_KWH, FloatArray, IntArray

SELLING, BUYING = 0, 1
LOWERING, RAISING = 0, 1
_SITUATIONS = 2


def _no_wh(n: int) -> IntArray:
    return np.zeros(n, dtype=np.int64)


@dataclass(frozen=True)
class _Asked:
    """Choices of one interval, and what has become known of them; ``m`` followers, ``b`` blocks.

    Attributes
    ----------
    situation, action : (m,) int64
        Of the order.
    energy_wh, value, spread : (m,) int64
        Energy of the order, 0 for none; its worth and the supplier's spread. [Wh, µEUR/kWh]
    mark_up : (2, m) int64
        Actions in lowering and raising.
    follower, block_wh, block_cost : (b,) int64
        Blocks that were offered. [Wh, µEUR/kWh]
    lowers : (b,) bool
    filled_wh, awarded_wh : (m,) int64
        Of the order, and of flexibility, raising positive. [Wh]
    offered_wh : (2, m) int64
        Flexibility offered by direction where the DSO asked; 0 where it did not. [Wh]
    """

    situation: IntArray
    action: IntArray
    energy_wh: IntArray
    value: IntArray
    spread: IntArray
    mark_up: IntArray = field(default_factory=lambda: _no_wh(0))
    follower: IntArray = field(default_factory=lambda: _no_wh(0))
    block_wh: IntArray = field(default_factory=lambda: _no_wh(0))
    block_cost: IntArray = field(default_factory=lambda: _no_wh(0))
    lowers: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    filled_wh: IntArray = field(default_factory=lambda: _no_wh(0))
    awarded_wh: IntArray = field(default_factory=lambda: _no_wh(0))
    offered_wh: IntArray = field(default_factory=lambda: _no_wh(0))

    def with_(self, **known: Any) -> Self:
        """Return the same with more of it known."""
        return type(self)(**{each.name: getattr(self, each.name) for each in fields(self)} | known)


class LearningStrategy(Strategy):
    """Orders and flexibility at learnt mark-ups.

    Parameters
    ----------
    setup : StrategySetup
        Who follows it, and the supplier's prices.
    levels : int
        Prices to choose from: of orders, even steps from the follower's value to the supplier's
        price at the other end of the spread; of flexibility, from cost to the highest mark-up.
    highest_mark_up : float
        On the cost of flexibility. [-]
    """

    def __init__(self, setup: StrategySetup, levels: int, highest_mark_up: float) -> None:
        super().__init__(setup)
        require_options(levels=(levels, 2, 100), highest_mark_up=(highest_mark_up, 0.01, 1_000.0))
        n, self._levels = len(setup.names), int(levels)
        self._highest = float(highest_mark_up)
        self.of_orders = self.make_learner(n, _SITUATIONS, self._levels)
        self.of_flexibility = self.make_learner(n, _SITUATIONS, self._levels)
        self._asked: list[_Asked] = []  # of this interval, the one before, and the one before that

    @abstractmethod
    def make_learner(self, n_learners: int, n_situations: int, n_actions: int) -> Learner:
        """Return a learner for every follower, knowing nothing."""

    def bid(self, context: BidContext) -> LimitOrders:
        """Ask above, or offer below, what each order is worth, as far as was learnt to pay."""
        tariff = self.tariff_of(context)
        least, most = tariff.feed_in_price_ueur_per_kwh, tariff.local_limit_ueur_per_kwh
        value = values_of(context, tariff)
        situation = np.where(context.is_sell, SELLING, BUYING).astype(np.int64)
        action = self.of_orders.choose(situation, context.rng)
        span = np.where(context.is_sell, most - value, least - value)
        price = value + np.rint(span * self._share(action)).astype(np.int64)
        asked = _Asked(
            situation=situation,
            action=action,
            energy_wh=context.energy_wh.astype(np.int64),
            value=value,
            spread=np.full_like(value, most - least),
        )
        self._asked = [asked, *self._asked[:2]]
        return LimitOrders(context.energy_wh, price)

    def price_flexibility(self, context: FlexibilityContext) -> FlexibilityPrices:
        """Ask for the mark-up on cost that was learnt to pay, after learning from what is known."""
        self._learn(context.outcomes)
        n = len(self.setup.names)
        mark_up = np.stack(
            [
                self.of_flexibility.choose(np.full(n, way), context.rng)
                for way in (LOWERING, RAISING)
            ]
        )
        own = mark_up[np.where(context.lowers, LOWERING, RAISING), context.follower]
        factor = 1.0 + self._highest * self._share(own)
        self._asked[0] = self._asked[0].with_(
            mark_up=mark_up,
            follower=context.follower.astype(np.int64),
            block_wh=context.energy_wh.astype(np.int64),
            block_cost=context.cost_ueur_per_kwh.astype(np.int64),
            lowers=context.lowers.copy(),
        )
        return FlexibilityPrices(
            context.energy_wh,
            marked_up(context.cost_ueur_per_kwh, factor),
            marked_up(context.cost_if_traded_ueur_per_kwh, factor),
        )

    def _share(self, action: IntArray) -> FloatArray:
        """Return actions as shares of the way to the highest price, from 0 to 1."""
        share: FloatArray = action / (self._levels - 1)
        return share

    def _learn(self, own: Outcomes) -> None:
        """Note fills and awards of the interval before; learn from the money of that before it."""
        if len(self._asked) > 1:
            asked_wh = (own.requested_down_wh, own.requested_up_wh)
            offered_wh = (own.offered_down_wh, own.offered_up_wh)
            self._asked[1] = self._asked[1].with_(
                filled_wh=np.abs(own.contracted_wh),
                awarded_wh=own.awarded_wh.copy(),
                offered_wh=np.stack(
                    [wh * (asked > 0) for wh, asked in zip(offered_wh, asked_wh, strict=True)]
                ),
            )
        if len(self._asked) > 2:
            settled, now = self._asked[2], self._asked[0]
            self._learn_orders(settled, own.traded_ueur, now.situation)
            self._learn_flexibility(settled, own.flexibility_ueur)

    def _learn_orders(self, asked: _Asked, traded_ueur: IntArray, now: IntArray) -> None:
        most_ueur = asked.energy_wh * asked.spread / WH_PER_KWH
        who = np.flatnonzero(most_ueur > 0)
        sign = np.where(asked.situation == SELLING, -1, 1)
        gained = traded_ueur + sign * asked.filled_wh * asked.value / WH_PER_KWH
        reward = gained[who] / most_ueur[who]
        self.of_orders.learn(who, asked.situation[who], asked.action[who], reward, now[who])

    def _learn_flexibility(self, asked: _Asked, received_ueur: IntArray) -> None:
        offers = asked.offered_wh > 0
        for way, awarded_wh in (
            (LOWERING, np.maximum(-asked.awarded_wh, 0)),
            (RAISING, np.maximum(asked.awarded_wh, 0)),
        ):
            cost_ueur, all_ueur = _costs_ueur(asked, way == LOWERING, awarded_wh)
            alone = offers[way] & ~offers[1 - way] & (all_ueur > 0)
            who = np.flatnonzero(alone)
            reward = (received_ueur - cost_ueur)[who] / (self._highest * all_ueur[who])
            same = np.full(who.size, way)
            self.of_flexibility.learn(who, same, asked.mark_up[way, who], reward, same)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was learnt, and what was asked and is not settled."""
        found: dict[str, npt.NDArray[Any]] = {"pending": np.array(len(self._asked))}
        for name, learner in (("orders", self.of_orders), ("flexibility", self.of_flexibility)):
            found |= {f"{name}.{key}": value for key, value in learner.state().items()}
        for age, asked in enumerate(self._asked):
            found |= {f"{age}.{each.name}": getattr(asked, each.name) for each in fields(asked)}
        return found

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""

        def of(part: str) -> dict[str, npt.NDArray[Any]]:
            own = {key: value for key, value in state.items() if key.startswith(part)}
            return {key.removeprefix(part): value for key, value in own.items()}

        self.of_orders.restore(of("orders."))
        self.of_flexibility.restore(of("flexibility."))
        self._asked = [_Asked(**of(f"{age}.")) for age in range(int(state["pending"]))]


class RothErevStrategy(LearningStrategy):
    """Prices by propensities (:class:`~cosim.prosumers.learning.learners.RothErev`).

    Parameters
    ----------
    setup : StrategySetup
    levels, highest_mark_up
        As of :class:`LearningStrategy`.
    experimentation, recency, initial : float
        As of the learner; in the modified form recency is at least the experimentation over the
        number of other levels. [-]
    form : str
        ``modified`` or ``original``.
    """

    def __init__(
        self,
        setup: StrategySetup,
        levels: int = 5,
        highest_mark_up: float = 2.0,
        experimentation: float = 0.2,
        recency: float = 0.1,
        initial: float = 1.0,
        form: str = "modified",
    ) -> None:
        require_options(
            levels=(levels, 2, 100),
            experimentation=(experimentation, 0.0, 1.0),
            recency=(recency, 0.0, 1.0),
            initial=(initial, 1e-6, 1e6),
        )
        require_choice("form", form, ("modified", "original"))
        if form == "modified":
            # or else propensities of actions that are never chosen grow without bound
            others = max(levels - 1, 1)
            require_options(recency=(recency, experimentation / others, 1.0))
        self._options = (experimentation, recency, initial)
        self._is_modified = form == "modified"
        super().__init__(setup, levels, highest_mark_up)

    def make_learner(self, n_learners: int, n_situations: int, n_actions: int) -> Learner:
        """Return propensities that are all alike."""
        shape = (n_learners, n_situations, n_actions)
        return RothErev(*shape, *self._options, is_modified=self._is_modified)


class QLearningStrategy(LearningStrategy):
    """Prices by values of actions (:class:`~cosim.prosumers.learning.learners.QLearning`).

    Parameters
    ----------
    setup : StrategySetup
    levels, highest_mark_up
        As of :class:`LearningStrategy`.
    learning_rate, discount, exploration, exploration_decay, initial : float
        As of the learner. [-]
    """

    def __init__(
        self,
        setup: StrategySetup,
        levels: int = 5,
        highest_mark_up: float = 2.0,
        learning_rate: float = 0.1,
        discount: float = 0.0,
        exploration: float = 0.3,
        exploration_decay: float = 0.995,
        initial: float = 1.0,
    ) -> None:
        require_options(
            learning_rate=(learning_rate, 0.0, 1.0),
            discount=(discount, 0.0, 0.999),
            exploration=(exploration, 0.0, 1.0),
            exploration_decay=(exploration_decay, 1e-6, 1.0),
            initial=(initial, 0.0, 1e6),
        )
        self._options = (learning_rate, discount, exploration, exploration_decay, initial)
        super().__init__(setup, levels, highest_mark_up)

    def make_learner(self, n_learners: int, n_situations: int, n_actions: int) -> Learner:
        """Return values that are all alike."""
        return QLearning(n_learners, n_situations, n_actions, *self._options)


def _costs_ueur(
    asked: _Asked, lowering: bool, awarded_wh: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return what awards cost each follower, cheapest blocks first, and all blocks, (m,) each."""
    own = np.flatnonzero(asked.lowers == lowering)
    own = own[np.lexsort((asked.block_cost[own], asked.follower[own]))]
    follower, energy_wh, cost = asked.follower[own], asked.block_wh[own], asked.block_cost[own]
    reached = np.cumsum(energy_wh) - energy_wh
    # what blocks of followers before hold is no part of a follower's own
    first = np.searchsorted(follower, follower)
    before = reached - reached[first] if own.size else reached
    taken_wh = np.clip(awarded_wh[follower] - before, 0, energy_wh)
    n = awarded_wh.size
    of_awards: FloatArray = np.zeros(n)
    of_all: FloatArray = np.zeros(n)
    np.add.at(of_awards, follower, taken_wh * cost / WH_PER_KWH)
    np.add.at(of_all, follower, energy_wh * cost / WH_PER_KWH)
    return of_awards, of_all
