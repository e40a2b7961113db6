"""Electric vehicles."""

from __future__ import annotations

from cosim.devices.deferral import Deferrable
from cosim.devices.device import DeviceColumn


class ElectricVehicles(Deferrable):
    """Charging of electric vehicles."""

    kind = "ev"
    title = "electric vehicles"
    columns = (DeviceColumn("ev_p_mw", "MW", "charging of electric vehicles", "consumption"),)
    rank = 20
    is_default = True
    simbench_profile = "HLS_|APLS_"  # charging at home, at work
