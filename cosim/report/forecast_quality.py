"""Quality of forecasts: error, skill, bias and memory, by class of device and horizon.

With the error ``e = forecast - actual`` of a prosumer over the intervals of a run:

* ``nrmse``: root mean square of ``e`` over the prosumer's mean power, of generation its rating;
* ``nmae``: mean of ``|e|`` over the mean power;
* ``skill``: ``1 - rmse(e) / rmse(e of the reference)`` over the intervals that have the reference:
  at gate closure the last report goes on (persistence), at the day-ahead horizon the same time of
  the last day reported by then;
* ``autocorrelation``: of ``e`` in successive intervals.

Each is the median over the prosumers that have the class. Those named ``_all`` are of the sum of
all prosumers, relative to the sum of the means or ratings. ``bias`` is the sum of all errors over
the sum of all power. Definitions of error and skill: D. Yang and others, Verification of
deterministic solar forecasts. Solar Energy 210 (2020) 20–37,
doi:10.1016/j.solener.2020.04.019. Skills relative to different references are not comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cosim.devices.catalogue import registered
from cosim.devices.load import Load
from cosim.devices.profiled import Generator
from cosim.report.indicator import ratio
from cosim.report.panel import TableFigure, TextTable
from cosim.report.stretches import column_of, first_of
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import FloatArray

HORIZONS = {"gate_closure": "persistence_mw", "day_ahead": "day_before_mw"}
"""Horizons, and the column of each one's reference."""

HORIZON_LABELS = {"gate_closure": "gate closure", "day_ahead": "day ahead"}

MEASURES = (
    "nrmse", "nmae", "skill", "autocorrelation", "nrmse_all", "skill_all", "autocorrelation_all",
    "bias",
)  # fmt: skip

Quality = dict[str, dict[str, dict[str, float | None]]]
"""Measures by class, horizon and name; None where a model has no such horizon, or nothing to
divide by. [-]"""

_LEAST_ERROR_MW = 1e-12
"""An error below this is rounding, and has no skill and no memory."""


def forecast_quality(results: Results) -> Quality:
    """Return the quality of every class's forecasts in a run."""
    generating = {device.kind for device in registered() if issubclass(device, Generator)}
    found: Quality = {}
    for name in _classes(results):
        rated_mw = _of_class(results, name, "rated_mw")[0] if name in generating else None
        actual_mw = _of_class(results, name, "actual_mw")
        found[name] = {
            horizon: measures(
                actual_mw,
                _of_class(results, name, f"{horizon}_mw"),
                _of_class(results, name, reference),
                rated_mw,
            )
            for horizon, reference in HORIZONS.items()
        }
    return found


def _classes(results: Results) -> list[str]:
    """Return the classes of a run, in their order."""
    first = first_of(results).frame("forecasts", ("device_class",))
    return [str(name) for name in first["device_class"].unique()]


def _of_class(results: Results, name: str, column: str) -> FloatArray:
    """Return one column of one class, (T, n); nothing of it is kept. [MW]"""

    # every interval has the same classes and connection points in the same order
    at_first = first_of(results).frame("forecasts", ("interval", "device_class"))
    own = (at_first.loc[at_first["interval"] == 0, "device_class"] == name).to_numpy()
    # in the order of the table, for sums must not depend on how it is read
    values = column_of(results, "forecasts", column, own).reshape(results.n_intervals, -1)
    return np.ascontiguousarray(values, dtype=np.float64)


def coincidence_factors(results: Results) -> dict[str, Any]:
    """Return the highest sum of loads over the sum of each one's highest, as run and published."""
    first = first_of(results).frame("forecasts")
    found: dict[str, Any] = {}
    for name, column in (
        ("load_coincidence_factor", "actual_mw"),
        ("published_load_coincidence_factor", "published_mw"),
    ):
        found[name] = None
        if column in first and (first["device_class"] == Load.kind).any():
            p_mw = _of_class(results, Load.kind, column)
            found[name] = ratio(p_mw.sum(axis=1).max(), p_mw.max(axis=0).sum())
    return found


def measures(
    actual_mw: FloatArray,
    forecast_mw: FloatArray,
    reference_mw: FloatArray,
    rated_mw: FloatArray | None = None,
) -> dict[str, float | None]:
    """Return every measure of one class at one horizon.

    Parameters
    ----------
    actual_mw, forecast_mw, reference_mw : (T, n) float
        Power as it was, as expected and as the reference expects. [MW]
    rated_mw : (n,) float, optional
        What the root mean square error is relative to; default: each one's mean power. [MW]
    """
    if np.isnan(forecast_mw).any():
        return dict.fromkeys(MEASURES)
    error, mean_mw = forecast_mw - actual_mw, actual_mw.mean(axis=0)
    base_mw = mean_mw if rated_mw is None else rated_mw
    whole = [part.sum(axis=1, keepdims=True) for part in (error, reference_mw - actual_mw)]
    return {
        "nrmse": _median(_over(_rms(error), base_mw)),
        "nmae": _median(_over(np.abs(error).mean(axis=0), mean_mw)),
        "skill": _median(_skill(error, reference_mw - actual_mw)),
        "autocorrelation": _median(_memory(error)),
        "nrmse_all": _median(_over(_rms(whole[0]), base_mw.sum(keepdims=True))),
        "skill_all": _median(_skill(*whole)),
        "autocorrelation_all": _median(_memory(whole[0])),
        "bias": _median(_over(error.sum(keepdims=True), actual_mw.sum(keepdims=True))),
    }


def _rms(error: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((error**2).mean(axis=0)), dtype=np.float64)


def _over(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.asarray(np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0))


def _skill(error: FloatArray, reference: FloatArray) -> FloatArray:
    known = ~np.isnan(reference).any(axis=1)
    if not known.any():
        return np.full(error.shape[1], np.nan)
    if not known.all():
        error, reference = error[known], reference[known]
    left, right = _rms(error), _rms(reference)
    ratio = np.divide(left, right, out=np.full_like(left, np.nan), where=right > _LEAST_ERROR_MW)
    return np.asarray(1.0 - ratio)


def _memory(error: FloatArray) -> FloatArray:
    centred = error - error.mean(axis=0)
    square, product = (centred**2).sum(axis=0), (centred[1:] * centred[:-1]).sum(axis=0)
    least = len(error) * _LEAST_ERROR_MW**2
    memory = np.divide(product, square, out=np.full_like(square, np.nan), where=square > least)
    return np.asarray(memory)


def _median(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def quality_table(quality: Quality) -> TableFigure:
    """Return the quality as a table for the terminal and the report."""
    cells = [
        (
            f"{name}, {HORIZON_LABELS[horizon]}",
            *(number(own[measure], "", 2) for measure in MEASURES),
        )
        for name, horizons in quality.items()
        for horizon, own in horizons.items()
        if own["nrmse"] is not None
    ]
    headings = (
        "Class, horizon", "nRMSE", "nMAE", "Skill", "Lag 1", "nRMSE, all", "Skill, all",
        "Lag 1, all", "Bias",
    )  # fmt: skip
    return TableFigure(
        "forecast-quality",
        "Quality of forecasts",
        (
            "Median over prosumers, and of the sum of all. nRMSE is relative to the mean power, of "
            "generation to the rating; skill to persistence, day ahead to the same time of the day "
            "before.",
        ),
        (TextTable("Quality of forecasts", headings, cells),),
        wide=True,
    )
