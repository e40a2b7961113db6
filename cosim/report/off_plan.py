"""Energy off the plan: what the DSO cut by order, and what meters read against schedules."""

from __future__ import annotations

import numpy as np

from cosim.results.reader import Results
from cosim.units import IntArray


def off_plan_wh(part: Results) -> IntArray:
    """Return sums of injection and of consumption that the DSO cut, and of imbalance, (3,). [Wh]"""
    curtailed_wh = part.frame("schedules", ("curtailed_wh",))["curtailed_wh"]
    imbalance_wh = part.frame("prosumers", ("imbalance_wh",))["imbalance_wh"].abs().sum()
    cut = -curtailed_wh.clip(upper=0).sum(), curtailed_wh.clip(lower=0).sum()
    return np.array([*cut, imbalance_wh], dtype=np.int64)
