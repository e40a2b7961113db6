"""Run-of-river turbines: a generator with a profile of its own, which can spill water."""

from __future__ import annotations

from cosim.devices.device import DeviceColumn
from cosim.devices.profiled import Generator


class RunOfRiver(Generator):
    """Turbines whose power follows the river; what is not wanted is spilled."""

    kind = "run_of_river"
    title = "run-of-river turbines"
    columns = (
        DeviceColumn(
            "run_of_river_p_mw", "MW", "generation of turbines after spilling", "generation"
        ),
        DeviceColumn("run_of_river_spilled_p_mw", "MW", "generation given up by spilling water"),
    )
