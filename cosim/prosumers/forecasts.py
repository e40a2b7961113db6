"""Forecasts of a run: each class of devices by its model, at both horizons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from cosim.devices.population import Population
from cosim.devices.profiled import Series, frozen, ratio, total
from cosim.errors import ScenarioError
from cosim.inputs.long_series import let_go
from cosim.prosumers.day_ahead import DayAhead, expected_mw
from cosim.prosumers.forecasting.model import (
    FIELD,
    ForecastModel,
    ForecastSetup,
    check_expected,
    make_model,
)
from cosim.prosumers.forecasting.naive import same_time
from cosim.prosumers.forecasting.reports import Horizon, Known, Reports
from cosim.scenario.prosumers import ForecastSettings
from cosim.units import BoolArray, FloatArray

DEFERRABLE = "deferrable"
"""Class of all consumption that can wait."""

REFERENCE_DAYS = 3
"""Days of reports before a run that the references need at both horizons."""

_ROWS_AT_ONCE = 96
"""Intervals whose rows are made together."""


@dataclass(frozen=True)
class ClassForecast:
    """Forecasts of one class and what became of them, magnitudes of the ``m`` with devices. [MW]

    Parameters
    ----------
    name, model : str
        The class, and its model.
    sees_future : bool
        Whether the model uses what no meter has reported.
    has_any : (n,) bool
        Prosumers that have such devices.
    actual_mw : (T, m) float
        What the devices wanted.
    gate_closure_mw, day_ahead_mw : (T, m) float
        Forecasts at the horizons; NaN where the model has none.
    persistence_mw, day_before_mw : (T, m) float
        References: the last report at gate closure, and the same time of the last day reported when
        day-ahead forecasts are made. NaN where nothing is reported so early.
    rated_mw : (m,) float
        Rating. [MW]
    published_mw : (T, m) float, optional
        Power as published, where the run varies it.
    """

    name: str
    model: str
    sees_future: bool
    has_any: BoolArray
    actual_mw: FloatArray
    gate_closure_mw: FloatArray
    day_ahead_mw: FloatArray
    persistence_mw: FloatArray
    day_before_mw: FloatArray
    rated_mw: FloatArray
    published_mw: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts for every interval of a run, at the horizon of orders; powers are magnitudes.

    Parameters
    ----------
    generated_mw, consumed_mw, flexible_mw : (T, n) float
        All generation, all consumption that cannot wait, and all that can. [MW]
    throttleable_mw, cuttable_mw : (T, n) float
        Generation that owners offer to throttle, and that the DSO may cut. [MW]
    sheddable_mw : (T, n) float
        Consumption that cannot wait and that the DSO may cut. [MW]
    q_inject_mvar : (T, n) float
        Net reactive injection, at the power factors of the interval's profiles where the model sees
        them and of all that was reported elsewhere. [Mvar]
    community_supply_mw, community_demand_mw : (T,) or (T, markets) float
        Generation and consumption of all, or of each market's, as expected on the day before; of a
        model without that horizon as they will be. [MW]
    classes : tuple of ClassForecast
        Each class for itself, at both horizons.
    day_ahead : DayAhead
        Net injection of all devices as expected on the day before.
    """

    generated_mw: FloatArray
    consumed_mw: FloatArray
    flexible_mw: FloatArray
    throttleable_mw: FloatArray
    cuttable_mw: FloatArray
    sheddable_mw: FloatArray
    q_inject_mvar: FloatArray
    community_supply_mw: FloatArray
    community_demand_mw: FloatArray
    classes: tuple[ClassForecast, ...]
    day_ahead: DayAhead


@dataclass(frozen=True)
class ForecastModels:
    """Models of a scenario by class.

    Parameters
    ----------
    of : dict of str to (str, ForecastModel)
        Name and model of each class.
    """

    of: dict[str, tuple[str, ForecastModel]]

    @property
    def days(self) -> int:
        """Days of reports before the run that models and references want."""
        return max(REFERENCE_DAYS, *(model.days for _, model in self.of.values()))

    @property
    def learn(self) -> bool:
        """True if a model wants reports from before the run."""
        return any(model.days for _, model in self.of.values())


def make_models(
    settings: ForecastSettings,
    population: Population,
    seed: np.random.SeedSequence,
    folder: Path | None = None,
) -> ForecastModels:
    """Make the model of every class that a population has.

    Parameters
    ----------
    settings : ForecastSettings
    population : Population
    seed : numpy.random.SeedSequence
        Of what models draw.
    folder : Path, optional
        Of the scenario's file.

    Raises
    ------
    ScenarioError
        If a model or a class is unknown, options do not fit, or a model has not the horizon that
        orders are made at.
    """
    names = [d.kind for d in (*population.generators, *population.consumers)]
    names.append(DEFERRABLE)
    for name in settings.by_class:
        if name not in names:
            raise ScenarioError(
                f"'{name}' is no class of this run's devices",
                field=f"{FIELD}.by_class.{name}",
                remedy=f"name one of: {', '.join(names)}",
            )
    models = {}
    for name in names:
        chosen, field = settings.model, f"{FIELD}.model"
        if name in settings.by_class:
            chosen, field = settings.by_class[name], f"{FIELD}.by_class.{name}"
        model = make_model(chosen, ForecastSetup(field, seed, folder))
        if settings.horizon == "day_ahead" and not model.has_day_ahead:
            raise ScenarioError(
                f"orders are made from day-ahead forecasts, and '{chosen.name}' has none",
                field=f"{field}.name",
                remedy=f"choose another model, or {FIELD}.horizon: gate_closure",
            )
        models[name] = chosen.name, model
    return ForecastModels(models)


def make_forecasts(
    population: Population,
    settings: ForecastSettings,
    seed: np.random.SeedSequence,
    known: Known | None = None,
    models: ForecastModels | None = None,
) -> Forecasts:
    """Forecast every interval of a run at both horizons.

    Parameters
    ----------
    population : Population
        Prosumers and their profiles.
    settings : ForecastSettings
        Models and horizons.
    seed : numpy.random.SeedSequence
        Of what models draw.
    known : Known, optional
        What was reported before, and when the window opens; default: nothing, a run from Saturday
        1 January 2000 on whose window opens and whose meters report without delay.
    models : ForecastModels, optional
        From :func:`make_models`; made from the settings by default.

    Returns
    -------
    Forecasts
        Read-only arrays.

    Raises
    ------
    ScenarioError
        As :func:`make_models`, or if a model's forecast cannot be used.
    """
    known = known or Known(datetime(2000, 1, 1), 0, 0)
    models = models or make_models(settings, population, seed)
    horizons = {
        name: Horizon(name, known.lead_s, known.metering_s, settings.day_ahead_hour)
        for name in ("gate_closure", "day_ahead")
    }
    before = known.before

    def expect(name: str, run: Series, past: Series | None, generates: bool) -> _Expected:
        reports = Reports.of(name, run, past, known.start, population, generates)
        expected = _expect(reports, *models.of[name], horizons, settings)
        let_go()
        published_mw = known.published_mw.get(name)
        if published_mw is None:
            return expected
        published_mw = frozen(published_mw[:, expected.of_class.has_any])
        return replace(expected, of_class=replace(expected.of_class, published_mw=published_mw))

    def past_of(kind: str) -> Series | None:
        if before is None:
            return None
        return next(d for d in (*before.generators, *before.consumers) if d.kind == kind)

    generation = [expect(d.kind, d, past_of(d.kind), True) for d in population.generators]
    consumption = [expect(d.kind, d, past_of(d.kind), False) for d in population.consumers]
    deferral = population.deferral
    flexible = expect(DEFERRABLE, deferral, None if before is None else before.deferral, False)
    generated_mw = frozen(total([e.p_mw for e in generation]))
    consumed_mw = frozen(total([e.p_mw for e in consumption]))

    def of(kinds: Sequence[_Expected], whole_mw: FloatArray, chosen: Sequence[bool]) -> FloatArray:
        if all(chosen):
            return whole_mw
        own = [e.p_mw for e, is_in in zip(kinds, chosen, strict=True) if is_in]
        return total(own or [np.zeros_like(whole_mw)])

    demand_mw = total([e.community_mw for e in consumption]) + flexible.community_mw
    return Forecasts(
        generated_mw=generated_mw,
        consumed_mw=consumed_mw,
        flexible_mw=frozen(flexible.p_mw),
        throttleable_mw=frozen(
            of(generation, generated_mw, [d.is_flexible for d in population.generators])
        ),
        cuttable_mw=frozen(
            of(generation, generated_mw, [d.is_curtailable for d in population.generators])
        ),
        sheddable_mw=frozen(
            of(consumption, consumed_mw, [d.is_curtailable for d in population.consumers])
        ),
        q_inject_mvar=frozen(
            total([e.q_mvar for e in generation])
            - total([e.q_mvar for e in consumption])
            - flexible.q_mvar
        ),
        community_supply_mw=known.community(total([e.community_mw for e in generation])),
        community_demand_mw=known.community(demand_mw),
        classes=tuple(e.of_class for e in (*generation, *consumption, flexible)),
        day_ahead=DayAhead.of(
            frozen(
                total([e.day_ahead_mw for e in generation])
                - total([e.day_ahead_mw for e in (*consumption, flexible)])
            ),
            known.start,
            population.step_s,
        ),
    )


@dataclass(frozen=True)
class _Expected:
    """Forecast of one class: at the horizon of orders, of the community, and all of it."""

    p_mw: FloatArray
    q_mvar: FloatArray
    community_mw: FloatArray
    day_ahead_mw: FloatArray
    of_class: ClassForecast


def _expect(
    reports: Reports,
    model_name: str,
    model: ForecastModel,
    horizons: dict[str, Horizon],
    settings: ForecastSettings,
) -> _Expected:
    actual = reports.run.p_mw
    at: dict[str, FloatArray] = {}
    for name, horizon in horizons.items():
        if name == "gate_closure" or model.has_day_ahead:
            at[name] = model.expect(reports, horizon)
            check_expected(model_name, model.setup.field, at[name], actual.shape)
    p_mw = at[settings.horizon]
    if model.sees_future:
        q_mvar = reports.run.q_mvar * ratio(p_mw, actual, 1.0)
    else:
        last_known = horizons[settings.horizon].last_known(reports.rows)
        q_mvar = p_mw * reports.reported_q_per_p(last_known)
    has_any = np.asarray((actual > 0).any(axis=0))

    def own(values: FloatArray) -> FloatArray:
        return frozen(values[..., has_any])

    day_ahead_mw = at.get("day_ahead", np.full(actual.shape, np.nan))
    day_before_mw = _reference(reports, horizons["day_ahead"], is_day=True)
    return _Expected(
        frozen(p_mw),
        frozen(q_mvar),
        frozen(at.get("day_ahead", actual)),
        frozen(expected_mw(day_ahead_mw, day_before_mw)),
        ClassForecast(
            name=reports.name,
            model=model_name,
            sees_future=model.sees_future,
            has_any=has_any,
            actual_mw=own(actual),
            gate_closure_mw=own(at["gate_closure"]),
            day_ahead_mw=own(day_ahead_mw),
            persistence_mw=own(_reference(reports, horizons["gate_closure"], is_day=False)),
            day_before_mw=own(day_before_mw),
            rated_mw=own(reports.run.rated_mw),
        ),
    )


def forecast_rows(
    forecasts: Forecasts, names: Sequence[str], intervals: int, begin: int = 0
) -> Iterator[dict[str, Any]]:
    """Yield the rows of table ``forecasts``, a day or so at a time.

    Parameters
    ----------
    forecasts : Forecasts
    names : sequence of str
        Connection points.
    intervals, begin : int
        How many are recorded; the first one whose rows are wanted.

    Yields
    ------
    dict of str to array
        By column; rows by interval, class and connection point.
    """
    powers = ("actual_mw", "gate_closure_mw", "day_ahead_mw", "persistence_mw", "day_before_mw")
    every = forecasts.classes
    labels = [(e.name, names[i]) for e in every for i in np.flatnonzero(e.has_any).tolist()]
    if not labels:
        return
    classes, prosumers = (np.array(part, dtype=object) for part in zip(*labels, strict=True))
    rated_mw = np.concatenate([each.rated_mw for each in every])
    for first in range(begin, intervals, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, intervals)
        parts = {name: [getattr(e, name)[first:last] for e in every] for name in powers}
        if any(each.published_mw is not None for each in every):
            parts["published_mw"] = [
                (e.actual_mw if e.published_mw is None else e.published_mw)[first:last]
                for e in every
            ]
        columns: dict[str, Any] = {
            name: np.concatenate(part, axis=1).ravel() for name, part in parts.items()
        }
        yield {
            "interval": np.repeat(np.arange(first, last), len(labels)),
            "device_class": np.tile(classes, last - first),
            "prosumer": np.tile(prosumers, last - first),
            **columns,
            "rated_mw": np.tile(rated_mw, last - first),
        }


def _reference(reports: Reports, horizon: Horizon, *, is_day: bool) -> FloatArray:
    """Return what persistence expects, NaN where nothing is reported so early, (T, n). [MW]"""
    parts = []
    for issue in reports.issues(horizon):
        if not len(issue.reported_mw):
            parts.append(np.full(issue.shape, np.nan))
        elif is_day:
            parts.append(same_time(issue, 1))
        else:
            parts.append(np.broadcast_to(issue.reported_mw[-1], issue.shape))
    return np.concatenate(parts)
