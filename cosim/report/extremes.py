"""The worst values that the grid saw: highest and lowest voltage, highest loading."""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.report.checks import grid_record
from cosim.results.reader import Results
from cosim.units import FloatArray


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
    found: dict[str, float | None] = {}
    for prefix, stage in (("", "delivered"), ("scheduled_", "scheduled")):
        record = grid_record(results)[stage]
        found |= {
            f"{prefix}highest_vm_pu": _highest(record.highest_vm_pu),
            f"{prefix}lowest_vm_pu": _lowest(record.lowest_vm_pu),
            f"{prefix}highest_line_loading_percent": _highest(record.line_percent),
            f"{prefix}highest_trafo_loading_percent": _highest(record.trafo_percent),
        }
    return found


def _highest(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else None


def _lowest(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.min()) if known.size else None
