"""Distribution of the time that orders take, in the report."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from cosim.mechanisms.local_market.indicators import order_times
from cosim.report.chart_style import AFTER, BEFORE, Chart, filled, styled
from cosim.report.ledger import confirmations
from cosim.report.text import on_top
from cosim.results.reader import Results
from cosim.units import FloatArray

STEPS_MAX = 400
"""Most steps of a distribution; of more orders, so many quantiles are drawn."""


def latency_chart(results: Results) -> Chart:
    """Draw the distribution of the time that orders take to be included and confirmed."""
    waits, times = confirmations(results), order_times(results)
    caption = "Share of all orders sent that a block included within a time"
    if waits:
        caption += f", and that had {on_top(waits)}"
    if len(times.inclusion_s) < times.n_orders:
        caption += ". What a curve lacks to 100 % missed the gate"
    chart = Chart(
        "latency",
        "Order latency",
        caption + ".",
        None,
        "No order was included in this run.",
        over_time=False,
    )
    if not len(times.inclusion_s):
        return chart
    figure = go.Figure()
    lines = [(times.inclusion_s, "included", AFTER, "solid")]
    if waits:
        lines.append((times.confirmation_s, f"with {on_top(waits)}", BEFORE, "dash"))
    longest_s = max(float(values_s.max(initial=0.0)) for values_s, *_ in lines)
    for values_s, name, colour, dash in lines:
        x, y = _steps(values_s, times.n_orders, longest_s)
        figure.add_trace(
            go.Scatter(
                x=np.round(x, 2),
                y=np.round(y, 3),
                name=name,
                mode="lines",
                line={"color": colour, "width": 2, "shape": "hv", "dash": dash},
                hovertemplate="%{y:.1f} % within %{x:.1f} s<extra>" + name + "</extra>",
                showlegend=len(lines) > 1,
            )
        )
    styled(figure, ["share of orders [%]"], over_time=False)
    figure.update_xaxes(title={"text": "time since sending [s]"}, rangemode="tozero")
    figure.update_yaxes(range=[0, 103])
    return filled(chart, figure)


def _steps(values_s: FloatArray, n_orders: int, longest_s: float) -> tuple[FloatArray, FloatArray]:
    """Return times and cumulated shares of all orders in percent, from 0 to a longest time."""
    times_s = np.sort(values_s)
    place = np.arange(1, len(times_s) + 1)
    if len(times_s) > STEPS_MAX:
        place = np.unique(np.linspace(1, len(times_s), STEPS_MAX).astype(np.int64))
        times_s = times_s[place - 1]
    share_percent = 100.0 * place / n_orders
    last = share_percent[-1:] if len(place) else np.zeros(1)
    return (
        np.concatenate([[0.0], times_s, [longest_s]]),
        np.concatenate([[0.0], share_percent, last]),
    )
