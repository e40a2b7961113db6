"""Orders, trades and surplus of the local market in a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import pandas as pd

from cosim.mechanisms.local_market.bilateral.panel import pair_sums
from cosim.mechanisms.local_market.by_area import area_sums
from cosim.mechanisms.local_market.debts_chart import debts_eur, debts_peak_eur
from cosim.mechanisms.local_market.refused_orders import refusals, refused_orders
from cosim.mechanisms.local_market.surplus import surplus_eur, trade_surplus
from cosim.report.indicator import IndicatorSet, Meaning, Rows, ratio
from cosim.report.ledger import block_times, confirmations, distribution, settled_fees_ueur
from cosim.report.roles import ROLES
from cosim.report.stretches import added, along, first_of
from cosim.report.text import number, percent, times
from cosim.results.reader import Results
from cosim.results.schemas import ORDER_STATUSES
from cosim.units import WH_PER_KWH, FloatArray, IntArray, eur_from_ueur

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
    traded_by_area_kwh: Annotated[
        dict[str, float] | None, Meaning("kWh", "by local market; null where there is one")
    ]
    mean_price_by_area_eur_per_kwh: Annotated[
        dict[str, float | None] | None,
        Meaning("EUR/kWh", "weighted by energy, by local market; null where there is one"),
    ]
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
            *self._markets(),
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

    def _markets(self) -> Rows:
        """Return the range of mean prices, where there are several local markets."""
        by_area = self.mean_price_by_area_eur_per_kwh
        if by_area is None:
            return []
        known = [price for price in by_area.values() if price is not None]
        span = (number(price, "", 4) for price in (min(known), max(known))) if known else ("–",)
        return [(f"… of {len(by_area)} local markets", " to ".join(span) + "\u00a0EUR/kWh")]

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


@dataclass(frozen=True)
class _Orders:
    """Sums over orders.

    Parameters
    ----------
    counts : Counter of str
        Orders by status.
    late_wh, reached, possible : int
        Energy of late orders; surplus of trades, and the largest that the orders allow.
        [Wh, µEUR/1000, µEUR/1000]
    refused : pandas.DataFrame
        Rows of the orders that the contract refused.
    """

    counts: Counter[str]
    late_wh: int
    reached: int
    possible: int
    refused: pd.DataFrame

    @classmethod
    def of(cls, part: Results) -> Self:
        orders = part.frame("orders")
        counts = Counter({str(name): int(n) for name, n in orders["status"].value_counts().items()})
        late_wh = int(orders.loc[orders["status"] == "late", "energy_wh"].sum())
        refused = refused_orders(orders)[["status", "reason", "energy_wh"]]
        refused = refused.astype({"status": str, "reason": object})
        return cls(counts, late_wh, *trade_surplus(orders), refused)

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.counts + other.counts,
            self.late_wh + other.late_wh,
            self.reached + other.reached,
            self.possible + other.possible,
            pd.concat([self.refused, other.refused]),
        )


def _traded(part: Results) -> IntArray:
    """Return energy traded, and energy times price. [Wh, µEUR/1000]"""
    trades = part.frame("trades", ("energy_wh", "price_ueur_per_kwh"))
    worth = trades["energy_wh"] * trades["price_ueur_per_kwh"]
    return np.array([trades["energy_wh"].sum(), worth.sum()], dtype=np.int64)


def market_indicators(results: Results) -> MarketIndicators:
    """Return the indicators of the local market of a run."""
    return results.kept("market indicators", lambda: _market_indicators(results))


def _market_indicators(results: Results) -> MarketIndicators:
    energy_wh, worth = added(results, _traded).tolist()
    price = ratio(float(worth), energy_wh)
    fees_ueur = settled_fees_ueur(results)
    orders, took = added(results, _Orders.of), order_times(results)
    refused, n_orders, n_late = orders.refused, sum(orders.counts.values()), orders.counts["late"]
    return MarketIndicators(
        traded_kwh=energy_wh / WH_PER_KWH,
        mean_price_eur_per_kwh=None if price is None else eur_from_ueur(price),
        **area_sums(results),
        trade_surplus_eur=surplus_eur(orders.reached),
        trade_surplus_possible_eur=surplus_eur(orders.possible),
        **pair_sums(results),
        orders={name: orders.counts[name] for name in ORDER_STATUSES},
        order_latency_s=distribution(took.inclusion_s),
        order_confirmation_s=distribution(took.confirmation_s) if confirmations(results) else None,
        orders_missed=n_late,
        orders_missed_share=ratio(n_late, n_orders),
        orders_missed_kwh=float(orders.late_wh) / WH_PER_KWH,
        orders_refused=len(refused),
        orders_refused_share=ratio(len(refused), n_orders),
        orders_refused_kwh=float(refused["energy_wh"].sum()) / WH_PER_KWH,
        orders_refused_by_reason=refusals(refused),
        fee_eur_per_kwh_traded=ratio(eur_from_ueur(fees_ueur), energy_wh / WH_PER_KWH),
        debts_eur=debts_eur(results),
        debts_peak_eur=debts_peak_eur(results),
        unserved_injection_kwh=_unserved_kwh(results, -1),
        unserved_consumption_kwh=_unserved_kwh(results, 1),
    )


def _unserved_kwh(results: Results, sign: int) -> float | None:
    """Return what schedules changed by in one direction where positions bind. [kWh]"""
    if "unserved_wh" not in first_of(results).frame("schedules"):
        return None

    def unserved_wh(part: Results) -> int:
        wh = sign * part.frame("schedules", ("unserved_wh",))["unserved_wh"]
        return int(wh.clip(lower=0).sum())

    return float(added(results, unserved_wh)) / WH_PER_KWH


def order_times(results: Results) -> OrderTimes:
    """Return the times that the orders of a run took to be included and confirmed.

    An order that the contract refused is included all the same.
    """
    return results.kept("order times", lambda: _order_times(results))


def _sent_and_block(part: Results) -> FloatArray:
    """Return when each order of a stretch was sent, and in which block it is, (n, 2)."""
    orders = part.frame("orders", ("sent_at_s", "block"))
    sent_s = orders["sent_at_s"].to_numpy(dtype=np.float64)
    block = orders["block"].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.stack([sent_s, block], axis=1)


OF_EACH_STRETCH = (_traded, _Orders.of, _sent_and_block)
"""Functions of a stretch that the indicators of a run ask for."""


def _order_times(results: Results) -> OrderTimes:
    sent_s, block = along(results, _sent_and_block).T
    chain = block_times(results)
    inclusion_s, confirmation_s = (
        chain.timestamp_s(block + depth) - sent_s for depth in (0, confirmations(results))
    )
    return OrderTimes(
        len(sent_s),
        inclusion_s[~np.isnan(inclusion_s)],
        confirmation_s[~np.isnan(confirmation_s)],
    )
