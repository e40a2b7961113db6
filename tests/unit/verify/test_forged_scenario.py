"""Fields of the scenario edited after the run, with all recomputed that can be.

By default a sample of them; ``make forge`` (``COSIM_FORGE=all``) forges every one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from forger import found, publish

from cosim.errors import CosimError, ScenarioError
from cosim.results.reader import Results
from cosim.runs.again import play_again
from cosim.scenario import Scenario

ALL = os.environ.get("COSIM_FORGE") == "all"

SAMPLE = (
    "market.retail_eur_per_kwh",
    "market.clearing",
    "dso.request_margin",
    "prosumers.named",
)
"""Fields that are forged in every run of the suite."""

OTHERS: dict[str, Any] = {
    "time.start": "2016-05-24T11:15:00",
    "grid.network": "1-LV-rural3--2-sw",
    "grid.power_flow": "pandapower",
    "grid.slack_voltage": {"vm_pu": 1.01},
    "grid.dso_model": {"impedance_factor": 1.2},
    "prosumers.variation": {},
    "prosumers.strategies": [{"name": "truthful", "options": {"preference": 0.4}}],
    "prosumers.forecast.model": {"name": "persistence"},
    "prosumers.participants": 12,
    "prosumers.named": [{"connection_point": "LV1.101 Bus 10", "scaling": {"load": 2.0}}],
    "ledger.engine": "py-evm",
    "ledger.fee_strategies": [{"share": 0.5, "tip_gwei": 1.0}],
    "attack": {"kind": "silent_meter", "meters": ["LV1.101 Bus 5"]},
    "market.retail": {"energy": 0.2, "network": 0.05, "taxes": 0.05},
    "market.feed_in": 0.07,
    "certificates": {},
    "community_storage": {"capacity_kwh": 10, "p_max_kw": 2, "shares": 104},
    "dso.instruments": ["curtailment"],
    "name_registry": {"moves": []},
    "supply_contract": {
        "billing_intervals": 4,
        "prices_eur_per_kwh": [0.28],
        "consumers": [{"name": "LV1.101 Bus 10", "deposit_eur": 20.0, "leaves_in": 0}],
    },
}
"""Values of fields that are no numbers, truths or choices."""


def fields(scenario: Scenario) -> dict[str, Any]:
    """Every field of a scenario by its path, with another value; None where there is none."""
    return dict(_fields(scenario, scenario.model_dump(mode="json"), ""))


def _fields(model: Any, dumped: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in dumped.items():
        path, inner = before + name, getattr(model, name)
        if path in OTHERS:
            yield path, OTHERS[path]
        elif isinstance(value, dict) and hasattr(inner, "model_dump"):
            yield from _fields(inner, value, f"{path}.")
        else:
            choices = _choices(type(model).model_fields[name].annotation)
            yield path, _another(value, [one for one in choices if one != value])


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [one for inner in get_args(annotation) for one in _choices(inner)]


def _another(value: Any, choices: list[Any]) -> Any:
    if choices:
        return choices[0]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.9 if value else 0.05
    return f"{value}-other" if isinstance(value, str) else None


def with_field(scenario: Scenario, path: str, value: Any) -> Scenario | None:
    """The scenario with another value of a field; None if there is no such scenario."""
    data = scenario.model_dump(mode="json")
    *sections, name = path.split(".")
    inner = data
    for section in sections:
        inner = inner[section]
    for one in (value, *([2 * inner[name]] if isinstance(inner[name], float) else [])):
        inner[name] = one
        try:
            return Scenario.of(data)
        except ScenarioError:
            continue
    return None


def forge_field(honest: Path, place: Path, path: str, value: Any) -> bool | None:
    """Whether a forged field is found by playing what it says; None if it cannot be given."""
    scenario = with_field(Results(honest).scenario, path, value)
    if scenario is None:
        return None
    forged = place / "forged"
    shutil.copytree(honest, forged, ignore=shutil.ignore_patterns("report.html"))
    (forged / "scenario.yaml").write_text(scenario.to_yaml())
    publish(forged, report=False)
    try:
        play_again(forged, place / "again")
    except CosimError:  # what the result says it did cannot be done
        return True
    return not found(forged, place / "again").passed


@pytest.mark.parametrize("path", SAMPLE)
def test_a_field_of_the_scenario(honest: Path, tmp_path: Path, path: str) -> None:
    value = fields(Results(honest).scenario)[path]
    assert forge_field(honest, tmp_path, path, value)


DECIDES = frozenset(
    [
        "certificates",
        "community_storage",
        "dso.baseline.kind",
        "dso.budget_eur",
        "dso.instruments",
        "dso.loading_margin_percent",
        "dso.penalty_eur_per_kwh",
        "dso.price_cap_eur_per_kwh",
        "dso.procure",
        "dso.request_margin",
        "dso.settlement",
        "grid.dso_model",
        "grid.limits.line_loading_percent",
        "grid.limits.trafo_loading_percent",
        "grid.limits.vm_max_pu",
        "grid.network",
        "grid.power_flow",
        "grid.reference_sample",
        "grid.slack_voltage",
        "ledger.block_gas_limit",
        "ledger.block_time_s",
        "ledger.confirmations",
        "ledger.consensus",
        "ledger.eur_per_eth",
        "ledger.failed_validators",
        "ledger.fee_strategies",
        "ledger.initial_base_fee_gwei",
        "ledger.missed_slot_probability",
        "ledger.others_gas_share",
        "ledger.tip_gwei",
        "ledger.validators",
        "market.account",
        "market.account_eur",
        "market.bank_eur",
        "market.challenge_s",
        "market.clearing",
        "market.clearing_bond_eur",
        "market.deposit_share",
        "market.feed_in_eur_per_kwh",
        "market.gate_closure_s",
        "market.metering_s",
        "market.order_lead_s",
        "market.position",
        "market.pricing",
        "market.retail_eur_per_kwh",
        "market.ring_intervals",
        "market.sealed_deposit_eur",
        "market.silent_estimate_kwh",
        "market.submission",
        "market.supplier_eur",
        "metering.submission",
        "name_registry",
        "prosumers.battery.capacity_kwh",
        "prosumers.battery.charge_efficiency",
        "prosumers.battery.p_max_kw",
        "prosumers.battery.share_of_pv_owners",
        "prosumers.battery.size",
        "prosumers.battery.soc_initial",
        "prosumers.forecast.day_ahead_hour",
        "prosumers.forecast.horizon",
        "prosumers.forecast.model",
        "prosumers.named",
        "prosumers.participants",
        "prosumers.scaling.load",
        "prosumers.scaling.pv",
        "prosumers.strategies",
        "prosumers.variation",
        "seed",
        "supply_contract",
        "time.intervals",
        "time.start",
        "time.step_s",
    ]
)
"""Fields that decide something in this run. The others do not: what is played with another value is
the same to the byte, so that the result is one of the forged scenario, too."""


@pytest.mark.skipif(not ALL, reason="takes minutes: make forge")
def test_every_field_of_the_scenario(honest: Path, tmp_path: Path) -> None:
    passed = set()
    for path, value in fields(Results(honest).scenario).items():
        place = tmp_path / path
        place.mkdir()
        outcome = None if value is None else forge_field(honest, place, path, value)
        print(path, value, outcome)  # None: it cannot be changed alone
        if not outcome:
            passed.add(path)
        shutil.rmtree(place)
    assert passed & DECIDES == set()
