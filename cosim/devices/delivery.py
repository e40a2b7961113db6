"""Delivery of devices: every energy manager follows its dispatch within its physics.

The dispatch of an interval is ``nominated - unserved + activated - curtailed`` (net injection).
The manager uses, in this order,

1. storages, always. Without activation they therefore absorb the forecast error: every Wh off the
   nomination is settled with the supplier at a price worse than the market's, while storing it
   costs losses only;
2. postponing the recovery of owed consumption, then putting off deferrable consumption (EV, heat
   pump), if it was activated upwards (``activated > 0``), its consumption is cut
   (``curtailed < 0``) or not bought (``unserved < 0``), or if consumption responds to prices: what
   is then missing of the schedule waits;
3. throttling generators, if it was activated downwards (``activated < 0``) or its injection is cut
   (``curtailed > 0``) or not sold (``unserved > 0``). The dispatch is then a cap, also for
   generation beyond the forecast;
4. shedding consumption, if that is cut (``curtailed < 0``). The dispatch is then a limit at the
   connection point that no forecast error softens, the mirror image of the cap. First deferrable
   consumption, then other. Shed energy is lost, not owed.

Devices of one behaviour are used by rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.devices.catalogue import SHED, net_injection_mw
from cosim.devices.population import Population
from cosim.devices.profiled import total
from cosim.messages import DeliveryMessage
from cosim.units import (
    SECONDS_PER_HOUR,
    BoolArray,
    FloatArray,
    IntArray,
    energy_wh_from_mw,
    p_mw_from_wh,
)


class Devices:
    """Energy managers of a population, with the state of its devices.

    Parameters
    ----------
    population : Population
        Which devices there are, and what they would do by themselves.

    Attributes
    ----------
    stored_mwh : dict of str to (n,) float
        Stored energy by the column of each kind of storage. [MWh]
    owed_mwh : (n,) float
        Consumption that was put off and not caught up yet. [MWh]
    """

    def __init__(self, population: Population) -> None:
        self.population = population
        self._step_h = population.step_s / SECONDS_PER_HOUR
        self.stored_mwh: dict[str, FloatArray] = {
            storage.soc_column(): storage.soc_initial_mwh.copy() for storage in population.storages
        }
        self.owed_mwh: FloatArray = np.zeros(population.n)

    @property
    def soc_mwh(self) -> FloatArray:
        """Stored energy of the batteries, (n,). [MWh]"""
        return self.stored_mwh["soc_mwh"]

    def initial(self) -> DeliveryMessage:
        """Return what bidders and market know before anything was delivered."""
        n = self.population.n
        return self._message(-1, np.zeros(n), np.zeros(n), np.full(n, np.nan), {})

    def deliver(
        self,
        interval: int,
        nominated_wh: IntArray,
        activated_wh: IntArray,
        curtailed_wh: IntArray,
        external_p_mw: FloatArray | None = None,
        unserved_wh: IntArray | None = None,
    ) -> DeliveryMessage:
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
        unserved_wh : (n,) int64, optional
            Not sold to the supplier (positive) or not bought from it: a cap on injection, and on
            consumption that can wait. [Wh]

        Returns
        -------
        DeliveryMessage
            Its parts add up to the net injection, by :func:`cosim.devices.catalogue.net_columns`,
            to the last bit.
        """
        population, step_h = self.population, self._step_h
        deferral = population.deferral
        generation = total([device.p_mw[interval] for device in population.generators])
        load = total([device.p_mw[interval] for device in population.consumers])
        flexible = deferral.p_mw[interval]
        # unserved orders bind as the DSO's cuts do, but for consumption that cannot wait
        bound_wh = curtailed_wh if unserved_wh is None else curtailed_wh + unserved_wh
        raise_mw = (activated_wh > 0) | (bound_wh < 0) | deferral.responds
        target = p_mw_from_wh(nominated_wh + activated_wh - bound_wh, population.step_s)

        recovery = deferral.recovery_mw(self.owed_mwh, flexible, step_h)
        deferrable = deferral.deferrable_mw(self.owed_mwh, flexible, step_h)
        net = generation - load - flexible - recovery
        parts: dict[str, FloatArray] = {}
        for storage in population.storages:
            soc_mwh = self.stored_mwh[storage.soc_column()]
            power = storage.limit_power_mw(soc_mwh, net - target, step_h)
            parts[storage.power_column()] = power
            net = net - power
        missing = np.maximum(target - net, 0.0)
        postponed = np.where(raise_mw, np.minimum(missing, recovery + deferrable), 0.0)
        deferred = postponed - recovery
        net = net + postponed
        q_generated = self._throttle(interval, net - target, activated_wh, bound_wh, parts)
        missing = np.where(curtailed_wh < 0, np.maximum(target - net, 0.0), 0.0)
        shed = np.minimum(missing, flexible - deferred)
        consumed = flexible - deferred - shed
        q_consumed, shed = self._shed(interval, missing, shed, parts)
        parts[SHED.name] = shed
        own_q = q_generated - q_consumed - deferral.reactive_mvar(interval, consumed)
        shared = zip(deferral.members, deferral.shared(interval, consumed), strict=True)
        parts |= {device.power_column(): power for device, power in shared}
        if external_p_mw is None:
            external_p_mw = np.full(population.n, np.nan)
        else:
            own = np.isnan(external_p_mw)
            parts = self._replace_external(parts, external_p_mw, own)
            own_q, deferred = np.where(own, own_q, 0.0), np.where(own, deferred, 0.0)
        for storage in population.storages:
            soc, power = storage.soc_column(), parts[storage.power_column()]
            self.stored_mwh[soc] = storage.next_soc_mwh(self.stored_mwh[soc], power, step_h)
        self.owed_mwh = deferral.next_owed_mwh(self.owed_mwh, deferred, step_h)
        return self._message(interval, net_injection_mw(parts), own_q, external_p_mw, parts)

    def _throttle(
        self,
        interval: int,
        excess_mw: FloatArray,
        activated_wh: IntArray,
        curtailed_wh: IntArray,
        parts: dict[str, FloatArray],
    ) -> FloatArray:
        """Throttle generators; return the reactive power that they feed in. [Mvar]"""
        excess_mw = np.maximum(excess_mw, 0.0)
        reactive = []
        for device in self.population.generators:
            cap: BoolArray = (device.is_flexible & (activated_wh < 0)) | (
                device.is_curtailable & (curtailed_wh > 0)
            )
            available = device.p_mw[interval]
            throttled = np.where(cap, np.minimum(excess_mw, available), 0.0)
            excess_mw = excess_mw - throttled
            power, given_up = (column.name for column in device.columns)
            parts[power], parts[given_up] = available - throttled, throttled
            reactive.append(device.reactive_mvar(interval, parts[power]))
        return total(reactive)

    def _shed(
        self, interval: int, missing: FloatArray, shed: FloatArray, parts: dict[str, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Shed consumers; return their reactive power and all that is shed. [Mvar, MW]"""
        reactive = []
        missing = missing - shed
        for device in self.population.consumers:
            wanted = device.p_mw[interval]
            power = wanted
            if device.is_curtailable:
                lost = np.minimum(missing, wanted)
                missing, power, shed = missing - lost, wanted - lost, shed + lost
            parts[device.power_column()] = power
            reactive.append(device.reactive_mvar(interval, power))
        return total(reactive), shed

    def _replace_external(
        self, parts: Mapping[str, FloatArray], external_p_mw: FloatArray, own: BoolArray
    ) -> dict[str, FloatArray]:
        """Make external prosumers a load or plant of their given power, with resting devices."""
        given = {
            self.population.consumers[0].power_column(): np.maximum(-external_p_mw, 0.0),
            self.population.generators[0].power_column(): np.maximum(external_p_mw, 0.0),
        }
        return {name: np.where(own, part, given.get(name, 0.0)) for name, part in parts.items()}

    def _message(
        self,
        interval: int,
        p_inject_mw: FloatArray,
        q_inject_mvar: FloatArray,
        external_p_mw: FloatArray,
        parts: Mapping[str, FloatArray],
    ) -> DeliveryMessage:
        further = {name: soc for name, soc in self.stored_mwh.items() if name != "soc_mwh"}
        return DeliveryMessage(
            interval=interval,
            p_inject_mw=p_inject_mw,
            q_inject_mvar=q_inject_mvar,
            metered_wh=energy_wh_from_mw(p_inject_mw, self.population.step_s),
            soc_mwh=self.soc_mwh,
            owed_mwh=self.owed_mwh,
            external_p_mw=external_p_mw,
            parts={**parts, **further},
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return stored energy and owed consumption as plain arrays."""
        stored = {name: soc.copy() for name, soc in self.stored_mwh.items()}
        return {**stored, "owed_mwh": self.owed_mwh.copy()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to a state that :meth:`state` gave."""
        given = {name: np.array(value, dtype=np.float64) for name, value in state.items()}
        self.owed_mwh = given.pop("owed_mwh")
        self.stored_mwh = given
