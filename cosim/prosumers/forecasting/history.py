"""Profiles of the days before a run, as far as there are any."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from cosim.errors import ProfileError
from cosim.inputs.profiles import TIME
from cosim.prosumers.forecasting.reports import SECONDS_PER_DAY
from cosim.prosumers.profiles import load_window, utc
from cosim.units import FloatArray


def load_before(
    profiles_file: str | Path,
    columns: Iterable[str],
    start: datetime,
    days: int,
    step_s: int,
    *,
    is_needed: bool,
) -> dict[str, FloatArray]:
    """Read some columns over the days before a run, or as many whole intervals as there are.

    Parameters
    ----------
    profiles_file, columns, step_s
        As :func:`cosim.prosumers.profiles.load_window` takes them; it has read the run's window.
    start : datetime
        Start of interval 0, in profile time.
    days : int
        How far back. [d]
    is_needed : bool
        Whether a model learns from them; else they serve references only.

    Returns
    -------
    dict of str to (H,) float
        Mean of each profile over each interval; nothing where there are no rows, or they have a gap
        and are not needed. [-]

    Raises
    ------
    ProfileError
        If they are needed and have a gap.
    """
    first = utc(pd.Timestamp(pq.read_table(profiles_file, columns=[TIME])[TIME][0].as_py()))
    reach_s = int((utc(pd.Timestamp(start)) - first).total_seconds())
    rows = min(days * SECONDS_PER_DAY, reach_s) // step_s
    if rows < 1:
        return {}
    begin = start - timedelta(seconds=rows * step_s)
    try:
        return load_window(profiles_file, columns, begin, rows, step_s)
    except ProfileError as error:
        if not is_needed:
            return {}
        raise ProfileError(
            f"forecasts learn from the {days} days before the run: {error.problem}",
            file=error.file,
            field=error.field,
            remedy="fill the gap, start the run later, or choose prosumers.forecast.model: "
            "{name: persistence}",
        ) from error
