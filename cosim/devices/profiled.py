"""Devices that follow a profile: generators, consumers, and consumers that can wait."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from cosim.devices.device import Device, DeviceColumn, Equipment, Role
from cosim.inputs.long_series import kept_outside
from cosim.units import FloatArray


def total(arrays: Sequence[FloatArray]) -> FloatArray:
    """Add up arrays, at least one, in their order."""
    return functools.reduce(np.add, arrays)


def ratio(part: FloatArray, whole: FloatArray, otherwise: float = 0.0) -> FloatArray:
    """Return ``part / whole``, and another value where there is no whole."""
    return np.divide(part, whole, out=np.full_like(whole, otherwise), where=whole > 0)


def frozen(values: FloatArray) -> FloatArray:
    """Return values as a contiguous array that cannot be written to; a long series in a file."""
    return kept_outside(values)


@dataclass(frozen=True)
class Series:
    """Power over a run, as magnitudes.

    Parameters
    ----------
    p_mw, q_mvar : (T, n) float
        Active power, and the reactive power of the same direction. [MW, Mvar]
    rated_mw : (n,) float
        Rating. [MW]
    """

    p_mw: FloatArray
    q_mvar: FloatArray
    rated_mw: FloatArray

    common_variance: ClassVar[float] = 0.0
    """Share of the variance of the forecast error that all have in common, e.g. the weather."""

    @classmethod
    def noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the forecast error that each prosumer has of its own."""
        return tuple(cls.__name__.encode())

    @classmethod
    def common_noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the error that all have in common."""
        return (*cls.noise_key(), 0)

    def bounded(self, expected_mw: FloatArray) -> FloatArray:
        """Return a forecast within physical bounds, (T, n). [MW]"""
        return np.minimum(expected_mw, self.rated_mw)

    def reactive_mvar(self, interval: int, p_mw: FloatArray) -> FloatArray:
        """Return the reactive power of a power at the interval's power factor, (n,). [Mvar]"""
        q_mvar: FloatArray = self.q_mvar[interval]
        return q_mvar * ratio(p_mw, self.p_mw[interval], 1.0)


@dataclass(frozen=True)
class ProfiledDevice(Series, Device):
    """A device with a profile."""

    @classmethod
    def build(cls, equipment: Equipment) -> Self:
        """Return devices that follow the profiles."""
        return cls(equipment.p_mw, equipment.q_mvar, equipment.rated_mw)

    @classmethod
    def noise_key(cls) -> tuple[int, ...]:
        """Return a key made of the kind, so that no other package's device shifts the draws."""
        return tuple(cls.kind.encode())


def generation_columns(kind: str, title: str) -> tuple[DeviceColumn, ...]:
    """Return the columns of a generator: what it feeds in, and what it gives up."""
    return (
        DeviceColumn(f"{kind}_p_mw", "MW", f"{title} after curtailment", "generation"),
        DeviceColumn(f"{kind}_curtailed_p_mw", "MW", f"{title} given up"),
    )


class Generator(ProfiledDevice):
    """Generation with a profile, which can be throttled.

    Attributes
    ----------
    is_flexible, is_curtailable : bool
        Whether its owner offers to throttle it, and whether the DSO may cut it.
    cost_ueur_per_kwh : int
        Cost of throttling on top of the lost feed-in. [µEUR/kWh]
    fuel_ueur_per_kwh : int
        Cost of what a kWh of generation uses up; 0 for sun, wind and water. [µEUR/kWh]
    """

    column_roles: ClassVar[tuple[Role, ...]] = ("generation", "")
    network_table: ClassVar[str] = "sgen"
    is_flexible: ClassVar[bool] = True
    is_curtailable: ClassVar[bool] = True
    cost_ueur_per_kwh: ClassVar[int] = 0
    fuel_ueur_per_kwh: ClassVar[int] = 0

    def bounded(self, expected_mw: FloatArray) -> FloatArray:
        """Return a forecast up to the rating, and none while the profile is zero. [MW]"""
        return np.where(self.p_mw > 0, np.minimum(expected_mw, self.rated_mw), 0.0)


class Consumer(ProfiledDevice):
    """Consumption with a profile, which only the DSO can cut.

    Attributes
    ----------
    is_curtailable : bool
        Whether the DSO may cut it.
    """

    column_roles: ClassVar[tuple[Role, ...]] = ("consumption",)
    network_table: ClassVar[str] = "load"
    is_curtailable: ClassVar[bool] = True

    def bounded(self, expected_mw: FloatArray) -> FloatArray:
        """Return the forecast: a load has no rating. [MW]"""
        return expected_mw
