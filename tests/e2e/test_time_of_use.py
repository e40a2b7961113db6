"""A tariff by time of use: energy moves because of it, and what everybody is paid is verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cosim
from cosim.scenario import load_scenario
from cosim.units import WH_PER_KWH
from cosim.verify.verification import CHECKED

RETAIL = {
    "energy": {
        "windows": [{"begins": "04:00", "ends": "06:00", "eur_per_kwh": 0.03}],
        "otherwise_eur_per_kwh": 0.25,
    },
    "network": 0.09,
    "taxes": 0.06,
}
SHARE = {"network": 0.43, "taxes": 1.0}
FLAT = {"energy": 0.25, "network": 0.09, "taxes": 0.06}
CHEAP = range(4, 12)
"""Intervals of the cheap window; the run begins at 03:00."""


def play(folder: Path, retail: dict[str, Any], **market: Any) -> cosim.Result:
    scenario = load_scenario("quickstart").replace(
        time={"start": "2016-05-24T03:00:00", "intervals": 20},
        market={"retail": retail, **market},
        prosumers={"battery": {"mode": "arbitrage"}},
    )
    return cosim.run(scenario, out=folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, cosim.Result]:
    """The cheap window, with and without a share of local trades; and no window."""
    place = tmp_path_factory.mktemp("tariffs")
    return {
        "windows": play(place / "windows", RETAIL, local_share=SHARE, position="binding"),
        "flat": play(place / "flat", FLAT, local_share=SHARE, position="binding"),
    }


def charged_kwh(result: cosim.Result) -> pd.Series:
    """Energy into batteries by interval, discharge negative. [kWh]"""
    power = result.frame("prosumers").groupby("interval")["battery_p_mw"].sum()
    return power * result.scenario.time.step_s / 3.6


def test_batteries_charge_in_the_cheap_window(runs) -> None:
    windows, flat = charged_kwh(runs["windows"]), charged_kwh(runs["flat"])
    cheap = windows.index.isin(CHEAP)
    assert windows[cheap].sum() > flat[cheap].sum() + 10
    # before it they keep what they have, for it is dear as well as later
    assert windows[cheap].sum() > 10
    drawn = [
        -result.frame("settlement").query("interval in @CHEAP")["residual_wh"].clip(upper=0).sum()
        for result in (runs["windows"], runs["flat"])
    ]
    assert drawn[0] > drawn[1] + 10 * WH_PER_KWH


def test_prices_were_announced_once_for_each_change(runs) -> None:
    for name, firsts in (("windows", [4, 12]), ("flat", [])):
        events = runs[name].frame("events")
        announced = events[events["event"] == "PricesAnnounced"]["arguments"].astype(str)
        found = [int(said.split('"from_interval":')[1].split(",")[0]) for said in announced]
        assert found == firsts


def test_each_interval_is_settled_at_its_own_prices(runs) -> None:
    rows = runs["windows"].frame("settlement")
    retail = rows.groupby("interval")["retail_price_ueur_per_kwh"].unique().map(list)
    assert all(prices == [180_000 if k in CHEAP else 400_000] for k, prices in retail.items())
    drawn_wh = -rows["residual_wh"].clip(upper=0).to_numpy()
    fed_wh = rows["residual_wh"].clip(lower=0).to_numpy()
    bill = -(-drawn_wh * rows["retail_price_ueur_per_kwh"].to_numpy() // 1_000)
    earned = fed_wh * rows["feed_in_price_ueur_per_kwh"].to_numpy() // 1_000
    np.testing.assert_array_equal(rows["supplier_ueur"], earned - bill)


def test_local_trades_pay_their_share(runs) -> None:
    rows = runs["windows"].frame("settlement")
    bought_wh = -rows["contracted_wh"].clip(upper=0)
    local_wh = np.minimum(bought_wh, -rows["metered_wh"].clip(upper=0)).to_numpy()
    assert local_wh.sum() > 0
    np.testing.assert_array_equal(rows["local_charge_ueur"], -(-local_wh * 98_700 // 1_000))
    assert (rows["network_ueur"] >= local_wh * 38_700 // 1_000).all()


def test_money_by_role_adds_up_and_charges_reach_whom_they_are_for(runs) -> None:
    result = runs["windows"]
    money, rows = result.indicators["money_by_role_eur"], result.frame("settlement")
    assert sum(money.values()) == pytest.approx(0, abs=1e-9)
    network, taxes = (rows[name].sum() / 1e6 for name in ("network_ueur", "taxes_ueur"))
    assert money["state"] == pytest.approx(taxes)
    assert result.indicators["taxes_eur"] == pytest.approx(taxes)
    drawn_kwh = -result.frame("prosumers")["metered_wh"].clip(upper=0).sum() / WH_PER_KWH
    collected = result.indicators["network_charge_collected_eur_per_kwh"]
    assert collected == pytest.approx(network / drawn_kwh)
    # below the charge of 0.09, for what is traded locally pays less
    assert 0.0387 < collected < 0.09
    spent = result.indicators["network_charge_eur_per_kwh"] * drawn_kwh
    assert money["dso"] == pytest.approx(network - spent)
    passed = result.frame("events").query("event == 'ChargesPassedOn'")["arguments"].astype(str)
    assert len(passed) == 1  # at the end of the run
    assert f'"network_ueur":{rows["network_ueur"].sum()}' in passed.iloc[0].replace(" ", "")


def test_results_are_verified(runs) -> None:
    assert all(result.verify(parts=CHECKED).passed for result in runs.values())


def test_a_charge_that_was_changed_is_found(runs, tmp_path: Path) -> None:

    folder = tmp_path / "changed"
    shutil.copytree(runs["windows"].folder, folder)
    file = folder / "tables" / "settlement.parquet"
    table = pq.read_table(file)
    column = table.schema.get_field_index("taxes_ueur")
    values = table["taxes_ueur"].to_pylist()
    values[-1] += 1
    field = table.schema.field(column)
    pq.write_table(table.set_column(column, field, pa.array(values, field.type)), file)
    report = cosim.open_result(folder).verify(parts=CHECKED)
    assert not report.passed
    assert "taxes_ueur" in str(report)


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, cosim.Result]:
    """Cars and heat pumps on a Friday evening, that wait for 22:30, or for nothing."""
    place, found = tmp_path_factory.mktemp("cars"), {}
    night = {
        "windows": [{"begins": "22:30", "ends": "05:00", "eur_per_kwh": 0.05}],
        "otherwise_eur_per_kwh": 0.35,
    }
    for name, energy in (("night", night), ("flat", 0.2)):
        scenario = load_scenario("congested_feeder").replace(
            time={"start": "2016-06-17T22:00:00", "intervals": 4},
            market={"retail": {"energy": energy, "network": 0.05}},
            prosumers={
                "forecast": {"model": {"name": "nowcast"}},
                "deferral": {"price_responsive": True, "share_of_power": 1.0},
            },
        )
        found[name] = cosim.run(scenario, out=place / name)
    return found


def test_cars_wait_for_the_cheap_tariff(cars) -> None:
    """They draw less before 22:30 and more after it; what waits is owed until then."""
    drawn = {
        name: result.frame("prosumers").groupby("interval")["ev_p_mw"].sum()
        for name, result in cars.items()
    }
    assert drawn["night"][:2].sum() < 0.8 * drawn["flat"][:2].sum()
    assert drawn["night"][2:].sum() > drawn["flat"][2:].sum()
    owed = {
        name: result.frame("prosumers").groupby("interval")["deferred_mwh"].sum()
        for name, result in cars.items()
    }
    assert owed["night"][1] > owed["flat"][1] + 0.005
    assert owed["night"][3] < owed["night"][1]


def test_a_run_by_prices_of_a_file_needs_the_file_no_longer(tmp_path: Path) -> None:
    """Hourly prices of an exchange; the result has them interval by interval, and is verified."""
    file = tmp_path / "scenario.yaml"
    fields = load_scenario("quickstart").model_dump(mode="json", exclude_unset=True)
    energy = {"file": "spot.csv", "column": "da", "unit": "EUR/MWh", "added_eur_per_kwh": 0.05}
    fields["market"] = {"retail": {"energy": energy, "network": 0.09}}
    fields["time"] = {"start": "2016-05-24T12:30:00", "intervals": 4}
    file.write_text(json.dumps(fields))
    rows = [f"2016-05-24 {hour}:00,{60 + hour}" for hour in range(12, 15)]
    (tmp_path / "spot.csv").write_text("time,da\n" + "\n".join(rows) + "\n")
    result = cosim.run(load_scenario(file), out=tmp_path / "result")
    (tmp_path / "spot.csv").unlink()
    settled = result.frame("settlement").groupby("interval")["retail_price_ueur_per_kwh"].first()
    assert settled.tolist() == [212_000] * 2 + [213_000] * 2
    again = cosim.open_result(tmp_path / "result")
    assert again.scenario.market.retail.energy.eur_per_kwh == (0.122, 0.122, 0.123, 0.123)
    assert again.verify(parts=CHECKED).passed
