"""Household and other loads."""

from __future__ import annotations

from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Consumer


class Load(Consumer):
    """Loads that nobody controls."""

    kind = "load"
    title = "loads"
    columns = (DeviceColumn("load_p_mw", "MW", "fixed load, consumption positive", "consumption"),)
    rank = 0
    is_default = True
    simbench_profile = ""

    @classmethod
    def noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the forecast error."""
        return (0,)
