"""The local market in a report and in a study: price and energy, orders, surplus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from cosim.mechanisms.local_market.bilateral.panel import graph_entries, pair_tiles, pairs_charts
from cosim.mechanisms.local_market.debts_chart import debts_chart, dues_left
from cosim.mechanisms.local_market.indicators import (
    OF_EACH_STRETCH,
    MarketIndicators,
    market_indicators,
)
from cosim.mechanisms.local_market.latency_chart import latency_chart
from cosim.mechanisms.local_market.refused_orders import refused_chart
from cosim.plugins.reported import Reported
from cosim.report.chart_style import (
    AFTER,
    BEFORE,
    GREEN,
    PINK,
    SKY,
    Chart,
    TimeAxis,
    filled,
    limit_line,
    styled,
    two_rows,
)
from cosim.report.comparison import Column, Comparison, Figure, Indicators, Shown, indicator
from cosim.report.ledger import confirmations
from cosim.report.outside import members_of, prices_ueur_per_kwh
from cosim.report.panel import ReportPart, Tile
from cosim.report.series import per_interval
from cosim.report.text import confirmations_text, number, percent
from cosim.results.reader import Results
from cosim.units import UEUR_PER_EUR, WH_PER_KWH, eur_from_ueur

POSITIONS = {
    "financial": "financial: trades move money and no power; what is not traded is injected and "
    "drawn all the same, and settled with the supplier",
    "binding": "binding: what is neither traded nor carried to or from the supplier within the "
    "grid's limits is not injected, and not drawn beyond what cannot wait",
}
DEFINITIONS = (
    (
        "Surplus of trades",
        "Buyers' value less sellers' cost of what was traded, both by the limit prices of their "
        "orders. Possible: the area between demand and supply of every order that was sent, late "
        "and refused ones included.",
    ),
    (
        "Order latency",
        "From the sending of an order to the block that includes it, refused orders among them; "
        "where users wait for confirmations, also to the block that is the last of these. Missed "
        "orders (late: no block included them before gate closure) have no latency.",
    ),
    (
        "Orders refused",
        "Orders that a block included before gate closure and that the contract refused, or that "
        "were sealed and never validly revealed, by the contract's own words.",
    ),
    (
        "Debts of the local market",
        "What an account owed the supplier, or the supplier an account, and could not pay at once. "
        "It is paid first out of whatever comes in, and stops nobody's settlement.",
    ),
)


def orders_missed_percent(indicators: Indicators) -> float | None:
    """Return the share of orders that came too late for their interval. [%]"""
    share = indicators.get("orders_missed_share")
    return None if share is None else 100 * share


COMPARISON = Comparison(
    columns=(
        Column(40, "Orders late", "", "orders\nlate", 0, indicator("orders.late")),
        Column(50, "Surplus of trades", "EUR", "surplus\n[EUR]", 2, indicator("trade_surplus_eur")),
    ),
    figures=(
        Figure(
            "trade_surplus",
            "Surplus of the trades",
            "Buyers' value less sellers' cost by their limit prices. Possible: the largest that "
            "all orders sent allow in merit order, whatever became of them.",
            "EUR",
            2,
            (
                Shown("Reached", indicator("trade_surplus_eur")),
                Shown("Possible", indicator("trade_surplus_possible_eur")),
            ),
        ),
        Figure(
            "orders_missed",
            "Orders that missed their interval",
            "Share of all orders sent that no block before the gate took.",
            "%",
            1,
            (Shown("", orders_missed_percent),),
        ),
    ),
)


class LocalMarketReported(Reported[Any]):
    """Local market of a run."""

    settling_methods: ClassVar = (
        "MarketSettlement.report",
        "MarketSettlement.settleSilent",
        "MarketSettlement.claimFill",
    )
    indicators_type: ClassVar = MarketIndicators
    comparison: ClassVar = COMPARISON
    of_each_stretch: ClassVar = OF_EACH_STRETCH

    def indicators(self, results: Results) -> MarketIndicators:
        """Return orders, trades and surplus."""
        return market_indicators(results)

    def dues(self, results: Results) -> pd.DataFrame:
        """Return what members owe the supplier, and it them."""
        return dues_left(results)

    def report(self, results: Results) -> ReportPart:
        """Return its terms, tiles, charts and definitions."""
        figures = (
            market_chart(results),
            latency_chart(results),
            *pairs_charts(results),
            missed_chart(results),
            refused_chart(results),
            debts_chart(results),
        )
        return replace(self._part(results), figures=figures)

    def overview(self, results: Results) -> ReportPart:
        """Return its terms, tiles and definitions, and the charts that are not over time."""
        pairs = [each for each in pairs_charts(results) if not each.over_time]
        return replace(self._part(results), figures=(latency_chart(results), *pairs))

    def _part(self, results: Results) -> ReportPart:
        tiles = market_tiles(self.indicators(results), confirmations(results))
        return ReportPart(
            key="market",
            title="Local market",
            key_data=_terms(results),
            tiles=[*tiles, *pair_tiles(results)],
            definitions=DEFINITIONS,
        )


def _terms(results: Results) -> list[tuple[str, str]]:
    market = results.scenario_fields["market"]
    accounts = len(members_of(results))
    return [
        (
            "Local market",
            f"{accounts} accounts, each with a meter; "
            f"{'sealed' if market['reveal_s'] else 'open'} orders, "
            f"{market['pricing'].replace('_', ' ')} price, "
            f"clearing: {market['clearing'].replace('_', ' ')}",
        ),
        ("Positions", POSITIONS[market["position"]]),
        *batch_entries(results.scenario_fields),
        *([("Accounts", accounts_text(market))] if "account" in market else []),
        *graph_entries(results),
        ("Supplier's prices", prices_text(results)),
    ]


def batch_entries(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return who sends orders and readings in batches, how many at a time, and by what right.

    Parameters
    ----------
    fields : mapping
        Of a scenario. Where everybody sends its own, as by default, there are no entries.
    """
    senders = (
        ("market", "Orders", "an aggregator", "members"),
        ("metering", "Readings", "the metering operator's head end", "meters"),
    )
    return [
        (
            f"{what} in batches",
            f"sent by {who}, {own['batch_size']} at a time; taken for the {whose}' by "
            + ("their signatures" if own["batch_authority"] == "signatures" else "its role"),
        )
        for section, what, who, whose in senders
        if (own := fields.get(section) or {}).get("submission") == "batched"
    ]


def accounts_text(market: Mapping[str, Any]) -> str:
    """Return how members' accounts are refilled, and who lends."""
    if market["account"] == "credit_line":
        return (
            f"credit line of {market['credit_limit_eur']:g} EUR by the supplier, debts paid every "
            f"{market['credit_days']} days out of bank accounts of {market['bank_eur']:g} EUR"
        )
    if market["account"] == "top_up":
        return f"topped up out of bank accounts of {market['bank_eur']:g} EUR"
    return "prepaid"


def prices_text(results: Results) -> str:
    """Return the supplier's prices in words; where they change, the lowest and the highest."""
    prices = prices_ueur_per_kwh(results)

    def span(name: str) -> str:
        low, high = (
            eur_from_ueur(int(value)) for value in (prices[name].min(), prices[name].max())
        )
        return f"{low:g}" if low == high else f"{low:g} to {high:g}"

    text = f"{span('retail')} EUR/kWh retail, {span('feed_in')} EUR/kWh feed-in"
    if not prices[["network", "taxes"]].to_numpy().any():
        return text
    share = results.scenario_fields["market"]["local_share"]
    return (
        f"{text}; of retail {span('network')} are network charge and {span('taxes')} taxes, of "
        f"which local trades pay {share['network']:.0%} and {share['taxes']:.0%}"
    )


def market_tiles(i: MarketIndicators, waits: int) -> list[Tile]:
    """Return tiles of trades, surplus and orders.

    Parameters
    ----------
    i : MarketIndicators
    waits : int
        How many blocks users of the ledger wait for.
    """
    orders, n_orders = i.orders, number(sum(i.orders.values()), "", 0)
    latency = "no order was included"
    if i.order_latency_s is not None:
        latency = (
            f"mean, from sending to the block; 95 % within {number(i.order_latency_s['p95'])} s, "
            f"the last after {number(i.order_latency_s['max'], 's')}"
        )
    if i.order_confirmation_s is not None:
        mean = number(i.order_confirmation_s["mean"], "s")
        latency += f"; {confirmations_text(waits)} after {mean}"
    found = [
        Tile(
            "Traded between prosumers",
            f"mean price {number(i.mean_price_eur_per_kwh, 'EUR/kWh', 4)}; "
            f"{number(orders['cleared'] + orders['partial'], '', 0)} of {n_orders} orders "
            f"cleared, {orders['late']} late, {orders['rejected']} rejected",
            number(i.traded_kwh, "kWh"),
        ),
        Tile(
            "Surplus of the trades",
            f"by limit price; {number(i.trade_surplus_possible_eur, 'EUR', 2)} is the largest that "
            "all orders sent allow in merit order. Lost are late and refused orders, for want of "
            "money too, pairs that the trading graph lacks, and what the pricing rule leaves out",
            number(i.trade_surplus_eur, "EUR", 2),
        ),
        Tile("Order latency", latency, number((i.order_latency_s or {}).get("mean"), "s")),
        Tile(
            "Orders missed at the gate",
            f"{number(i.orders_missed, '', 0)} of {n_orders} orders, "
            f"{number(i.orders_missed_kwh, 'kWh')}",
            percent(i.orders_missed_share),
            tone="violated" if i.orders_missed else "",
        ),
    ]
    found.append(
        Tile(
            "Orders refused by the contract",
            ", ".join(
                f"{reason}: {number(n, '', 0)}" for reason, n in i.orders_refused_by_reason.items()
            )
            or f"none of {n_orders} orders",
            percent(i.orders_refused_share),
            tone="violated" if i.orders_refused else "",
        )
    )
    if any(i.debts_eur.values()):
        found.append(
            Tile(
                "Debts of the local market",
                f"at the end of the run: {i.debts_text()}; the sum of members' debts was "
                f"{number(i.debts_peak_eur, 'EUR', 2)} at most",
                number(sum(i.debts_eur.values()), "EUR", 2),
                tone="violated",
            )
        )
    if i.unserved_injection_kwh is not None:
        found.append(
            Tile(
                "Not served by the supplier",
                f"injection {number(i.unserved_injection_kwh, 'kWh')}, consumption "
                f"{number(i.unserved_consumption_kwh, 'kWh')}, which the grid does not carry "
                "after the trades",
                number(i.unserved_injection_kwh + (i.unserved_consumption_kwh or 0.0), "kWh"),
            )
        )
    if i.fee_eur_per_kwh_traded:
        fee = number(i.fee_eur_per_kwh_traded, "EUR/kWh", 4)
        found.append(Tile("Fees per kWh traded", "transaction fees of prosumers", fee))
    return found


def market_chart(results: Results) -> Chart:
    """Draw clearing price and traded energy."""
    trades = results.frame("trades", ["interval", "energy_wh", "price_ueur_per_kwh"])
    chart = Chart(
        "market",
        "Local market: price and energy",
        "Clearing price between the supplier's retail and feed-in price, and the energy that "
        "prosumers traded with each other. No line where nothing was traded.",
        None,
        "No energy was traded between prosumers in this run.",
    )
    if trades.empty:
        return chart
    axis = TimeAxis(results)
    energy = per_interval(results, trades["interval"], trades["energy_wh"], 1 / WH_PER_KWH)
    worth = per_interval(
        results,
        trades["interval"],
        trades["energy_wh"] * trades["price_ueur_per_kwh"],
        1 / WH_PER_KWH / UEUR_PER_EUR,
    )
    price = np.divide(worth, energy, out=np.full_like(worth, np.nan), where=energy > 0)
    figure = two_rows([0.55, 0.45])
    figure.add_trace(axis.line(price, "clearing price [EUR/kWh]", AFTER), row=1, col=1)
    prices = prices_ueur_per_kwh(results)
    for key, text, colour in (("retail", "retail", PINK), ("feed_in", "feed-in", SKY)):
        values = eur_from_ueur(prices[key].to_numpy())
        if values.min() == values.max():
            limit_line(figure, values[0], f"{text} {values[0]:g} EUR/kWh", row=1, col=1)
        else:
            line = axis.line(values, f"{text} price [EUR/kWh]", colour, dash="dot")
            figure.add_trace(line, row=1, col=1)
    figure.add_trace(axis.bars(energy, "traded energy [kWh]", GREEN), row=2, col=1)
    figure.update_yaxes(rangemode="tozero")
    return filled(chart, styled(figure, ["price [EUR/kWh]", "energy [kWh]"], 400))


def missed_chart(results: Results) -> Chart:
    """Draw orders that missed the gate."""
    chart = Chart(
        "missed",
        "Orders missed at the gate",
        "Orders by delivery interval, and those of them that no block included before gate "
        "closure.",
        None,
        "Every order reached a block before gate closure.",
        wide=True,
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
