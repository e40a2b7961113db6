"""The report's charts of latency, missed orders, finality and fees."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    GREEN,
    Chart,
    TimeAxis,
    filled,
    limit_line,
    styled,
    two_rows,
)
from cosim.report.ledger import (
    confirmations,
    fees_eur,
    order_times,
    settlement_finality,
    start_s,
)
from cosim.report.series import per_interval
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WEI_PER_GWEI, FloatArray

BASE_FEE_SHOWN_GWEI = 1e-4
"""A lower base fee is no more than a line at zero."""
STEPS_MAX = 400
"""Most steps of a distribution; of more orders, so many quantiles are drawn."""
FINALITY_LIMIT_SHOWN_SHARE = 0.3
"""From this share of an interval on, finality is shown against the interval's length."""


def ledger_charts(results: Results) -> list[Chart]:
    """All charts of this module."""
    # those that may be empty stand side by side
    return [
        latency_chart(results),
        finality_chart(results),
        missed_chart(results),
        fee_chart(results),
    ]


def latency_chart(results: Results) -> Chart:
    """Distribution of the time that orders take to be included and confirmed."""
    waits, times = confirmations(results), order_times(results)
    caption = "Share of all orders sent that a block included within a time"
    if waits:
        caption += f", and that had {_on_top(waits)}"
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
        lines.append((times.confirmation_s, f"with {_on_top(waits)}", BEFORE, "dash"))
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


def missed_chart(results: Results) -> Chart:
    """Orders that missed the gate."""
    chart = Chart(
        "missed",
        "Orders missed at the gate",
        "Orders by delivery interval, and those of them that no block included before gate "
        "closure.",
        None,
        "Every order reached a block before gate closure.",
    )
    orders = results.frame("orders", ("interval", "status"))
    late = orders.loc[orders["status"] == "late", "interval"]
    if late.empty:
        return chart
    axis, figure = TimeAxis(results), go.Figure()
    missed = per_interval(results, late, np.ones(len(late)))
    in_time = per_interval(results, orders["interval"], np.ones(len(orders))) - missed
    figure.add_trace(axis.bars(missed, "missed", BEFORE))
    figure.add_trace(axis.bars(in_time, "in time", AFTER))
    figure.update_layout(barmode="stack")
    return filled(chart, styled(figure, ["orders"]))


def finality_chart(results: Results) -> Chart:
    """How long after delivery each interval's settlement is final."""
    waits, found = confirmations(results), settlement_finality(results)
    reached = f"has {_on_top(waits)}" if waits else "is in a block"
    chart = Chart(
        "finality",
        "Finality of settlement",
        "From the end of an interval's delivery until its last settling transaction "
        + reached
        + ("." if found.is_final.all() else ". A cross: the chain ended before."),
        None,
        "No interval was settled on the ledger.",
    )
    if not len(found.interval):
        return chart
    after_s = np.full(results.n_intervals, np.nan)
    after_s[found.interval] = found.after_s
    axis, figure = TimeAxis(results), go.Figure()
    figure.add_trace(axis.line(after_s, "final after [s]", GREEN, showlegend=False))
    ended = found.interval[~found.is_final]
    if len(ended):
        figure.add_trace(
            go.Scatter(
                x=results.times[ended],
                y=after_s[ended],
                name="chain ended before",
                mode="markers",
                marker={"symbol": "x", "size": 9, "color": BEFORE},
            )
        )
    if found.after_s.max() > FINALITY_LIMIT_SHOWN_SHARE * results.step_s:
        limit_line(figure, float(results.step_s), "an interval later")
    styled(figure, ["time after delivery [s]"])
    figure.update_yaxes(rangemode="tozero")
    return filled(chart, figure)


def fee_chart(results: Results) -> Chart:
    """Fees of each interval, and the base fee."""
    base_fee_gwei = _base_fee_gwei(results)
    has_base_fee = np.nanmax(base_fee_gwei, initial=0.0) >= BASE_FEE_SHOWN_GWEI
    below = " Below: base fee, mean of the blocks during an interval." if has_base_fee else ""
    chart = Chart(
        "fees",
        "Transaction fees",
        "Fees for each delivery interval, of prosumers and of everybody." + below,
        None,
        "No fees were paid in this run: base fee and tips are 0.",
    )
    total = fees_eur(results).to_numpy(dtype=np.float64)
    if not total.any():
        return chart
    rows = results.frame("settlement", ("interval", "fees_ueur"))
    own = per_interval(results, rows["interval"], rows["fees_ueur"], 1 / UEUR_PER_EUR)
    axis, figure = TimeAxis(results), two_rows([0.62, 0.38]) if has_base_fee else go.Figure()
    figure.add_trace(axis.line(total, "everybody [EUR]", BEFORE))
    figure.add_trace(axis.line(own, "prosumers [EUR]", AFTER, dash="dot"))
    if has_base_fee:
        line = axis.line(base_fee_gwei, "base fee [gwei]", AMBER)
        figure.add_trace(line, row=2, col=1)
        styled(figure, ["fees [EUR]", "base fee [gwei]"], 420)
    else:
        styled(figure, ["fees [EUR]"])
    figure.update_yaxes(rangemode="tozero", automargin=True)
    return filled(chart, figure)


def _base_fee_gwei(results: Results) -> FloatArray:
    """Mean base fee of the blocks during each interval; NaN where there is none. [gwei]"""
    blocks = results.frame("blocks", ("timestamp_s", "base_fee_wei"))
    k = np.floor((blocks["timestamp_s"] - start_s(results)) / results.step_s).to_numpy()
    inside = (k >= 0) & (k < results.n_intervals)
    gwei = blocks["base_fee_wei"].to_numpy()[inside] / WEI_PER_GWEI
    number = np.bincount(k[inside].astype(np.int64), minlength=results.n_intervals)
    total = np.bincount(k[inside].astype(np.int64), gwei, results.n_intervals)
    mean = np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)
    return np.asarray(mean, dtype=np.float64)


def _on_top(waits: int) -> str:
    return "1 block on top" if waits == 1 else f"{waits} blocks on top"


def _steps(values_s: FloatArray, n_orders: int, longest_s: float) -> tuple[FloatArray, FloatArray]:
    """Times and cumulated shares of all orders in percent, from 0 to a longest time."""
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
