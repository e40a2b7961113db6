"""Plug-in registries: mechanisms, devices, instruments, strategies, power-flow and EVM engines.

Everything that a researcher may want to add is found by an entry point, and what ships with cosim
is found by the same: ``[project.entry-points."cosim.<group>"]`` in its ``pyproject.toml``. Rooms
that have to know what there is (scenario, results, report, verify) ask a registry and import no
plug-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosim.plugins.registry import Registry

if TYPE_CHECKING:
    from cosim.devices.device import Device
    from cosim.plugins.mechanism import Mechanism

MECHANISMS: Registry[Mechanism[Any]] = Registry(
    "cosim.mechanisms", "cosim.plugins.mechanism:Mechanism", "the scenario's sections"
)
"""What a community agrees on by contract, by the name of its section."""

DEVICES: Registry[Device] = Registry(
    "cosim.devices",
    "cosim.devices.device:Device",
    "the column kind of elements.csv",
    check=lambda device: device.problem(),
)
"""Kinds of device at the connection points, by their name in ``elements.csv``."""

__all__ = ["DEVICES", "MECHANISMS", "Registry"]
