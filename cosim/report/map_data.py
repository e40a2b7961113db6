"""State of the grid over time, as the maps of a report take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cosim.report.chart_style import round_ticks
from cosim.report.checks import STAGE_LABELS
from cosim.report.network_map import (
    LOADING_STEPS_PER_PERCENT,
    VM_STEPS_PER_PU,
    geometry,
    pack_stage,
    worst_interval,
)
from cosim.report.series import StageSeries
from cosim.results.reader import Results
from cosim.units import IntArray


def map_data(
    results: Results, before: StageSeries, after: StageSeries, shown: IntArray
) -> dict[str, Any]:
    """Return drawing, scales and state of the grid in some intervals.

    Parameters
    ----------
    results : Results
    before, after : StageSeries
        Of the schedules before flexibility, and of what was delivered.
    shown : (n,) int64
        Intervals on the map, ascending.
    """
    return {
        "start": results.times[0].isoformat(),
        "step_s": results.step_s,
        **states(before, after, shown),
        **drawing(results, before),
    }


def states(before: StageSeries, after: StageSeries, shown: IntArray) -> dict[str, Any]:
    """Return the state of the grid in some intervals, and which is the worst of them."""
    return {
        "intervals": shown.tolist(),
        "worst": int(np.argmin(np.abs(shown - worst_interval(before)))),
        "stages": {"before": pack_stage(before, shown), "after": pack_stage(after, shown)},
    }


def scales(limits: Mapping[str, float]) -> dict[str, list[float]]:
    """Return the values between which colours change: ``vm_pu`` and ``loading_percent``."""
    margin = 0.2 * (limits["vm_max_pu"] - limits["vm_min_pu"]) / 2
    reach = max(1 - limits["vm_min_pu"], limits["vm_max_pu"] - 1) + margin
    most = 1.3 * max(limits["line_loading_percent"], limits["trafo_loading_percent"])
    return {
        "vm_pu": [round(1 - reach, 4), round(1 + reach, 4)],
        "loading_percent": [0, round(most, 2)],
    }


def drawing(results: Results, stage: StageSeries) -> dict[str, Any]:
    """Return the drawing of the grid and its scales, which are the same in every interval."""
    limits = results.scenario_fields["grid"]["limits"]
    scale = scales(limits)
    return {
        "limits": limits,
        "scale": {
            "vm_pu": scale["vm_pu"],
            "vm_ticks": round_ticks(*scale["vm_pu"]),
            "loading_percent": scale["loading_percent"],
            "loading_ticks": round_ticks(*scale["loading_percent"]),
        },
        "vm_steps_per_pu": VM_STEPS_PER_PU,
        "loading_steps_per_percent": LOADING_STEPS_PER_PERCENT,
        "stage_labels": [STAGE_LABELS["scheduled"], STAGE_LABELS["delivered"]],
        "geometry": geometry(results, stage),
    }
