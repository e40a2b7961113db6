"""Orders, trades and surplus of the local market in a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from cosim.mechanisms.local_market.bilateral.panel import pair_sums
from cosim.mechanisms.local_market.debts_chart import debts_eur, debts_peak_eur
from cosim.mechanisms.local_market.refused_orders import refusals, refused_orders
from cosim.mechanisms.local_market.surplus import trade_surplus_eur
from cosim.report.indicator import IndicatorSet, Meaning, Rows, ratio
from cosim.report.ledger import BlockTimes, confirmations, distribution
from cosim.report.roles import ROLES
from cosim.report.text import number, percent, times
from cosim.results.reader import Results
from cosim.results.schemas import ORDER_STATUSES
from cosim.units import WH_PER_KWH, FloatArray, eur_from_ueur

_LATENCY = "mean, median, p95 and max from sending an order to "
_UNSERVED = " the supplier for the grid's limits; null where positions are financial"
_PAIRS = "; null but where pairs of a trading graph clear"
_MISSED = "orders that missed the gate (status late)"
_REFUSED = "orders that the contract refused (status rejected or unrevealed)"
REFUSED_TOLERATED = 0.01
"""Share of refused orders above which a run ends with a warning."""


@dataclass(frozen=True)
class MarketIndicators(IndicatorSet):
    """Indicators of the local market."""

    traded_kwh: Annotated[float, Meaning("kWh", "between prosumers")]
    mean_price_eur_per_kwh: Annotated[float | None, Meaning("EUR/kWh", "weighted by energy")]
    trade_surplus_eur: Annotated[
        float, Meaning("EUR", "buyers' value less sellers' cost of trades, by limit prices")
    ]
    trade_surplus_possible_eur: Annotated[
        float, Meaning("EUR", "largest that all orders sent allow, whatever became of them")
    ]
    pairs_traded: Annotated[int | None, Meaning("-", "of seller and buyer" + _PAIRS)]
    pair_gain_eur: Annotated[float | None, Meaning("EUR", "surplus less fees, penalties" + _PAIRS)]
    pair_fees_eur: Annotated[float | None, Meaning("EUR", "fees of edges" + _PAIRS)]
    orders: Annotated[dict[str, int], Meaning("-", "number by status")]
    order_latency_s: Annotated[
        dict[str, float] | None, Meaning("s", _LATENCY + "the block that includes it")
    ]
    order_confirmation_s: Annotated[
        dict[str, float] | None, Meaning("s", _LATENCY + "its last confirmation, if any is awaited")
    ]
    orders_missed: Annotated[int, Meaning("-", _MISSED)]
    orders_missed_share: Annotated[float | None, Meaning("-", "of all orders")]
    orders_missed_kwh: Annotated[float, Meaning("kWh", "their energy")]
    orders_refused: Annotated[int, Meaning("-", _REFUSED)]
    orders_refused_share: Annotated[float | None, Meaning("-", "of all orders")]
    orders_refused_kwh: Annotated[float, Meaning("kWh", "their energy")]
    orders_refused_by_reason: Annotated[
        dict[str, int], Meaning("-", "their number by the contract's words")
    ]
    fee_eur_per_kwh_traded: Annotated[
        float | None, Meaning("EUR/kWh", "transaction fees of prosumers over energy traded")
    ]
    debts_eur: Annotated[
        dict[str, float],
        Meaning("EUR", "at the end of the run, by the role of who owes and could not pay"),
    ]
    debts_peak_eur: Annotated[
        float, Meaning("EUR", "highest sum of members' debts to the supplier after a settlement")
    ]
    unserved_injection_kwh: Annotated[float | None, Meaning("kWh", "not sold to" + _UNSERVED)]
    unserved_consumption_kwh: Annotated[float | None, Meaning("kWh", "not bought from" + _UNSERVED)]

    def rows(self) -> Rows:
        """Return what the terminal's summary shows of them."""
        n_orders = number(sum(self.orders.values()), "", 0)
        rows = [
            ("Traded energy", number(self.traded_kwh, "kWh")),
            ("Mean price", number(self.mean_price_eur_per_kwh, "EUR/kWh", 4)),
            (
                "Surplus of trades (largest of all orders sent)",
                f"{number(self.trade_surplus_eur, '', 2)} "
                f"({number(self.trade_surplus_possible_eur, '', 2)})\u00a0EUR",
            ),
            (
                "Orders (late, rejected)",
                f"{n_orders} ({self.orders['late']}, {self.orders['rejected']})",
            ),
            ("Order latency, mean / 95 % / longest", times(self.order_latency_s)),
        ]
        if self.order_confirmation_s is not None:
            rows.append(("… to the last confirmation", times(self.order_confirmation_s)))
        if self.orders_missed:
            missed = f"{percent(self.orders_missed_share)}, {number(self.orders_missed_kwh, 'kWh')}"
            rows.append(("Orders missed at the gate", missed))
        if self.orders_refused:
            rows.append(("Orders refused by the contract", self.refused_text()))
        if any(self.debts_eur.values()):
            rows.append(("Debts of the local market at the end", self.debts_text()))
        if self.debts_peak_eur:
            rows.append(("… of members, highest sum", number(self.debts_peak_eur, "EUR", 2)))
        if self.unserved_injection_kwh is not None:
            unserved = f"{number(self.unserved_injection_kwh, '')} / "
            unserved += number(self.unserved_consumption_kwh, "kWh")
            rows.append(("Not sold to / bought from the supplier (grid)", unserved))
        if self.fee_eur_per_kwh_traded:
            fee = number(self.fee_eur_per_kwh_traded, "EUR/kWh", 4)
            rows.append(("Fees of prosumers per kWh traded", fee))
        return rows

    def refused_text(self) -> str:
        """Return share, energy and reasons of the refused orders."""
        reasons = ", ".join(
            f"{reason} {number(n, '', 0)}" for reason, n in self.orders_refused_by_reason.items()
        )
        shares = f"{percent(self.orders_refused_share)}, {number(self.orders_refused_kwh, 'kWh')}"
        return f"{shares}: {reasons}" if reasons else shares

    def warnings(self) -> Sequence[str]:
        """Return sentences on orders refused, when more than is tolerated, and on debts."""
        found = []
        if (self.orders_refused_share or 0.0) > REFUSED_TOLERATED:
            found.append(
                f"the local market's contract refused {number(self.orders_refused, '', 0)} of "
                f"{number(sum(self.orders.values()), '', 0)} orders ({self.refused_text()}); "
                "trades are those of the others"
            )
        if any(self.debts_eur.values()):
            found.append(
                f"debts of the local market are left at the end of the run: {self.debts_text()}"
            )
        return found

    def debts_text(self) -> str:
        """Return the debts of those who have any, by their role."""
        return ", ".join(
            f"{ROLES[role].lower()} {number(owed_eur, 'EUR', 2)}"
            for role, owed_eur in self.debts_eur.items()
            if owed_eur
        )


@dataclass(frozen=True)
class OrderTimes:
    """Times that orders took.

    Parameters
    ----------
    n_orders : int
        All that were sent, missed ones among them.
    inclusion_s : (n_included,) float
        From sending to the block that includes it, in the order of the table. [s]
    confirmation_s : (n_confirmed,) float
        From sending to the last confirmation, of those that have it on record. [s]
    """

    n_orders: int
    inclusion_s: FloatArray
    confirmation_s: FloatArray


def market_indicators(results: Results) -> MarketIndicators:
    """Return the indicators of the local market of a run."""
    trades = results.frame("trades")
    energy_wh = int(trades["energy_wh"].sum())
    worth = float((trades["energy_wh"] * trades["price_ueur_per_kwh"]).sum())
    price = ratio(worth, energy_wh)
    fees_ueur = int(results.frame("settlement")["fees_ueur"].sum())
    orders = results.frame("orders")
    status = orders["status"]
    late_wh = orders.loc[status == "late", "energy_wh"]
    counts, took, refused = status.value_counts(), order_times(results), refused_orders(orders)
    reached_eur, possible_eur = trade_surplus_eur(orders)
    return MarketIndicators(
        traded_kwh=energy_wh / WH_PER_KWH,
        mean_price_eur_per_kwh=None if price is None else eur_from_ueur(price),
        trade_surplus_eur=reached_eur,
        trade_surplus_possible_eur=possible_eur,
        **pair_sums(results),
        orders={name: int(counts.get(name, 0)) for name in ORDER_STATUSES},
        order_latency_s=distribution(took.inclusion_s),
        order_confirmation_s=distribution(took.confirmation_s) if confirmations(results) else None,
        orders_missed=len(late_wh),
        orders_missed_share=ratio(len(late_wh), len(orders)),
        orders_missed_kwh=float(late_wh.sum()) / WH_PER_KWH,
        orders_refused=len(refused),
        orders_refused_share=ratio(len(refused), len(orders)),
        orders_refused_kwh=float(refused["energy_wh"].sum()) / WH_PER_KWH,
        orders_refused_by_reason=refusals(orders),
        fee_eur_per_kwh_traded=ratio(eur_from_ueur(fees_ueur), energy_wh / WH_PER_KWH),
        debts_eur=debts_eur(results),
        debts_peak_eur=debts_peak_eur(results),
        unserved_injection_kwh=_unserved_kwh(results, -1),
        unserved_consumption_kwh=_unserved_kwh(results, 1),
    )


def _unserved_kwh(results: Results, sign: int) -> float | None:
    """Return what schedules changed by in one direction where positions bind. [kWh]"""
    schedules = results.frame("schedules")
    if "unserved_wh" not in schedules:
        return None
    return float((sign * schedules["unserved_wh"]).clip(lower=0).sum()) / WH_PER_KWH


def order_times(results: Results) -> OrderTimes:
    """Return the times that the orders of a run took to be included and confirmed.

    An order that the contract refused is included all the same.
    """
    orders = results.frame("orders")
    chain = BlockTimes(results)
    sent_s = orders["sent_at_s"].to_numpy(dtype=np.float64)
    block = orders["block"].to_numpy(dtype=np.float64, na_value=np.nan)
    inclusion_s, confirmation_s = (
        chain.timestamp_s(block + depth) - sent_s for depth in (0, confirmations(results))
    )
    return OrderTimes(
        len(orders),
        inclusion_s[~np.isnan(inclusion_s)],
        confirmation_s[~np.isnan(confirmation_s)],
    )
