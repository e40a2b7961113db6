"""Declaration of indicators: name, unit and definition of a number that a run is judged by.

A subject (a run as a whole, a mechanism, an attack) declares its indicators as one frozen
dataclass. A field's name is that of the indicator, and its type says unit and definition::

    @dataclass(frozen=True)
    class ParkingIndicators(IndicatorSet):
        parking_paid_eur: Annotated[float, Meaning("EUR", "paid for parking")]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, get_type_hints

Rows = Sequence[tuple[str, str]]
"""Name and value of indicators, as text."""


@dataclass(frozen=True)
class Meaning:
    """Unit and definition of an indicator.

    Parameters
    ----------
    unit : str
        As in its name; ``-`` for a share or a number of things.
    definition : str
        In a few words, for the documentation.
    """

    unit: str
    definition: str


class IndicatorSet:
    """Indicators of one subject in one run; base of frozen dataclasses."""

    @classmethod
    def meanings(cls) -> dict[str, Meaning]:
        """Return unit and definition of every indicator by name, in the order of the fields."""
        hints = get_type_hints(cls, include_extras=True)
        named: Any = cls
        return {
            field.name: meaning
            for field in fields(named)
            for meaning in getattr(hints[field.name], "__metadata__", ())
            if isinstance(meaning, Meaning)
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the indicators by name."""
        own: Any = self
        values: dict[str, Any] = asdict(own)
        return {name: values[name] for name in self.meanings()}

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        return ()

    def warnings(self) -> Sequence[str]:
        """Return sentences that a run ends with, because its numbers may mislead."""
        return ()


def ratio(part: float, whole: float) -> float | None:
    """Return a share; None where there is nothing to divide by."""
    return float(part) / float(whole) if whole else None
