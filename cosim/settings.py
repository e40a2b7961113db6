"""Base of every section of a scenario: a frozen model, and numbers with a range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


Price = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)]
"""A price in EUR/kWh. With an energy of 2**31 Wh it stays within 64 bits of µEUR."""
PositivePrice = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""An amount in EUR; those of all members of a market together stay within 64 bits of µEUR."""
Gwei = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""A price of gas in gwei; 10**9 of them are one ether for each unit of gas."""
MAX_BATCH = 128
"""Most entries of a batch (``contracts/local_market/batches.vy``)."""
Submission = Literal["each", "batched"]
Authority = Literal["role", "signatures"]
BatchSize = Annotated[int, Field(ge=1, le=MAX_BATCH)]
PositiveMoney = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]


class Model(BaseModel):
    """A section: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, given: Any) -> Any:
        """Refuse true and false where a number is wanted, which would count as 1 and 0.

        As words they are no numbers either, and the error then names the field.
        """
        if not isinstance(given, Mapping):
            return given
        fields = cls.model_fields
        return {
            name: _worded(value)
            if name in fields and _is_numeric(fields[name].annotation)
            else value
            for name, value in given.items()
        }


def _is_numeric(annotation: Any) -> bool:
    """Return True if values of a type are numbers, or hold them, and neither truth nor texts."""
    inner = list(get_args(annotation)) or [annotation]
    if get_origin(annotation) is Annotated:
        inner = inner[:1]
    elif get_origin(annotation) is dict:
        inner = inner[1:]
    types = {int if get_args(one) and _is_numeric(one) else one for one in inner}
    return bool(types & {int, float}) and not types & {bool, str, Any}


def _worded(value: Any) -> Any:
    """Return a value with true and false as words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return [_worded(one) for one in value]
    if isinstance(value, dict):
        return {name: _worded(one) for name, one in value.items()}
    return value
