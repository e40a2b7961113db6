"""The ledger in a report: gas, use of blocks, finality and fees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
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
from cosim.report.indicators import Indicators
from cosim.report.ledger import (
    confirmations,
    fees_eur,
    gas_of_run,
    settlement_finality,
    start_s,
)
from cosim.report.panel import ReportPart, Tile
from cosim.report.series import per_interval
from cosim.report.text import confirmations_text, number, on_top, percent, risks
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WEI_PER_GWEI, FloatArray, IntArray

BLOCK_LIMIT_SHOWN_PERCENT = 30.0
"""Fuller blocks than this are shown against the limit; emptier ones would vanish below it."""
BASE_FEE_SHOWN_GWEI = 1e-4
"""A lower base fee is no more than a line at zero."""
FINALITY_LIMIT_SHOWN_SHARE = 0.3
"""From this share of an interval on, finality is shown against the interval's length."""
METHODS_SHOWN = 24

LEDGER_DEFINITIONS = (
    (
        "Gas",
        "Gas of whole transactions: intrinsic cost, calldata, execution and refunds. Set-up "
        "(contracts created, accounts joined and funded) is counted apart.",
    ),
    (
        "Share of the block used",
        "Gas used of the blocks' gas limit, from the first order window to the last transaction. "
        "Order windows: the blocks between opening and gate closure.",
    ),
    (
        "Fees",
        "Of prosumers: for their orders, offers and reports. Of everybody: of all transactions "
        "since the set-up, gas at base fee and tip.",
    ),
    (
        "Finality of settlement",
        "From the end of an interval's delivery until its last settling transaction (reports, "
        "estimates for silent meters, claims, settlement of flexibility) has its confirmations. "
        "Where the chain ends before, its last block counts, and the interval as not final. Not "
        "final in time: when the delivery after the next begins, an interval after the end.",
    ),
)

REVERSAL_DEFINITION = (
    "Reversal",
    "Probability that an attacker with a share q of the hash power replaces a transaction that "
    "has its z confirmations by a branch of its own, I(4q(1−q); z, ½) (Rosenfeld 2014, "
    "arXiv:1402.2009; Grunspan and Pérez-Marco 2018, arXiv:1702.02867). The attacker starts with "
    "one block in advance and never gives up.",
)


def ledger_part(results: Results, indicators: Indicators) -> ReportPart:
    """Return the ledger's part of a report."""
    part = ledger_overview(results, indicators)
    over_time = block_chart(results), finality_chart(results), fee_chart(results)
    return replace(part, figures=(*over_time, *part.figures))


def ledger_overview(results: Results, indicators: Indicators) -> ReportPart:
    """Return the ledger's part of a long run's report, which has no chart over time."""
    is_work = indicators.reversal_probability is not None
    return ReportPart(
        key="ledger",
        title="Ledger",
        tiles=ledger_tiles(indicators, confirmations(results)),
        figures=(gas_chart(results),),
        definitions=(*LEDGER_DEFINITIONS, *((REVERSAL_DEFINITION,) if is_work else ())),
    )


def ledger_tiles(i: Indicators, waits: int) -> list[Tile]:
    """Return tiles of gas, use of blocks, finality, fees, and the risk of a reversal.

    Parameters
    ----------
    i : Indicators
    waits : int
        How many blocks users of the ledger wait for.
    """
    final = i.settlement_finality_s or {}
    confirmed = confirmations_text(waits)
    found = [
        Tile(
            "Gas per prosumer and interval",
            f"{number(i.running_gas / 1e6, 'million gas')} in the run, "
            f"{number(i.setup_gas / 1e6, 'million')} for set-up",
            number(i.gas_per_prosumer_and_interval, "gas", 0),
        ),
        Tile(
            "Share of the block used",
            f"mean; {percent(i.order_window_block_usage_mean)} in order windows, fullest "
            f"block {percent(i.block_usage_max)}",
            percent(i.block_usage_mean),
        ),
        Tile(
            "Settlement final after",
            f"mean, from the end of delivery to {confirmed if waits else 'the block'}; "
            f"longest {number(final.get('max'), 's')}; {i.intervals_not_final} of "
            f"{i.intervals} intervals not final in time",
            number(final.get("mean"), "s"),
        ),
    ]
    if i.ledger_fees_eur:
        found.append(
            Tile(
                "Fees of prosumers",
                f"{number(i.ledger_fees_eur, 'EUR', 2)} paid by everybody",
                number(i.prosumer_fees_eur, "EUR", 2),
            )
        )
    if i.reversal_probability is not None:
        found.append(
            Tile(
                "Reversal of a trade",
                f"probability with {confirmed}, for an attacker with 10 / 20 / 30 % of the hash "
                "power",
                risks(i.reversal_probability),
            )
        )
    return found


def gas_chart(results: Results) -> Chart:
    """Draw gas by method."""
    gas = gas_of_run(results)
    chart = Chart(
        "gas",
        "Gas by contract method",
        f"Whole-transaction gas over {results.n_intervals} intervals, reverted transactions "
        "included; transactions × mean gas at each bar. Orange: set-up only.",
        None,
        "No transaction was sent in this run.",
        over_time=False,
        wide=True,
    )
    if gas.empty:
        return chart
    shown = gas.head(METHODS_SHOWN)[::-1]
    figure = go.Figure()
    text = [
        f"{n:,} × {total / n:,.0f}".replace(",", "\u202f")
        for n, total in zip(shown["transactions"], shown["gas"], strict=True)
    ]
    figure.add_trace(
        go.Bar(
            x=shown["gas"].to_numpy() / 1e6,
            y=[name.replace(".", ".<br>") if len(name) > 24 else name for name in shown.index],
            orientation="h",
            marker={"color": [AMBER if setup else AFTER for setup in shown["setup"]]},
            text=text,
            textposition="auto",
            insidetextanchor="start",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.3f} million gas, %{text}<extra></extra>",
            showlegend=False,
        )
    )
    styled(figure, [""], max(240, 34 * len(shown) + 70), over_time=False)
    figure.update_layout(bargap=0.25)
    figure.update_xaxes(title={"text": "gas [million]"}, rangemode="tozero")
    figure.update_yaxes(automargin=True, ticks="")
    return filled(chart, figure)


def block_chart(results: Results) -> Chart:
    """Draw how full the blocks were."""
    blocks, interval = _blocks_by_interval(results)
    chart = Chart(
        "blocks",
        "Block usage",
        "Gas used against the block gas limit, by the clock of the ledger: fullest block and mean "
        "of all blocks of a delivery interval.",
        None,
        "No block was produced during the run.",
    )
    if blocks.empty:
        return chart
    usage = 100.0 * (blocks["gas_used"] / blocks["gas_limit"]).to_numpy()
    fullest = np.full(results.n_intervals, np.nan)
    np.fmax.at(fullest, interval, usage)
    mean = _mean_by_interval(results, interval, usage)
    axis, figure = TimeAxis(results), go.Figure()
    figure.add_trace(axis.line(fullest, "fullest block [%]", BEFORE))
    figure.add_trace(axis.line(mean, "mean [%]", AFTER, dash="dot"))
    if usage.max() > BLOCK_LIMIT_SHOWN_PERCENT:
        limit_line(figure, 100.0, "block gas limit")
    figure.update_yaxes(rangemode="tozero")
    return filled(chart, styled(figure, ["gas of gas limit [%]"]))


def finality_chart(results: Results) -> Chart:
    """Draw how long after delivery each interval's settlement is final."""
    waits, found = confirmations(results), settlement_finality(results)
    reached = f"has {on_top(waits)}" if waits else "is in a block"
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
    """Draw fees of each interval, and the base fee."""
    base_fee_gwei = _base_fee_gwei(results)
    has_base_fee = np.nanmax(base_fee_gwei, initial=0.0) >= BASE_FEE_SHOWN_GWEI
    below = " Below: base fee, mean of the blocks during an interval." if has_base_fee else ""
    chart = Chart(
        "fees",
        "Transaction fees",
        "Fees for each delivery interval, of prosumers and of everybody." + below,
        None,
        "No fees were paid in this run: base fee and tips are 0.",
        wide=True,
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
    """Return the mean base fee during each interval; NaN where there is no block. [gwei]"""
    blocks, interval = _blocks_by_interval(results)
    gwei = blocks["base_fee_wei"].to_numpy() / WEI_PER_GWEI
    return _mean_by_interval(results, interval, gwei)


def _blocks_by_interval(results: Results) -> tuple[pd.DataFrame, IntArray]:
    """Return the blocks during the run, and the delivery interval of each by the ledger's clock."""
    blocks = results.frame("blocks")
    interval = np.floor((blocks["timestamp_s"] - start_s(results)) / results.step_s).to_numpy()
    inside = (interval >= 0) & (interval < results.n_intervals)
    return blocks[inside], interval[inside].astype(np.int64)


def _mean_by_interval(results: Results, interval: IntArray, values: FloatArray) -> FloatArray:
    """Return the mean of each interval's values; NaN where there is none."""
    count = np.bincount(interval, minlength=results.n_intervals)
    total = per_interval(results, interval, values)
    mean: FloatArray = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return mean
