"""Costs of an attack by party, and its effect on meters and flexibility.

Everything is read from the tables of the run; who is attacker and who is victim follows from the
scenario's section ``attack``, also when it is not active. The difference between two runs, with and
without the attack, is what the attack did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import pandas as pd
from pydantic import TypeAdapter

from cosim.report.costs import costs_by_prosumer
from cosim.report.indicator import IndicatorSet, Meaning
from cosim.report.ledger import gas_price_wei
from cosim.results.reader import Results
from cosim.scenario.attack import (
    AttackSettings,
    Censorship,
    Collusion,
    FrontRunning,
    IncDec,
    Parties,
    PhantomBaseline,
    Reorganisation,
    Spam,
    parties,
)
from cosim.units import WH_PER_KWH, WH_PER_MWH, eur_from_ueur, fee_ueur


@dataclass(frozen=True)
class AttackIndicators(IndicatorSet):
    """Money by party, and energy that does not add up; costs are paid less received, with fees."""

    attackers_cost_eur: Annotated[float | None, Meaning("EUR", "of attackers, if there are any")]
    victims_cost_eur: Annotated[
        float | None,
        Meaning(
            "EUR",
            "of victims; where an attack is on nobody in particular, of all who do not attack",
        ),
    ]
    others_cost_eur: Annotated[float | None, Meaning("EUR", "of other prosumers, if any")]
    attack_fees_eur: Annotated[
        float, Meaning("EUR", "fees of accounts of nobody on the grid, part of the attackers' cost")
    ]
    unaccounted_kwh: Annotated[
        float, Meaning("kWh", "through the transformers, less losses, less all settled readings")
    ]
    undelivered_flexibility_kwh: Annotated[
        float, Meaning("kWh", "awarded and not confirmed by a meter")
    ]


def attack_settings(results: Results) -> AttackSettings:
    """Return the section ``attack`` of a run that has one."""
    return _adapter().validate_python(results.scenario_fields["attack"])


@cache
def _adapter() -> TypeAdapter[AttackSettings]:
    return TypeAdapter(AttackSettings)


def attack_parties(results: Results) -> Parties:
    """Return who attacks and who is attacked, among the members of the local market."""
    names = [str(name) for name in results.frame("settlement")["prosumer"].unique()]
    return parties(attack_settings(results), names)


def attack_name(settings: AttackSettings) -> str:
    """Return the kind of an attack in words, and if it did not take place."""
    name = settings.kind.replace("_", " ")
    return name if settings.active else f"{name}, not active"


def attack_text(results: Results) -> str:
    """Return kind, attackers or victims, and times of a run's attack, in one line."""
    settings = attack_settings(results)
    attackers = ", ".join(attack_parties(results).attackers)
    match settings:
        case Spam():
            who = "by an account of nobody on the grid, on all members"
        case Reorganisation():
            who = "by producers of blocks, on " + (", ".join(settings.victims) or "all members")
        case Censorship():
            share = f"{100 * settings.validators_share:g} % of the validators"
            who = f"by {share}, on {', '.join(settings.prosumers)}"
        case _:
            who = f"by {attackers}"
    text = f"{settings.kind.replace('_', ' ')} {who}"
    if not settings.active:
        return f"{text}; not active, so nobody attacks"
    attacked, last = settings.intervals(results.n_intervals), results.n_intervals - 1
    if settings.from_interval > last:
        return f"{text}; from interval {settings.from_interval}, which the run did not reach"
    until = min(attacked[-1], last)
    begin = results.times[attacked[0]]
    end = results.times[until] + pd.Timedelta(seconds=results.step_s)
    whole = ", that is all" if (attacked[0], until) == (0, last) else ""
    return (
        f"{text}; intervals {attacked[0]} to {until}{whole} "
        f"({begin:%d %b %Y %H:%M} to {end:%d %b %Y %H:%M})"
    )


def attacked_word(settings: AttackSettings) -> str:
    """Return whose cost ``victims_cost_eur`` is: those attacked, or else all who do not attack."""
    match settings:
        case FrontRunning() | Collusion() | PhantomBaseline() | IncDec():
            return "all but the attackers"
        case Reorganisation(victims=()) | Spam():
            return "all members"
        case _:
            return "the victims"


def attack_indicators(results: Results) -> AttackIndicators:
    """Return the indicators of the attack of a run with a section ``attack``."""
    sides = attack_parties(results)
    costs = costs_by_prosumer(results)["cost_ueur"]
    fees_ueur = strangers_fees_ueur(results)
    is_attacker, is_victim = (costs.index.isin(side) for side in (sides.attackers, sides.victims))
    has_attacker = bool(sides.attackers) or attack_settings(results).kind == "spam"
    others = costs[~(is_attacker | is_victim)]
    flexibility = results.frame("flexibility")
    undelivered_wh = int((flexibility["awarded_wh"] - flexibility["delivered_wh"]).sum())
    return AttackIndicators(
        attackers_cost_eur=_eur(costs[is_attacker].sum() + fees_ueur) if has_attacker else None,
        victims_cost_eur=_eur(costs[is_victim].sum()) if is_victim.any() else None,
        others_cost_eur=_eur(others.sum()) if len(others) else None,
        attack_fees_eur=_eur(fees_ueur),
        unaccounted_kwh=float(unaccounted_kwh(results).sum()),
        undelivered_flexibility_kwh=undelivered_wh / WH_PER_KWH,
    )


def strangers_fees_ueur(results: Results) -> int:
    """Return fees of accounts that created a contract which is none of the community's. [µEUR]"""
    columns = (
        "block",
        "interval",
        "sender",
        "to",
        "contract",
        "gas_used",
        "max_fee_wei",
        "tip_wei",
    )
    rows = results.frame("transactions", columns)
    strangers = rows.loc[rows["to"].isna() & rows["contract"].isna(), "sender"].unique()
    theirs = rows[rows["sender"].isin(strangers) & (rows["interval"] >= 0)]
    prices_wei = gas_price_wei(results, theirs).tolist()
    total_wei = sum(g * p for g, p in zip(theirs["gas_used"].tolist(), prices_wei, strict=True))
    return fee_ueur(total_wei, float(results.scenario_fields["ledger"]["eur_per_eth"]))


def unaccounted_kwh(results: Results) -> pd.Series:
    """Return energy that the grid took and no reading accounts for, by interval. [kWh]

    A DSO would look for this: the transformers' measurement less technical losses, as the power
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


def _eur(amount_ueur: Any) -> float:
    return float(eur_from_ueur(int(amount_ueur)))
