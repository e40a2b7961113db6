"""Bilateral trades in a report: who traded with whom, at which mean price; and their sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.mechanisms.local_market.bilateral.graph import TradingGraph
from cosim.mechanisms.local_market.bilateral.settings import BilateralSettings
from cosim.report.chart_style import GRID, Chart, filled, styled
from cosim.report.panel import Tile
from cosim.report.text import number
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WH_PER_KWH, eur_from_ueur

ROW_PX, LEAST_PX = 22, 240
_SCALE = [[0.0, "#ffffff"], [0.001, "#dbe9f6"], [1.0, "#08519c"]]
MOST_LABELS = 40
"""Sellers or buyers up to which each has a label of its own."""


def clears_by_pairs(results: Results) -> bool:
    """Tell if pairs of a trading graph cleared the run."""
    return bool(results.scenario_fields["market"].get("clearing") == "bilateral")


def pair_sums(results: Results) -> dict[str, Any]:
    """Return indicators of bilateral trades; None where pairs did not clear the run.

    Returns
    -------
    dict of str to number
        ``pairs_traded``, how many of seller and buyer; ``pair_gain_eur``, what they gained by their
        limit prices less fees and penalties; ``pair_fees_eur``.
    """
    if not clears_by_pairs(results):
        return dict.fromkeys(("pairs_traded", "pair_gain_eur", "pair_fees_eur"))
    rows = results.frame("bilateral_trades")
    scale = WH_PER_KWH * UEUR_PER_EUR
    return {
        "pairs_traded": len(rows[["seller", "buyer"]].drop_duplicates()),
        "pair_gain_eur": int((rows["energy_wh"] * rows["gain_ueur_per_kwh"]).sum()) / scale,
        "pair_fees_eur": int((rows["energy_wh"] * rows["fee_ueur_per_kwh"]).sum()) / scale,
    }


def graph_of(results: Results) -> TradingGraph:
    """Return the trading graph of a result."""
    section = results.scenario_fields["market"].get("bilateral") or {}
    return TradingGraph.of(BilateralSettings.model_validate(section))


def graph_text(results: Results) -> str:
    """Return the trading graph in words."""
    edges = graph_of(results).edges
    if edges is None:
        return "complete: everybody may trade with everybody"
    both = sum((buyer, seller) in edges for seller, buyer in edges) // 2
    text = f"{number(len(edges), '', 0)} edges from seller to buyer"
    return text if 2 * both < len(edges) else f"{text}, that is {number(both, '', 0)} both ways"


def graph_entries(results: Results) -> list[tuple[str, str]]:
    """Return the trading graph with its fees for the head of a report, if pairs cleared the run."""
    if not clears_by_pairs(results):
        return []
    graph = graph_of(results)
    terms = [graph.everybody] if graph.edges is None else list(graph.edges.values())
    fees = sorted({int(each.fee_ueur_per_kwh) for each in terms})
    low, high = eur_from_ueur(fees[0]), eur_from_ueur(fees[-1])
    fee = f"{low:g} EUR/kWh" if low == high else f"{low:g} to {high:g} EUR/kWh"
    return [("Trading graph", f"{graph_text(results)}; fee {fee}")]


def pair_tiles(results: Results) -> list[Tile]:
    """Return tiles of bilateral trades, if pairs cleared the run."""
    if not clears_by_pairs(results):
        return []
    sums = pair_sums(results)
    fees = f"after {number(sums['pair_fees_eur'], 'EUR', 2)} of fees, and penalties"
    return [
        Tile(
            "Pairs that traded",
            "of seller and buyer, whatever the number of intervals; " + graph_text(results),
            number(sums["pairs_traded"], "", 0),
        ),
        Tile("Gain of the pairs", f"by limit price, {fees}", number(sums["pair_gain_eur"], "EUR")),
    ]


def pairs_charts(results: Results) -> list[Chart]:
    """Return the chart of bilateral trades, if pairs cleared the run."""
    return [pairs_chart(results)] if clears_by_pairs(results) else []


def pairs_chart(results: Results) -> Chart:
    """Draw energy and mean price of every pair as a matrix of sellers and buyers."""
    chart = Chart(
        "pairs",
        "Who traded with whom",
        "Energy over the run from each seller (rows) to each buyer (columns), in the order of the "
        "connection points; white where the trading graph lets them and they did not, grey where "
        "it does not.",
        None,
        "No pair traded in this run.",
        wide=True,
        over_time=False,
    )
    rows = results.frame("bilateral_trades")
    if rows.empty:
        return chart
    rows = rows.assign(worth=rows["energy_wh"] * rows["price_ueur_per_kwh"])
    sums = rows.groupby(["seller", "buyer"], observed=True)[["energy_wh", "worth"]].sum()
    order = list(dict.fromkeys(results.frame("prosumers", ["prosumer"])["prosumer"].astype(str)))
    sellers, buyers = (
        [name for name in order if name in set(sums.index.get_level_values(side))]
        for side in ("seller", "buyer")
    )
    wide = sums.reindex(pd.MultiIndex.from_product([sellers, buyers], names=["seller", "buyer"]))
    shape, graph = (len(sellers), len(buyers)), graph_of(results)
    kwh = wide["energy_wh"].to_numpy(dtype=np.float64).reshape(shape) / WH_PER_KWH
    price = (wide["worth"] / wide["energy_wh"]).to_numpy(np.float64).reshape(shape) / UEUR_PER_EUR
    may = np.array([[graph.terms_of(s, b) is not None for b in buyers] for s in sellers])
    figure = go.Figure(
        go.Heatmap(
            z=np.where(np.isnan(kwh) & may, 0.0, np.round(kwh, 3)),
            x=buyers,
            y=sellers,
            customdata=np.round(price, 4),
            colorscale=_SCALE,
            zmin=0.0,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "kWh"}, "thickness": 12},
            hovertemplate="%{y} to %{x}: %{z} kWh at %{customdata} EUR/kWh<extra></extra>",
        )
    )
    figure = styled(figure, ["seller"], max(LEAST_PX, 120 + ROW_PX * len(sellers)), over_time=False)
    figure.update_layout(plot_bgcolor=GRID, margin={"l": 120, "b": 110})
    figure.update_xaxes(type="category", title={"text": "buyer"}, showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, title={"text": ""})
    if len(buyers) <= MOST_LABELS:
        figure.update_xaxes(dtick=1)
    if len(sellers) <= MOST_LABELS:
        figure.update_yaxes(dtick=1)
    return filled(chart, figure)
