"""Strategies of a population, and what they answer for everybody who follows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.errors import ScenarioError
from cosim.messages import BlocksMessage
from cosim.prosumers.asking import AskedStrategy
from cosim.prosumers.flexibility import FlexibilityContext, Outcomes
from cosim.prosumers.strategies import FIELD, BidContext, StrategySetup
from cosim.scenario.prosumers import StrategySettings
from cosim.scenario.tariff import Tariff, Tariffs
from cosim.seeds import assign_shares, child_seed
from cosim.units import BoolArray, FloatArray, IntArray

DAY_S = 86_400


@dataclass(frozen=True)
class _Setup:
    """Gives what a strategy knows before the first interval, every time anew."""

    names: tuple[str, ...]
    step_s: int
    tariff: Tariff
    seed: np.random.SeedSequence
    place: int

    def __call__(self) -> StrategySetup:
        rng = np.random.default_rng(child_seed(self.seed, 1, self.place))
        return StrategySetup(names=self.names, step_s=self.step_s, tariff=self.tariff, rng=rng)


class Followers:
    """Strategies of a population.

    Parameters
    ----------
    names : tuple of str
        Prosumers, ``n`` of them.
    shares : sequence of StrategySettings
    step_s : int
        Length of an interval. [s]
    tariff : Tariff or Tariffs
        The supplier's prices, the same in every interval or not.
    seed : numpy.random.SeedSequence
    named : mapping of int to StrategySettings
        Strategies of single prosumers, by position, in place of the drawn one; the draw of the
        others does not depend on them. Equal ones are one strategy with several followers.

    Raises
    ------
    ScenarioError
        If a strategy is unknown or its options do not fit.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        shares: Sequence[StrategySettings],
        step_s: int,
        tariff: Tariff | Tariffs,
        seed: np.random.SeedSequence,
        named: Mapping[int, StrategySettings] = MappingProxyType({}),
    ) -> None:
        self._names, self._step_s, self._seed = names, step_s, seed
        self._tariffs = tariff if isinstance(tariff, Tariffs) else Tariffs.constant(tariff)
        self.strategy_of = assign_shares(
            len(names),
            [share.share for share in shares],
            np.random.default_rng(child_seed(seed, 0)),
        )
        shares, n_drawn = list(shares), len(shares)
        for i, own in named.items():
            known = [(share.name, share.options) for share in shares]
            if (own.name, own.options) not in known:
                known.append((own.name, own.options))
                shares.append(own)
            self.strategy_of[i] = known.index((own.name, own.options))
        self._who = [np.flatnonzero(self.strategy_of == s) for s in range(len(shares))]
        self._strategies = [
            self._asked(s, share, is_named=s >= n_drawn) for s, share in enumerate(shares)
        ]

    def _asked(self, s: int, share: StrategySettings, *, is_named: bool) -> AskedStrategy:
        try:
            return AskedStrategy(share, self._setup(s))
        except ScenarioError as error:
            if not is_named or error.field is None:
                raise
            name = self._names[self._who[s][0]]
            field = error.field.replace(FIELD, f"prosumers.named ('{name}').strategy", 1)
            raise ScenarioError(error.problem, field=field, remedy=error.remedy) from error

    def _setup(self, s: int) -> _Setup:
        names = tuple(self._names[i] for i in self._who[s])
        return _Setup(names, self._step_s, self._tariffs.base, self._seed, s)

    def orders(
        self,
        interval: int,
        is_sell: BoolArray,
        energy_wh: IntArray,
        battery_wh: IntArray,
        battery_price_ueur_per_kwh: IntArray,
        expected_price_ueur_per_kwh: FloatArray | float,
        last_price_ueur_per_kwh: FloatArray | int | None,
    ) -> tuple[IntArray, IntArray]:
        """Return energy and price of everybody's order, (n,) each. [Wh, µEUR/kWh]

        Parameters
        ----------
        interval : int
        is_sell, energy_wh, battery_wh, battery_price_ueur_per_kwh : (n,) array
            As in :class:`cosim.prosumers.strategies.BidContext`.
        expected_price_ueur_per_kwh : float or (n,) float
        last_price_ueur_per_kwh : int or None, or (n,) float
        """
        order_wh, price = np.zeros_like(energy_wh), np.zeros_like(energy_wh)
        day = max(1, DAY_S // self._step_s)
        coming = self._tariffs.ahead(interval, day) if self._tariffs.varies else None
        for s, (strategy, who) in enumerate(zip(self._strategies, self._who, strict=True)):
            expected, last = expected_price_ueur_per_kwh, last_price_ueur_per_kwh
            if isinstance(expected, np.ndarray):
                expected = _read_only(expected[who])
            if isinstance(last, np.ndarray):
                last = _read_only(last[who])
            context = BidContext(
                interval=interval,
                is_sell=_read_only(is_sell[who]),
                energy_wh=_read_only(energy_wh[who]),
                battery_wh=_read_only(battery_wh[who]),
                battery_price_ueur_per_kwh=_read_only(battery_price_ueur_per_kwh[who]),
                expected_price_ueur_per_kwh=expected,
                last_price_ueur_per_kwh=last,
                rng=self._rng(2, s, interval),
                tariff=self._tariffs.at(interval),
                coming_tariffs=coming,
            )
            orders = strategy.bid(context)
            order_wh[who] = orders.energy_wh
            price[who] = np.where(orders.energy_wh > 0, orders.price_ueur_per_kwh, 0)
        return order_wh, price

    def flexibility(
        self,
        interval: int,
        blocks: BlocksMessage,
        planned_wh: IntArray,
        firm_wh: IntArray,
        state_of_charge: FloatArray,
        expected_price_ueur_per_kwh: FloatArray | float,
        outcomes: Outcomes | None,
    ) -> BlocksMessage:
        """Return blocks at the prices asked, with what of them is withheld.

        Parameters
        ----------
        interval : int
        blocks : BlocksMessage
            At cost.
        planned_wh, firm_wh, state_of_charge : (n,) array
            As in :class:`cosim.prosumers.flexibility.FlexibilityContext`.
        expected_price_ueur_per_kwh : float or (n,) float
        outcomes : Outcomes or None
            Of the population; None before there are any.
        """
        outcomes = outcomes or Outcomes.none(len(self._names))
        withheld_wh, price, if_traded = (
            np.zeros_like(blocks.energy_wh),
            blocks.price_ueur_per_kwh.copy(),
            blocks.price_if_traded_ueur_per_kwh.copy(),
        )
        for s, (strategy, who) in enumerate(zip(self._strategies, self._who, strict=True)):
            own = np.flatnonzero(self.strategy_of[blocks.prosumer] == s)
            expected = expected_price_ueur_per_kwh
            if isinstance(expected, np.ndarray):
                expected = _read_only(expected[who])
            context = FlexibilityContext(
                interval=interval,
                follower=_read_only(np.searchsorted(who, blocks.prosumer[own])),
                lowers=_read_only(blocks.direction[own] < 0),
                energy_wh=_read_only(blocks.energy_wh[own]),
                cost_ueur_per_kwh=_read_only(price[own]),
                cost_if_traded_ueur_per_kwh=_read_only(if_traded[own]),
                planned_wh=_read_only(planned_wh[who]),
                firm_wh=_read_only(firm_wh[who]),
                state_of_charge=_read_only(state_of_charge[who]),
                expected_price_ueur_per_kwh=expected,
                outcomes=outcomes.of(who),
                rng=self._rng(3, s, interval),
            )
            asked = strategy.price_flexibility(context)
            withheld_wh[own] = blocks.energy_wh[own] - asked.energy_wh
            price[own] = asked.price_ueur_per_kwh
            if_traded[own] = asked.price_if_traded_ueur_per_kwh
        return replace(
            blocks,
            withheld_wh=withheld_wh,
            price_ueur_per_kwh=price,
            price_if_traded_ueur_per_kwh=if_traded,
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what the strategies learnt, as plain arrays."""
        return {
            f"strategy.{s}.{key}": value
            for s, strategy in enumerate(self._strategies)
            for key, value in strategy.state().items()
        }

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave; other keys are passed over."""
        for s, strategy in enumerate(self._strategies):
            prefix = f"strategy.{s}."
            own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            strategy.restore(own)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(child_seed(self._seed, *key))


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.setflags(write=False)
    return array
