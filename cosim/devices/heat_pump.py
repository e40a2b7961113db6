"""Heat pumps."""

from __future__ import annotations

from cosim.devices.deferral import Deferrable
from cosim.devices.device import DeviceColumn


class HeatPumps(Deferrable):
    """Heat pumps, whose buildings store heat for a while."""

    kind = "heat_pump"
    title = "heat pumps"
    columns = (DeviceColumn("heat_pump_p_mw", "MW", "consumption of heat pumps", "consumption"),)
    rank = 30
    is_default = True
    simbench_profile = "Air_|Soil_"
