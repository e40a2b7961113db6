"""Position of the sun, and irradiance under a clear sky."""

from __future__ import annotations

import numpy as np

from cosim.units import SECONDS_PER_HOUR, FloatArray, IntArray

_SECONDS_PER_DAY = 24 * SECONDS_PER_HOUR
_DEGREES_PER_HOUR = 15.0
_MINUTES_PER_HOUR = 60.0


def cosine_of_zenith(
    time_s: IntArray, latitude_degree: float, longitude_degree: float
) -> FloatArray:
    """Return the cosine of the sun's zenith angle.

    Declination and equation of time by Fourier series of the day angle, without refraction; the
    zenith is within 0.5 degree of that of exact algorithms.

    Parameters
    ----------
    time_s : (T,) int64
        Seconds since 1970, in UTC. [s]
    latitude_degree, longitude_degree : float
        North and east positive. [degree]

    Returns
    -------
    (T,) float
        Below zero at night. [-]

    References
    ----------
    J. W. Spencer: Fourier series representation of the position of the sun. Search 2 (1971) 172.
    """
    days, second = np.divmod(time_s, _SECONDS_PER_DAY)
    date = days.astype("datetime64[D]")
    of_year = (date - date.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    angle = 2 * np.pi * (of_year + second / _SECONDS_PER_DAY - 0.5) / 365.25
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
        - 0.002697 * np.cos(3 * angle)
        + 0.00148 * np.sin(3 * angle)
    )
    minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )
    solar_h = (
        second / SECONDS_PER_HOUR
        + longitude_degree / _DEGREES_PER_HOUR
        + minutes / _MINUTES_PER_HOUR
    )
    hour_angle = np.radians(_DEGREES_PER_HOUR * (solar_h - 12.0))
    latitude = np.radians(latitude_degree)
    return np.asarray(
        np.sin(latitude) * np.sin(declination)
        + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    )


def haurwitz_w_per_m2(cosine_zenith: FloatArray) -> FloatArray:
    """Return global horizontal irradiance under a clear sky, ``1098 cos(z) exp(-0.059 / cos(z))``.

    Parameters
    ----------
    cosine_zenith : (T,) float
        [-]

    Returns
    -------
    (T,) float
        Zero while the sun is down. [W/m²]

    References
    ----------
    B. Haurwitz: Insolation in relation to cloudiness and cloud density. Journal of Meteorology 2
    (1945) 154–166. Among models that need the zenith alone it was found best by M. J. Reno, C. W.
    Hansen, J. S. Stein: Global horizontal irradiance clear sky models. Sandia report SAND2012-2389.
    """
    up = np.maximum(cosine_zenith, 1e-9)
    return np.where(cosine_zenith > 0, 1098.0 * up * np.exp(-0.059 / up), 0.0)
