"""What an attack cost whom, and what it did to meters and to flexibility.

Everything is read from the tables of the run; who is attacker and who is victim follows from the
scenario's section ``attack``, also when it is not active. The difference between two runs, with and
without the attack, is what the attack did.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from cosim.attacks.settings import AttackSettings, Parties, parties
from cosim.report.costs import costs_by_prosumer
from cosim.results.reader import Results
from cosim.units import WH_PER_KWH, WH_PER_MWH, eur_from_ueur, fee_ueur

ATTACK_INDICATORS = (
    "attackers_cost_eur",
    "victims_cost_eur",
    "others_cost_eur",
    "attack_fees_eur",
    "unaccounted_kwh",
    "undelivered_flexibility_kwh",
)


def attack_settings(results: Results) -> AttackSettings | None:
    """Section ``attack`` of the scenario as run; None without one."""
    section = results.scenario_fields.get("attack")
    return None if section is None else _adapter().validate_python(section)


@cache
def _adapter() -> TypeAdapter[AttackSettings]:
    return TypeAdapter(AttackSettings)


def attack_parties(results: Results) -> Parties:
    """Who attacks and who is attacked, among the members of the local market."""
    settings = attack_settings(results)
    names = [str(name) for name in results.frame("settlement")["prosumer"].unique()]
    return Parties((), ()) if settings is None else parties(settings, names)


def attack_indicators(results: Results) -> dict[str, Any]:
    """Money by party, and energy that does not add up; all None without a section ``attack``.

    Returns
    -------
    dict of str to float or None
        ``attackers_cost_eur``, ``victims_cost_eur``, ``others_cost_eur``: what they paid less what
        they received, fees included, None where a party has nobody. ``attack_fees_eur``: of
        accounts that belong to nobody on the grid, part of the attackers' cost.
        ``unaccounted_kwh``: drawn through the transformers, less losses, less what the settled
        readings add up to. ``undelivered_flexibility_kwh``: awarded and not confirmed by a meter.
        [EUR, kWh]
    """
    settings = attack_settings(results)
    if settings is None:
        return dict.fromkeys(ATTACK_INDICATORS)
    sides = attack_parties(results)
    costs = costs_by_prosumer(results)["cost_ueur"]
    fees_ueur = strangers_fees_ueur(results)
    is_attacker, is_victim = (costs.index.isin(side) for side in (sides.attackers, sides.victims))
    has_attacker = bool(sides.attackers) or settings.kind == "spam"
    flexibility = results.frame("flexibility", ("interval", "awarded_wh", "delivered_wh"))
    undelivered_wh = int((flexibility["awarded_wh"] - flexibility["delivered_wh"]).sum())
    return {
        "attackers_cost_eur": _eur(costs[is_attacker].sum() + fees_ueur) if has_attacker else None,
        "victims_cost_eur": _eur(costs[is_victim].sum()) if is_victim.any() else None,
        "others_cost_eur": _others(costs[~(is_attacker | is_victim)]),
        "attack_fees_eur": _eur(fees_ueur),
        "unaccounted_kwh": float(unaccounted_kwh(results).sum()),
        "undelivered_flexibility_kwh": undelivered_wh / WH_PER_KWH,
    }


def strangers_fees_ueur(results: Results) -> int:
    """Fees of accounts that created a contract which is none of the community's. [µEUR]"""
    numbers = ["block", "gas_used", "max_fee_wei", "tip_wei"]
    rows = results.frame("transactions", ["interval", "sender", "to", "contract", *numbers])
    strangers = rows.loc[rows["to"].isna() & rows["contract"].isna(), "sender"].unique()
    theirs = rows.loc[rows["sender"].isin(strangers) & (rows["interval"] >= 0), numbers]
    blocks = results.frame("blocks", ("block", "base_fee_wei"))
    base_fee_wei = dict(zip(blocks["block"].tolist(), blocks["base_fee_wei"].tolist(), strict=True))
    total_wei = 0
    for block, gas_used, max_fee_wei, tip_wei in theirs.to_numpy().tolist():
        # the price of gas is the base fee and the tip, and never more than the sender's maximum
        total_wei += gas_used * min(base_fee_wei[block] + tip_wei, max_fee_wei)
    return fee_ueur(total_wei, float(results.scenario_fields["ledger"]["eur_per_eth"]))


def unaccounted_kwh(results: Results) -> pd.Series:
    """Energy that the grid took and no reading accounts for, by interval. [kWh]

    What a DSO would look for: the transformers' measurement less technical losses, as the power
    flow gives them, less the sum of all readings. Positive when readings are too low. Rounding
    leaves up to half a Wh per meter. Without a solved power flow it is missing.
    """
    balance = results.frame("grid_balance").set_index("interval")
    drawn_mw = balance["p_slack_mw"] - balance["losses_mw"]
    settled = results.frame("settlement", ("interval", "prosumer", "metered_wh"))
    physical = results.frame("prosumers", ("interval", "prosumer", "metered_wh"))
    elsewhere = physical[~physical["prosumer"].isin(settled["prosumer"].unique())]
    readings_wh = pd.concat([settled, elsewhere]).groupby("interval")["metered_wh"].sum()
    kwh = drawn_mw * results.step_h * (WH_PER_MWH / WH_PER_KWH) + readings_wh / WH_PER_KWH
    return pd.Series(kwh.reindex(range(results.n_intervals)), name="unaccounted_kwh")


def _others(costs: pd.Series) -> float | None:
    return _eur(costs.sum()) if len(costs) else None


def _eur(amount_ueur: Any) -> float:
    return float(eur_from_ueur(int(amount_ueur)))
