"""Consumption that can be put off and is caught up later: EV, heat pump, and the like together.

A prosumer *owes* the consumption that it has put off. While nobody pays for less consumption, it
catches up as fast as the devices' rating allows; the recovery is part of its plan and therefore
nominated. One signed power describes both: it is positive while consumption is put off and negative
while it is caught up, and the owed energy grows by it times the step length. No energy is lost:
what is consumed plus what is newly owed is what the devices wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from cosim.devices.device import DeviceColumn, Role, own_values
from cosim.devices.profiled import ProfiledDevice, Series, frozen, ratio, total
from cosim.settings import Fraction, Model, NonNegative, Positive
from cosim.units import MWH_PER_KWH, FloatArray, ueur_from_eur

OWED = DeviceColumn("deferred_mwh", "MWh", "consumption put off and still owed at its end")


class DeferralSettings(Model):
    """Consumption of EVs and heat pumps that may be put off, to be caught up later."""

    share_of_power: Fraction = Field(0.5, description="deferrable share of the momentary power")
    energy_max_kwh: NonNegative = Field(4.0, description="most energy owed per prosumer [kWh]")
    discomfort_eur_per_kwh: NonNegative = Field(
        0.05, description="cost of each kWh of comfort that is put off [EUR/kWh]"
    )
    price_responsive: bool = Field(
        False,
        description="put off what is not bought locally while it is expected to be cheaper later",
    )
    wait_h: Positive = Field(6.0, description="how far such consumption looks ahead [h]")


class Deferrable(ProfiledDevice):
    """Consumption with a profile and a rating that can wait."""

    column_roles: ClassVar[tuple[Role, ...]] = ("consumption",)
    network_table: ClassVar[str] = "load"
    section = "deferral"
    settings_type = DeferralSettings


def caught_up_mw(before_mwh: FloatArray, owed_mwh: FloatArray, step_h: float) -> FloatArray:
    """Return the power with which consumption put off before was caught up in a step.

    Parameters
    ----------
    before_mwh, owed_mwh : (n,) float
        Energy owed at its start and at its end. [MWh]
    step_h : float
        Step length. [h]

    Returns
    -------
    (n,) float
        0 where more was put off than caught up. [MW]
    """
    return np.maximum(before_mwh - owed_mwh, 0.0) / step_h


@dataclass(frozen=True)
class Deferral(Series):
    """Consumption that a population may put off, over all its deferrable devices.

    Parameters
    ----------
    members : tuple of Deferrable
    share_of_power : (n,) float
        Deferrable share of the momentary power. [-]
    energy_max_mwh : (n,) float
        Most energy owed. [MWh]
    responds : bool
        Whether it waits for cheaper energy by itself.
    wait_h : float
        How far it then looks ahead. [h]
    discomfort_ueur_per_kwh : int
        Cost of putting off consumption. [µEUR/kWh]
    """

    members: tuple[Deferrable, ...]
    share_of_power: FloatArray
    energy_max_mwh: FloatArray
    responds: bool = False
    wait_h: float = 0.0
    discomfort_ueur_per_kwh: int = 50_000

    @classmethod
    def of(
        cls,
        members: Sequence[Deferrable],
        settings: DeferralSettings,
        named: Mapping[int, Model] = MappingProxyType({}),
    ) -> Self:
        """Put devices together, at least one.

        ``named`` has, by position, fields of the section that single connection points have
        otherwise.
        """
        rated_mw = total([device.rated_mw for device in members])
        has_any = rated_mw > 0
        share_of_power = own_values(len(rated_mw), "share_of_power", settings, named)
        energy_max_mwh = own_values(len(rated_mw), "energy_max_kwh", settings, named) * MWH_PER_KWH
        return cls(
            p_mw=frozen(total([device.p_mw for device in members])),
            q_mvar=frozen(total([device.q_mvar for device in members])),
            rated_mw=frozen(rated_mw),
            members=tuple(members),
            share_of_power=frozen(np.where(has_any, share_of_power, 0.0)),
            energy_max_mwh=frozen(np.where(has_any, energy_max_mwh, 0.0)),
            responds=settings.price_responsive,
            wait_h=settings.wait_h,
            discomfort_ueur_per_kwh=ueur_from_eur(settings.discomfort_eur_per_kwh),
        )

    @classmethod
    def noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the forecast error."""
        return (1,)

    def recovery_mw(
        self, owed_mwh: FloatArray, p_flexible_mw: FloatArray, step_h: float
    ) -> FloatArray:
        """Return the power with which owed consumption is caught up when nothing is activated.

        Parameters
        ----------
        owed_mwh : (n,) float
            Energy owed at the start of the step. [MWh]
        p_flexible_mw : (n,) float
            What the devices want in this step by themselves. [MW]
        step_h : float
            Step length. [h]

        Returns
        -------
        (n,) float
            Additional consumption: all that is owed, up to the devices' rating. [MW]
        """
        headroom = np.maximum(self.rated_mw - p_flexible_mw, 0.0)
        return np.minimum(owed_mwh / step_h, headroom)

    def deferrable_mw(
        self, owed_mwh: FloatArray, p_flexible_mw: FloatArray, step_h: float
    ) -> FloatArray:
        """Return the power that can be newly put off, apart from postponing the recovery.

        Parameters
        ----------
        owed_mwh, p_flexible_mw, step_h
            As in :meth:`recovery_mw`.

        Returns
        -------
        (n,) float
            Share of the momentary power, as long as the owed energy stays allowed. [MW]
        """
        left_mwh = np.maximum(self.energy_max_mwh - owed_mwh, 0.0)
        return np.minimum(self.share_of_power * p_flexible_mw, left_mwh / step_h)

    def next_owed_mwh(
        self, owed_mwh: FloatArray, deferred_p_mw: FloatArray, step_h: float
    ) -> FloatArray:
        """Return the energy owed at the end of a step.

        Parameters
        ----------
        owed_mwh, step_h
            As in :meth:`recovery_mw`.
        deferred_p_mw : (n,) float
            Put off (positive, at most :meth:`deferrable_mw`) or caught up (negative, at least minus
            :meth:`recovery_mw`). [MW]

        Returns
        -------
        (n,) float
            Energy owed, between 0 and the larger of ``energy_max_mwh`` and what was owed. [MWh]
        """
        owed = np.maximum(owed_mwh + deferred_p_mw * step_h, 0.0)
        return np.minimum(owed, np.maximum(self.energy_max_mwh, owed_mwh))

    def reactive_mvar(self, interval: int, p_mw: FloatArray) -> FloatArray:
        """Return the reactive power of a power, (n,). [Mvar]

        What is caught up has the mean power factor of the run.
        """
        wanted = self.p_mw[interval]
        kept = ratio(np.minimum(p_mw, wanted), wanted, 1.0)
        more = np.maximum(p_mw - wanted, 0.0)
        return np.asarray(self.q_mvar[interval] * kept + more * self._mean_q_per_p)

    @cached_property
    def _mean_q_per_p(self) -> FloatArray:
        return ratio(self.q_mvar.sum(axis=0), self.p_mw.sum(axis=0))

    def shared(self, interval: int, consumed_mw: FloatArray) -> list[FloatArray]:
        """Share what all consume: less in proportion to power, more in proportion to headroom.

        Returns
        -------
        list of (n,) float
            Power of each member. [MW]
        """
        wanted = self.p_mw[interval]
        kept = ratio(np.minimum(consumed_mw, wanted), wanted)
        more = np.maximum(consumed_mw - wanted, 0.0)
        headrooms = [np.maximum(d.rated_mw - d.p_mw[interval], 0.0) for d in self.members]
        headroom = total(headrooms)
        parts, left = [], more
        for device, own in zip(self.members[:-1], headrooms[:-1], strict=True):
            share = more * ratio(own, headroom)
            parts.append(device.p_mw[interval] * kept + share)
            left = left - share
        return [*parts, self.members[-1].p_mw[interval] * kept + left]
