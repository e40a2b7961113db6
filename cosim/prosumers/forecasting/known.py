"""Forecasts that are no forecasts: the truth, the truth with noise, and the user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from cosim.errors import ProfileError
from cosim.inputs.kept import located
from cosim.prosumers.forecasting.model import ForecastModel, ForecastSetup
from cosim.prosumers.forecasting.reports import Horizon, Reports
from cosim.prosumers.profiles import load_window
from cosim.seeds import child_seed
from cosim.units import FloatArray

_MOST_NOISE = 10.0
_MOST_AUTOCORRELATION = 0.999


class Perfect(ForecastModel):
    """The truth, at every horizon: what forecasts could be worth at most."""

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Return what the devices will want."""
        return reports.run.p_mw


def autoregressive_noise(
    n_intervals: int,
    n: int,
    standard_deviation: float,
    autocorrelation: float,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw stationary AR(1) noise: ``e(k) = a e(k-1) + sqrt(1 - a²) s z(k)``, ``e(0) = s z(0)``.

    The first intervals do not depend on how many follow.

    Parameters
    ----------
    n_intervals, n : int
        Shape.
    standard_deviation : float
        ``s``, of every value. [-]
    autocorrelation : float
        ``a`` in [0, 1), of successive values. [-]
    rng : numpy.random.Generator
        Source of ``z``, standard normal.

    Returns
    -------
    (n_intervals, n) float
        Noise.
    """
    noise = rng.standard_normal((n_intervals, n)) * standard_deviation
    innovation = np.sqrt(1.0 - autocorrelation**2)
    for k in range(1, n_intervals):
        noise[k] *= innovation
        noise[k] += autocorrelation * noise[k - 1]
    return noise


class Nowcast(ForecastModel):
    """The truth of the interval with a little noise; no forecast, and named so.

    With the actual power ``p(k)`` of a kind of device and its persistence ``w``::

        nowcast(k) = max(0, 1 + e(k)) * ((1 - w) * p(k) + w * p(k-1)),   p(-1) = p(0)

    where ``e`` is :func:`autoregressive_noise`, drawn for each prosumer and kind. A kind may have a
    part of the variance in common to all prosumers (half of it with PV), so that their errors do
    not cancel out in the sum. It stays within physical bounds: not above a rating, and no
    generation while its profile is zero. ``p(k-1)`` is what the devices wanted, not what
    flexibility made of it: an energy manager knows what it has switched off.

    Its errors are a tenth of those of forecasts (docs/forecasts.md). It serves studies in which
    forecasts shall not matter. It has no day-ahead horizon.

    Parameters
    ----------
    setup : ForecastSetup
    persistence : float
        ``w``, from 0 to 1. [-]
    noise : float
        Standard deviation relative to power, at most 10. [-]
    autocorrelation : float
        Of the noise per interval, from 0 to 0.999. [-]
    """

    has_day_ahead: ClassVar[bool] = False

    def __init__(
        self,
        setup: ForecastSetup,
        persistence: float = 0.1,
        noise: float = 0.03,
        autocorrelation: float = 0.7,
    ) -> None:
        super().__init__(setup)
        self._persistence = setup.number("persistence", persistence, 0.0, 1.0)
        self._noise = setup.number("noise", noise, 0.0, _MOST_NOISE)
        self._autocorrelation = setup.number(
            "autocorrelation", autocorrelation, 0.0, _MOST_AUTOCORRELATION
        )

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Blend the interval with the one before it, and add noise."""
        series = reports.run
        actual = series.p_mw
        error = self._errors(series.noise_key(), *actual.shape)
        if common := series.common_variance:
            error = np.sqrt(1.0 - common) * error
            shared = self._errors(series.common_noise_key(), len(actual), 1)
            error = np.sqrt(common) * shared + error
        previous = np.concatenate((actual[:1], actual[:-1]))
        blend = (1.0 - self._persistence) * actual + self._persistence * previous
        return series.bounded(blend * np.maximum(1.0 + error, 0.0))

    def _errors(self, key: tuple[int, ...], n_intervals: int, n: int) -> FloatArray:
        rng = np.random.default_rng(child_seed(self.setup.seed, *key))
        return autoregressive_noise(n_intervals, n, self._noise, self._autocorrelation, rng)


class FromFile(ForecastModel):
    """Forecasts that the user gives, one column per class and connection point.

    Parameters
    ----------
    setup : ForecastSetup
    path : str
        Parquet file, relative to the scenario's: a column ``time`` (start of each step) and one
        named ``class/connection point`` for each that has the class, a magnitude in MW, such as
        ``load/LV1.101 Load 1``; others are not read.
    day_ahead_path : str, optional
        The same for the day-ahead horizon; default: ``path`` at both.
    """

    def __init__(self, setup: ForecastSetup, path: str, day_ahead_path: str | None = None) -> None:
        super().__init__(setup)
        for option, value in (("path", path), ("day_ahead_path", day_ahead_path)):
            if not isinstance(value, str) and (option == "path" or value is not None):
                raise setup.refuse(option, f"{option} is {value}", "name a Parquet file")
        self._files = {
            "gate_closure": self._place(path),
            "day_ahead": self._place(path if day_ahead_path is None else day_ahead_path),
        }

    def _place(self, path: str) -> Path:
        return located(path, self.setup.folder)

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Read the window of the run.

        Raises
        ------
        ProfileError
            If the file cannot be read, a column is missing, or the window has a gap or a value
            below zero.
        """
        file, run = self._files[horizon.name], reports.run.p_mw
        having = np.flatnonzero((run > 0).any(axis=0) | (reports.run.rated_mw > 0))
        columns = [f"{reports.name}/{reports.names[i]}" for i in having]
        expected = np.zeros_like(run)
        if not columns:
            return expected
        if not file.is_file():
            option = "path" if horizon.name == "gate_closure" else "day_ahead_path"
            raise self.setup.refuse(
                option, f"{file} does not exist", "name a Parquet file, relative to the scenario's"
            )
        calendar = reports.rows
        window = load_window(file, columns, calendar.start, calendar.intervals, calendar.step_s)
        for i, name in zip(having, columns, strict=True):
            if (window[name] < 0).any():
                raise ProfileError(
                    f"is negative in interval {int(np.argmax(window[name] < 0))}",
                    file=file,
                    field=name,
                    remedy="a forecast is a magnitude: consumption and generation are positive",
                )
            expected[:, i] = window[name]
        return expected
