"""Protection by confirmations, as an image for the documentation."""

from __future__ import annotations

import csv
import io

from cosim.report.chart_style import AFTER, AMBER, BEFORE, GREEN, PINK, SKY
from cosim.report.images import log_chart
from cosim.report.panels import Series

_COLOURS = (GREEN, AFTER, BEFORE, AMBER, PINK, SKY)


def finality_chart(table: str) -> str:
    """Return the probability of a reversal over the confirmations, by the attacker's share, as SVG.

    Parameters
    ----------
    table : str
        CSV with the columns ``share``, ``confirmations``, ``exact``, ``nakamoto`` and
        ``monte_carlo``, as ``cosim reversal --csv`` prints it. What no race found has no dot.
    """
    rows = list(csv.DictReader(io.StringIO(table)))
    lines = []
    for place, share in enumerate(dict.fromkeys(row["share"] for row in rows)):
        own = sorted(
            (row for row in rows if row["share"] == share), key=lambda r: int(r["confirmations"])
        )
        colour = _COLOURS[place % len(_COLOURS)]
        exact, nakamoto, races = (
            [(float(r["confirmations"]), float(r[column])) for r in own if float(r[column]) > 0]
            for column in ("exact", "nakamoto", "monte_carlo")
        )
        name = f"{100 * float(share):g} %"
        lines.append(Series(f"{name}, exact", exact, colour, dotted=False))
        lines.append(Series(f"{name}, Nakamoto", nakamoto, colour, dashed=True, dotted=False))
        if races:
            lines.append(Series("", races, colour, joined=False))
    return log_chart(
        "An attacker's share of the hash power; dots: the model's races",
        "confirmations",
        "probability that a transaction is reverted",
        lines,
        linear_x=True,
    )
