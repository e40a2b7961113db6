"""Time of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from cosim.settings import Model


class TimeSettings(Model):
    """Time of the run."""

    start: datetime = Field(description="start of the first delivery interval, in profile time")
    intervals: Annotated[int, Field(ge=1)] = Field(96, description="number of delivery intervals")
    step_s: Annotated[int, Field(ge=60)] = Field(900, description="length of an interval [s]")
