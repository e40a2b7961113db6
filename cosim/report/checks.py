"""Grid checks by stage: which of an interval's power flows stands for the stage, and by what kind
its limits are violated.

A stage is ``scheduled`` (round 0, before flexibility), ``relieved`` (the last round; the schedule
itself when nothing had to be relieved) or ``delivered`` (what the devices physically did).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cosim.results.reader import Results

KINDS = ("over_voltage", "under_voltage", "line", "trafo", "non_convergence")
"""Kinds of violation."""

_ELEMENT = ["interval", "element", "element_idx"]

KIND_LABELS = {
    "over_voltage": "Over-voltage",
    "under_voltage": "Under-voltage",
    "line": "Line overload",
    "trafo": "Transformer overload",
    "non_convergence": "No power-flow solution",
}

STAGE_LABELS = {
    "scheduled": "schedule before flexibility",
    "relieved": "schedule after flexibility",
    "delivered": "delivered",
}


def checks_of_stage(results: Results, stage: str) -> pd.DataFrame:
    """Return rows of ``grid_checks`` that stand for a stage, one per interval and element.

    Parameters
    ----------
    results : Results
        A result folder.
    stage : str
        ``scheduled``, ``relieved`` or ``delivered``.
    """
    checks = results.frame("grid_checks")
    rows = checks[checks.stage == stage]
    if stage != "relieved":
        return rows
    last = rows.groupby("interval")["round"].transform("max")
    rows = rows[rows["round"] == last]
    scheduled = checks[checks.stage == "scheduled"]
    untouched = scheduled[~scheduled.interval.isin(rows.interval.unique())]
    return pd.concat([rows, untouched]).sort_values("interval", kind="stable")


def violation_kind(checks: pd.DataFrame) -> pd.Series:
    """Return the kind of each violated row, missing where nothing is violated.

    A value that is not a number means that there is no solution, whatever the element.
    """
    value, limit = checks["value"].to_numpy(), checks["limit"].to_numpy()
    voltage = (checks["quantity"] == "vm_pu").to_numpy()
    element = checks["element"].astype(str).to_numpy()
    conditions = [
        np.isnan(value) | (checks["quantity"] == "convergence").to_numpy(),
        voltage & (value > limit),
        voltage,
        element == "line",
        element == "trafo",
    ]
    names = ["non_convergence", "over_voltage", "under_voltage", "line", "trafo"]
    kind = pd.Series(np.select(conditions, names, default="other"), index=checks.index)
    return kind.where(checks["violated"])


def violation_minutes(results: Results, stage: str) -> dict[str, dict[str, float]]:
    """Return minutes of violation of a stage by kind.

    Returns
    -------
    dict
        By kind of :data:`KINDS` and for ``any``: ``minutes`` in which at least one element is
        violated so, and ``element_minutes``, each element counted for itself; a power flow without
        a solution counts once. [min]
    """
    minutes = results.step_s / 60
    checks = checks_of_stage(results, stage)
    rows = checks[checks["violated"]]
    kind = violation_kind(rows)
    found = {}
    for name in KINDS:
        of_kind = rows[kind == name]
        counted = ["interval"] if name == "non_convergence" else _ELEMENT
        found[name] = {
            "minutes": float(of_kind["interval"].nunique() * minutes),
            "element_minutes": float(len(of_kind.drop_duplicates(counted)) * minutes),
        }
    found["any"] = {
        "minutes": float(rows["interval"].nunique() * minutes),
        "element_minutes": sum(of_kind["element_minutes"] for of_kind in found.values()),
    }
    return found


def rebound_minutes(results: Results) -> float:
    """Return minutes in which limits are violated only because consumption is caught up. [min]"""
    rows = results.frame("rebounds", ["violated_without"])
    return float((~rows["violated_without"].astype(bool)).sum() * results.step_s / 60)
