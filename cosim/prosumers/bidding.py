"""The population's plan for one interval: orders, nominations and flexibility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.devices.population import Population
from cosim.devices.profiled import ratio, total
from cosim.devices.storage import Storage
from cosim.messages import BidsMessage, Extras, PricesMessage
from cosim.messages.agreements import SharedBattery
from cosim.messages.extras import StorageNominations
from cosim.prosumers.community_battery import nominate_wh
from cosim.prosumers.end_of_run import toward_end
from cosim.prosumers.flexibility import Outcomes
from cosim.prosumers.followers import Followers
from cosim.prosumers.forecasts import Forecasts
from cosim.prosumers.planning import StoragePlan, plan_consumption, plan_storages
from cosim.prosumers.potentials import Reach, blocks_of, curtailable, lowering, raising
from cosim.prosumers.price_forecast import PriceForecast, prior_prices
from cosim.prosumers.retail_planning import retail_view
from cosim.scenario.prosumers import (
    ProsumerSeeds,
    ProsumerSettings,
    StrategySettings,
    named_by_position,
)
from cosim.scenario.tariff import Tariff, Tariffs
from cosim.seeds import child_seed
from cosim.units import SECONDS_PER_HOUR, BoolArray, FloatArray, IntArray, energy_wh_from_mw


class Bidders:
    """Bids of a population, interval by interval.

    Parameters
    ----------
    population : Population
        Who bids.
    forecasts : Forecasts
        Of the same shape as the population's profiles.
    settings : ProsumerSettings
        Strategies.
    tariff : Tariff or Tariffs
        The supplier's prices, the same in every interval or not.
    seeds : ProsumerSeeds
        Seeds of send times and strategies.
    shared : SharedBattery, optional
        A battery that members share. At its own connection point nobody orders or offers.
    market_of : (n,) int64, optional
        Market that each is in, as for the forecasts' community; default: all in one.

    Raises
    ------
    ScenarioError
        If a strategy is unknown or its options do not fit.
    """

    def __init__(
        self,
        population: Population,
        forecasts: Forecasts,
        settings: ProsumerSettings,
        tariff: Tariff | Tariffs,
        seeds: ProsumerSeeds,
        shared: SharedBattery | None = None,
        market_of: IntArray | None = None,
    ) -> None:
        self.population = population
        self.forecasts = forecasts
        tariffs = tariff if isinstance(tariff, Tariffs) else Tariffs.constant(tariff)
        self.tariffs = tariffs
        self.shared = shared
        self._step_h = population.step_s / SECONDS_PER_HOUR
        self._send_seed = seeds.send_times
        self._storages = population.storages
        # nobody plans a shared battery for itself, nor orders and offers at its connection point
        self._at_shared = np.zeros(population.n, dtype=bool)
        if shared is not None:
            self._at_shared[shared.point] = True
            self._storages = _idle(self._storages, self._at_shared)
        self._throttling_ueur_per_kwh = throttling_ueur_per_kwh(population)
        self.price_forecast = PriceForecast(
            prior_prices(forecasts.community_demand_mw, forecasts.community_supply_mw, tariffs),
            population.step_s,
            tariffs=tariffs,
            market_of=market_of,
        )
        self._has_markets = market_of is not None
        named = {
            i: StrategySettings(name=own.strategy.name, options=own.strategy.options)
            for i, own in named_by_position(population.names, settings).items()
            if own.strategy is not None
        }
        self._followers = Followers(
            population.names,
            settings.strategies,
            population.step_s,
            tariffs,
            seeds.strategies,
            named,
        )

    @property
    def strategy_of(self) -> IntArray:
        """Return the strategy that each prosumer follows, (n,).

        Its place in the scenario; those that only named prosumers follow come after.
        """
        return self._followers.strategy_of

    def bid(
        self,
        interval: int,
        soc_mwh: FloatArray,
        owed_mwh: FloatArray,
        last: PricesMessage | None = None,
        external_p_mw: FloatArray | None = None,
        storage_wh: IntArray | None = None,
        stored_mwh: Mapping[str, FloatArray] = MappingProxyType({}),
        outcomes: Outcomes | None = None,
    ) -> BidsMessage:
        """Plan one interval and price its orders.

        Parameters
        ----------
        interval : int
            The delivery interval.
        soc_mwh, owed_mwh : (n,) float
            Energy in the batteries and owed consumption at the end of the interval before. [MWh]
        last : PricesMessage, optional
            What the interval before cleared at.
        external_p_mw : (n,) float, optional
            Last net injection of prosumers that another simulator feeds, NaN for all others. They
            are expected to repeat it and have nothing to control. [MW]
        storage_wh : (n,) int64, optional
            What each has stored in the shared battery; None for nothing. [Wh]
        stored_mwh : mapping of str to (n,) float, optional
            Stored energy of other kinds of storage than batteries, by column. [MWh]
        outcomes : Outcomes, optional
            Fills, awards and money of everybody, as far as they are known.

        Returns
        -------
        BidsMessage
        """
        if interval > 0 and last is not None:
            self.price_forecast.learn(interval - 1, last.price_ueur_per_kwh, last.volume_wh)
        f, deferral, step_h, step_s = (
            self.forecasts,
            self.population.deferral,
            self._step_h,
            self.population.step_s,
        )
        generated_mw, consumed_mw = f.generated_mw[interval], f.consumed_mw[interval]
        flexible_mw, q_mvar = f.flexible_mw[interval], f.q_inject_mvar[interval]
        storages, nobody = self._storages, self._at_shared
        if external_p_mw is not None:
            external = ~np.isnan(external_p_mw)
            nobody = nobody | external
            storages, owed_mwh = _idle(storages, external), np.where(external, 0.0, owed_mwh)
            generated_mw = np.where(external, np.maximum(external_p_mw, 0.0), generated_mw)
            consumed_mw = np.where(external, np.maximum(-external_p_mw, 0.0), consumed_mw)
            flexible_mw, q_mvar = (np.where(external, 0.0, own) for own in (flexible_mw, q_mvar))
        recovery = deferral.recovery_mw(owed_mwh, flexible_mw, step_h)
        deferrable = deferral.deferrable_mw(owed_mwh, flexible_mw, step_h)
        inflexible_mw = generated_mw - consumed_mw - flexible_mw - recovery
        every_mwh = {**stored_mwh, "soc_mwh": soc_mwh}
        socs = [every_mwh[storage.soc_column()] for storage in storages]
        prices = partial(self.price_forecast.coming_day, interval)
        tariff = self.tariffs.at(interval)
        later = self.tariffs.after(interval, self.price_forecast.slots)
        retail = retail_view(self.tariffs, interval, self.price_forecast.slots)
        coming = partial(f.day_ahead.coming_mw, interval)
        left = len(f.generated_mw) - 1 - interval
        bound = [toward_end(storage, left, step_h) for storage in storages]
        plans = plan_storages(bound, socs, inflexible_mw, step_h, prices, retail, coming)
        put_off = np.where(nobody, 0.0, deferrable + recovery)
        plan, held = plan_consumption(
            plans, deferral, put_off, inflexible_mw, step_h, prices, retail
        )
        # what waits by itself is no flexibility that could be sold or cut as well
        put_off, recovery = put_off - held, recovery - held
        firm_wh = energy_wh_from_mw(inflexible_mw - plan.firm_p_mw, step_s)
        planned_wh = energy_wh_from_mw(inflexible_mw - plan.planned_p_mw, step_s)
        stored_wh = self._store(firm_wh, planned_wh, storage_wh)
        traded_wh = planned_wh - stored_wh
        order_wh, price = self._price(interval, plan, traded_wh, _seen(last, self._has_markets))
        order_wh[self._at_shared] = price[self._at_shared] = 0
        reaches = [
            Reach.of(storage, own, soc, step_h, coming(), later)
            for storage, own, soc in zip(bound, plans, socs, strict=True)
        ]
        lower = lowering(
            np.where(nobody, 0.0, f.throttleable_mw[interval]),
            self._throttling_ueur_per_kwh,
            reaches,
            tariff,
            step_h,
        )
        upper = raising(
            put_off,
            deferral.discomfort_ueur_per_kwh,
            reaches,
            tariff,
            int(later.retail[0]),
            step_h,
        )
        cut_down_wh, cut_up_wh = curtailable(
            np.where(nobody, 0.0, f.cuttable_mw[interval]),
            np.where(nobody, 0.0, f.sheddable_mw[interval] + flexible_mw + recovery),
            reaches,
            step_h,
        )
        flexibility = self._followers.flexibility(
            interval,
            blocks_of({-1: lower, 1: upper}),
            planned_wh,
            firm_wh,
            state_of_charge(storages, socs),
            self.price_forecast.expected(interval),
            outcomes,
        )
        return BidsMessage(
            interval=interval,
            planned_wh=planned_wh,
            firm_wh=firm_wh,
            order_wh=order_wh,
            is_sell=traded_wh > 0,
            order_price_ueur_per_kwh=price,
            sent_fraction=self._rng(self._send_seed, interval).random(self.population.n),
            forecast_q_mvar=q_mvar,
            curtailable_down_wh=cut_down_wh,
            curtailable_up_wh=cut_up_wh,
            flexibility=flexibility,
            extras=Extras(StorageNominations(stored_wh)),
        )

    def _store(
        self, firm_wh: IntArray, planned_wh: IntArray, storage_wh: IntArray | None
    ) -> IntArray:
        """Return nominations to the shared battery. [Wh]"""
        if self.shared is None:
            return np.zeros_like(planned_wh)
        account_wh = np.zeros_like(planned_wh) if storage_wh is None else storage_wh
        return nominate_wh(self.shared, firm_wh, planned_wh, account_wh)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was learnt, as plain arrays: prices, and the strategies' own."""
        prices = {f"price.{key}": value for key, value in self.price_forecast.state().items()}
        return prices | self._followers.state()

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""
        self.price_forecast.restore(_with_prefix(state, "price."))
        self._followers.restore(state)

    def _price(
        self,
        interval: int,
        plan: StoragePlan,
        planned_wh: IntArray,
        last_price: FloatArray | int | None,
    ) -> tuple[IntArray, IntArray]:
        """Return orders of all strategies. [Wh, µEUR/kWh]"""
        is_sell, energy_wh = planned_wh > 0, np.abs(planned_wh)
        traded_mw = plan.planned_p_mw - plan.firm_p_mw
        traded_wh = energy_wh_from_mw(
            np.where(is_sell, -traded_mw, traded_mw), self.population.step_s
        )
        battery_wh = np.minimum(np.maximum(traded_wh, 0), energy_wh)
        break_even = np.where(
            is_sell, np.ceil(plan.sell_above_ueur_per_kwh), np.floor(plan.buy_below_ueur_per_kwh)
        ).astype(np.int64)
        expected = self.price_forecast.expected(interval)
        return self._followers.orders(
            interval, is_sell, energy_wh, battery_wh, break_even, expected, last_price
        )

    @staticmethod
    def _rng(seed: np.random.SeedSequence, *key: int) -> np.random.Generator:
        return np.random.default_rng(child_seed(seed, *key))


def _seen(last: PricesMessage | None, has_markets: bool) -> FloatArray | int | None:
    """Return what strategies see of the last prices: by prosumer where markets are several."""
    if last is None:
        return None
    if has_markets:
        return np.where(last.volume_wh > 0, last.price_ueur_per_kwh, np.nan)
    at = int(last.volume_wh.argmax())
    return int(last.price_ueur_per_kwh[at]) if last.volume_wh[at] > 0 else None


def throttling_ueur_per_kwh(population: Population) -> IntArray:
    """Return the dearest cost of throttling behind each connection point, (n,). [µEUR/kWh]"""
    dearest = np.zeros(population.n, dtype=np.int64)
    for device in population.generators:
        cost = np.where(device.rated_mw > 0, device.cost_ueur_per_kwh, 0)
        dearest = np.maximum(dearest, cost)
    return dearest


def _idle(storages: tuple[Storage, ...], where: BoolArray) -> tuple[Storage, ...]:
    """Return storages without power at some connection points."""
    return tuple(
        replace(storage, p_max_mw=np.where(where, 0.0, storage.p_max_mw)) for storage in storages
    )


def _with_prefix(state: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def state_of_charge(storages: Sequence[Storage], socs_mwh: Sequence[FloatArray]) -> FloatArray:
    """Return stored energy relative to the capacity of all storages, NaN without any, (n,). [-]"""
    capacity_mwh = total([np.where(s.p_max_mw > 0, s.capacity_mwh, 0.0) for s in storages])
    stored = [np.where(s.p_max_mw > 0, e, 0.0) for s, e in zip(storages, socs_mwh, strict=True)]
    return ratio(total(stored), capacity_mwh, np.nan)
