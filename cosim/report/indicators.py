"""The numbers that a run is judged by, each with its formula.

Self-consumption and self-sufficiency follow Luthander et al., Applied Energy 142 (2015) 80-94,
doi:10.1016/j.apenergy.2014.12.028, eqs. 1-4, for the community as a whole: with the sums over all
prosumers of PV generation P(t), of consumption L(t) (fixed load, EV, heat pump) and of battery
power B(t) (charging positive), the energy used by the community itself is
``M(t) = min(L(t), max(P(t) - B(t), 0))``, self-consumption ``sum M / sum P`` and self-sufficiency
``sum M / sum L``. Batteries count as behind the meter: what they charge is not available, what they
discharge is, whatever it was charged from; a battery that ends emptier than it began therefore adds
to both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from cosim.attacks.indicators import attack_indicators
from cosim.mechanisms.community_storage.indicators import storage_indicators
from cosim.mechanisms.green_certificates.indicators import certificate_indicators
from cosim.mechanisms.local_market.welfare import welfare_indicators
from cosim.mechanisms.name_registry.indicators import name_indicators
from cosim.mechanisms.supply_contract.indicators import supply_indicators
from cosim.report.checks import violation_minutes
from cosim.report.costs import costs_by_prosumer
from cosim.report.extremes import extreme_indicators
from cosim.report.ledger import ledger_indicators
from cosim.results.reader import Results
from cosim.results.schemas import ORDER_STATUSES, STAGES
from cosim.units import WH_PER_KWH, WH_PER_MWH, eur_from_ueur

KWH_PER_MWH = WH_PER_MWH / WH_PER_KWH

GAS_COLUMNS = ("interval", "to", "contract", "method", "gas_used", "status")
"""Columns of ``transactions`` that :func:`gas_by_method` needs."""


@dataclass(frozen=True)
class Indicators:
    """Indicators of one run; ``None`` where there is nothing to divide by or nothing was recorded.

    Parameters
    ----------
    intervals, prosumers : int
        What the run comprises.
    violations : dict
        By stage (scheduled, relieved, delivered) and kind: ``minutes`` in which at least one
        element is violated, and ``element_minutes``. [min]
    curtailed_injection_kwh, curtailed_consumption_kwh : float
        Changes that the DSO ordered outside the market, positive. [kWh]
    flexibility_offered_kwh, flexibility_awarded_kwh, flexibility_delivered_kwh : float
        Over all requests, up and down; an offer repeated in a later request counts again. [kWh]
    flexibility_requests : int
        Requests that received an offer.
    flexibility_paid_eur, penalties_eur, flexibility_cost_eur : float
        Paid by the DSO, received by it for what was not delivered, and the difference. [EUR]
    generation_kwh, consumption_kwh : float
        PV generation after curtailment; load, EV and heat pumps. [kWh]
    self_consumption, self_sufficiency : float or None
        As in the module's docstring. [-]
    traded_kwh : float
        Energy traded between prosumers. [kWh]
    mean_price_eur_per_kwh : float or None
        Weighted by energy. [EUR/kWh]
    cost_eur, baseline_cost_eur : float
        What the prosumers paid together, and would have paid to the supplier alone for the same
        metered energy. [EUR]
    mean_cost_eur, mean_baseline_cost_eur : float or None
        The same per prosumer. [EUR]
    prosumers_better_off : int
        How many paid less than their baseline.
    welfare_eur, welfare_possible_eur : float
        Buyers' value less sellers' cost of what was traded, by their limit prices; the largest
        possible, had every order sent been in the book
        (:mod:`cosim.mechanisms.local_market.welfare`). [EUR]
    supplier_received_eur : float
        By the supplier, in the local market and for imbalance. [EUR]
    highest_vm_pu, lowest_vm_pu : float or None
        Of all buses and intervals delivered, but for buses that the upstream grid holds. [pu]
    highest_line_loading_percent, highest_trafo_loading_percent : float or None
        Of what was delivered. [%]
    scheduled_highest_vm_pu and so on : float or None
        The same of the schedules before flexibility. [pu, %]
    losses_kwh : float or None
        Lost in lines and transformers. [kWh]
    setup_gas, running_gas : int
        Gas of the transactions before the first interval, and since. [gas]
    gas_per_prosumer_and_interval : float or None
        Of the latter. [gas]
    gas_by_method : dict
        By ``contract.method``: ``transactions``, ``reverted``, ``gas`` and ``mean_gas``.
    orders : dict
        Number by status.
    order_latency_s, order_confirmation_s : dict or None
        ``mean``, ``median``, ``p95`` and ``max`` of the time from sending an order to the block
        that includes it, and to its last confirmation; the latter None where users wait for no
        confirmation. Missed orders are in neither. [s]
    orders_missed : int
        Orders that missed the gate (status late).
    orders_missed_share, orders_missed_kwh : float or None, float
        Of all orders; their energy. [-, kWh]
    block_usage_mean, block_usage_max : float or None
        Gas used of the blocks' gas limit, from the first order window to the last transaction. [-]
    order_window_block_usage_mean : float or None
        The same over the blocks of the order windows. [-]
    prosumer_fees_eur, ledger_fees_eur : float
        Paid by prosumers for orders, offers and reports; by everybody since the set-up. [EUR]
    fee_eur_per_kwh_traded : float or None
        The former over the traded energy. [EUR/kWh]
    settlement_finality_s : dict or None
        ``mean`` and ``max`` over the intervals of the time from the end of delivery until the last
        settling transaction has its confirmations, as :mod:`cosim.report.ledger` defines it. [s]
    intervals_not_final : int
        Intervals for which this took longer than an interval, or had not come about when the chain
        ended.
    reversal_probability : dict or None
        That an attacker with a share of the hash power reverts a transaction that has its
        confirmations, by share (:func:`cosim.chain.finality.reversal_probability`); None but under
        proof of work. [-]
    largest_difference_vm_pu, largest_difference_loading_percent : float or None
        Between the power-flow engine and the reference, over the intervals solved again.
    certificates_issued_kwh, certificates_sold_kwh, certificates_retired_kwh : float or None
        Over all delivery hours; None without certificates. [kWh]
    certificates_paid_eur : float or None
        What buyers paid for certificates. [EUR]
    hourly_matching, hourly_matching_limit, run_matching : float or None
        Shares of consumption, as :mod:`cosim.mechanisms.green_certificates.indicators` defines
        them. [-]
    storage_charged_kwh, storage_discharged_kwh, storage_loss_kwh : float or None
        By members of a shared battery, and lost beyond that; None without one. [kWh]
    storage_billed_eur : float or None
        Members' bills for losses, less credits. [EUR]
    self_consumption_without_storage, self_sufficiency_without_storage : float or None
        Of the other connection points, as :mod:`cosim.mechanisms.community_storage.indicators`
        defines them. [-]
    names_registered, names_handed_on : int or None
        In the name registry, and how many another household took over; None without one.
    name_fees_eur : float or None
        Paid to the name registry, before and during the run. [EUR]
    supply_billed_kwh, supply_bill_eur, supply_above_deposit_eur : float or None
        Billed by a supply contract, and what of it deposits could not pay; None without one.
        [kWh, EUR, EUR]
    supply_estimated_share : float or None
        Of the billed energy, for meters that stayed silent. [-]
    attackers_cost_eur, victims_cost_eur, others_cost_eur : float or None
        By party, as :func:`cosim.attacks.indicators.attack_indicators` defines them; like those
        below None without a section ``attack``. [EUR]
    attack_fees_eur : float or None
        Fees of accounts of nobody on the grid, part of the attackers' cost. [EUR]
    unaccounted_kwh, undelivered_flexibility_kwh : float or None
        Drawn and in no reading; awarded and not delivered. [kWh]
    """

    intervals: int
    prosumers: int
    violations: dict[str, dict[str, dict[str, float]]]
    curtailed_injection_kwh: float
    curtailed_consumption_kwh: float
    flexibility_offered_kwh: float
    flexibility_awarded_kwh: float
    flexibility_delivered_kwh: float
    flexibility_requests: int
    flexibility_paid_eur: float
    penalties_eur: float
    flexibility_cost_eur: float
    generation_kwh: float
    consumption_kwh: float
    self_consumption: float | None
    self_sufficiency: float | None
    traded_kwh: float
    mean_price_eur_per_kwh: float | None
    cost_eur: float
    baseline_cost_eur: float
    mean_cost_eur: float | None
    mean_baseline_cost_eur: float | None
    prosumers_better_off: int
    welfare_eur: float
    welfare_possible_eur: float
    supplier_received_eur: float
    highest_vm_pu: float | None
    lowest_vm_pu: float | None
    highest_line_loading_percent: float | None
    highest_trafo_loading_percent: float | None
    scheduled_highest_vm_pu: float | None
    scheduled_lowest_vm_pu: float | None
    scheduled_highest_line_loading_percent: float | None
    scheduled_highest_trafo_loading_percent: float | None
    losses_kwh: float | None
    setup_gas: int
    running_gas: int
    gas_per_prosumer_and_interval: float | None
    gas_by_method: dict[str, dict[str, float]]
    orders: dict[str, int]
    order_latency_s: dict[str, float] | None
    order_confirmation_s: dict[str, float] | None
    orders_missed: int
    orders_missed_share: float | None
    orders_missed_kwh: float
    block_usage_mean: float | None
    block_usage_max: float | None
    order_window_block_usage_mean: float | None
    prosumer_fees_eur: float
    ledger_fees_eur: float
    fee_eur_per_kwh_traded: float | None
    settlement_finality_s: dict[str, float] | None
    intervals_not_final: int
    reversal_probability: dict[str, float] | None
    largest_difference_vm_pu: float | None
    largest_difference_loading_percent: float | None
    certificates_issued_kwh: float | None = None
    certificates_sold_kwh: float | None = None
    certificates_retired_kwh: float | None = None
    certificates_paid_eur: float | None = None
    hourly_matching: float | None = None
    hourly_matching_limit: float | None = None
    run_matching: float | None = None
    storage_charged_kwh: float | None = None
    storage_discharged_kwh: float | None = None
    storage_loss_kwh: float | None = None
    storage_billed_eur: float | None = None
    self_consumption_without_storage: float | None = None
    self_sufficiency_without_storage: float | None = None
    names_registered: int | None = None
    names_handed_on: int | None = None
    name_fees_eur: float | None = None
    supply_billed_kwh: float | None = None
    supply_bill_eur: float | None = None
    supply_above_deposit_eur: float | None = None
    supply_estimated_share: float | None = None
    attackers_cost_eur: float | None = None
    victims_cost_eur: float | None = None
    others_cost_eur: float | None = None
    attack_fees_eur: float | None = None
    unaccounted_kwh: float | None = None
    undelivered_flexibility_kwh: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def compute_indicators(results: Results, power_flow: dict[str, Any] | None = None) -> Indicators:
    """Compute every indicator of a run.

    Parameters
    ----------
    results : Results
        A result folder, or one whose tables are closed.
    power_flow : dict, optional
        The manifest's ``power_flow``, when there is no manifest yet.
    """
    if power_flow is None:
        power_flow = results.manifest.get("power_flow", {})
    prosumers = int(results.frame("settlement")["prosumer"].nunique())
    return Indicators(
        intervals=results.n_intervals,
        prosumers=prosumers,
        violations={stage: violation_minutes(results, stage) for stage in STAGES},
        **_curtailment(results),
        **_flexibility(results),
        **_self_supply(results),
        **_trading(results),
        **_costs(results),
        **welfare_indicators(results),
        **extreme_indicators(results),
        losses_kwh=_losses_kwh(results),
        **_gas(results, prosumers),
        orders=_orders(results),
        **ledger_indicators(results),
        largest_difference_vm_pu=power_flow.get("largest_difference_vm_pu"),
        largest_difference_loading_percent=power_flow.get("largest_difference_loading_percent"),
        **certificate_indicators(results),
        **storage_indicators(results),
        **name_indicators(results),
        **supply_indicators(results),
        **attack_indicators(results),
    )


def _curtailment(results: Results) -> dict[str, Any]:
    curtailed_wh = results.frame("schedules")["curtailed_wh"]
    return {
        "curtailed_injection_kwh": _kwh(-curtailed_wh.clip(upper=0).sum()),
        "curtailed_consumption_kwh": _kwh(curtailed_wh.clip(lower=0).sum()),
    }


def _flexibility(results: Results) -> dict[str, Any]:
    rows = results.frame("flexibility")
    paid, penalty = int(rows["paid_ueur"].sum()), int(rows["penalty_ueur"].sum())
    return {
        "flexibility_offered_kwh": _kwh(rows["offered_wh"].sum()),
        "flexibility_awarded_kwh": _kwh(rows["awarded_wh"].sum()),
        "flexibility_delivered_kwh": _kwh(rows["delivered_wh"].sum()),
        "flexibility_requests": int(rows["request"].nunique()),
        "flexibility_paid_eur": eur_from_ueur(paid),
        "penalties_eur": eur_from_ueur(penalty),
        "flexibility_cost_eur": eur_from_ueur(paid - penalty),
    }


def _self_supply(results: Results) -> dict[str, Any]:
    columns = ["pv_p_mw", "load_p_mw", "ev_p_mw", "heat_pump_p_mw", "battery_p_mw"]
    sums = results.frame("prosumers").groupby("interval")[columns].sum()
    generation = sums["pv_p_mw"].to_numpy()
    consumption = (sums["load_p_mw"] + sums["ev_p_mw"] + sums["heat_pump_p_mw"]).to_numpy()
    available = np.maximum(generation - sums["battery_p_mw"].to_numpy(), 0.0)
    own = float(np.minimum(consumption, available).sum())
    kwh = results.step_h * KWH_PER_MWH
    return {
        "generation_kwh": float(generation.sum() * kwh),
        "consumption_kwh": float(consumption.sum() * kwh),
        "self_consumption": _ratio(own, float(generation.sum())),
        "self_sufficiency": _ratio(own, float(consumption.sum())),
    }


def _trading(results: Results) -> dict[str, Any]:
    rows = results.frame("trades")
    energy_wh = int(rows["energy_wh"].sum())
    worth = float((rows["energy_wh"] * rows["price_ueur_per_kwh"]).sum())
    price = _ratio(worth, energy_wh)
    return {
        "traded_kwh": _kwh(energy_wh),
        "mean_price_eur_per_kwh": None if price is None else eur_from_ueur(price),
    }


def _costs(results: Results) -> dict[str, Any]:
    costs = costs_by_prosumer(results)
    cost, baseline = int(costs["cost_ueur"].sum()), int(costs["baseline_cost_ueur"].sum())
    n = len(costs)
    return {
        "cost_eur": eur_from_ueur(cost),
        "baseline_cost_eur": eur_from_ueur(baseline),
        "mean_cost_eur": _ratio(eur_from_ueur(cost), n),
        "mean_baseline_cost_eur": _ratio(eur_from_ueur(baseline), n),
        "prosumers_better_off": int((costs["cost_ueur"] < costs["baseline_cost_ueur"]).sum()),
    }


def _losses_kwh(results: Results) -> float | None:
    losses_mw = results.frame("grid_balance")["losses_mw"]
    if losses_mw.notna().sum() == 0:
        return None
    return float(losses_mw.sum() * results.step_h * KWH_PER_MWH)


def _gas(results: Results, prosumers: int) -> dict[str, Any]:
    rows = results.frame("transactions", GAS_COLUMNS)
    running = int(rows.loc[rows["interval"] >= 0, "gas_used"].sum())
    return {
        "setup_gas": int(rows.loc[rows["interval"] < 0, "gas_used"].sum()),
        "running_gas": running,
        "gas_per_prosumer_and_interval": _ratio(running, prosumers * results.n_intervals),
        "gas_by_method": {
            str(name): {
                "transactions": int(row.transactions),
                "reverted": int(row.reverted),
                "gas": int(row.gas),
                "mean_gas": float(row.gas / row.transactions),
            }
            for name, row in gas_by_method(rows).iterrows()
        },
    }


def gas_by_method(transactions: pd.DataFrame) -> pd.DataFrame:
    """Gas of transactions by what they call.

    Parameters
    ----------
    transactions : pandas.DataFrame
        With the columns of :data:`GAS_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``contract.method``, the most expensive first, with ``transactions``,
        ``reverted``, ``gas`` and ``setup``: whether all of them precede the first interval.
    """
    contract = transactions["contract"].astype(object).fillna("(unknown)")
    method = transactions["method"].astype(object)
    method = method.fillna(transactions["to"].isna().map({True: "(create)", False: "(unknown)"}))
    rows = pd.DataFrame(
        {
            "call": contract + "." + method,
            "gas": transactions["gas_used"],
            "reverted": transactions["status"] == 0,
            "setup": transactions["interval"] < 0,
        }
    )
    grouped = rows.groupby("call").agg(
        transactions=("gas", "size"),
        reverted=("reverted", "sum"),
        gas=("gas", "sum"),
        setup=("setup", "all"),
    )
    return grouped.sort_values("gas", ascending=False, kind="stable")


def _orders(results: Results) -> dict[str, int]:
    counts = results.frame("orders")["status"].value_counts()
    return {status: int(counts.get(status, 0)) for status in ORDER_STATUSES}


def _kwh(energy_wh: float) -> float:
    return float(energy_wh) / WH_PER_KWH


def _ratio(part: float, whole: float) -> float | None:
    return float(part) / float(whole) if whole else None
