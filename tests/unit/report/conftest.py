"""A result of four intervals and two prosumers, small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pytest
import yaml

from cosim.results.manifest import build_manifest, write_manifest
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

N_INTERVALS = 4
SOLAR, HOUSE = "solar house", "house </script><b>2"
START_S = 1_464_048_000  # 24 May 2016, 00:00 UTC

# scheduled: bus 1 over in interval 1, under in 2; line over in 1; trafo over in 1 and 2
VM_SCHEDULED = np.array([[1.0, 1.01], [1.0, 1.12], [1.0, 0.88], [1.0, 1.0]])
VM_DELIVERED = np.array([[1.0, 1.01], [1.0, 1.09], [1.0, 0.92], [1.0, 1.0]])
LINE_SCHEDULED = np.array([40.0, 130.0, 90.0, 10.0])
LINE_DELIVERED = np.array([40.0, 95.0, 85.0, 10.0])
TRAFO_SCHEDULED = np.array([50.0, 140.0, 101.0, 20.0])
TRAFO_DELIVERED = np.array([50.0, 99.0, 100.5, 20.0])


def scenario() -> dict[str, Any]:
    return {
        "name": "two-houses",
        "description": "Two houses on one line.",
        "seed": 7,
        "time": {"start": "2016-05-24T00:00:00", "intervals": N_INTERVALS, "step_s": 900},
        "grid": {
            "network": "two-houses",
            "power_flow": "fixed-point",
            "limits": {
                "vm_min_pu": 0.9,
                "vm_max_pu": 1.1,
                "line_loading_percent": 100.0,
                "trafo_loading_percent": 100.0,
            },
        },
        "prosumers": {"strategies": [{"name": "truthful", "share": 1.0}]},
        "market": {
            "position": "financial",
            "retail_eur_per_kwh": 0.3,
            "feed_in_eur_per_kwh": 0.08,
            "order_lead_s": 600,
            "gate_closure_s": 180,
            "pricing": "midpoint",
            "clearing": "on_chain",
            "reveal_s": 0,
        },
        "ledger": {
            "engine": "revm",
            "block_time_s": 12,
            "block_gas_limit": 30_000_000,
            "eur_per_eth": 2_000.0,
        },
        "dso": {"procure": True, "price_cap_eur_per_kwh": 0.6, "penalty_eur_per_kwh": 0.6},
    }


def network() -> Any:
    net = pandapower.create_empty_network()
    places = {
        "MV": (20.0, (11.40, 53.64)),
        "LV 1": (0.4, (11.41, 53.64)),
        "LV 2": (0.4, (11.41, 53.63)),
    }
    for name, (vn_kv, geo) in places.items():
        pandapower.create_bus(net, vn_kv, name=name, geodata=geo)
    pandapower.create_ext_grid(net, 0)
    pandapower.create_transformer(net, 0, 1, "0.25 MVA 20/0.4 kV", name="Transformer 1")
    pandapower.create_line(net, 1, 2, 0.1, "NAYY 4x150 SE", name="Line 1")
    return net


def write_checks(
    writer: TableWriter, interval: int, stage: str, round_: int, vm: Any, line: float, trafo: float
) -> None:
    common = {"interval": interval, "stage": stage, "round": round_}
    vm_pu = np.array([1.0, *vm])
    limit = np.where(vm_pu >= 1.0, 1.1, 0.9)
    writer.append(
        "grid_checks",
        {
            **common, "element": "bus", "element_idx": [0, 1, 2], "quantity": "vm_pu",
            "value": vm_pu, "limit": limit, "violated": (vm_pu > 1.1) | (vm_pu < 0.9),
        },
    )  # fmt: skip
    for element, value in (("line", line), ("trafo", trafo)):
        writer.append(
            "grid_checks",
            {
                **common, "element": element, "element_idx": 0, "quantity": "loading_percent",
                "value": value, "limit": 100.0, "violated": [bool(value > 100.0)],
            },
        )  # fmt: skip


def write_market(writer: TableWriter, k: int) -> None:
    names = [SOLAR, HOUSE]
    filled_wh = np.array([500, -500]) if k == 1 else np.array([0, 0])
    metered_wh = np.array([[0, -100], [1501, -700], [1000, -1001], [0, -50]])[k]
    traded_ueur = np.array([95_000, -95_000]) if k == 1 else np.array([0, 0])
    supplier_ueur = np.array(
        [[0, -30_000], [80_080, -60_000], [80_000, -300_300], [0, -15_000]]
    )[k]  # fmt: skip
    flexibility_ueur = np.array([20_000 - 5_000, 0]) if k == 1 else np.array([0, 0])
    if k == 1:
        writer.append(
            "trades",
            {
                "interval": k, "buyer": HOUSE, "seller": SOLAR, "energy_wh": 500,
                "price_ueur_per_kwh": 190_000, "amount_ueur": 95_000,
                "sell_price_ueur_per_kwh": 190_000, "earned_ueur": 95_000,
            },
        )  # fmt: skip
        writer.append(
            "flexibility",
            {
                "interval": k, "request": 1, "prosumer": SOLAR, "block": 0, "direction": "down",
                "offered_wh": 300, "awarded_wh": 200, "delivered_wh": 150,
                "price_ueur_per_kwh": 133_333, "paid_ueur": 20_000, "penalty_ueur": 5_000,
            },
        )  # fmt: skip
    status = {0: "unmatched", 1: "cleared", 2: "late", 3: "rejected"}[k]
    writer.append(
        "orders",
        {
            "interval": k, "prosumer": names, "side": ["sell", "buy"], "energy_wh": 500,
            "price_ueur_per_kwh": [80_000, 300_000], "sent_at_s": START_S + 900.0 * k - 400,
            "block": None if status == "late" else [k, k], "status": status,
            "filled_wh": abs(filled_wh),
            "clearing_price_ueur_per_kwh": 190_000 if k == 1 else None,
        },
    )  # fmt: skip
    curtailed_wh = np.array([-40, 10]) if k == 2 else np.array([0, 0])
    activated_wh = np.array([-200, 0]) if k == 1 else np.array([0, 0])
    writer.append(
        "schedules",
        {
            "interval": k, "prosumer": names, "contracted_wh": filled_wh,
            "nominated_wh": metered_wh, "activated_wh": activated_wh,
            "curtailed_wh": curtailed_wh,
            "dispatched_wh": metered_wh + activated_wh + curtailed_wh,
        },
    )  # fmt: skip
    writer.append(
        "settlement",
        {
            "interval": k, "prosumer": names, "contracted_wh": filled_wh,
            "metered_wh": metered_wh, "residual_wh": metered_wh - filled_wh,
            "traded_ueur": traded_ueur, "supplier_ueur": supplier_ueur,
            "flexibility_ueur": flexibility_ueur, "fees_ueur": [10, 20],
            "estimated": [False, False],
        },
    )  # fmt: skip
    zero = np.zeros(2)
    writer.append(
        "prosumers",
        {
            "interval": k, "prosumer": names, "bus": [1, 2],
            "p_inject_mw": metered_wh * 4e-6, "q_inject_mvar": zero,
            "load_p_mw": [0.001, 0.004], "shed_p_mw": zero,
            "pv_p_mw": np.array([[0.0, 0.0], [0.01, 0.0], [0.008, 0.0], [0.0, 0.0]])[k],
            "pv_curtailed_p_mw": zero, "ev_p_mw": [0.0, 0.001], "heat_pump_p_mw": zero,
            "battery_p_mw": np.array([[0.0, 0.0], [0.002, 0.0], [0.004, 0.0], [-0.005, 0.0]])[k],
            "soc_mwh": zero, "deferred_mwh": zero, "metered_wh": metered_wh,
            "imbalance_wh": [2, -3],
        },
    )  # fmt: skip


def write_ledger(writer: TableWriter, k: int) -> None:
    setup = k < 0
    method = ["placeOrder", "placeOrder", "clear"]
    writer.append(
        "transactions",
        {
            "block": k + 1, "index": [0] if setup else [0, 1, 2], "sent_at_s": 0.0,
            "included_at_s": START_S + 900 * k, "sender": bytes(20), "nonce": 0, "to": None,
            "data": b"", "value_wei": 0, "gas_limit": 10**7, "max_fee_wei": 0, "tip_wei": 0,
            "gas_used": [3_000_000] if setup else [100_000, 110_000, 400_000],
            "status": [1] if setup else [1, 0, 1], "interval": k, "contract": "LocalMarket",
            "method": None if setup else method,
        },
    )  # fmt: skip
    writer.append(
        "blocks",
        {
            "block": k + 1, "timestamp_s": START_S + 900 * k,
            "gas_used": 3_000_000 if setup else 610_000, "gas_limit": 30_000_000,
            "base_fee_wei": 0, "n_transactions": 1 if setup else 3, "proposer": 0, "others_gas": 0,
        },
    )  # fmt: skip


def write_physics(writer: TableWriter, k: int) -> None:
    vm = VM_DELIVERED[k]
    writer.append("buses", {"interval": k, "bus": [0, 1, 2], "vm_pu": [1.0, *vm], "va_degree": 0.0})
    loading = [LINE_DELIVERED[k], TRAFO_DELIVERED[k]]
    writer.append(
        "branches",
        {
            "interval": k, "element": ["line", "trafo"], "element_idx": 0,
            "loading_percent": loading,
        },
    )  # fmt: skip
    writer.append(
        "grid_balance",
        {
            "interval": k, "p_slack_mw": 0.0, "q_slack_mvar": 0.0, "losses_mw": 0.0004,
            "converged": [True],
        },
    )  # fmt: skip


def write_result(
    folder: Path,
    market: bool = True,
    change: Callable[[TableWriter], None] | None = None,
    prosumers: dict[str, Any] | None = None,
    valuation: dict[str, Any] | None = None,
    **manifest: Any,
) -> Path:
    """Write the result; ``change`` may add rows before the tables are closed."""
    writer = TableWriter(folder)
    given = scenario()
    given["prosumers"] = given.get("prosumers", {}) | (prosumers or {})
    given["valuation"] = valuation or {}
    (writer.folder / "scenario.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    pandapower.to_json(network(), str(writer.folder / "network.json"))
    for k in range(N_INTERVALS):
        write_checks(
            writer, k, "scheduled", 0, VM_SCHEDULED[k], LINE_SCHEDULED[k], TRAFO_SCHEDULED[k]
        )
        write_checks(
            writer, k, "delivered", 0, VM_DELIVERED[k], LINE_DELIVERED[k], TRAFO_DELIVERED[k]
        )
        write_physics(writer, k)
        if market:
            write_market(writer, k)
            write_ledger(writer, k)
    if market:
        # two rounds in interval 1, of which the first does not suffice; none in interval 2
        write_checks(writer, 1, "relieved", 1, [1.0, 1.105], 99.0, 120.0)
        write_checks(writer, 1, "relieved", 2, [1.0, 1.09], 95.0, 99.0)
        write_ledger(writer, -1)
        writer.append(
            "violations",
            {
                "interval": 1, "round": 0, "stage": "scheduled", "element": "trafo",
                "element_idx": 0, "quantity": "loading_percent", "value": 140.0, "limit": 100.0,
                "drivers": [[SOLAR, HOUSE]],
            },
        )  # fmt: skip
    if change is not None:
        change(writer)
    writer.close()
    given = {
        "name": "two-houses", "seed": 7, "complete": True, "intervals": N_INTERVALS,
        "intervals_done": N_INTERVALS, "start": "2016-05-24T00:00:00", "step_s": 900,
        "contracts": {}, "chain": {}, "indicators": {}, "timing": {},
        "power_flow": {"largest_difference_vm_pu": 2e-9},
    }  # fmt: skip
    given.update(manifest)
    write_manifest(writer.folder, build_manifest(writer.folder, **given))
    return writer.finish(given["complete"])


@pytest.fixture(scope="module")
def result_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_result(tmp_path_factory.mktemp("results") / "two-houses")


@pytest.fixture(scope="module")
def results(result_folder: Path) -> Results:
    return Results(result_folder)


@pytest.fixture
def another_result(tmp_path: Path) -> Callable[..., Path]:
    def write(**options: Any) -> Path:
        return write_result(tmp_path / "another", **options)

    return write
