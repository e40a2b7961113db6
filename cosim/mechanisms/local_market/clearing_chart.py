"""Gas of clearing by form, as an image for the documentation."""

from __future__ import annotations

import csv
import io

from cosim.report.chart_style import AFTER, BEFORE, GREEN
from cosim.report.images import log_chart
from cosim.report.panels import Series

_COLOURS = {"on chain": BEFORE, "verified": AFTER, "committed": GREEN}


def clearing_chart(table: str) -> str:
    """Return gas per participant over the number of orders, by form of clearing, as SVG.

    Parameters
    ----------
    table : str
        CSV with the columns ``form``, ``orders``, ``filled``, ``clearing_gas``, ``claims_gas`` and
        ``gas_per_participant``, as ``cosim gas --csv`` prints it. Rows without a fill are left out.
    """
    rows = [row for row in csv.DictReader(io.StringIO(table)) if int(row["filled"])]
    lines = []
    for form in dict.fromkeys(row["form"] for row in rows):
        own = [row for row in rows if row["form"] == form]
        claims = any(int(row["claims_gas"]) for row in own)
        whole = [(float(row["orders"]), float(row["gas_per_participant"])) for row in own]
        lines.append(Series(f"{form}, with claims" if claims else form, whole, _COLOURS[form]))
        if claims:
            clearing = [(n := float(row["orders"]), float(row["clearing_gas"]) / n) for row in own]
            lines.append(Series(f"{form}, without claims", clearing, _COLOURS[form], dashed=True))
    return log_chart(
        "Clearing an interval, about half of the orders filled",
        "orders in the interval",
        "gas per participant",
        lines,
    )
