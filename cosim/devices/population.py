"""Prosumers in connection-point order, and the devices behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self, TypeVar

from cosim.devices.deferral import Deferral
from cosim.devices.device import Device
from cosim.devices.profiled import Consumer, Generator
from cosim.devices.storage import Storage

D = TypeVar("D", bound=Device)


@dataclass(frozen=True)
class Population:
    """Prosumers and their devices, with read-only arrays.

    Parameters
    ----------
    names, meters : tuple of str
        Connection points and their meters.
    step_s : int
        Length of an interval. [s]
    n_intervals : int
        Intervals of the time series.
    devices : tuple of Device
        One object per kind, by rank.
    deferral : Deferral
        What may be put off, over the deferrable ones among them.
    """

    names: tuple[str, ...]
    meters: tuple[str, ...]
    step_s: int
    n_intervals: int
    devices: tuple[Device, ...]
    deferral: Deferral

    @property
    def n(self) -> int:
        """Number of prosumers."""
        return len(self.names)

    @cached_property
    def generators(self) -> tuple[Generator, ...]:
        """Devices that generate."""
        return tuple(device for device in self.devices if isinstance(device, Generator))

    @cached_property
    def consumers(self) -> tuple[Consumer, ...]:
        """Devices that consume and cannot wait."""
        return tuple(device for device in self.devices if isinstance(device, Consumer))

    @cached_property
    def storages(self) -> tuple[Storage, ...]:
        """Devices that store."""
        return tuple(device for device in self.devices if isinstance(device, Storage))

    def of(self, kind: type[D]) -> D:
        """Return the devices of a kind.

        Raises
        ------
        KeyError
            If there are none.
        """
        for device in self.devices:
            if isinstance(device, kind):
                return device
        raise KeyError(kind.kind)

    def replaced(self, *changed: Device) -> Self:
        """Return the population with other devices of some kinds."""
        by_kind = {device.kind: device for device in changed}
        devices = tuple(by_kind.get(device.kind, device) for device in self.devices)
        return replace(self, devices=devices)
