"""Strategies asked for their bids: every fault of one carries its name and the interval.

A strategy is foreign code. It must answer with orders that a market can take, leave the program
running, and draw from the generators that it is given: whatever else it drew from, a run could not
be played again to the same bytes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from cosim.errors import CosimError, ScenarioError, in_one_line
from cosim.plugins import STRATEGIES
from cosim.plugins.registry import is_built_in
from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices
from cosim.prosumers.strategies import (
    FIELD,
    BidContext,
    LimitOrders,
    Strategy,
    StrategySetup,
    check_flexibility,
    check_orders,
    make_strategy,
)
from cosim.scenario.prosumers import StrategySettings
from cosim.seeds import WATCHING, shared_generators

MEND = "mend the strategy (docs/strategies.md)"
OWN_DRAWS = "draw from setup.rng in __init__ and from context.rng in bid, and read no clock"


C = TypeVar("C", BidContext, FlexibilityContext)
A = TypeVar("A", LimitOrders, FlexibilityPrices)

_UNUSUAL = 0x5EED_0DD5
"""Seed of the shared generators while a strategy is asked."""


class AskedStrategy:
    """One strategy of a scenario, and what it is asked.

    Parameters
    ----------
    share : StrategySettings
        Its name and options.
    setup : callable
        Gives its setup, with a generator at its beginning, every time anew.

    Raises
    ------
    ScenarioError
        If the name is unknown, its options do not fit, or it cannot be made; names it.
    """

    def __init__(self, share: StrategySettings, setup: Callable[[], StrategySetup]) -> None:
        self.name = share.name
        self._share = share
        self._setup = setup
        # a test watches the strategies that ship, so that a run need not: what else a process does,
        # as a worker of a cluster, may draw in another thread meanwhile
        self._watched = not is_built_in(STRATEGIES.load(share.name))
        self._strategy = self._made()
        self._second: Strategy | None = None

    def bid(self, context: BidContext) -> LimitOrders:
        """Return the orders of one interval.

        In the first interval a second object of the strategy is made and asked the same: answers
        that differ come from draws or a clock that no seed governs.

        Raises
        ------
        ScenarioError
            If the strategy fails, ends the program, answers with orders that a market could not
            take, or is not repeatable.
        """
        return self._repeatable(self._orders, context, "bids")

    def price_flexibility(self, context: FlexibilityContext) -> FlexibilityPrices:
        """Return energy and prices of the blocks of one interval.

        Asked twice in the first interval, as :meth:`bid` is.

        Raises
        ------
        ScenarioError
            As of :meth:`bid`.
        """
        return self._repeatable(self._flexibility, context, "prices of flexibility")

    def _repeatable(self, ask: Callable[[Strategy, C], A], context: C, answers: str) -> A:
        if context.interval > 0:
            return ask(self._strategy, context)
        first = copy.deepcopy(context.rng)
        given = ask(self._strategy, context)
        if self._second is None:
            self._second = self._made()
        again = ask(self._second, replace(context, rng=first))
        if not all(np.array_equal(value, vars(again)[name]) for name, value in vars(given).items()):
            raise self._refusal(
                "in interval 0",
                f"asked the same twice it answers otherwise: its {answers} do not follow from "
                "the scenario's seed",
                OWN_DRAWS,
            )
        return given

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what it has learnt."""
        with self._guard("in state()", watched=self._watched):
            return {key: np.array(value) for key, value in self._strategy.state().items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""
        with self._guard("in restore()", watched=self._watched):
            self._strategy.restore(state)

    def _made(self) -> Strategy:
        # its own words about its options
        with self._guard("as it is made", own=CosimError, watched=self._watched):
            return make_strategy(self._share, self._setup())

    def _orders(self, strategy: Strategy, context: BidContext) -> LimitOrders:
        with self._guard(f"in interval {context.interval}", watched=self._watched):
            orders = strategy.bid(context)
        return check_orders(self.name, context, orders)

    def _flexibility(self, strategy: Strategy, context: FlexibilityContext) -> FlexibilityPrices:
        where = f"in interval {context.interval}, pricing flexibility"
        with self._guard(where, watched=self._watched):
            answer = strategy.price_flexibility(context)
        return check_flexibility(self.name, context, answer)

    @contextmanager
    def _guard(
        self, where: str, own: type[Exception] | tuple[()] = (), watched: bool = True
    ) -> Iterator[None]:
        try:
            if watched:
                with _shared_generators_at_rest() as drawn:
                    yield
            else:
                yield
        except KeyboardInterrupt:
            raise
        except own:
            raise
        except BaseException as error:
            raise self._refusal(where, f"failed: {in_one_line(error)}", MEND) from error
        if watched and drawn:
            raise self._refusal(
                where,
                f"draws from the global generator of {drawn[0]}, which the scenario's seed does "
                "not govern",
                OWN_DRAWS,
            )

    def _refusal(self, where: str, problem: str, remedy: str) -> ScenarioError:
        return ScenarioError(
            f"strategy '{self.name}' {where}: {problem}", field=FIELD, remedy=remedy
        )


@contextmanager
def _shared_generators_at_rest() -> Iterator[list[str]]:
    """Give the names of the shared generators that are drawn from, in the end.

    Meanwhile they are in a state that nobody else sets, so that seeding them is noticed as drawing
    is; afterwards they are what they were.
    """
    with WATCHING:  # runs in other threads set them, too
        shared = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(_UNUSUAL)
        np.random.seed(_UNUSUAL)  # noqa: NPY002
        before = shared_generators()
        drawn: list[str] = []
        try:
            yield drawn
            after = shared_generators()
            drawn += [module for module, state in before.items() if after[module] != state]
        finally:
            random.setstate(shared[0])
            np.random.set_state(shared[1])  # noqa: NPY002


__all__ = ["AskedStrategy"]
