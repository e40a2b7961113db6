"""mosaik simulator of the devices and meters behind every connection point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.devices.delivery import Devices
from cosim.messages import DispatchMessage
from cosim.simulators.base import Children, Inbox, PopulationSimulator

CHILD = "ConnectionPoint"


@dataclass(frozen=True)
class DevicesParts:
    """Domain objects of the devices.

    Parameters
    ----------
    devices : Devices
    deviation : Deviation
        In which some do not deliver what they were awarded.
    """

    devices: Devices
    deviation: Deviation


class DevicesSimulator(PopulationSimulator[DevicesParts]):
    """Steps once per interval, when the market's final dispatch arrives.

    Each connection point is a child entity under its own name: another simulator can take a
    prosumer's place by feeding it ``P_load[MW]`` and ``P_gen[MW]``, or read its ``P[MW]`` and
    ``Q[MVar]`` (fed into the grid) and ``E_bat[MWh]``.
    """

    role: ClassVar[str] = "devices"
    stage: ClassVar[str] = "devices"

    def __init__(self) -> None:
        super().__init__({CHILD: ("P_load[MW]", "P_gen[MW]", "P[MW]", "Q[MVar]", "E_bat[MWh]")})

    def set_up(self, parts: DevicesParts) -> None:
        """Take the devices."""
        self.parts = parts
        self._row = {name: i for i, name in enumerate(parts.devices.population.names)}
        self._last = parts.devices.initial()

    def child_entities(self) -> list[dict[str, Any]]:
        """One per connection point."""
        return [{"eid": name, "type": CHILD} for name in self._row]

    def child_value(self, eid: str, attribute: str) -> float:
        """Last delivered value of a connection point, as a plain number."""
        values = {
            "P[MW]": self._last.p_inject_mw,
            "Q[MVar]": self._last.q_inject_mvar,
            "E_bat[MWh]": self._last.soc_mwh,
        }
        return float(values[attribute][self._row[eid]])

    def play(self, interval: int, inbox: Inbox, children: Children) -> Iterable[object]:
        """Deliver one interval's dispatch."""
        dispatch = inbox.of(DispatchMessage)
        if dispatch is None:
            return ()
        external = None
        if children:
            external = np.full(len(self._row), np.nan)
            for eid, power in children.items():
                external[self._row[eid]] = power.get("P_gen[MW]", 0.0) - power.get(
                    "P_load[MW]", 0.0
                )
        self._last = self.parts.devices.deliver(
            interval,
            dispatch.nominated_wh,
            self.parts.deviation.followed_wh(interval, dispatch.activated_wh),
            dispatch.curtailed_wh,
            external,
            dispatch.unserved_wh,
        )
        return (self._last,)
