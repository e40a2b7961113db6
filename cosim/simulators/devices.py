"""mosaik simulator of the devices and meters behind every connection point."""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.attacks.deviations import Deviation
from cosim.devices.delivery import Delivery, Devices
from cosim.simulators.base import PopulationSimulator
from cosim.simulators.messages import frozen

CHILD = "ConnectionPoint"
PARTS = (
    "load_p_mw",
    "pv_p_mw",
    "pv_curtailed_p_mw",
    "ev_p_mw",
    "heat_pump_p_mw",
    "battery_p_mw",
    "shed_p_mw",
)


def initial_delivery(devices: Devices) -> dict[str, Any]:
    """What bidders and market know before anything was delivered."""
    n = devices.population.n
    return frozen(
        {
            "interval": -1,
            "p_inject_mw": np.zeros(n),
            "q_inject_mvar": np.zeros(n),
            "metered_wh": np.zeros(n, dtype=np.int64),
            "soc_mwh": devices.soc_mwh.copy(),
            "owed_mwh": devices.owed_mwh.copy(),
            "external_p_mw": np.full(n, np.nan),
            "parts": {},
        }
    )


class DevicesSimulator(PopulationSimulator):
    """Steps once per interval, when the market's final dispatch arrives.

    Input ``dispatch``, output ``delivery``. Each connection point is a child entity under its own
    name: another simulator can take a prosumer's place by feeding it ``P_load[MW]`` and
    ``P_gen[MW]``, or read its ``P[MW]`` and ``Q[MVar]`` (fed into the grid) and ``E_bat[MWh]``.
    """

    stage = "devices"

    def __init__(self) -> None:
        super().__init__(
            "Devices",
            ("dispatch",),
            ("delivery",),
            triggers=("dispatch",),
            children={
                CHILD: ("P_load[MW]", "P_gen[MW]", "P[MW]", "Q[MVar]", "E_bat[MWh]"),
            },
        )

    def set_up(self, **domain: Any) -> None:
        """Take the devices, and what some of them do otherwise."""
        self.devices: Devices = domain["devices"]
        self.deviation: Deviation = domain["deviation"]
        self._row = {name: i for i, name in enumerate(self.devices.population.names)}
        self._last: dict[str, Any] = initial_delivery(self.devices)

    def child_entities(self) -> list[dict[str, Any]]:
        """One per connection point."""
        return [{"eid": name, "type": CHILD} for name in self._row]

    def child_value(self, eid: str, attribute: str) -> Any:
        """Last delivered value of a connection point, as a plain number."""
        key = {"P[MW]": "p_inject_mw", "Q[MVar]": "q_inject_mvar", "E_bat[MWh]": "soc_mwh"}
        return float(self._last[key[attribute]][self._row[eid]])

    def play(
        self, interval: int, messages: dict[str, Any], children: dict[str, dict[str, float]]
    ) -> dict[str, Any]:
        """Deliver one interval's dispatch."""
        if "dispatch" not in messages:
            return {}
        dispatch = messages["dispatch"]
        external = None
        if children:
            external = np.full(len(self._row), np.nan)
            for eid, power in children.items():
                external[self._row[eid]] = power.get("P_gen[MW]", 0.0) - power.get(
                    "P_load[MW]", 0.0
                )
        delivery = self.devices.deliver(
            interval,
            dispatch["nominated_wh"],
            self.deviation.followed_wh(interval, dispatch["activated_wh"]),
            dispatch["curtailed_wh"],
            external,
        )
        self._last = frozen(_message(interval, delivery))
        return {"delivery": self._last}


def _message(interval: int, delivery: Delivery) -> dict[str, Any]:
    return {
        "interval": interval,
        "p_inject_mw": delivery.p_inject_mw,
        "q_inject_mvar": delivery.q_inject_mvar,
        "metered_wh": delivery.metered_wh,
        "soc_mwh": delivery.soc_mwh,
        "owed_mwh": delivery.owed_mwh,
        "external_p_mw": delivery.external_p_mw,
        "parts": {part: getattr(delivery, part) for part in PARTS},
    }
