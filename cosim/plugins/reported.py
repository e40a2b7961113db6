"""Hooks of what is read out of a result folder: indicators, costs, report, comparison of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import pandas as pd

    from cosim.report.comparison import Comparison
    from cosim.report.indicator import IndicatorSet
    from cosim.report.panel import ReportPart, TableFigure
    from cosim.results.reader import Results


class Reported:
    """Subject of a run that results and reports speak of: a mechanism, or an attack.

    Every hook does nothing by default. Methods of the class need no run.

    Attributes
    ----------
    settling_methods : tuple of str
        ``Contract.method`` of transactions after which an interval's money is where it belongs.
    """

    settling_methods: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def indicators_type(cls) -> type[IndicatorSet] | None:
        """Return the declaration of its indicators; None if it has none."""
        return None

    @classmethod
    def comparison(cls) -> Comparison | None:
        """Return its columns and figures in a study; None for none."""
        return None

    def indicators(self, results: Results) -> IndicatorSet | None:
        """Return its indicators of a result, of :meth:`indicators_type`; None for none."""
        return None

    def costs(self, results: Results) -> pd.DataFrame | None:
        """Return what it moved beyond the table ``settlement``; None for nothing.

        Returns
        -------
        pandas.DataFrame or None
            Rows by ``interval`` and ``prosumer``: ``received_ueur``, less what was paid and before
            fees; ``fees_ueur``, paid positive; ``allocated_wh``, put onto the prosumer's meter by
            agreement, injection positive. [µEUR, µEUR, Wh]
        """
        return None

    def report(self, results: Results) -> ReportPart | None:
        """Return its facts, tiles, charts and definitions in the report; None for none."""
        return None

    def text_tables(self, results: Results) -> Sequence[TableFigure]:
        """Return tables that stand in the report and are printed after a run."""
        return ()
