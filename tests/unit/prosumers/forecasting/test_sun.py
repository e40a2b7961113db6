"""Clear sky and position of the sun against published figures."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from cosim.prosumers.forecasting.sun import cosine_of_zenith, haurwitz_w_per_m2


def test_irradiance_is_that_of_pvlib() -> None:
    """Values of test_haurwitz in pvlib-python 0.11, BSD-3-Clause."""
    elevation = np.array([-20, -0.05, -0.001, 5, 10, 30, 50, 90])
    expected = [
        0.0, 0.0, 0.0, 48.6298687941956, 135.741748091813, 487.894132885425, 778.766689344363,
        1035.09203253450,
    ]  # fmt: skip
    ghi = haurwitz_w_per_m2(np.cos(np.radians(90.0 - elevation)))
    np.testing.assert_allclose(ghi, expected, atol=1e-9)


def test_zenith_is_that_of_the_solar_position_algorithm() -> None:
    """Example of Reda and Andreas (2004), doi:10.1016/j.solener.2003.12.003, table A5.1."""
    time = datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC)
    cosine = cosine_of_zenith(np.array([int(time.timestamp())]), 39.742476, -105.1786)
    assert abs(np.degrees(np.arccos(cosine[0])) - 50.11162) < 0.5


def test_the_sun_is_highest_at_solar_noon() -> None:
    day_s = int(datetime(2016, 6, 21, tzinfo=UTC).timestamp())
    minutes = day_s + 60 * np.arange(1440)
    cosine = cosine_of_zenith(minutes, 53.6, 15.0)
    # 15° east is an hour ahead; the equation of time is 1.8 minutes behind in June
    assert abs(int(np.argmax(cosine)) - (11 * 60 + 1.8)) < 2
    # declination 23.44° at the solstice
    assert abs(np.degrees(np.arccos(cosine.max())) - (53.6 - 23.44)) < 0.1
    assert (cosine < 0).sum() / 60 > 6
