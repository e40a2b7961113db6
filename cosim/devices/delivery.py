"""What devices really deliver: every energy manager follows its dispatch within its physics.

The dispatch of an interval is ``nominated + activated - curtailed`` (net injection). The manager
uses, in this order,

1. the battery, always. Without activation it therefore absorbs the forecast error: every Wh off the
   nomination is settled with the supplier at a price worse than the market's, while storing it
   costs losses only;
2. postponing the recovery of owed consumption, then putting off EV and heat-pump consumption, if it
   was activated upwards (``activated > 0``) or its consumption is cut (``curtailed < 0``);
3. throttling PV, if it was activated downwards (``activated < 0``) or its injection is cut
   (``curtailed > 0``). The dispatch is then a cap, also for PV beyond the forecast;
4. shedding consumption, if that is cut (``curtailed < 0``). The dispatch is then a limit at the
   connection point that no forecast error softens, the mirror image of the cap. First EV and heat
   pump, then load. Shed energy is lost, not owed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.devices.battery import limit_power_mw, next_soc_mwh
from cosim.devices.deferral import deferrable_mw, next_owed_mwh, recovery_mw
from cosim.prosumers.population import Population
from cosim.units import (
    SECONDS_PER_HOUR,
    FloatArray,
    IntArray,
    energy_wh_from_mw,
    p_mw_from_wh,
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happened at each connection point in one interval; arrays of shape (n,).

    ``p_inject_mw = pv_p_mw - load_p_mw - ev_p_mw - heat_pump_p_mw - battery_p_mw``, in this order
    of operations, to the last bit.

    Parameters
    ----------
    p_inject_mw, q_inject_mvar : (n,) float
        Net injection. [MW, Mvar]
    load_p_mw, ev_p_mw, heat_pump_p_mw : (n,) float
        Consumption. [MW]
    pv_p_mw, pv_curtailed_p_mw : (n,) float
        PV fed in, and PV throttled. [MW]
    battery_p_mw : (n,) float
        Positive when charging. [MW]
    deferred_p_mw : (n,) float
        EV and heat-pump consumption put off (positive) or caught up (negative). [MW]
    shed_p_mw : (n,) float
        Consumption cut and lost. [MW]
    soc_mwh, owed_mwh : (n,) float
        Stored energy and owed consumption at the end. [MWh]
    metered_wh : (n,) int64
        The meter's reading of the interval: ``p_inject_mw`` as energy. [Wh]
    external_p_mw : (n,) float
        ``p_inject_mw`` where another simulator feeds the prosumer, NaN elsewhere. [MW]
    """

    p_inject_mw: FloatArray
    q_inject_mvar: FloatArray
    load_p_mw: FloatArray
    ev_p_mw: FloatArray
    heat_pump_p_mw: FloatArray
    pv_p_mw: FloatArray
    pv_curtailed_p_mw: FloatArray
    battery_p_mw: FloatArray
    deferred_p_mw: FloatArray
    shed_p_mw: FloatArray
    soc_mwh: FloatArray
    owed_mwh: FloatArray
    metered_wh: IntArray
    external_p_mw: FloatArray


class Devices:
    """Devices of a population with their state: stored energy and owed consumption.

    Parameters
    ----------
    population : Population
        What they are and what they would do by themselves.
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self._step_h = population.step_s / SECONDS_PER_HOUR
        self.soc_mwh: FloatArray = population.batteries.soc_initial_mwh.copy()
        self.owed_mwh: FloatArray = np.zeros(population.n)
        self._flexible_q_per_p = _mean_ratio(population.flexible_q_mvar, population.flexible_p_mw)

    def deliver(
        self,
        interval: int,
        nominated_wh: IntArray,
        activated_wh: IntArray,
        curtailed_wh: IntArray,
        external_p_mw: FloatArray | None = None,
    ) -> Delivery:
        """Deliver one interval and move on to its end.

        Parameters
        ----------
        interval : int
            The delivery interval.
        nominated_wh : (n,) int64
            Contracted schedule, net injection. [Wh]
        activated_wh : (n,) int64
            Flexibility sold to the DSO; positive raises the injection. [Wh]
        curtailed_wh : (n,) int64
            Cut by the DSO; positive lowers the injection, negative the consumption. [Wh]
        external_p_mw : (n,) float, optional
            Net injection of prosumers that another simulator feeds, NaN for all others. It replaces
            their devices, which rest. [MW]

        Returns
        -------
        Delivery
        """
        people, step_h = self.population, self._step_h
        load, pv = people.load_p_mw[interval], people.pv_p_mw[interval]
        ev, heat_pump = people.ev_p_mw[interval], people.heat_pump_p_mw[interval]
        flexible = ev + heat_pump
        raise_mw = (activated_wh > 0) | (curtailed_wh < 0)
        cap_mw = (activated_wh < 0) | (curtailed_wh > 0)
        target = p_mw_from_wh(nominated_wh + activated_wh - curtailed_wh, people.step_s)

        recovery = recovery_mw(people.deferral, self.owed_mwh, flexible, step_h)
        deferrable = deferrable_mw(people.deferral, self.owed_mwh, flexible, step_h)
        net = pv - load - flexible - recovery
        battery = limit_power_mw(people.batteries, self.soc_mwh, net - target, step_h)
        net = net - battery
        missing = np.maximum(target - net, 0.0)
        postponed = np.where(raise_mw, np.minimum(missing, recovery + deferrable), 0.0)
        deferred = postponed - recovery
        net = net + postponed
        throttled = np.where(cap_mw, np.minimum(np.maximum(net - target, 0.0), pv), 0.0)
        missing = np.where(curtailed_wh < 0, np.maximum(target - net, 0.0), 0.0)
        shed_flexible = np.minimum(missing, flexible - deferred)
        shed_load = np.minimum(missing - shed_flexible, load)
        consumed = flexible - deferred - shed_flexible

        own_q = _reactive_injection(
            people, interval, pv - throttled, load - shed_load, consumed, self._flexible_q_per_p
        )
        parts = {
            "load_p_mw": load - shed_load,
            "pv_p_mw": pv - throttled,
            "pv_curtailed_p_mw": throttled,
            "battery_p_mw": battery,
            "deferred_p_mw": deferred,
            "shed_p_mw": shed_flexible + shed_load,
            "q_inject_mvar": own_q,
        }
        parts["ev_p_mw"], parts["heat_pump_p_mw"] = self._split(ev, heat_pump, consumed)
        if external_p_mw is None:
            external_p_mw = np.full(people.n, np.nan)
        else:
            parts = _replace_external(parts, external_p_mw)
        p_inject_mw = (
            parts["pv_p_mw"]
            - parts["load_p_mw"]
            - parts["ev_p_mw"]
            - parts["heat_pump_p_mw"]
            - parts["battery_p_mw"]
        )
        self.soc_mwh = next_soc_mwh(people.batteries, self.soc_mwh, parts["battery_p_mw"], step_h)
        self.owed_mwh = next_owed_mwh(
            people.deferral, self.owed_mwh, parts["deferred_p_mw"], step_h
        )
        return Delivery(
            p_inject_mw=p_inject_mw,
            soc_mwh=self.soc_mwh,
            owed_mwh=self.owed_mwh,
            metered_wh=energy_wh_from_mw(p_inject_mw, people.step_s),
            external_p_mw=external_p_mw,
            **parts,
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Stored energy and owed consumption, as plain arrays."""
        return {"soc_mwh": self.soc_mwh.copy(), "owed_mwh": self.owed_mwh.copy()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""
        self.soc_mwh = np.array(state["soc_mwh"], dtype=np.float64)
        self.owed_mwh = np.array(state["owed_mwh"], dtype=np.float64)

    def _split(
        self, ev: FloatArray, heat_pump: FloatArray, consumed: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Share what both consumed: less in proportion to power, more in proportion to headroom."""
        flexible = ev + heat_pump
        kept = _ratio(np.minimum(consumed, flexible), flexible)
        more = np.maximum(consumed - flexible, 0.0)
        ev_headroom = np.maximum(self.population.ev_rated_mw - ev, 0.0)
        heat_pump_headroom = np.maximum(self.population.heat_pump_rated_mw - heat_pump, 0.0)
        ev_more = more * _ratio(ev_headroom, ev_headroom + heat_pump_headroom)
        return ev * kept + ev_more, heat_pump * kept + (more - ev_more)


def _reactive_injection(
    people: Population,
    interval: int,
    pv: FloatArray,
    load: FloatArray,
    consumed: FloatArray,
    flexible_q_per_p: FloatArray,
) -> FloatArray:
    """Reactive power follows active power at the profile's power factor of the interval.

    Consumption that is caught up has the mean power factor of the run. [Mvar]
    """
    flexible = people.ev_p_mw[interval] + people.heat_pump_p_mw[interval]
    q_load = people.load_q_mvar[interval] * _ratio(load, people.load_p_mw[interval], 1.0)
    q_pv = people.pv_q_mvar[interval] * _ratio(pv, people.pv_p_mw[interval], 1.0)
    kept = _ratio(np.minimum(consumed, flexible), flexible, 1.0)
    more = np.maximum(consumed - flexible, 0.0)
    q_flexible = people.flexible_q_mvar[interval] * kept + more * flexible_q_per_p
    return np.asarray(q_pv - q_load - q_flexible)


def _replace_external(
    parts: Mapping[str, FloatArray], external_p_mw: FloatArray
) -> dict[str, FloatArray]:
    """External prosumers are a load or a plant of their given power, with resting devices."""
    own = np.isnan(external_p_mw)
    given = {
        "load_p_mw": np.maximum(-external_p_mw, 0.0),
        "pv_p_mw": np.maximum(external_p_mw, 0.0),
    }
    return {name: np.where(own, part, given.get(name, 0.0)) for name, part in parts.items()}


def _ratio(part: FloatArray, whole: FloatArray, otherwise: float = 0.0) -> FloatArray:
    return np.divide(part, whole, out=np.full_like(whole, otherwise), where=whole > 0)


def _mean_ratio(q_mvar: FloatArray, p_mw: FloatArray) -> FloatArray:
    return _ratio(q_mvar.sum(axis=0), p_mw.sum(axis=0))
