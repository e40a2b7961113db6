"""Time of a run."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, field_validator

from cosim.settings import Model

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ].*)?")


class TimeSettings(Model):
    """Time of the run."""

    start: datetime = Field(description="start of the first delivery interval, in profile time")
    intervals: Annotated[int, Field(ge=1)] = Field(96, description="number of delivery intervals")
    step_s: Annotated[int, Field(ge=60)] = Field(900, description="length of an interval [s]")

    @field_validator("start", mode="before")
    @classmethod
    def _date(cls, given: Any) -> Any:
        """Refuse numbers, which would count as seconds since 1970, and dates in other orders."""
        if isinstance(given, date) or (isinstance(given, str) and _ISO.fullmatch(given.strip())):
            return given
        raise ValueError(f"{given!r} is no ISO 8601 date and time such as 2016-05-24T12:00:00")
