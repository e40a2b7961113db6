"""The report's words and numbers: key facts, tiles, tables, definitions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pandas as pd

from cosim.report.checks import KIND_LABELS, KINDS
from cosim.report.indicators import Indicators
from cosim.report.series import Offender
from cosim.report.summary import number, percent
from cosim.results.reader import Results
from cosim.results.schemas import STAGES
from cosim.units import eur_from_ueur

MONEY_COLUMNS = ("Market", "Supplier", "Flexibility", "Fees", "Sum")

DEFINITIONS = (
    (
        "Before, after, delivered",
        "Before: power flow on the schedules as nominated, no flexibility called. After: on the "
        "schedules of the last round of requests and awards; the same as before where no limit was "
        "violated. Delivered: what the devices physically did, forecast errors included. The "
        "right-hand map shows what was delivered.",
    ),
    (
        "Violation minutes",
        "Minutes of the intervals in which at least one bus is outside its voltage band, or at "
        "least one line or transformer carries more current than its rating. An interval without a "
        "power-flow solution counts as a violation of its own kind.",
    ),
    (
        "Flexibility",
        "Energy over all requests of the DSO, up and down; an offer repeated in a later request of "
        "the same interval counts again. Delivered: the awarded part that the meter confirms "
        "against the baseline. Cost: payments less penalties for what was not delivered.",
    ),
    (
        "Curtailed",
        "Change of schedules that the DSO ordered without a market, after offers had run out.",
    ),
    (
        "Self-consumption and self-sufficiency",
        "Of the community as a whole (Luthander et al. 2015, doi:10.1016/j.apenergy.2014.12.028): "
        "with PV generation P, consumption L (load, EV, heat pump) and battery charging B summed "
        "over all prosumers in each interval, own use is M = min(L, max(P − B, 0)); "
        "self-consumption is ΣM / ΣP, self-sufficiency ΣM / ΣL.",
    ),
    (
        "Cost and baseline",
        "Cost: paid less received in the local market, with the supplier and from the DSO, and "
        "transaction fees. Baseline: the same metered energy settled with the supplier alone, "
        "consumption at the retail price and feed-in at the feed-in price, interval by interval. "
        "The baseline keeps what people did; it is not a run without a market.",
    ),
    (
        "Welfare",
        "Buyers' value less sellers' cost of what was traded, both by the limit prices of their "
        "orders. Possible: the area between demand and supply of every order that was sent, late "
        "and rejected ones included.",
    ),
    (
        "Gas",
        "Gas of whole transactions: intrinsic cost, calldata, execution and refunds. Set-up "
        "(contracts created, accounts joined and funded) is counted apart.",
    ),
)

CERTIFICATE_DEFINITION = (
    "Matching",
    "With certificates issued I, retired R and consumption C summed over all members in each "
    "delivery hour: hour by hour ΣR / ΣC; had everybody bought, Σmin(I, C) / ΣC; over the whole "
    "run, without hours, min(ΣI, ΣC) / ΣC. Certificates are PV generation before own consumption; "
    "a battery neither produces nor consumes.",
)


STORAGE_DEFINITION = (
    "Shared battery",
    "Charged and discharged: what members nominated and the ledger took. Loss: what the battery "
    "drew beyond that. Without it: self-consumption of all other connection points, with "
    "generation, consumption and flexibility as they were with the battery.",
)


@dataclass(frozen=True)
class Tile:
    """One indicator: a value, or the steps from before to delivered, and a note."""

    title: str
    note: str
    value: str = ""
    steps: tuple[tuple[str, str], ...] = ()
    tone: str = ""


def tiles(indicators: Indicators) -> list[Tile]:
    """The indicators at the top of the report."""
    i = indicators
    shown = [kind for kind in KINDS if kind != "non_convergence" or _minutes(i, kind)[0]]
    saved = None
    if i.mean_cost_eur is not None and i.mean_baseline_cost_eur is not None:
        saved = i.mean_baseline_cost_eur - i.mean_cost_eur
    return [
        *(_violation_tile(i, kind) for kind in shown),
        Tile(
            "Flexibility delivered",
            f"of {number(i.flexibility_awarded_kwh, 'kWh')} awarded, "
            f"{number(i.flexibility_offered_kwh, 'kWh')} offered, "
            f"{i.flexibility_requests} requests",
            number(i.flexibility_delivered_kwh, "kWh"),
        ),
        Tile(
            "Cost of flexibility to the DSO",
            f"{number(i.flexibility_paid_eur, 'EUR', 2)} paid, "
            f"{number(i.penalties_eur, 'EUR', 2)} penalties received",
            number(i.flexibility_cost_eur, "EUR", 2),
        ),
        Tile(
            "Curtailed by order",
            f"injection {number(i.curtailed_injection_kwh, 'kWh')}, "
            f"consumption {number(i.curtailed_consumption_kwh, 'kWh')}",
            number(i.curtailed_injection_kwh + i.curtailed_consumption_kwh, "kWh"),
        ),
        Tile(
            "Self-sufficiency",
            f"self-consumption {percent(i.self_consumption)}; "
            f"{number(i.generation_kwh, 'kWh', 0)} PV, "
            f"{number(i.consumption_kwh, 'kWh', 0)} consumed",
            percent(i.self_sufficiency),
        ),
        Tile(
            "Traded between prosumers",
            f"mean price {number(i.mean_price_eur_per_kwh, 'EUR/kWh', 4)}; "
            f"{number(i.orders['cleared'] + i.orders['partial'], '', 0)} of "
            f"{number(sum(i.orders.values()), '', 0)} orders cleared, "
            f"{i.orders['late']} late, {i.orders['rejected']} rejected",
            number(i.traded_kwh, "kWh"),
        ),
        Tile(
            "Cost per prosumer",
            f"supplier alone {number(i.mean_baseline_cost_eur, 'EUR', 2)}; "
            f"{number(saved, 'EUR', 2)} saved on average, "
            f"{i.prosumers_better_off} of {i.prosumers} better off",
            number(i.mean_cost_eur, "EUR", 2),
        ),
        Tile(
            "Gas per prosumer and interval",
            f"{number(i.running_gas / 1e6, 'million gas')} in the run, "
            f"{number(i.setup_gas / 1e6, 'million')} for set-up",
            number(i.gas_per_prosumer_and_interval, "gas", 0),
        ),
        Tile(
            "Welfare of the trades",
            f"{number(i.welfare_possible_eur, 'EUR', 2)} possible, had every order been in time",
            number(i.welfare_eur, "EUR", 2),
        ),
        Tile(
            "Highest and lowest voltage",
            f"scheduled {number(i.scheduled_highest_vm_pu, '', 4)} and "
            f"{number(i.scheduled_lowest_vm_pu, 'pu', 4)}; highest loading delivered: lines "
            f"{number(i.highest_line_loading_percent, '%')}, transformers "
            f"{number(i.highest_trafo_loading_percent, '%')}",
            f"{number(i.highest_vm_pu, '', 3)} / {number(i.lowest_vm_pu, 'pu', 3)}",
        ),
        Tile(
            "Losses in lines and transformers",
            f"{percent(i.losses_kwh / i.consumption_kwh)} of consumption"
            if i.losses_kwh is not None and i.consumption_kwh
            else "not recorded",
            number(i.losses_kwh, "kWh"),
        ),
        *_certificate_tiles(i),
        *_storage_tiles(i),
        *_supply_tiles(i),
        *_attack_tiles(i),
    ]


def _certificate_tiles(i: Indicators) -> list[Tile]:
    """What certificates prove; none in a run without them."""
    if i.certificates_issued_kwh is None:
        return []
    return [
        Tile(
            "Consumption matched hour by hour",
            f"{percent(i.hourly_matching_limit)} had everybody bought; certificates without an "
            f"hour would claim {percent(i.run_matching)}; "
            f"{number(i.certificates_issued_kwh, 'kWh', 0)} certified, "
            f"{number(i.certificates_sold_kwh, 'kWh', 0)} sold",
            percent(i.hourly_matching),
        )
    ]


def _storage_tiles(i: Indicators) -> list[Tile]:
    """What members stored; none in a run without a shared battery."""
    if i.storage_charged_kwh is None:
        return []
    return [
        Tile(
            "Discharged from the shared battery",
            f"{number(i.storage_charged_kwh, 'kWh')} charged, "
            f"{number(i.storage_loss_kwh, 'kWh', 2)} lost and "
            f"{number(i.storage_billed_eur, 'EUR', 2)} billed for it; without the battery "
            f"self-consumption {percent(i.self_consumption_without_storage)}, "
            f"self-sufficiency {percent(i.self_sufficiency_without_storage)}",
            number(i.storage_discharged_kwh, "kWh"),
        )
    ]


def _supply_tiles(i: Indicators) -> list[Tile]:
    """What was bought by a supply contract; none in a run without one."""
    if i.supply_bill_eur is None:
        return []
    return [
        Tile(
            "Billed by supply contract",
            f"{number(i.supply_billed_kwh, 'kWh')}, {percent(i.supply_estimated_share)} of it "
            f"estimated for silent meters; {number(i.supply_above_deposit_eur, 'EUR', 2)} were "
            "above deposits and became debt",
            number(i.supply_bill_eur, "EUR", 2),
        )
    ]


def _attack_tiles(i: Indicators) -> list[Tile]:
    """Who paid under an attack; none in a run without one."""
    if i.attack_fees_eur is None:
        return []
    who, cost = "victims", i.victims_cost_eur
    if cost is None:
        who, cost = "attackers", i.attackers_cost_eur
    return [Tile(f"Cost of the {who}", _attack_note(i), number(cost, "EUR", 2))]


def _attack_note(i: Indicators) -> str:
    """Money and energy of an attack in one sentence, for its tile."""
    return (
        f"attackers {number(i.attackers_cost_eur, 'EUR', 2)}, "
        f"others {number(i.others_cost_eur, 'EUR', 2)}; "
        f"the supplier received {number(i.supplier_received_eur, 'EUR', 2)}; "
        f"{number(i.unaccounted_kwh, 'kWh', 2)} not accounted for, "
        f"{number(i.undelivered_flexibility_kwh, 'kWh', 2)} of flexibility not delivered, "
        f"{number(i.attack_fees_eur, 'EUR', 2)} of fees for the attack"
    )


def _minutes(indicators: Indicators, kind: str) -> list[float]:
    return [indicators.violations[stage][kind]["minutes"] for stage in STAGES]


def _violation_tile(indicators: Indicators, kind: str) -> Tile:
    minutes = _minutes(indicators, kind)
    names = ("before", "after", "delivered")
    steps = tuple((name, number(m, "", 0)) for name, m in zip(names, minutes, strict=True))
    tone = "violated" if minutes[2] else "relieved" if minutes[0] else ""
    elements = [indicators.violations[stage][kind]["element_minutes"] for stage in STAGES]
    note = "no element violated"
    if any(elements):
        note = "element-minutes: " + " → ".join(number(m, "", 0) for m in elements)
    return Tile(f"{KIND_LABELS[kind]} [min]", note, steps=steps, tone=tone)


def key_facts(results: Results, indicators: Indicators) -> list[tuple[str, str]]:
    """What was run, for the head of the report."""
    scenario, net = results.scenario_fields, results.network
    market, ledger = scenario["market"], scenario["ledger"]
    end = results.times[-1] + pd.Timedelta(seconds=results.step_s)
    strategies = ", ".join(
        f"{strategy['name']} {100 * strategy['share']:g} %"
        for strategy in scenario["prosumers"]["strategies"]
    )
    difference = indicators.largest_difference_vm_pu
    return [
        ("Network", PurePath(scenario["grid"]["network"]).name),
        (
            "Size",
            f"{len(net.bus)} buses, {_count(len(net.line), 'line')}, "
            f"{_count(len(net.trafo), 'transformer')}",
        ),
        (
            "Local market",
            f"{indicators.prosumers} accounts, each with a meter; "
            f"{'sealed' if market['reveal_s'] else 'open'} orders, "
            f"{market['pricing'].replace('_', ' ')} price, "
            f"cleared in the form {market['clearing'].replace('_', ' ')}",
        ),
        (
            "Period",
            f"{results.times[0]:%a %d %b %Y %H:%M} to {end:%a %d %b %Y %H:%M}",
        ),
        ("Intervals", f"{results.n_intervals} of {results.step_s / 60:g} min"),
        ("Bidding strategies", strategies),
        (
            "Supplier's prices",
            f"{market['retail_eur_per_kwh']:g} EUR/kWh retail, "
            f"{market['feed_in_eur_per_kwh']:g} EUR/kWh feed-in",
        ),
        (
            "Flexibility",
            f"price cap {scenario['dso']['price_cap_eur_per_kwh']:g} EUR/kWh, penalty "
            f"{scenario['dso']['penalty_eur_per_kwh']:g} EUR/kWh"
            if scenario["dso"]["procure"]
            else "none procured in this scenario",
        ),
        (
            "Ledger",
            f"{ledger['engine']}, a block every {ledger['block_time_s']} s, at most "
            f"{ledger['block_gas_limit'] / 1e6:g} million gas each",
        ),
        (
            "Power flow",
            scenario["grid"]["power_flow"]
            + ("" if difference is None else f", within {difference:.1e} pu of the reference"),
        ),
    ]


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def offender_rows(listed: list[Offender]) -> list[dict[str, Any]]:
    """Rows of the table of violated elements, as people read them."""
    digits = {"pu": 4, "%": 1, "": 0}
    return [
        {
            "name": row.name,
            "kind": KIND_LABELS.get(row.kind, row.kind),
            "minutes": [number(row.minutes.get(stage, 0.0), "", 0) for stage in STAGES],
            "worst": [
                number(row.worst.get(stage), row.unit, digits[row.unit])
                if row.unit and row.worst.get(stage) == row.worst.get(stage)
                else "—"
                for stage in STAGES
            ],
            "drivers": ", ".join(row.drivers) or "—",
        }
        for row in listed
    ]


def money_rows(results: Results) -> list[tuple[str, list[str]]]:
    """What each role received in each relation over the run, as people read it. EUR."""
    sums = results.frame("settlement")[
        ["traded_ueur", "supplier_ueur", "flexibility_ueur", "fees_ueur"]
    ].sum()
    traded, supplier = int(sums["traded_ueur"]), int(sums["supplier_ueur"])
    flexibility, fees = int(sums["flexibility_ueur"]), int(sums["fees_ueur"])
    rows = [
        ("Prosumers", [traded, supplier, flexibility, -fees]),
        ("Supplier", [-traded, -supplier, 0, 0]),
        ("DSO", [0, 0, -flexibility, 0]),
        ("Block producers", [0, 0, 0, fees]),
    ]
    return [
        (role, [number(eur_from_ueur(amount), "", 2) for amount in (*amounts, sum(amounts))])
        for role, amounts in rows
    ]
