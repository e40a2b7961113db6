"""A forger who recomputes whatever can be: hashes, manifest, indicators, report.

Each row of the table in docs/verify.md names the test here that plays its forgery. By default a
sample of the scenario's fields is forged; ``make forge`` (``COSIM_FORGE=all``) forges every one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from forgery import hash_again, rewrite, with_other_cell

import cosim.evm.contracts
from cosim.dso.instruments.flexibility_market import FlexibilityMarketInstrument
from cosim.errors import CosimError, ScenarioError
from cosim.evm.contracts import compile_source, source_of
from cosim.prosumers.strategies import Truthful
from cosim.replay.findings import Check
from cosim.report.indicators import compute_indicators
from cosim.report.report import render, write_report
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.runs.again import play_again
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.verify.files import check_bytes, check_files, check_manifest
from cosim.verify.inputs import check_inputs, check_report
from cosim.verify.rerun import compare, compare_tables
from cosim.verify.trees import differing, unpacked
from cosim.verify.verification import verify

ALL = os.environ.get("COSIM_FORGE") == "all"


@pytest.fixture(scope="module")
def honest(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Four intervals with trades and flexibility."""
    folder = tmp_path_factory.mktemp("forger") / "honest"
    run_scenario(tiny(short_scenario), folder.with_suffix(".yaml"), folder)
    return folder


def tiny(short_scenario: Callable[..., Scenario]) -> Scenario:
    """Noon, when the transformer is overloaded: a second and a half a run."""
    return short_scenario(4, ledger={"tip_gwei": 0.02})


@pytest.fixture(scope="module")
def played(honest: Path) -> Path:
    """The same, as this version plays it from the folder."""
    out = honest.with_name("played")
    play_again(honest, out)
    return out


@pytest.fixture
def forged(honest: Path, tmp_path: Path) -> Path:
    """A copy to forge."""
    return shutil.copytree(honest, tmp_path / "forged")


def publish(folder: Path, report: bool = True) -> None:
    """Recompute all that a forger can: what follows from scenario and tables, and every hash."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    scenario = Results(folder).scenario
    manifest |= {
        "name": scenario.name,
        "seed": scenario.seed,
        "start": scenario.time.start.isoformat(),
        "step_s": scenario.time.step_s,
        "intervals": scenario.time.intervals,
        "complete": manifest["intervals_done"] == scenario.time.intervals,
    }
    manifest["chain"]["settings"] = scenario.ledger.model_dump(mode="json", exclude={"engine"})
    manifest["power_flow"]["engine"] = scenario.grid.power_flow
    path.write_text(json.dumps(manifest), encoding="utf-8")
    manifest["indicators"] = compute_indicators(Results(folder)).as_dict()
    path.write_text(json.dumps(manifest), encoding="utf-8")
    hash_again(folder)  # also the revision, which the report shows
    if report:
        write_report(folder)


def found(folder: Path, played: Path) -> Check:
    """What the comparison with a run played again finds."""
    check = Check("rerun", "")
    compare(check, Results(folder), played)
    return check


def places(check: Check) -> set[tuple[str, str]]:
    return {(one.table, one.column) for one in check.differences}


def test_the_honest_result_is_what_is_played(honest: Path, played: Path) -> None:
    assert places(found(honest, played)) == set()
    results = Results(honest)
    for check in (check_files, check_bytes, check_manifest, check_inputs, check_report):
        assert [str(one) for one in check(results).differences] == []
    # there is something to forge
    assert {len(results.table(name)) for name in ("trades", "flexibility", "margins")} != {0}


# --- cells, rows and columns of tables ---


@pytest.mark.parametrize("name", sorted(tables_of()))
def test_every_column_of_every_table(honest: Path, played: Path, name: str) -> None:
    file = f"tables/{name}.parquet"
    recorded, own = pq.read_table(honest / file), pq.read_table(played / file)

    def is_found(table: Any) -> bool:
        check = Check("rerun", "")
        compare_tables(check, name, table, own)
        return not check.passed

    assert not is_found(recorded)
    more = pa.Table.from_arrays([_invented(field.type) for field in own.schema], schema=own.schema)
    assert is_found(pa.concat_tables([recorded, more]))
    if n_rows := recorded.num_rows:
        for row in {0, n_rows // 2, n_rows - 1}:
            missed = [
                column
                for column in recorded.column_names
                if not is_found(with_other_cell(recorded, column, row))
            ]
            assert missed == []
        assert is_found(recorded.slice(1))
        assert is_found(recorded.append_column("note", pa.array(["x"] * n_rows)))
        assert is_found(recorded.drop_columns(recorded.column_names[-1]))
        assert n_rows == 1 or is_found(recorded.take(list(range(n_rows))[::-1]))
    if name in ("buses", "grid_checks"):  # power flows: 1e-9 of a value is the limit
        column = "vm_pu" if name == "buses" else "value"
        place = recorded.column_names.index(column)
        values = recorded[column].to_numpy() * (1 + 3e-9)
        moved = recorded.set_column(place, recorded.schema.field(place), pa.array(values))
        assert is_found(moved)


def _invented(kind: Any) -> Any:
    if pa.types.is_list(kind):
        return pa.array([["x"]], kind)
    if pa.types.is_string(kind):
        return pa.array(["x"], kind)
    if pa.types.is_binary(kind):
        return pa.array([b"x"], kind)
    return pa.array([1], pa.int64()).cast(kind)


def test_invented_late_orders(forged: Path, played: Path) -> None:
    """Also of a prosumer who does not exist: no transaction stands for a late order."""
    path = forged / "tables" / "orders.parquet"
    orders = pq.read_table(path)
    row = {**orders.slice(orders.num_rows - 1).to_pylist()[0], "status": "late", "block": None}
    row |= {"filled_wh": 0, "prosumer": "LV1.101 Bus 999"}
    rewrite(path, pa.concat_tables([orders, pa.Table.from_pylist([row], schema=orders.schema)]))
    publish(forged, report=False)
    assert ("orders", "number of rows") in places(found(forged, played))


# --- the network ---


def test_every_column_and_global_of_the_network(honest: Path, played: Path) -> None:
    recorded, own = (
        unpacked(json.loads((folder / "network.json").read_text())) for folder in (honest, played)
    )
    missed = []
    content, n = recorded["_object"], 0

    def is_found(key: str) -> bool:
        """In the subtree alone, which is what a comparison of the whole comes down to."""
        there = key in own["_object"]
        return not there or any(True for _ in differing(content[key], own["_object"][key]))

    assert {"bus", "line", "trafo", "f_hz", "sn_mva", "std_types"} <= set(content)
    for key in [*content]:
        before = content[key]
        frame = before.get("_object") if isinstance(before, dict) else None
        if not isinstance(frame, dict) or "columns" not in frame:
            content[key] = ["another"]
            if not is_found(key):
                missed.append(key)
            content[key] = before
            continue
        for place in range(len(frame["columns"]) if frame["data"] else 0):
            row, n = frame["data"][-1], n + 1
            value = row[place]
            row[place] = value + 1 if isinstance(value, float) else [value]
            if not is_found(key):
                missed.append(f"{key}.{frame['columns'][place]}")
            row[place] = value
        # a second tap changer, say
        frame["columns"].append("tap2_pos")
        if not is_found(key):
            missed.append(f"{key} with another column")
        frame["columns"].pop()
    assert missed == []
    assert n > 60
    assert not any(differing(recorded, own))


def test_a_second_tap_changer_is_found_by_other_means(forged: Path) -> None:
    path = forged / "network.json"
    net = json.loads(path.read_text())
    table = net["_object"]["trafo"]
    inner = json.loads(table["_object"])
    new = {"tap2_side": "lv", "tap2_neutral": 0, "tap2_pos": 2, "tap2_step_percent": 2.5}
    inner["columns"] += [*new]
    inner["data"] = [[*row, *new.values()] for row in inner["data"]]
    table["_object"] = json.dumps(inner)
    path.write_text(json.dumps(net))
    hash_again(forged)
    assert "network" in verify(forged, parts=("grid",), every=100).failed


# --- every field of the scenario ---

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
        "market.sealed_deposit_eur",
        "market.silent_estimate_kwh",
        "market.supplier_eur",
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


# --- who acts, and by which contracts ---


def test_a_dso_that_favours_a_prosumer(
    honest: Path,
    played: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    award, moved = FlexibilityMarketInstrument.award, []

    def partial_award(self: Any, round: Any, *, cut_rest: bool) -> Any:
        action = award(self, round, cut_rest=cut_rest)
        offers, awarded = round.offers, np.array(action.awarded_wh)
        spare = offers.energy_wh - awarded
        for giver in np.flatnonzero(awarded > 0):
            same = offers.direction == offers.direction[giver]
            takers = np.flatnonzero(same & (spare > 0) & (awarded > 0))
            takers = takers[takers != giver]
            if takers.size:
                awarded[giver] -= 1
                awarded[takers[0]] += 1
                moved.append(1)
                break
        return replace(action, awarded_wh=awarded)

    monkeypatch.setattr(FlexibilityMarketInstrument, "award", partial_award)
    run_scenario(Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False)
    assert moved
    assert ("flexibility", "awarded_wh") in places(found(tmp_path / "patched", played))


def test_a_strategy_that_is_not_the_one_named(
    honest: Path, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Truthful.__init__

    def bolder(self: Truthful, setup: Any, preference: float = 0.25) -> None:
        start(self, setup, 0.4)

    monkeypatch.setattr(Truthful, "__init__", bolder)
    run_scenario(Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False)
    assert ("orders", "price_ueur_per_kwh") in places(found(tmp_path / "patched", played))


def test_a_contract_with_a_back_door(
    honest: Path, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that anybody may issue: everything else of the run is as before."""
    own = source_of("EuroToken")
    lines = own.read_text().splitlines()
    guard = next(k for k, line in enumerate(lines) if "assert msg.sender == " in line)
    lines[guard] = "    pass"
    (tmp_path / "EuroToken.vy").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    patched = compile_source(tmp_path / "EuroToken.vy")
    assert patched.bytecode != compile_source(own).bytecode
    compiled = cosim.evm.contracts._compiled

    def with_door(path: Path) -> Any:
        return patched if path == own else compiled(path)

    with monkeypatch.context() as during:
        during.setattr(cosim.evm.contracts, "_compiled", with_door)
        run_scenario(
            Results(honest).scenario, tmp_path / "s.yaml", tmp_path / "patched", report=False
        )
    state = next(
        c for c in verify(tmp_path / "patched", parts=("ledger",)).checks if c.name == "state"
    )
    assert [one.row for one in state.differences] == ["creation of EuroToken"]
    assert ("transactions", "data") in places(found(tmp_path / "patched", played))


# --- files, report, manifest ---


def test_a_report_that_says_something_else(forged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = forged / "report.html"
    text = path.read_text(encoding="utf-8")
    kwh = Results(forged).manifest["indicators"]["traded_kwh"]
    assert str(kwh)[:4] in text
    results = Results(forged)
    own = render(results)  # once for all: it takes a second
    monkeypatch.setattr("cosim.verify.inputs.render", lambda given: own)
    for changed in (
        text.replace("</body>", "<p>Verified by everybody.</p></body>"),
        text.replace(str(kwh)[:4], "9999"),
        text.replace("plotly", "p1otly", 1),
    ):
        assert changed != text
        path.write_text(changed, encoding="utf-8")
        assert not check_report(results).passed
    path.unlink()
    assert not check_report(Results(forged)).passed


@pytest.mark.parametrize("name", ["notes.txt", "tables/more.parquet", "inputs/grid/x.csv", "a/b"])
def test_a_file_that_no_run_writes(forged: Path, name: str) -> None:
    path = forged / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((forged / "tables" / "names.parquet").read_bytes())
    hash_again(forged)
    assert [one.table for one in check_files(Results(forged)).differences] == [name]


def test_versions_switch_nothing_off(forged: Path) -> None:
    """Bytes that are no cells are compared whatever the manifest says of versions."""
    path = forged / "tables" / "settlement.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, compression="none", write_statistics=False)
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["versions"] = dict.fromkeys(manifest["versions"], "0")
    manifest["git_revision"] = "0" * 40
    (forged / "manifest.json").write_text(json.dumps(manifest))
    publish(forged, report=False)
    assert [one.table for one in check_bytes(Results(forged)).differences] == [
        "tables/settlement.parquet"
    ]


def test_versions_alone_say_nothing(forged: Path, played: Path) -> None:
    """And a manifest that names others, or another engine, is believed by no check."""
    path = forged / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["versions"] = dict.fromkeys(manifest["versions"], "0")
    manifest["environment"] = {}
    manifest["timing"] = {"mosaik": 1e-9}
    manifest["chain"]["engine"] = "py-evm"
    path.write_text(json.dumps(manifest))
    publish(forged)
    assert places(found(forged, played)) == set()
    assert check_manifest(Results(forged)).passed
    assert check_report(Results(forged)).passed  # it shows what the manifest says


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("power_flow", "reference_intervals"), [0, 1, 2, 3]),
        (("power_flow", "reference_engine"), "another"),
        (("power_flow", "tolerance_pu"), 1.0),
        (("power_flow", "largest_difference_vm_pu"), 1e-3),
        (("contracts", "LocalMarket", "address"), "0x" + "11" * 20),
        (("chain", "last_block"), 1),
        (("indicators", "cost_eur"), -1e6),
        (("verified_by",), "everybody"),
    ],
)
def test_a_manifest_that_says_more(
    forged: Path, played: Path, keys: tuple[str, ...], value: object
) -> None:
    path = forged / "manifest.json"
    manifest = json.loads(path.read_text())
    inner = manifest
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(manifest))
    hash_again(forged)
    assert ".".join(keys) in {
        one.row[: len(".".join(keys))] for one in found(forged, played).differences
    }


def test_inputs_of_a_grid_that_comes_with_cosim(forged: Path) -> None:
    """Whoever changes them and plays the run has another grid of that name."""
    missed = []
    for file in sorted(p for p in (forged / "inputs").rglob("*") if p.is_file()):
        if file.name == "index.json":  # what it says is compared by the rerun
            continue
        honest = file.read_bytes()
        if file.suffix == ".parquet":
            table = pq.read_table(file)
            pq.write_table(with_other_cell(table, table.column_names[-1], 5), file)
        else:
            file.write_bytes(honest + b"\n")
        if check_inputs(Results(forged)).passed:
            missed.append(file.name)
        file.write_bytes(honest)
    assert missed == []


def test_a_run_cut_short_is_only_believed_as_interrupted(forged: Path, tmp_path: Path) -> None:
    """Dropping the last interval leaves rows that an interruption would have kept, or none."""
    for file in sorted((forged / "tables").glob("*.parquet")):
        table = pq.read_table(file)
        if "interval" in table.column_names:
            rewrite(file, table.filter(pc.less(table["interval"], 3)))
    manifest = json.loads((forged / "manifest.json").read_text())
    manifest["intervals_done"], manifest["complete"] = 3, False
    (forged / "manifest.json").write_text(json.dumps(manifest))
    publish(forged, report=False)
    play_again(forged, tmp_path / "again", settled=3)
    check = found(forged, tmp_path / "again")
    assert ("transactions", "number of rows") in places(check)
