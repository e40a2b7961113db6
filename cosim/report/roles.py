"""Money by role over a run: who paid whom, and which resources the community used up.

Every payment has two sides, so that a column of payments adds up to zero over all roles, upstream
among them. Upstream is the outside: it receives the wholesale price for the net import, losses
included, and gives nothing back but energy. What arises behind a connection point without being
paid for (wear, discomfort, unserved energy: :mod:`cosim.report.resource_cost`) is borne there. The
community's sums, all roles but upstream, therefore add up to minus the resource cost.

Roles:

* members of the local market with generation, and without;
* connection points outside of it: they owe what a supply contract billed them, and for what is
  drawn without one the supplier's prices of the interval, off chain (:mod:`cosim.report.outside`);
* the supplier buys what all meters together read, net, at the wholesale price, and sells what they
  fed in; of what it is paid it owes the DSO network charges and the state taxes, where the retail
  price has parts, from the moment they arise, so that it keeps the energy's margin;
* the DSO receives network charges and penalties, pays for flexibility, and buys at the wholesale
  price what flows in and no meter read: technical losses, and what false or silent meters leave
  out. So network operators procure their losses in most of Europe (2nd CEER Report on Power Losses,
  2020);
* the state receives taxes and levies;
* producers of blocks receive the fees of the ledger that members pay;
* others receive what members paid within further mechanisms and no member received.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cosim.devices.catalogue import registered
from cosim.report.costs import (
    NETWORK,
    RELATIONS,
    TAXES,
    money_by_role,
    other_costs,
    physical_wh,
    with_charges,
)
from cosim.report.outside import bills_outside, drawn_kwh_by_supply, members_of
from cosim.report.resource_cost import (
    IN_KIND,
    imported_kwh,
    in_kind_costs,
    resource_cost,
    wholesale,
)
from cosim.report.stretches import added, added_by_name, by_interval_of_all
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, eur_from_ueur

WITH_PV, WITHOUT_PV, OUTSIDE = "with_generation", "without_generation", "outside_market"
SUPPLIER, DSO, STATE, LEDGER = "supplier", "dso", "state", "ledger"
OTHERS, UPSTREAM = "others", "upstream"
MEMBERS = "members"
"""Members of the local market, with generation and without, and what they pay others."""

ROLES: dict[str, str] = {
    WITH_PV: "Members with generation",
    WITHOUT_PV: "Members without",
    OUTSIDE: "Outside the market",
    SUPPLIER: "Supplier",
    DSO: "DSO",
    STATE: "State",
    LEDGER: "Block producers",
    OTHERS: "Others",
    UPSTREAM: "Upstream",
}
"""Titles of the roles, in their order."""

PAYMENTS: dict[str, str] = {
    "market": "Market",
    "supply": "Supply",
    "network": "Network charges",
    "taxes": "Taxes",
    "flexibility": "Flexibility",
    "agreements": "Agreements",
    "fees": "Fees",
    "wholesale": "Wholesale",
    "losses": "Losses",
}
"""Titles of the payments: columns that add up to zero over all roles."""


@dataclass(frozen=True)
class MoneyTable:
    """Payments between roles over a run, and what arose in kind.

    Parameters
    ----------
    amounts_eur : mapping of str to mapping of str to float
        By role (:data:`ROLES`) and payment (:data:`PAYMENTS`): received, paid negative. NaN in
        ``losses`` of a run in which a power flow has no solution. [EUR]
    in_kind_eur : mapping of str to float
        By role: costs that nobody is paid for, negative. [EUR]
    """

    amounts_eur: Mapping[str, Mapping[str, float]]
    in_kind_eur: Mapping[str, float]

    def received_eur(self, role: str) -> float:
        """Return what a role received less what it paid. [EUR]"""
        return sum(self.amounts_eur[role].values())

    def total_eur(self, payment: str) -> float:
        """Return the sum of a payment over all roles: zero. [EUR]"""
        return sum(own[payment] for own in self.amounts_eur.values())


def money_table(results: Results) -> MoneyTable:
    """Return what each role received over the run, by payment."""
    paid_ueur = {role: dict.fromkeys(PAYMENTS, 0) for role in ROLES}
    group = roles_of_points(results)
    settled, others = _sums_by_prosumer(results), other_costs(results)
    others = others.groupby(others["prosumer"].astype(str))[["received_ueur", "fees_ueur"]].sum()
    for sums, column, payment, sign, payee in (
        (settled, "traded_ueur", "market", 1, SUPPLIER),
        (settled, "supplier_ueur", "supply", 1, SUPPLIER),
        (settled, "flexibility_ueur", "flexibility", 1, DSO),
        (settled, "fees_ueur", "fees", -1, LEDGER),
        (others, "received_ueur", "agreements", 1, OTHERS),
        (others, "fees_ueur", "fees", -1, LEDGER),
    ):
        for name, amount_ueur in sums[column].items():
            paid_ueur[group[str(name)]][payment] += sign * int(amount_ueur)
            paid_ueur[payee][payment] -= sign * int(amount_ueur)
    for payee, payment, column in ((DSO, "network", NETWORK), (STATE, "taxes", TAXES)):
        _pass_on(paid_ueur, payee, payment, int(settled[column].sum()))
    outside = bills_outside(results)
    _supply_outside(paid_ueur, outside)
    amounts = {
        role: {payment: float(eur_from_ueur(ueur)) for payment, ueur in own.items()}
        for role, own in paid_ueur.items()
    }
    upstream = _from_upstream(results, _all_readings_wh(results, outside))
    for payment, role in (("wholesale", SUPPLIER), ("losses", DSO)):
        amount = float(upstream[payment].sum(skipna=False))
        amounts[role][payment] += amount
        amounts[UPSTREAM][payment] -= amount
    in_kind = dict.fromkeys(ROLES, 0.0)
    for name, cost_eur in in_kind_costs(results)[list(IN_KIND)].sum(axis=1).items():
        in_kind[group[str(name)]] -= float(cost_eur)
    return MoneyTable(amounts, in_kind)


def _sums_by_prosumer(results: Results) -> pd.DataFrame:
    """Return sums of ``settlement`` by prosumer, charges among them. [µEUR]"""
    found: pd.DataFrame = results.kept(
        "sums by prosumer", lambda: added_by_name(results, payments_by_prosumer)
    )
    return found


def payments_by_prosumer(part: Results) -> pd.DataFrame:
    """Return sums of a stretch's payments by prosumer, charges among them. [µEUR]"""
    rows = with_charges(part.frame("settlement"))
    return rows.groupby(rows["prosumer"].astype(str))[[*RELATIONS, NETWORK, TAXES]].sum()


def roles_of_points(results: Results) -> dict[str, str]:
    """Return the role of every connection point, by its name.

    With generation are those that generated in the run, or would have if they had not been
    throttled, so that a run and its counterfactuals have the same members in each role.
    """
    return results.run.kept("roles of points", lambda: _roles_of_points(results.run))


def generating(part: Results) -> pd.Series:
    """Return 1 for the connection points that generated in a stretch, or would have; else 0."""
    columns = [
        column.name
        for device in registered()
        if device.columns[0].role == "generation"
        for column in device.columns
    ]
    rows = part.frame("prosumers")
    generates = (rows[[name for name in columns if name in rows]] != 0).any(axis=1)
    return generates.groupby(rows["prosumer"].astype(str)).any().astype("int64")


def _roles_of_points(results: Results) -> dict[str, str]:
    members = members_of(results)
    return {
        str(name): (WITH_PV if own else WITHOUT_PV) if name in members else OUTSIDE
        for name, own in added_by_name(results, generating).sort_index().items()
    }


def money_over_time(results: Results) -> pd.DataFrame:
    """Return what each role received in each interval; sums are those of :func:`money_table`.

    Returns
    -------
    pandas.DataFrame
        Indexed by interval; :data:`MEMBERS` as one group with what they receive from others, then
        the other roles but :data:`OTHERS`; a row adds up to zero. NaN for DSO and upstream where a
        power flow has no solution. [EUR]
    """
    paid = money_by_role(results)
    outside = bills_outside(results)
    sums = outside.groupby("interval")[["supply", "network", "taxes"]].sum()
    billed = sums.reindex(paid.index, fill_value=0)
    kept = billed["supply"] - billed["network"] - billed["taxes"]
    in_ueur = {
        MEMBERS: paid["prosumers"],
        OUTSIDE: -billed["supply"],
        SUPPLIER: paid["supplier"] + kept,
        DSO: paid["dso"] + billed["network"],
        STATE: paid["state"] + billed["taxes"],
        LEDGER: paid["fees"],
    }
    found = pd.DataFrame({role: eur_from_ueur(ueur.to_numpy()) for role, ueur in in_ueur.items()})
    found.index = paid.index
    upstream = _from_upstream(results, _all_readings_wh(results, outside))
    found[SUPPLIER] += upstream["wholesale"]
    found[DSO] += upstream["losses"]
    found[UPSTREAM] = -upstream["wholesale"] - upstream["losses"]
    return found


def network_charge_eur_per_kwh(results: Results, table: MoneyTable) -> float | None:
    """Return the charge on drawn energy that would cover what the DSO spends.

    Its income from penalties is taken off; what network charges it collects is not.

    Returns
    -------
    float or None
        On every kWh that a connection point draws net in an interval; 0 where it spends nothing,
        None where nobody draws anything or the losses are not known. [EUR/kWh]
    """
    drawn_kwh = _drawn_kwh(results)
    spent_eur = table.amounts_eur[DSO]["network"] - table.received_eur(DSO)
    if not drawn_kwh or math.isnan(spent_eur):
        return None
    return max(spent_eur, 0.0) / drawn_kwh


def collected_charge_eur_per_kwh(results: Results, table: MoneyTable) -> float | None:
    """Return the network charges that the DSO is owed, over the energy drawn. [EUR/kWh]

    To compare with :func:`network_charge_eur_per_kwh`: lower than the charge in the retail price as
    far as energy is traded locally; None where nobody draws anything.
    """
    drawn_kwh = _drawn_kwh(results)
    return table.amounts_eur[DSO]["network"] / drawn_kwh if drawn_kwh else None


def _drawn_kwh(results: Results) -> float:
    """Return what connection points draw, each interval by itself. [kWh]"""
    wh: int = results.kept("drawn", lambda: added(results, drawn_wh))
    return float(wh) / WH_PER_KWH


def drawn_wh(part: Results) -> int:
    """Return what connection points draw in a stretch, each interval by itself. [Wh]"""
    readings = part.frame("prosumers", ("metered_wh",))["metered_wh"]
    return int(-readings.clip(upper=0).sum())


def welfare_indicators(results: Results) -> dict[str, Any]:
    """Return the indicators of every run on resources and on money by role, by name."""
    cost, table = resource_cost(results), money_table(results)
    return {
        "drawn_kwh_by_supply": dict(drawn_kwh_by_supply(results)),
        "imported_kwh": _known(float(imported_kwh(results).sum(skipna=False))),
        "welfare_eur": _known(-cost.total_eur),
        "resource_cost_eur": {name: _known(part) for name, part in cost.parts().items()},
        "money_by_role_eur": {role: _known(table.received_eur(role)) for role in ROLES},
        "network_charge_eur_per_kwh": network_charge_eur_per_kwh(results, table),
        "network_charge_collected_eur_per_kwh": collected_charge_eur_per_kwh(results, table),
        "taxes_eur": table.amounts_eur[STATE]["taxes"],
    }


def _pass_on(
    paid_ueur: dict[str, dict[str, int]], payee: str, payment: str, amount_ueur: int
) -> None:
    """Let the supplier pay what it collected for another."""
    paid_ueur[SUPPLIER][payment] -= amount_ueur
    paid_ueur[payee][payment] += amount_ueur


def _supply_outside(paid_ueur: dict[str, dict[str, int]], bills: pd.DataFrame) -> None:
    """Let those outside the market owe their bills, charges among them."""
    for payee, payment in ((DSO, "network"), (STATE, "taxes")):
        _pass_on(paid_ueur, payee, payment, int(bills[payment].sum()))
    paid_ueur[OUTSIDE]["supply"] -= int(bills["supply"].sum())
    paid_ueur[SUPPLIER]["supply"] += int(bills["supply"].sum())


def _all_readings_wh(results: Results, outside: pd.DataFrame) -> pd.Series:
    """Return the sum of all connection points' readings by interval. [Wh]"""
    inside: pd.Series = results.kept(
        "readings inside", lambda: by_interval_of_all(results, readings_inside)["metered_wh"]
    )
    others = outside.groupby("interval")["metered_wh"].sum()
    return inside + others.reindex(inside.index, fill_value=0)


def readings_inside(part: Results) -> pd.DataFrame:
    """Return the sum of readings in the market by interval of a stretch. [Wh]"""
    settled = part.frame("settlement")
    rows = settled[["interval"]].assign(metered_wh=physical_wh(part).to_numpy())
    by_interval = rows.groupby("interval")[["metered_wh"]].sum()
    return by_interval.reindex(range(part.n_intervals), fill_value=0)


def _from_upstream(results: Results, read_wh: pd.Series) -> pd.DataFrame:
    """Return what the supplier receives for what meters read, and the DSO for what else flows in.

    By interval, as columns ``wholesale`` and ``losses``, paid negative. [EUR]
    """
    read_kwh = read_wh / WH_PER_KWH
    price = wholesale(results)
    lost_eur = (imported_kwh(results) + read_kwh) * price
    # a surplus of readings is sold upstream
    return pd.DataFrame({"wholesale": read_kwh * price, "losses": -lost_eur})


def _known(value: float) -> float | None:
    """Return a number, None for NaN: a power flow without a solution."""
    return None if math.isnan(value) else value
