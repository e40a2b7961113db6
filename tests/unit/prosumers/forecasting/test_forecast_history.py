"""Reports from before a run, as far as the profiles reach."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cosim.errors import ProfileError
from cosim.prosumers.forecasting.history import load_before

FIRST = datetime(2016, 5, 1)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    file = tmp_path / "profiles.parquet"
    times = pd.date_range(FIRST, periods=10 * 96, freq="15min")
    pd.DataFrame({"time": times, "h0_p": np.arange(960.0)}).to_parquet(file)
    return file


def load(file: Path, start: datetime, days: int, *, is_needed: bool = True, step_s: int = 900):
    return load_before(file, ["h0_p"], start, days, step_s, is_needed=is_needed)


def test_it_holds_the_days_before_the_run(profiles: Path) -> None:
    values = load(profiles, FIRST + timedelta(days=5), 2)["h0_p"]
    np.testing.assert_array_equal(values, np.arange(3 * 96, 5 * 96))


def test_it_reaches_back_to_the_first_row_in_whole_intervals(profiles: Path) -> None:
    values = load(profiles, FIRST + timedelta(minutes=75), 2, step_s=1800)["h0_p"]
    np.testing.assert_array_equal(values, [1.5, 3.5])  # from 00:15 on
    assert load(profiles, FIRST, 2) == {}


def test_a_gap_ends_the_run_only_where_a_model_learns(profiles: Path) -> None:
    frame = pd.read_parquet(profiles)
    frame.loc[300, "h0_p"] = np.nan
    frame.to_parquet(profiles)
    start = FIRST + timedelta(days=5)
    assert load(profiles, start, 3, is_needed=False) == {}
    with pytest.raises(ProfileError, match="forecasts learn from the 3 days before") as caught:
        load(profiles, start, 3)
    assert caught.value.field == "h0_p"
    assert len(load(profiles, start, 1)["h0_p"]) == 96
