"""Hooks of an attack on a run: its indicators, report and comparison."""

from __future__ import annotations

from cosim.attacks.indicators import AttackIndicators, attack_indicators
from cosim.plugins.reported import Reported
from cosim.report.comparison import Comparison
from cosim.report.panel import ReportPart
from cosim.results.reader import Results


class AttackReported(Reported):
    """Subject of a run whose scenario has a section ``attack``."""

    @classmethod
    def indicators_type(cls) -> type[AttackIndicators]:
        """Return the declaration of its indicators."""
        return AttackIndicators

    @classmethod
    def comparison(cls) -> Comparison:
        """Return costs by party in the runs of a study."""
        from cosim.attacks.panel import attack_comparison

        return attack_comparison()

    def indicators(self, results: Results) -> AttackIndicators:
        """Return money by party, and energy that does not add up."""
        return attack_indicators(results)

    def report(self, results: Results) -> ReportPart:
        """Return the attack in a report."""
        from cosim.attacks.panel import attack_part

        return attack_part(results)
