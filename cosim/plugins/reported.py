"""Reading of a result folder by subject: indicators, costs, report, comparison of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from cosim.report.comparison import Comparison
    from cosim.report.indicator import IndicatorSet
    from cosim.report.panel import ReportPart, TableFigure
    from cosim.results.reader import Results

S = TypeVar("S")


class Reported(Generic[S]):
    """Subject that results and reports of a run speak of: a mechanism, or an attack.

    Every hook does nothing by default.

    Parameters
    ----------
    settings : Model
        Its section of the scenario as run.

    Attributes
    ----------
    settling_methods : tuple of str
        ``Contract.method`` of transactions after which an interval's money is where it belongs.
    indicators_type : type of IndicatorSet or None
        Declaration of its indicators.
    comparison : Comparison or None
        Its columns and figures in a study.
    of_each_stretch : tuple of callable
        Functions of a stretch of a run (:mod:`cosim.report.stretches`) that its indicators and its
        overview ask for: of a long run they are called in one pass, which reads each day once.
    """

    settling_methods: ClassVar[tuple[str, ...]] = ()
    indicators_type: ClassVar[type[IndicatorSet] | None] = None
    comparison: ClassVar[Comparison | None] = None
    of_each_stretch: ClassVar[tuple[Callable[[Results], Any], ...]] = ()

    def __init__(self, settings: S) -> None:
        self.settings = settings

    def indicators(self, results: Results) -> IndicatorSet | None:
        """Return its indicators of a result, of its ``indicators_type``; None for none."""
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

    def supplied(self, results: Results) -> pd.DataFrame | None:
        """Return with whom connection points outside the local market had a contract; None: nobody.

        Returns
        -------
        pandas.DataFrame or None
            Rows by ``interval`` and ``prosumer`` in which the contract holds, none twice:
            ``billed`` whether what was drawn in the interval is in a bill; ``bill_ueur``, owed to
            the supplier since the end of that interval, positive. [-, µEUR]
        """
        return None

    def dues(self, results: Results) -> pd.DataFrame | None:
        """Return what is owed and not paid at the end of a run; None for nothing.

        Returns
        -------
        pandas.DataFrame or None
            ``debtor`` and ``creditor``, each a connection point or a role of
            :data:`cosim.report.roles.ROLES`, and ``owed_ueur``. [µEUR]
        """
        return None

    def efficiencies(self) -> Mapping[str, tuple[float, float]]:
        """Return efficiencies of batteries that it brings, by connection point.

        Returns
        -------
        mapping of str to (float, float)
            One way, charging and discharging. [-]
        """
        return {}

    def report(self, results: Results) -> ReportPart | None:
        """Return its lines, tiles, charts and definitions in the report; None for none."""
        return None

    def overview(self, results: Results) -> ReportPart | None:
        """Return what the report of a long run has of it: nothing with a value per interval.

        By default what :meth:`report` returns, without the charts over time. It reads whatever that
        reads; a subject whose tables grow fast had better read no more than it shows.
        """
        part = self.report(results)
        if part is None:
            return None
        kept = [each for each in part.figures if not getattr(each, "over_time", False)]
        return replace(part, figures=tuple(kept))

    def text_tables(self, results: Results) -> Sequence[TableFigure]:
        """Return tables that stand in the report and are printed after a run."""
        return ()
