"""Flexibility that the DSO wanted and did not ask for, over time."""

from __future__ import annotations

import plotly.graph_objects as go

from cosim.report.chart_style import AFTER, BEFORE, Chart, TimeAxis, filled, styled
from cosim.report.series import per_interval
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH


def requests_chart(results: Results) -> Chart:
    """Draw flexibility asked for, and what of the wanted the DSO's deposit did not cover."""
    chart = Chart(
        "requests",
        "Flexibility asked for by the DSO",
        "Energy per interval over all rounds, up and down: asked for, and not asked for because "
        "the DSO's deposit did not cover it at the price cap.",
        None,
        "The DSO's deposit covered every request that it wanted to make.",
        wide=True,
    )
    rows = results.frame("requests")
    short_wh = rows["wanted_wh"] - rows["asked_wh"]
    if not short_wh.any():
        return chart
    axis, figure = TimeAxis(results), go.Figure()
    for values_wh, name, colour in (
        (rows["asked_wh"], "asked for [kWh]", AFTER),
        (short_wh, "not covered by the deposit [kWh]", BEFORE),
    ):
        values = per_interval(results, rows["interval"], values_wh, 1 / WH_PER_KWH)
        figure.add_trace(axis.bars(values, name, colour))
    figure.update_layout(barmode="stack")
    return filled(chart, styled(figure, ["energy [kWh]"]))
