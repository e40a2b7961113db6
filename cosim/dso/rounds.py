"""One round of the DSO: schedules as they stand, and what instruments ask of the network model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cosim.dso.appraisal import least_cost_awards, needed_without_margins, pivotal_providers
from cosim.dso.metering import as_seen_mvar, as_seen_wh
from cosim.dso.procurement import DsoNetwork, Need, Offers, Procurement
from cosim.messages import OffersMessage, ScheduleMessage
from cosim.messages.extras import (
    CallingAppraisal,
    IdleFlexibility,
    ReliefAppraisal,
    UncalledOffers,
)
from cosim.units import WH_PER_KWH, FloatArray, IntArray, energy_wh_from_mw, p_mw_from_wh


@dataclass(frozen=True)
class Round:
    """Schedules of one round.

    Attributes
    ----------
    schedule : ScheduleMessage
        As it stands on the ledger.
    network : DsoNetwork
    step_s : int
        Length of an interval. [s]
    names : tuple of str
        Connection points, (n,).
    unserved_wh : (n,) int64, optional
        What the DSO left unserved of the schedules; positive lowers injection. [Wh]
    """

    schedule: ScheduleMessage
    network: DsoNetwork
    step_s: int
    names: tuple[str, ...] = ()
    unserved_wh: IntArray | None = None

    @cached_property
    def net_wh(self) -> IntArray:
        """Scheduled net injection as the DSO sees it, with what it ordered itself; (n,). [Wh]"""
        schedule = self.schedule
        own_wh = 0 if self.unserved_wh is None else self.unserved_wh
        seen_wh = as_seen_wh(schedule.nominated_wh + own_wh, self.network.metering) - own_wh
        return seen_wh + schedule.activated_wh - schedule.curtailed_wh

    @cached_property
    def p_mw(self) -> FloatArray:
        """The same as power, (n,). [MW]"""
        return p_mw_from_wh(self.net_wh, self.step_s)

    @property
    def q_mvar(self) -> FloatArray:
        """Expected reactive injection as the DSO sees it, (n,). [Mvar]"""
        return as_seen_mvar(self.schedule.forecast_q_mvar, self.network.metering)

    @cached_property
    def offers(self) -> OffersMessage:
        """Offers to the last request; none where nobody offered."""
        none = np.zeros(0, dtype=np.int64)
        return self.schedule.offers or OffersMessage(none, none, none, none, none)

    def curtailable_wh(self) -> tuple[IntArray, IntArray]:
        """Return what could still be cut of injection and consumption, (n,) each. [Wh]"""
        schedule = self.schedule
        used = schedule.activated_wh - schedule.curtailed_wh
        return (
            np.maximum(schedule.curtailable_down_wh - np.maximum(-used, 0), 0),
            np.maximum(schedule.curtailable_up_wh - np.maximum(used, 0), 0),
        )

    def need(self, down_wh: IntArray, up_wh: IntArray) -> Need:
        """Return the least change of injections that keeps the limits with their margins.

        Parameters
        ----------
        down_wh, up_wh : (n,) int64
            How much each connection point could lower and raise its injection, >= 0. [Wh]
        """
        down_mw, up_mw = (p_mw_from_wh(wh, self.step_s) for wh in (down_wh, up_wh))
        return self.network.need(self.p_mw, self.q_mvar, down_mw, up_mw, self._quantum_mw)

    def procure(
        self, down_wh: IntArray, up_wh: IntArray, most_down_wh: int, most_up_wh: int
    ) -> Procurement:
        """Award offers at least cost, and curtail what they leave.

        Parameters
        ----------
        down_wh, up_wh : (n,) int64
            Injection and consumption that may be cut. [Wh]
        most_down_wh, most_up_wh : int
            Most that the awards of either direction may amount to together. [Wh]
        """
        step_s = self.step_s
        return self.network.procure(
            self.p_mw,
            self.q_mvar,
            self._offered,
            p_mw_from_wh(down_wh, step_s),
            p_mw_from_wh(up_wh, step_s),
            float(p_mw_from_wh(most_down_wh, step_s)),
            float(p_mw_from_wh(most_up_wh, step_s)),
            self._quantum_mw,
        )

    def appraise(self) -> ReliefAppraisal:
        """Return the need without margins on the round's offers, and its pivotal providers."""
        network, offers, quantum_mw = self.network, self._offered, self._quantum_mw
        awarded_mw, sufficient = needed_without_margins(
            network, self.p_mw, self.q_mvar, offers, quantum_mw
        )
        pivotal = pivotal_providers(network, self.p_mw, self.q_mvar, offers)
        element, element_idx, quantity = network.engine.topology.check_columns
        return ReliefAppraisal(
            violated=network.assess(self.p_mw, self.q_mvar).check.any_violated,
            needed_wh=energy_wh_from_mw(awarded_mw, self.step_s),
            sufficient=sufficient,
            pivotal=pivotal.prosumer,
            element=element[pivotal.row],
            element_idx=element_idx[pivotal.row],
            quantity=quantity[pivotal.row],
        )

    def appraise_draw(self) -> CallingAppraisal | None:
        """Return the cheapest awards with and without the draw; None where nothing was drawn."""
        left_out = self.schedule.extras.of(UncalledOffers)
        if left_out is None:
            return None
        called = self.offers
        every = OffersMessage(
            np.concatenate([called.request, np.full(left_out.prosumer.size, -1)]),
            np.concatenate([called.prosumer, left_out.prosumer]),
            np.concatenate([called.direction, left_out.direction]),
            np.concatenate([called.energy_wh, left_out.energy_wh]),
            np.concatenate([called.price_ueur_per_kwh, left_out.price_ueur_per_kwh]),
        )
        without = replace(self, schedule=replace(self.schedule, offers=every))
        (called_wh, called_suffice), (every_wh, every_suffice) = (
            one.least_cost() for one in (self, without)
        )
        return CallingAppraisal(called_wh, called_suffice, every_wh, every_suffice)

    def least_cost(self) -> tuple[IntArray, bool]:
        """Return the cheapest awards that keep limits and margins, and if offers suffice. [Wh]"""
        awarded_mw, sufficient = least_cost_awards(
            self.network, self.p_mw, self.q_mvar, self._offered, self._quantum_mw
        )
        return energy_wh_from_mw(awarded_mw, self.step_s), sufficient

    @property
    def _offered(self) -> Offers:
        offers = self.offers
        idle = self.schedule.extras.of(IdleFlexibility)
        # so that it is of price times MW
        per_ueur = float(p_mw_from_wh(WH_PER_KWH, self.step_s))
        return Offers(
            prosumer=offers.prosumer,
            direction=offers.direction,
            energy_mw=p_mw_from_wh(offers.energy_wh, self.step_s),
            price=np.asarray(offers.price_ueur_per_kwh, dtype=np.float64),
            offer=None if idle is None else idle.offer,
            fixed=None if idle is None else np.asarray(idle.cost_ueur * per_ueur, dtype=np.float64),
        )

    @property
    def _quantum_mw(self) -> float:
        """Power of one Wh in an interval: what schedules and awards are whole multiples of."""
        return float(p_mw_from_wh(1, self.step_s))
