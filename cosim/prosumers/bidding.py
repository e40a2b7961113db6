"""The population's plan for one interval: orders, nominations and flexibility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.devices.battery import Batteries, charge_limit_mw, discharge_limit_mw
from cosim.devices.deferral import deferrable_mw, recovery_mw
from cosim.prosumers.community_battery import SharedBattery, nominate_wh
from cosim.prosumers.forecasts import Forecasts
from cosim.prosumers.planning import BatteryPlan, plan_arbitrage, plan_self_consumption
from cosim.prosumers.population import Population
from cosim.prosumers.potentials import Potentials, Reach, find_potentials
from cosim.prosumers.price_forecast import PriceForecast, prior_prices
from cosim.prosumers.settings import (
    FlexibilityCosts,
    ProsumerParameters,
    ProsumerSeeds,
    Tariff,
)
from cosim.prosumers.strategies import (
    BidContext,
    StrategySetup,
    assign_strategies,
    check_orders,
    make_strategy,
)
from cosim.seeds import child_seed
from cosim.units import SECONDS_PER_HOUR, BoolArray, FloatArray, IntArray, energy_wh_from_mw


@dataclass(frozen=True, slots=True)
class Bids:
    """What the population wants in one interval; arrays of shape (n,), net injection positive.

    Parameters
    ----------
    forecast_wh : (n,) int64
        Expected net energy without battery and without catching up. [Wh]
    planned_wh : (n,) int64
        Nominated if the order clears in full. [Wh]
    firm_wh : (n,) int64
        Nominated if it does not clear at all. [Wh]
    is_sell : (n,) bool
        Side of the order.
    order_wh : (n,) int64
        Energy of the order; 0 for none. [Wh]
    price_ueur_per_kwh : (n,) int64
        Its limit price; 0 without order. [µEUR/kWh]
    sent_at : (n,) float
        When the order leaves, as a fraction of the order window in [0, 1).
    q_inject_mvar : (n,) float
        Expected reactive injection. [Mvar]
    potentials : Potentials
        Flexibility on offer, and limits of curtailment.
    storage_wh : (n,) int64
        Nominated to a shared battery, charging positive. Orders are for the rest. [Wh]
    """

    forecast_wh: IntArray
    planned_wh: IntArray
    firm_wh: IntArray
    is_sell: BoolArray
    order_wh: IntArray
    price_ueur_per_kwh: IntArray
    sent_at: FloatArray
    q_inject_mvar: FloatArray
    potentials: Potentials
    storage_wh: IntArray


@dataclass(frozen=True, slots=True)
class _Expected:
    """One interval's forecast; EV and heat pump together. [MW, Mvar]"""

    load_p_mw: FloatArray
    flexible_p_mw: FloatArray
    pv_p_mw: FloatArray
    q_inject_mvar: FloatArray


class Bidders:
    """Bids of a population, interval by interval.

    Parameters
    ----------
    population : Population
        Who bids.
    forecasts : Forecasts
        Of the same shape as the population's profiles.
    parameters : ProsumerParameters
        Battery mode and strategies.
    tariff : Tariff
        The supplier's prices.
    seeds : ProsumerSeeds
        Seeds of send times and strategies.
    costs : FlexibilityCosts, optional
        Wear and discomfort.
    shared : SharedBattery, optional
        A battery that members share. At its own connection point nobody orders or offers.

    Raises
    ------
    ScenarioError
        If a strategy is unknown or its options do not fit.
    """

    def __init__(
        self,
        population: Population,
        forecasts: Forecasts,
        parameters: ProsumerParameters,
        tariff: Tariff,
        seeds: ProsumerSeeds,
        costs: FlexibilityCosts | None = None,
        shared: SharedBattery | None = None,
    ) -> None:
        self.population = population
        self.forecasts = forecasts
        self.tariff = tariff
        self.costs = costs or FlexibilityCosts()
        self.shared = shared
        self._mode = parameters.battery.mode
        self._step_h = population.step_s / SECONDS_PER_HOUR
        self._send_seed = seeds.send_times
        self._strategy_seed = seeds.strategies
        demand_mw = population.load_p_mw + population.flexible_p_mw
        self.price_forecast = PriceForecast(
            prior_prices(demand_mw.sum(axis=1), population.pv_p_mw.sum(axis=1), tariff),
            population.step_s,
        )
        shares = parameters.strategies
        self.strategy_of = assign_strategies(
            population.n,
            [share.share for share in shares],
            np.random.default_rng(child_seed(seeds.strategies, 0)),
        )
        self.strategy_names = tuple(share.name for share in shares)
        self._followers = [np.flatnonzero(self.strategy_of == s) for s in range(len(shares))]
        self._strategies = [
            make_strategy(
                share,
                StrategySetup(
                    names=tuple(population.names[i] for i in self._followers[s]),
                    step_s=population.step_s,
                    tariff=tariff,
                    rng=np.random.default_rng(child_seed(seeds.strategies, 1, s)),
                ),
            )
            for s, share in enumerate(shares)
        ]

    def bid(
        self,
        interval: int,
        soc_mwh: FloatArray,
        owed_mwh: FloatArray,
        last_price_ueur_per_kwh: int | None = None,
        external_p_mw: FloatArray | None = None,
        storage_wh: IntArray | None = None,
    ) -> Bids:
        """Plan one interval and price its orders.

        Parameters
        ----------
        interval : int
            The delivery interval.
        soc_mwh, owed_mwh : (n,) float
            Stored energy and owed consumption at the end of the interval before. [MWh]
        last_price_ueur_per_kwh : int, optional
            What the interval before cleared at; None if nothing was traded. [µEUR/kWh]
        external_p_mw : (n,) float, optional
            Last net injection of prosumers that another simulator feeds, NaN for all others. They
            are expected to repeat it and have nothing to control. [MW]
        storage_wh : (n,) int64, optional
            What each has stored in the shared battery; None for nothing. [Wh]

        Returns
        -------
        Bids
        """
        if interval > 0 and last_price_ueur_per_kwh is not None:
            self.price_forecast.update(interval - 1, last_price_ueur_per_kwh)
        expected = self._expect(interval, external_p_mw)
        batteries, deferral = self.population.batteries, self.population.deferral
        if external_p_mw is not None:
            batteries, owed_mwh = _without_external(batteries, owed_mwh, external_p_mw)
        if self.shared is not None:
            batteries = _without_battery(batteries, self.shared.point)
        recovery = recovery_mw(deferral, owed_mwh, expected.flexible_p_mw, self._step_h)
        forecast_mw = expected.pv_p_mw - expected.load_p_mw - expected.flexible_p_mw
        inflexible_mw = forecast_mw - recovery
        plan = self._plan(interval, batteries, soc_mwh, inflexible_mw)
        firm_wh = energy_wh_from_mw(inflexible_mw - plan.firm_p_mw, self.population.step_s)
        planned_wh = energy_wh_from_mw(inflexible_mw - plan.planned_p_mw, self.population.step_s)
        stored_wh = self._store(firm_wh, planned_wh, storage_wh)
        traded_wh = planned_wh - stored_wh
        order_wh, price = self._price(interval, plan, traded_wh, last_price_ueur_per_kwh)
        reach = Reach(
            pv_p_mw=expected.pv_p_mw,
            load_p_mw=expected.load_p_mw,
            flexible_p_mw=expected.flexible_p_mw,
            recovery_p_mw=recovery,
            deferrable_p_mw=deferrable_mw(deferral, owed_mwh, expected.flexible_p_mw, self._step_h),
            charge_limit_mw=charge_limit_mw(batteries, soc_mwh, self._step_h),
            discharge_limit_mw=discharge_limit_mw(batteries, soc_mwh, self._step_h),
            battery_low_mw=np.minimum(plan.firm_p_mw, plan.planned_p_mw),
            battery_high_mw=np.maximum(plan.firm_p_mw, plan.planned_p_mw),
            net_low_wh=np.minimum(firm_wh, planned_wh),
        )
        potentials = find_potentials(
            reach, batteries.round_trip_efficiency, self.tariff, self.costs, self._step_h
        )
        if external_p_mw is not None:
            potentials = _uncontrolled(potentials, ~np.isnan(external_p_mw))
        if self.shared is not None:
            at_battery = np.arange(self.population.n) == self.shared.point
            potentials = _uncontrolled(potentials, at_battery)
            order_wh = np.where(at_battery, 0, order_wh)
            price = np.where(at_battery, 0, price)
        return Bids(
            forecast_wh=energy_wh_from_mw(forecast_mw, self.population.step_s),
            planned_wh=planned_wh,
            firm_wh=firm_wh,
            is_sell=traded_wh > 0,
            order_wh=order_wh,
            price_ueur_per_kwh=price,
            sent_at=self._rng(self._send_seed, interval).random(self.population.n),
            q_inject_mvar=expected.q_inject_mvar,
            potentials=potentials,
            storage_wh=stored_wh,
        )

    def _store(
        self, firm_wh: IntArray, planned_wh: IntArray, storage_wh: IntArray | None
    ) -> IntArray:
        """Nominations to the shared battery. [Wh]"""
        if self.shared is None:
            return np.zeros_like(planned_wh)
        account_wh = np.zeros_like(planned_wh) if storage_wh is None else storage_wh
        return nominate_wh(self.shared, firm_wh, planned_wh, account_wh)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What the bidders have learnt, as plain arrays: prices, and the strategies' own."""
        state = {f"price.{key}": value for key, value in self.price_forecast.state().items()}
        for s, strategy in enumerate(self._strategies):
            for key, value in strategy.state().items():
                state[f"strategy.{s}.{key}"] = np.array(value)
        return state

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""
        self.price_forecast.restore(_with_prefix(state, "price."))
        for s, strategy in enumerate(self._strategies):
            strategy.restore(_with_prefix(state, f"strategy.{s}."))

    def _expect(self, interval: int, external_p_mw: FloatArray | None) -> _Expected:
        f = self.forecasts
        load, flexible, pv = (
            series[interval] for series in (f.load_p_mw, f.flexible_p_mw, f.pv_p_mw)
        )
        q_mvar = f.pv_q_mvar[interval] - f.load_q_mvar[interval] - f.flexible_q_mvar[interval]
        if external_p_mw is not None:
            own = np.isnan(external_p_mw)
            load = np.where(own, load, np.maximum(-external_p_mw, 0.0))
            pv = np.where(own, pv, np.maximum(external_p_mw, 0.0))
            flexible = np.where(own, flexible, 0.0)
            q_mvar = np.where(own, q_mvar, 0.0)
        return _Expected(load, flexible, pv, q_mvar)

    def _plan(
        self, interval: int, batteries: Batteries, soc_mwh: FloatArray, inflexible_mw: FloatArray
    ) -> BatteryPlan:
        if self._mode == "self_consumption":
            return plan_self_consumption(
                batteries,
                soc_mwh,
                inflexible_mw,
                self._step_h,
                self.tariff.retail_price_ueur_per_kwh,
            )
        return plan_arbitrage(
            batteries,
            soc_mwh,
            inflexible_mw,
            self._step_h,
            self.price_forecast.coming_day(interval),
            self.costs.wear_ueur_per_kwh,
        )

    def _price(
        self, interval: int, plan: BatteryPlan, planned_wh: IntArray, last_price: int | None
    ) -> tuple[IntArray, IntArray]:
        """Orders of all strategies. [Wh, µEUR/kWh]"""
        is_sell, energy_wh = planned_wh > 0, np.abs(planned_wh)
        traded_mw = plan.planned_p_mw - plan.firm_p_mw
        traded_wh = energy_wh_from_mw(
            np.where(is_sell, -traded_mw, traded_mw), self.population.step_s
        )
        battery_wh = np.minimum(np.maximum(traded_wh, 0), energy_wh)
        break_even = np.where(
            is_sell, np.ceil(plan.sell_above_ueur_per_kwh), np.floor(plan.buy_below_ueur_per_kwh)
        ).astype(np.int64)
        order_wh = np.zeros_like(energy_wh)
        price = np.zeros_like(energy_wh)
        for s, (strategy, who) in enumerate(zip(self._strategies, self._followers, strict=True)):
            context = BidContext(
                interval=interval,
                is_sell=_read_only(is_sell[who]),
                energy_wh=_read_only(energy_wh[who]),
                battery_wh=_read_only(battery_wh[who]),
                battery_price_ueur_per_kwh=_read_only(break_even[who]),
                expected_price_ueur_per_kwh=self.price_forecast.expected(interval),
                last_price_ueur_per_kwh=last_price,
                rng=self._rng(self._strategy_seed, 2, s, interval),
            )
            orders = check_orders(self.strategy_names[s], context, strategy.bid(context))
            order_wh[who] = orders.energy_wh
            price[who] = np.where(orders.energy_wh > 0, orders.price_ueur_per_kwh, 0)
        return order_wh, price

    @staticmethod
    def _rng(seed: np.random.SeedSequence, *key: int) -> np.random.Generator:
        return np.random.default_rng(child_seed(seed, *key))


def _without_external(
    batteries: Batteries, owed_mwh: FloatArray, external_p_mw: FloatArray
) -> tuple[Batteries, FloatArray]:
    """Batteries and debts that external prosumers do not use."""
    own = np.isnan(external_p_mw)
    idle = replace(batteries, p_max_mw=np.where(own, batteries.p_max_mw, 0.0))
    return idle, np.where(own, owed_mwh, 0.0)


def _without_battery(batteries: Batteries, point: int) -> Batteries:
    """Batteries of those who plan for themselves: one connection point's is not its own."""
    p_max_mw = batteries.p_max_mw.copy()
    p_max_mw[point] = 0.0
    return replace(batteries, p_max_mw=p_max_mw)


def _uncontrolled(potentials: Potentials, external: BoolArray) -> Potentials:
    return Potentials(
        **{
            name: np.where(external, 0, getattr(potentials, name))
            for name in Potentials.__dataclass_fields__
        }
    )


def _with_prefix(state: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.setflags(write=False)
    return array
