"""Kinds of device that there are, and their columns by their part in the net injection.

Everywhere but in this folder a device is met through these functions. Columns of devices that come
with cosim are in every result, those of others where the run's grid has such elements: give the
columns of a table as ``present`` to get those that are there.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import cache
from typing import Any

from cosim.devices.deferral import OWED
from cosim.devices.device import Device, DeviceColumn, Role
from cosim.plugins import DEVICES

SHED = DeviceColumn("shed_p_mw", "MW", "consumption that the DSO cut, lost")


@cache
def registered() -> tuple[type[Device], ...]:
    """Return every kind by rank, then by name.

    Raises
    ------
    PluginError
        If a plug-in cannot be used.
    """
    return tuple(sorted(DEVICES.every().values(), key=lambda device: (device.rank, device.kind)))


@cache
def net_columns() -> tuple[DeviceColumn, ...]:
    """Return columns of power in the order in which they add up to the net injection.

    Those of cosim come first, and among them what generates.
    """
    devices = sorted(
        registered(), key=lambda device: (not device.is_default, device.columns[0].sign < 0)
    )
    return tuple(column for device in devices for column in device.columns if column.sign)


def net_injection_mw(columns: Mapping[str, Any]) -> Any:
    """Add up the net injection from columns of table ``prosumers``; those not there are left out.

    The order of operations is that of the energy managers, so that the sum is theirs to the last
    bit. [MW]
    """
    parts = [(c.sign, columns[c.name]) for c in net_columns() if c.name in columns]
    sign, total = parts[0]
    total = sign * total
    for sign, part in parts[1:]:
        total = total + part if sign > 0 else total - part
    return total


def columns_of(role: Role, present: Container[str]) -> tuple[str, ...]:
    """Return the names of columns of power of a role, among those that are present."""
    return tuple(c.name for c in net_columns() if c.role == role and c.name in present)


@cache
def device_columns() -> tuple[DeviceColumn, ...]:
    """Return the columns of devices that are in every result, in the order of the table."""
    own = [column for device in registered() if device.is_default for column in device.columns]
    powers = [column for column in own if column.unit == "MW"]
    states = [column for column in own if column.unit != "MW"]
    return (*powers, SHED, *states, OWED)


@cache
def further_columns() -> tuple[DeviceColumn, ...]:
    """Return the columns of other packages' devices, which a table has where there are any."""
    others = [device for device in registered() if not device.is_default]
    return tuple(column for device in others for column in device.columns)
