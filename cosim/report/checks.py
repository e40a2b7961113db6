"""Grid checks by stage: which of an interval's power flows stands for the stage, and by what kind
its limits are violated.

A stage is ``scheduled`` (round 0, before flexibility), ``relieved`` (the last round; the schedule
itself when nothing had to be relieved) or ``delivered`` (what the devices physically did).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from cosim.report.stretches import of_each
from cosim.results.reader import Results
from cosim.units import BoolArray, FloatArray, IntArray

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


@dataclass(frozen=True)
class StageRecord:
    """Grid checks of one stage, summed up over a run.

    Parameters
    ----------
    counts : mapping of str to (int, int)
        By kind of violation and for ``any``: intervals, and elements in intervals.
    offenders : mapping of (str, str, int) to (int, float)
        By kind, element and its index: intervals, and the worst value.
    lowest_vm_pu, highest_vm_pu, line_percent, trafo_percent : (T,) float
        By interval, without the buses that are held upstream; NaN where there is no value.
    n_violated : (T,) int64
        Elements that are violated.
    """

    counts: Mapping[str, tuple[int, int]]
    offenders: Mapping[tuple[str, str, int], tuple[int, float]]
    lowest_vm_pu: FloatArray
    highest_vm_pu: FloatArray
    line_percent: FloatArray
    trafo_percent: FloatArray
    n_violated: IntArray


def grid_record(results: Results) -> Mapping[str, StageRecord]:
    """Return the record of every stage, read in one go."""
    return results.kept("grid record", lambda: _grid_record(results))


def _grid_record(results: Results) -> dict[str, StageRecord]:
    parts = list(of_each(results, grid_records))
    return {stage: _joined([records[stage] for records in parts]) for stage in STAGE_LABELS}


def grid_records(part: Results) -> dict[str, StageRecord]:
    """Return the record of a stretch by stage."""
    checks = part.frame("grid_checks")
    held = np.unique(part.network.ext_grid["bus"].to_numpy())
    value, element = checks["value"].to_numpy(), checks["element"]
    is_known = ~np.isnan(value)
    is_bus, is_line, is_trafo = (
        (element == name).to_numpy() & is_known for name in ("bus", "line", "trafo")
    )
    is_free_bus = is_bus & ~np.isin(checks["element_idx"].to_numpy(), held)
    interval, is_violated = checks["interval"].to_numpy(), checks["violated"].to_numpy(bool)

    def record_of(chosen: BoolArray) -> StageRecord:
        def worst(of_kind: BoolArray, function: np.ufunc) -> FloatArray:
            found, own = np.full(part.n_intervals, np.nan), chosen & of_kind
            function.at(found, interval[own], value[own])
            return found

        rows = checks[chosen & is_violated]
        kind, unique = violation_kind(rows), rows.drop_duplicates(_ELEMENT)
        return StageRecord(
            counts=_counts(rows, kind),
            offenders=_offenders(rows, kind),
            lowest_vm_pu=worst(is_free_bus, np.fmin),
            highest_vm_pu=worst(is_free_bus, np.fmax),
            line_percent=worst(is_line, np.fmax),
            trafo_percent=worst(is_trafo, np.fmax),
            n_violated=np.bincount(unique["interval"].to_numpy(), minlength=part.n_intervals),
        )

    return {stage: record_of(_is_of_stage(checks, stage)) for stage in STAGE_LABELS}


def _is_of_stage(checks: pd.DataFrame, stage: str) -> BoolArray:
    """Return which rows :func:`checks_of_stage` returns."""
    own: BoolArray = (checks["stage"] == stage).to_numpy(bool)
    if stage != "relieved":
        return own
    interval, round = checks["interval"].to_numpy(), checks["round"].to_numpy()
    last = np.full(int(interval.max(initial=-1)) + 1, -1, dtype=np.int64)
    np.maximum.at(last, interval[own], round[own])
    was_relieved = last[interval] >= 0
    is_scheduled: BoolArray = (checks["stage"] == "scheduled").to_numpy(bool)
    return np.asarray((own & (round == last[interval])) | (is_scheduled & ~was_relieved))


def _counts(rows: pd.DataFrame, kind: pd.Series) -> dict[str, tuple[int, int]]:
    """Return intervals, and elements in intervals, by kind of violation and for ``any``."""
    counts = {}
    for name in KINDS:
        of_kind = rows[kind == name]
        counted = ["interval"] if name == "non_convergence" else _ELEMENT
        counts[name] = int(of_kind["interval"].nunique()), len(of_kind.drop_duplicates(counted))
    counts["any"] = int(rows["interval"].nunique()), sum(n for _, n in counts.values())
    return counts


def _offenders(
    rows: pd.DataFrame, kind: pd.Series
) -> dict[tuple[str, str, int], tuple[int, float]]:
    """Return the violated elements of a stage; a power flow without a solution is of the grid."""
    if rows.empty:
        return {}
    unsolved = kind == "non_convergence"
    rows = rows.assign(
        kind=kind,
        element=rows["element"].astype(str).mask(unsolved, "grid"),
        element_idx=rows["element_idx"].mask(unsolved, 0),
    )
    found = {}
    for key, group in rows.groupby(["kind", "element", "element_idx"]):
        name, element, idx = cast(tuple[str, str, int], key)
        value = group["value"]
        worst = value.min() if name == "under_voltage" else value.max()
        found[name, element, int(idx)] = int(group["interval"].nunique()), float(worst)
    return found


def _joined(records: Sequence[StageRecord]) -> StageRecord:
    """Return the record of stretches that follow each other."""
    if len(records) == 1:
        return records[0]
    offenders: dict[tuple[str, str, int], tuple[int, float]] = {}
    for record in records:
        for key, (n, worst) in record.offenders.items():
            n_before, before = offenders.get(key, (0, np.nan))
            beyond = np.fmin if key[0] == "under_voltage" else np.fmax
            offenders[key] = n_before + n, float(beyond(before, worst))
    counts = {
        name: (sum(r.counts[name][0] for r in records), sum(r.counts[name][1] for r in records))
        for name in records[0].counts
    }

    def all_of(name: str) -> Any:
        return np.concatenate([getattr(record, name) for record in records])

    along = ("lowest_vm_pu", "highest_vm_pu", "line_percent", "trafo_percent", "n_violated")
    return StageRecord(counts, offenders, **{name: all_of(name) for name in along})


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
    found = {
        name: {"minutes": float(n * minutes), "element_minutes": float(n_elements * minutes)}
        for name, (n, n_elements) in grid_record(results)[stage].counts.items()
    }
    kinds = (found[name]["element_minutes"] for name in KINDS)
    return found | {"any": {"minutes": found["any"]["minutes"], "element_minutes": sum(kinds)}}


def rebound_minutes(results: Results) -> float:
    """Return minutes in which limits are violated only because consumption is caught up. [min]"""
    rows = results.frame("rebounds", ["violated_without"])
    return float((~rows["violated_without"].astype(bool)).sum() * results.step_s / 60)
