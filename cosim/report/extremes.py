"""The worst values that the grid saw: highest and lowest voltage, highest loading."""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.report.checks import checks_of_stage
from cosim.results.reader import Results


def extreme_indicators(results: Results) -> dict[str, Any]:
    """Return highest and lowest bus voltage and highest loadings, scheduled and delivered.

    Buses that the upstream grid holds at a given voltage are left out, and so are intervals
    without a power-flow solution: ``violations`` counts those.

    Returns
    -------
    dict of str to float or None
        ``highest_vm_pu``, ``lowest_vm_pu``, ``highest_line_loading_percent`` and
        ``highest_trafo_loading_percent`` as delivered, and with ``scheduled_`` before the name of
        the schedules before flexibility; None without a value. [pu, %]
    """
    held = np.unique(results.network.ext_grid["bus"].to_numpy())
    found: dict[str, float | None] = {}
    for prefix, stage in (("", "delivered"), ("scheduled_", "scheduled")):
        checks = checks_of_stage(results, stage)
        element, value = checks["element"].astype(str).to_numpy(), checks["value"].to_numpy()
        is_known = ~np.isnan(value)
        free_bus = (element == "bus") & ~np.isin(checks["element_idx"].to_numpy(), held)
        voltages = value[free_bus & is_known]
        for name, values, largest in (
            ("highest_vm_pu", voltages, True),
            ("lowest_vm_pu", voltages, False),
            ("highest_line_loading_percent", value[(element == "line") & is_known], True),
            ("highest_trafo_loading_percent", value[(element == "trafo") & is_known], True),
        ):
            worst = (values.max() if largest else values.min()) if len(values) else None
            found[prefix + name] = None if worst is None else float(worst)
    return found
