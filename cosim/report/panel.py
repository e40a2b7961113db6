"""A mechanism's part of a report: charts, tiles, tables and definitions."""

from __future__ import annotations

from dataclasses import dataclass

from cosim.report.chart_style import Chart


@dataclass(frozen=True)
class ReportPart:
    """What one mechanism adds to a report.

    Parameters
    ----------
    key, title : str
        Of its group of charts.
    charts : tuple of Chart
    definitions : tuple of (str, str)
        Term and explanation.
    """

    key: str
    title: str
    charts: tuple[Chart, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
