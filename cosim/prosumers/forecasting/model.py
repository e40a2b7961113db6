"""Base of forecast models; those of other packages plug in by entry points.

A model that derives from :class:`ReportedModel` is given what meters have reported when a forecast
is made, and nothing later. One that derives from :class:`ForecastModel` sees the whole run: it says
so, and is named so in reports.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cosim.errors import ScenarioError
from cosim.plugins import FORECASTS
from cosim.plugins.options import make_with_options
from cosim.prosumers.forecasting.reports import Horizon, Issue, Reports
from cosim.scenario.prosumers import ForecastModelSettings
from cosim.units import FloatArray

FIELD = "prosumers.forecast"


@dataclass(frozen=True)
class ForecastSetup:
    """Surroundings of a forecast model.

    Parameters
    ----------
    field : str
        Where in the scenario the model is named; for errors.
    seed : numpy.random.SeedSequence
        Of what it draws.
    folder : Path, optional
        Of the scenario's file, which paths are relative to.
    """

    field: str
    seed: np.random.SeedSequence
    folder: Path | None = None

    def refuse(self, option: str, problem: str, remedy: str) -> ScenarioError:
        """Return the error for an option that cannot be used, to be raised."""
        return ScenarioError(problem, field=f"{self.field}.options.{option}", remedy=remedy)

    def number(self, option: str, value: object, low: float, high: float) -> float:
        """Return the value of an option that is a number from ``low`` to ``high``.

        Raises
        ------
        ScenarioError
            If it is not.
        """
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise self.refuse(option, f"{option} is {value}", f"give a number from {low:g} to {high:g}")


class ForecastModel(ABC):
    """Base of all forecast models; options of the scenario become keyword arguments.

    Parameters
    ----------
    setup : ForecastSetup

    Attributes
    ----------
    sees_future : bool
        Whether it uses what no meter has reported when the forecast is made.
    has_day_ahead : bool
        Whether it has a forecast at the day-ahead horizon.
    days : int
        Days of reports before the run that it wants, as far as there are any.
    """

    sees_future: ClassVar[bool] = True
    has_day_ahead: ClassVar[bool] = True
    days: int = 0

    def __init__(self, setup: ForecastSetup) -> None:
        self.setup = setup

    @abstractmethod
    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Forecast every interval of a run.

        Returns
        -------
        (T, n) float
            Expected power, a magnitude. [MW]
        """


class ReportedModel(ForecastModel):
    """A model that uses reports of meters, and nothing later than the last of them."""

    sees_future: ClassVar[bool] = False
    days: int = 1

    @abstractmethod
    def predict(self, issue: Issue) -> FloatArray:
        """Make one forecast from at least one report.

        Returns
        -------
        (L, n) float
            Expected power of the targets; what is negative counts as zero. [MW]
        """

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Forecast each interval from what is reported by then; from nothing, expect nothing."""
        parts = [
            np.maximum(self.predict(issue), 0.0)
            if len(issue.reported_mw)
            else np.zeros(issue.shape)
            for issue in reports.issues(horizon)
        ]
        return np.concatenate(parts)


def load_model(name: str, field: str) -> type[ForecastModel]:
    """Find a model by the name of its entry point in the group ``cosim.forecasts``.

    Raises
    ------
    ScenarioError
        If the name is unknown.
    PluginError
        If two packages claim a name, or it is no forecast model.
    """
    if name not in FORECASTS.names:
        raise ScenarioError(
            f"unknown forecast model '{name}'",
            field=f"{field}.name",
            remedy=f"known: {', '.join(sorted(FORECASTS.names))}; others come with packages that "
            f"declare the entry-point group {FORECASTS.group} (docs/forecasts.md)",
        )
    return FORECASTS.load(name)


def make_model(settings: ForecastModelSettings, setup: ForecastSetup) -> ForecastModel:
    """Load a model and give it its options.

    Raises
    ------
    ScenarioError
        As :func:`load_model`, or if the options do not fit.
    """
    cls = load_model(settings.name, setup.field)
    return make_with_options(cls, settings.name, setup, settings.options, setup.field)


def check_expected(name: str, field: str, expected_mw: FloatArray, shape: tuple[int, int]) -> None:
    """Refuse a forecast that is none.

    Raises
    ------
    ScenarioError
        If it has another shape, or is negative or not finite somewhere.
    """
    problem = ""
    if expected_mw.shape != shape:
        problem = f"has shape {expected_mw.shape}, not {shape}"
    elif not np.isfinite(expected_mw).all() or (expected_mw < 0).any():
        at = int(np.argwhere(~(np.isfinite(expected_mw) & (expected_mw >= 0)))[0][0])
        problem = f"is negative or no number in interval {at}"
    if problem:
        raise ScenarioError(
            f"the forecast of '{name}' {problem}",
            field=field,
            remedy="mend the model (docs/forecasts.md)",
        )
