"""Plug-in registries: mechanisms, devices, instruments, strategies, forecasts, engines.

Everything that a researcher may want to add is found by an entry point, and what ships with cosim
is found by the same: ``[project.entry-points."cosim.<group>"]`` in its ``pyproject.toml``. Folders
that have to know what there is (scenario, results, report, verify) ask a registry and import no
plug-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosim.plugins.registry import Registry

if TYPE_CHECKING:
    from cosim.devices.device import Device
    from cosim.dso.instruments.base import Instrument
    from cosim.grid.power_flow import PowerFlow
    from cosim.plugins.evm_engine import EvmEngine
    from cosim.plugins.mechanism import Mechanism
    from cosim.prosumers.forecasting.model import ForecastModel
    from cosim.prosumers.strategies import Strategy

MECHANISMS: Registry[Mechanism[Any]] = Registry(
    "cosim.mechanisms",
    "cosim.plugins.mechanism:Mechanism",
    "the scenario's sections",
    check=lambda name, mechanism: mechanism.problem(name),
)
"""Mechanisms, by the name of their section in a scenario."""

EVM_ENGINES: Registry[EvmEngine] = Registry(
    "cosim.evm_engines", "cosim.plugins.evm_engine:EvmEngine", "ledger.engine"
)
"""EVM engines, by the name in a scenario."""

INSTRUMENTS: Registry[Instrument[Any]] = Registry(
    "cosim.instruments", "cosim.dso.instruments.base:Instrument", "dso.instruments"
)
"""Instruments of the DSO, by the name in a scenario."""

POWER_FLOW: Registry[PowerFlow] = Registry(
    "cosim.power_flow", "cosim.grid.power_flow:PowerFlow", "grid.power_flow"
)
"""Power-flow engines, by the name in a scenario."""

DEVICES: Registry[Device] = Registry(
    "cosim.devices",
    "cosim.devices.device:Device",
    "the column kind of elements.csv",
    check=lambda name, device: device.problem(name),
)
"""Kinds of device at the connection points, by their name in ``elements.csv``."""

STRATEGIES: Registry[Strategy] = Registry(
    "cosim.strategies", "cosim.prosumers.strategies:Strategy", "prosumers.strategies"
)
"""Bidding strategies of prosumers, by the name in a scenario."""

FORECASTS: Registry[ForecastModel] = Registry(
    "cosim.forecasts", "cosim.prosumers.forecasting.model:ForecastModel", "prosumers.forecast"
)
"""Forecast models of load and generation, by the name in a scenario."""

__all__ = [
    "DEVICES",
    "EVM_ENGINES",
    "FORECASTS",
    "INSTRUMENTS",
    "MECHANISMS",
    "POWER_FLOW",
    "STRATEGIES",
    "Registry",
]
