"""Clear-sky forecast of PV: the sky stays as clear as it was."""

from __future__ import annotations

import numpy as np

from cosim.prosumers.forecasting.model import ForecastSetup, ReportedModel
from cosim.prosumers.forecasting.reports import Horizon, Issue, Reports
from cosim.prosumers.forecasting.sun import cosine_of_zenith, haurwitz_w_per_m2
from cosim.units import SECONDS_PER_HOUR, FloatArray

_LOW_SUN_W_PER_M2 = 50.0
"""With less than this the last report says nothing of the sky."""

_MOST_OFFSET_H = 14.0


class ClearSky(ReportedModel):
    """Persistence of the clear-sky index, known as smart or scaled persistence.

    A plant keeps the ratio of its reported power to the irradiance under a clear sky::

        forecast(k) = sum(p) / sum(g) * g(k)

    of the last report while the sun is up and the target at most an hour ahead, and summed over the
    last reported day otherwise; never more than the plant fed in during the last week. The
    definition follows H. T. C. Pedro, C. F. M. Coimbra: Assessment of forecasting techniques for
    solar power production with no exogenous inputs. Solar Energy 86 (2012) 2017–2028,
    doi:10.1016/j.solener.2012.04.004. Simplified: the irradiance is global horizontal
    (:func:`~cosim.prosumers.forecasting.sun.haurwitz_w_per_m2`), the modules' tilt and direction
    are not known.

    Parameters
    ----------
    setup : ForecastSetup
    latitude_degree, longitude_degree : float
        Of the grid, north and east positive. [degree]
    utc_offset_h : float
        Clock of the profiles ahead of UTC. [h]
    """

    days = 8

    def __init__(
        self,
        setup: ForecastSetup,
        latitude_degree: float,
        longitude_degree: float,
        utc_offset_h: float = 0.0,
    ) -> None:
        super().__init__(setup)
        self._place = (
            setup.number("latitude_degree", latitude_degree, -90.0, 90.0),
            setup.number("longitude_degree", longitude_degree, -180.0, 180.0),
        )
        offset_h = setup.number("utc_offset_h", utc_offset_h, -_MOST_OFFSET_H, _MOST_OFFSET_H)
        self._offset_s = round(offset_h * SECONDS_PER_HOUR)
        self._clear = np.empty(0)

    def expect(self, reports: Reports, horizon: Horizon) -> FloatArray:
        """Forecast each interval from what is reported by then.

        Raises
        ------
        ScenarioError
            For what does not generate.
        """
        if not reports.generates:
            raise self.setup.refuse(
                "latitude_degree",
                f"clear_sky forecasts what the sun drives, and '{reports.name}' consumes",
                "name it for pv: prosumers.forecast.by_class.pv",
            )
        calendar = reports.rows
        middle = calendar.start_s(np.arange(len(reports.p_mw))) + calendar.step_s // 2
        self._clear = haurwitz_w_per_m2(cosine_of_zenith(middle - self._offset_s, *self._place))
        return super().expect(reports, horizon)

    def predict(self, issue: Issue) -> FloatArray:
        """Scale the clear sky of the targets."""
        calendar = issue.rows
        per_hour = max(1, round(SECONDS_PER_HOUR / calendar.step_s))
        day = self._index(issue, calendar.per_day)
        index = np.broadcast_to(day, issue.shape).copy()
        if self._clear[issue.last] >= _LOW_SUN_W_PER_M2:
            soon = issue.targets - issue.last <= max(per_hour, 2)
            index[soon] = self._index(issue, 1)
        week_mw = issue.reported_mw[-7 * calendar.per_day :].max(axis=0)
        return np.asarray(np.minimum(index * self._clear[issue.targets][:, np.newaxis], week_mw))

    def _index(self, issue: Issue, n_rows: int) -> FloatArray:
        """Return reported power per irradiance over the last rows, (n,). [MW m²/W]"""
        end = issue.last + 1
        clear = float(self._clear[max(0, end - n_rows) : end].sum())
        reported = issue.reported_mw[-n_rows:].sum(axis=0)
        return np.asarray(reported / clear) if clear > 0 else np.zeros_like(reported)
