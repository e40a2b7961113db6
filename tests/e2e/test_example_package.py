"""The example package: plug-ins of five kinds, installed as a user would, in one scenario."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from installed_plugins import EXAMPLE, cosim_cli, pip_install, python

EXPORT_LIMIT_WH = 25 * 1_000 // 4
FEED_IN_UEUR_PER_KWH = 80_000
PEAK_HOURS = (11, 12)
"""Of the scenario, which starts at 10:00."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pip_install(EXAMPLE, tmp_path_factory.mktemp("example") / "site")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trace") / "transactions.txt"


@pytest.fixture(scope="module")
def result(site: Path, trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("valley")
    made = python(["-m", "cosim_example.river_valley", folder / "river-valley"], site)
    assert made.returncode == 0, made.stderr
    file = folder / "river-valley" / "river_valley.yaml"
    assert made.stdout == f"scenario: {file}\n"
    done = cosim_cli(["run", file, "--out", folder / "result"], site, COSIM_TRACE=str(trace))
    assert done.returncode == 0, done.stderr
    assert "Network charges (still owed)" in done.stdout
    return folder / "result"


@pytest.fixture(scope="module")
def manifest(result: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((result / "manifest.json").read_text(encoding="utf-8"))
    return read


def table(result: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(result / "tables" / f"{name}.parquet")


def test_the_mechanism_charges_every_member_by_the_hour(result, manifest):
    charges = table(result, "network_charges")
    metered = table(result, "settlement").set_index(["interval", "prosumer"])["metered_wh"]
    keys = pd.MultiIndex.from_frame(charges[["interval", "prosumer"]])
    assert set(keys) == set(metered.index)
    drawn_wh = (-metered.loc[keys]).clip(lower=0).to_numpy()
    assert np.array_equal(charges["drawn_wh"], drawn_wh)
    assert (drawn_wh > 0).any()
    is_peak = (10 + charges["interval"] // 4).isin(PEAK_HOURS)
    price = np.where(is_peak, 120_000, 30_000)
    assert is_peak.any()
    assert not is_peak.all()
    assert np.array_equal(charges["charge_ueur_per_kwh"], price)
    assert np.array_equal(charges["charged_ueur"], -(-drawn_wh * price // 1_000))
    debts = (charges["charged_ueur"] - charges["paid_ueur"]).groupby(charges["prosumer"]).cumsum()
    assert np.array_equal(charges["debt_ueur"], debts)
    indicators = manifest["indicators"]
    assert indicators["network_charges_eur"] == charges["charged_ueur"].sum() / 1e6
    assert indicators["network_charges_owed_eur"] == debts.groupby(charges["prosumer"]).last().sum()


def test_the_contract_of_the_mechanism_is_in_the_manifest(manifest):
    assert "NetworkCharges" in manifest["contracts"]


def test_the_device_feeds_its_connection_point(result):
    prosumers = table(result, "prosumers")
    turbine = prosumers["run_of_river_p_mw"] + prosumers["run_of_river_spilled_p_mw"]
    (point,) = prosumers.loc[turbine > 0, "prosumer"].unique()
    own = prosumers["prosumer"] == point
    assert turbine[own].between(0.0, 1.5 * 0.02).all()
    parts = prosumers["pv_p_mw"] + prosumers["run_of_river_p_mw"] - prosumers["load_p_mw"]
    parts -= prosumers["ev_p_mw"] + prosumers["heat_pump_p_mw"] + prosumers["battery_p_mw"]
    np.testing.assert_allclose(prosumers["p_inject_mw"], parts, atol=1e-12)


def test_the_instrument_caps_what_is_fed_in(result):
    schedules = table(result, "schedules")
    net_wh = schedules["nominated_wh"] + schedules["activated_wh"] + schedules["curtailed_wh"]
    assert np.array_equal(schedules["dispatched_wh"], net_wh)
    assert net_wh.max() == EXPORT_LIMIT_WH
    assert (net_wh - schedules["curtailed_wh"]).max() > EXPORT_LIMIT_WH


def test_the_engine_runs_the_contracts_and_traces_them(result, manifest, trace):
    assert manifest["chain"]["engine"] == "tracing"
    lines = [line.split() for line in trace.read_text(encoding="utf-8").splitlines()]
    transactions = table(result, "transactions")
    sent = transactions.loc[transactions["status"] != "withdrawn"]
    assert [int(line[3]) for line in lines] == sent["gas_used"].tolist()
    assert [line[0] for line in lines] == sent["sender"].astype(str).tolist()


def test_the_strategy_goes_by_the_last_price(result):
    orders = table(result, "orders").sort_values(["interval", "prosumer"])
    cleared = orders.dropna(subset=["clearing_price_ueur_per_kwh"])
    last = cleared.groupby("interval")["clearing_price_ueur_per_kwh"].first()
    last = last[last > 0]
    followers = [
        orders.loc[
            (orders["interval"] == interval + 1)
            & (orders["side"] == "sell")
            & (orders["price_ueur_per_kwh"] == np.rint(max(0.95 * price, FEED_IN_UEUR_PER_KWH))),
            "prosumer",
        ].tolist()
        for interval, price in last[:-1].items()
    ]
    assert len(followers) > 5
    assert all(each == followers[0] and len(each) == 6 for each in followers)


def test_the_report_has_its_panel(result, manifest):
    page = (result / "report.html").read_text(encoding="utf-8")
    tile = page[page.index("Network charges") :]
    assert f"{manifest['indicators']['network_charges_eur']:.2f}" in tile[:400]
    assert "Charged to all members for what their meters show as drawn from the grid." in page


def test_verification_recomputes_its_table_and_finds_a_forged_cell(site, result, tmp_path):
    done = cosim_cli(["verify", result, "--verbose"], site)
    assert done.returncode == 0, done.stdout + done.stderr
    n_values = table(result, "network_charges").size - 2 * len(table(result, "network_charges"))
    line = re.search(r"^ *network_charges +([\d\u202f\u00a0 ]+?) +exact +ok", done.stdout, re.M)
    assert line is not None, done.stdout
    assert int(re.sub(r"\D", "", line[1])) >= n_values

    forged = tmp_path / "forged"
    shutil.copytree(result, forged)
    path = forged / "tables" / "network_charges.parquet"
    rows = pq.read_table(path)
    charged = rows["charged_ueur"].to_pylist()
    charged[5] += 1
    name = rows["prosumer"][5].as_py()
    place = rows.column_names.index("charged_ueur")
    pq.write_table(rows.set_column(place, rows.field(place), pa.array(charged, pa.int64())), path)
    found = cosim_cli(["verify", forged, "--only", "ledger"], site)
    assert found.returncode == 1, found.stdout + found.stderr
    told = f"charged_ueur: recorded {charged[5]}, recomputed {charged[5] - 1}"
    line = next(line for line in found.stdout.splitlines() if told in line)
    assert line.startswith("network_charges: network_charges, interval 0 (")
    assert f"), prosumer {name}, " in line
