"""Factors of a campaign: values, ranges, normal distributions and named choices.

Every factor maps the unit interval to its values, which is all that a sampling design needs, and
has levels for a grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from cosim.settings import Model

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Factor(Model):
    """A factor of a design.

    Parameters
    ----------
    name : str
        The dotted path of a field, or the name of choices.
    """

    name: str

    def value(self, u: float) -> Any:
        """Return the value at a place of the unit interval, ``0 <= u < 1``."""
        raise NotImplementedError

    def levels(self) -> tuple[Any, ...]:
        """Return the values of a grid, each once; none where a factor has no steps."""
        raise NotImplementedError

    def overrides(self, value: Any) -> Mapping[str, Any]:
        """Return the fields of a scenario that a value stands for."""
        return {self.name: value}

    def fields(self) -> set[str]:
        """Return the dotted paths that any of its values sets."""
        return {self.name}


class Values(Factor):
    """Values that are equally probable."""

    values: Annotated[tuple[Any, ...], Field(min_length=1)]

    def value(self, u: float) -> Any:
        """Return one of them; each has the same share of the unit interval."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def levels(self) -> tuple[Any, ...]:
        """Return all of them."""
        return self.values


class Range(Factor):
    """Numbers between two ends, uniform or uniform in their logarithm."""

    low: Finite
    high: Finite
    distribution: Literal["uniform", "log_uniform"] = "uniform"
    integer: bool = Field(False, description="whole numbers, both ends among them")
    steps: int | None = Field(None, ge=2, le=10_000, strict=True, description="levels of a grid")

    @model_validator(mode="after")
    def _not_empty(self) -> Range:
        if not self.low < self.high:
            raise ValueError(
                f"the range is empty: low {self.low:g} is not below high {self.high:g}"
            )
        if self.distribution == "log_uniform" and self.low <= 0:
            raise ValueError(f"log_uniform needs low above 0, and it is {self.low:g}")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"integer needs whole ends, not {self.low:g} and {self.high:g}")
        return self

    def value(self, u: float) -> float | int:
        """Return the quantile; of uniform whole numbers each has the same share."""
        if not self.integer:
            return self._between(u, self.low, self.high)
        if self.distribution == "uniform":
            return int(min(math.floor(self.low + u * (self.high - self.low + 1)), self.high))
        return int(min(round(self._between(u, self.low, self.high)), self.high))

    def levels(self) -> tuple[Any, ...]:
        """Return so many steps from end to end; none without ``steps``."""
        if self.steps is None:
            return ()
        found = [
            self._between(k / (self.steps - 1), self.low, self.high) for k in range(self.steps)
        ]
        found[0], found[-1] = self.low, self.high
        return tuple(dict.fromkeys(map(round, found) if self.integer else found))

    def _between(self, u: float, low: float, high: float) -> float:
        if self.distribution == "uniform":
            return float(low + u * (high - low))
        return float(math.exp(math.log(low) + u * (math.log(high) - math.log(low))))


class Normal(Factor):
    """A normal distribution, perhaps cut off at ends (by quantile, not by rejection)."""

    mean: Finite
    deviation: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    at_least: Finite | None = None
    at_most: Finite | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Normal:
        low, high = self._ends()
        if not low < high:
            raise ValueError("the range is empty: between at_least and at_most lies nothing")
        return self

    def value(self, u: float) -> float:
        """Return the quantile of the part of the distribution between the ends."""
        low, high = self._ends()
        inside = low + max(u, 2.0**-53) * (high - low)
        return float(self.mean + self.deviation * ndtri(inside))

    def levels(self) -> tuple[Any, ...]:
        """Return none: a distribution has no steps."""
        return ()

    def _ends(self) -> tuple[float, float]:
        """Return the cumulative probabilities of the ends."""
        ends = (self.at_least, -np.inf), (self.at_most, np.inf)
        low, high = (
            float(ndtr(((none if end is None else end) - self.mean) / self.deviation))
            for end, none in ends
        )
        return low, high


class Choices(Factor):
    """Named sets of fields, such as markets or instruments, that are equally probable."""

    choices: Annotated[dict[str, dict[str, Any] | None], Field(min_length=1)]

    def value(self, u: float) -> str:
        """Return a name."""
        names = list(self.choices)
        return names[min(int(u * len(names)), len(names) - 1)]

    def levels(self) -> tuple[Any, ...]:
        """Return the names."""
        return tuple(self.choices)

    def overrides(self, value: Any) -> Mapping[str, Any]:
        """Return the fields of a choice."""
        return self.choices[value] or {}

    def fields(self) -> set[str]:
        """Return the fields of all choices."""
        return {path for fields in self.choices.values() for path in fields or {}}


FACTORS: dict[str, type[Factor]] = {
    "choices": Choices,
    "low": Range,
    "high": Range,
    "mean": Normal,
    "deviation": Normal,
}
"""Kind of a factor that is a mapping, by a field that it has."""
