"""Orders that the local market's contract refused, by reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.report.chart_style import (
    AFTER,
    AMBER,
    BEFORE,
    PINK,
    SKY,
    Chart,
    TimeAxis,
    filled,
    styled,
)
from cosim.report.series import per_interval
from cosim.results.reader import Results

REFUSED = ("rejected", "unrevealed")
"""Statuses of orders that reached a block in time and were refused, or not validly revealed."""
_UNSAID = "without a reason"
_PREFIX = "local market: "
_COLOURS = (BEFORE, AMBER, PINK, SKY, AFTER)


def refused_orders(orders: pd.DataFrame) -> pd.DataFrame:
    """Return the orders that the contract refused, with their reason in its words.

    Parameters
    ----------
    orders : pandas.DataFrame
        Table ``orders``, with ``status`` and ``reason``.

    Returns
    -------
    pandas.DataFrame
        Its rows of a status in :data:`REFUSED`.
    """
    refused = orders[orders["status"].isin(REFUSED)]
    given = [text if isinstance(text, str) and text else _UNSAID for text in refused["reason"]]
    return refused.assign(reason=[text.removeprefix(_PREFIX) for text in given])


def refusals(orders: pd.DataFrame) -> dict[str, int]:
    """Return the number of refused orders by reason, the most frequent first, then by name."""
    counts = refused_orders(orders)["reason"].value_counts()
    return {
        str(reason): int(n)
        for reason, n in sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    }


def refused_chart(results: Results) -> Chart:
    """Draw refused orders by delivery interval and reason."""
    chart = Chart(
        "refused",
        "Orders refused by the contract",
        "Orders by delivery interval that reached a block in time and were refused, by reason.",
        None,
        "The contract refused no order.",
        wide=True,
    )
    refused = refused_orders(results.frame("orders", ("interval", "status", "reason")))
    if refused.empty:
        return chart
    axis, figure = TimeAxis(results), go.Figure()
    for k, reason in enumerate(refusals(refused)):
        own = refused.loc[refused["reason"] == reason, "interval"]
        counts = per_interval(results, own, np.ones(len(own)))
        figure.add_trace(axis.bars(counts, reason, _COLOURS[k % len(_COLOURS)]))
    figure.update_layout(barmode="stack")
    return filled(chart, styled(figure, ["orders"]))
