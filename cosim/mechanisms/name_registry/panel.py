"""A name registry in a report."""

from __future__ import annotations

from cosim.mechanisms.name_registry.indicators import name_indicators
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number
from cosim.results.reader import Results


def name_part(results: Results) -> ReportPart:
    """Return the name registry's part of a report."""
    i = name_indicators(results)
    tile = Tile(
        "Names registered",
        f"{i.names_handed_on} handed on to another household, "
        f"{number(i.name_fees_eur, 'EUR', 2)} paid to the registry",
        str(i.names_registered),
    )
    return ReportPart(key="names", title="Names", tiles=(tile,))
