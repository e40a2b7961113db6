"""Scenario files: what is understood, and what a mistake is told."""

from datetime import datetime

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.scenario import json_schema, load_scenario

MINIMAL = {
    "name": "minimal",
    "seed": 1,
    "time": {"start": "2016-05-24T00:00:00"},
    "grid": {"network": "1-LV-rural1--1-sw"},
}


def _write(tmp_path, data):
    file = tmp_path / "scenario.yaml"
    file.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return file


def test_defaults_are_written_out_and_read_back(tmp_path):
    scenario = load_scenario(_write(tmp_path, MINIMAL))
    again = load_scenario(_write(tmp_path, scenario.to_yaml()))
    assert again == scenario
    assert "penalty_eur_per_kwh: 0.6" in scenario.to_yaml()


def test_schema_names_every_section():
    assert {"time", "grid", "prosumers", "market", "ledger", "dso"} <= set(
        json_schema()["properties"]
    )


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"prosumers": {"battery": {"capacity_mwh": 1}}}, "prosumers.battery.capacity_mwh",
         "did you mean 'capacity_kwh'"),
        ({"prosumers": {"battery": {"capacity_kwh": "10 MWh"}}},
         "prosumers.battery.capacity_kwh", "10 MWh"),
        ({"prosumers": {"battery": {"charge_efficiency": 96}}},
         "prosumers.battery.charge_efficiency", "less than or equal to 1"),
        ({"market": {"retail_eur_per_kwh": 0.05}}, "market", "must not exceed"),
        ({"market": {"metering_s": 600}}, "(top level)", "must not exceed time.step_s"),
        ({"market": {"gate_closure_s": 60}}, "(top level)", "blocks of 12 s"),
        ({"market": {"order_lead_s": 203}}, "(top level)", "by two blocks of 12 s"),
        ({"market": {"metering_s": 11}}, "(top level)", "must hold a block of 12 s"),
        ({"dso": {"loading_margin_percent": 100}}, "(top level)", "must be below the loading"),
        ({"dso": {"voltage_margin_pu": 0.1}}, "(top level)", "voltage band of grid.limits"),
        ({"seed": True}, "seed", "'true'"),
        ({"time": MINIMAL["time"] | {"intervals": True}}, "time.intervals", "'true'"),
        ({"market": {"account_eur": False}}, "market.account_eur", "'false'"),
        ({"prosumers": {"participants": True}}, "prosumers.participants", "'true'"),
        ({"prosumers": {"scaling": {"wind": True}}}, "prosumers.scaling.wind", "'true'"),
        ({"supply_contract": {"prices_eur_per_kwh": [0.3, True]}},
         "supply_contract.prices_eur_per_kwh.1", "'true'"),
        ({"market": {"retail_eur_per_kwh": 1e12}}, "market.retail_eur_per_kwh",
         "less than or equal to 1000"),
        ({"dso": {"price_cap_eur_per_kwh": 1e9}}, "dso.price_cap_eur_per_kwh", "equal to 1000"),
        ({"market": {"bank_eur": 1e40}}, "market.bank_eur", "less than or equal to 1000000000"),
        ({"prosumers": {"forecast": {"model": {"name": "oracle"}}}},
         "prosumers.forecast.model.name", "unknown forecast model 'oracle'; there are clear_sky"),
        ({"prosumers": {"forecast": {"by_class": {"pv": {"name": "oracle"}}}}},
         "prosumers.forecast.by_class.pv.name", "unknown forecast model 'oracle'"),
        ({"prosumers": {"forecast": {"by_class": {"pw": {"name": "perfect"}}}}},
         "prosumers.forecast.by_class", "unknown class 'pw'; there are"),
        ({"seed": None}, "seed", "valid integer"),
        ({"prosumers": {"strategies": [{"name": "truthful", "share": 0.5}]}}, "prosumers",
         "add up to 0.5"),
    ],
)  # fmt: skip
def test_mistakes_name_file_field_and_remedy(tmp_path, change, field, says):
    file = _write(tmp_path, MINIMAL | change)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(file)
    assert caught.value.field == field
    assert str(file) in str(caught.value)
    assert says in str(caught.value)
    assert "remedy" in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"nowhere\.yaml"):
        load_scenario(tmp_path / "nowhere.yaml")


def test_broken_yaml_is_named(tmp_path):
    with pytest.raises(ScenarioError, match="is not YAML"):
        load_scenario(_write(tmp_path, "name: [unclosed"))


@pytest.mark.parametrize(
    "start",
    ["20160524", "1464048000", "1464048000.5", "true", "24.05.2016 12:00", "12:00", "2016-13-45"],
)
def test_a_start_that_is_no_iso_date_is_refused(tmp_path, start):
    text = f"name: a\nseed: 1\ntime: {{start: '{start}'}}\ngrid: {{network: 1-LV-rural1--1-sw}}\n"
    for given in (text, text.replace("'", "")):
        with pytest.raises(ScenarioError) as caught:
            load_scenario(_write(tmp_path, given))
        assert caught.value.field == "time.start"


@pytest.mark.parametrize("start", ["2016-05-24", "2016-05-24 00:00", "2016-05-24T00:00:00"])
def test_a_start_is_the_same_moment_however_iso_writes_it(tmp_path, start):
    text = f"name: a\nseed: 1\ntime: {{start: {start}}}\ngrid: {{network: 1-LV-rural1--1-sw}}\n"
    assert load_scenario(_write(tmp_path, text)).time.start == datetime(2016, 5, 24)
