"""A name registry in a report."""

from __future__ import annotations

from typing import ClassVar

from cosim.mechanisms.name_registry.indicators import NameIndicators, name_indicators
from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.plugins.reported import Reported
from cosim.report.panel import ReportPart, Tile
from cosim.report.text import number
from cosim.results.reader import Results


class NamesReported(Reported[NameRegistrySettings]):
    """Name registry of a run."""

    indicators_type: ClassVar = NameIndicators

    def indicators(self, results: Results) -> NameIndicators:
        """Return names and fees."""
        return name_indicators(results)

    def report(self, results: Results) -> ReportPart:
        """Return its tile."""
        i = self.indicators(results)
        note = f"{i.names_handed_on} handed on to another household, "
        note += f"{number(i.name_fees_eur, 'EUR', 2)} paid to the registry"
        tile = Tile("Names registered", note, str(i.names_registered))
        return ReportPart("names", "Names", tiles=(tile,))
