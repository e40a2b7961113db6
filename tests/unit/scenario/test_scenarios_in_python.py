"""Scenarios made and changed in Python: the same errors as a file's, and what replacing keeps."""

from __future__ import annotations

import pickle
from datetime import datetime

import pytest
import yaml

from cosim.errors import ScenarioError
from cosim.scenario import Scenario, load_scenario
from cosim.scenario.ledger import LedgerSettings
from cosim.scenario.loading import find_scenario

FIELDS = {
    "name": "small",
    "seed": 1,
    "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
    "grid": {"network": "1-LV-rural1--1-sw"},
}


@pytest.fixture
def small():
    return Scenario(**FIELDS)


def test_it_equals_the_one_of_a_file(small, tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(FIELDS))
    read = load_scenario(file)
    assert read == small
    assert read != small.replace(seed=2)
    assert (read.file, small.file) == (file, None)
    assert small.time.start == datetime(2016, 5, 24, 11)
    assert read.to_yaml() == small.to_yaml()
    assert "file" not in read.to_yaml()


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"market": {"pricng": "mcafee"}}, "market.pricng", "did you mean 'pricing'?"),
        ({"grids": {}}, "grids", "did you mean 'grid'?"),
        ({"market": {"pricing": "mcaffee"}}, "market.pricing", "given: 'mcaffee'"),
        ({"time": None}, "time", "is no section of fields"),
        ({"market": {"metering_s": 600}}, "(top level)", "must not exceed time.step_s"),
    ],
)
def test_mistakes_are_told_as_those_of_files(small, change, field, says):
    for make in (lambda: Scenario(**FIELDS | change), lambda: small.replace(**change)):
        with pytest.raises(ScenarioError) as caught:
            make()
        assert caught.value.field == field
        assert caught.value.file is None
        assert says in str(caught.value)
        assert "in this file" not in str(caught.value)
        assert caught.value.remedy


def test_several_mistakes_are_counted(tmp_path):
    with pytest.raises(ScenarioError, match=r"missing \(and 2 more problems\)"):
        Scenario(name="small")


def test_replacing_a_mapping_merges_it_and_leaves_the_original(small):
    once = small.replace(market={"pricing": "mcafee", "account_eur": 50})
    twice = once.replace(market={"account_eur": 60}, seed=7)
    assert (twice.market.pricing, twice.market.account_eur, twice.seed) == ("mcafee", 60.0, 7)
    assert (once.market.account_eur, once.seed) == (50.0, 1)
    assert small.market.pricing == "midpoint"
    assert type(twice) is Scenario


def test_replacing_a_list_replaces_all_of_it(small):
    two = [{"name": "truthful", "share": 0.5}, {"name": "zero_intelligence", "share": 0.5}]
    both = small.replace(prosumers={"strategies": two})
    assert [each.name for each in both.prosumers.strategies] == ["truthful", "zero_intelligence"]
    one = both.replace(prosumers={"strategies": [{"name": "truthful", "share": 1}]})
    assert [each.name for each in one.prosumers.strategies] == ["truthful"]


def test_a_dotted_name_leads_to_its_field(small):
    dotted = small.replace(**{"grid.limits.vm_max_pu": 1.05, "prosumers": {"scaling.pv": 2}})
    assert dotted.grid.limits.vm_max_pu == 1.05
    assert dotted.grid.limits.vm_min_pu == 0.9
    assert dotted.prosumers.scaling.pv == 2


def test_a_place_that_is_not_in_a_list_is_named(small):
    with pytest.raises(ScenarioError, match="'3' is no place in a list of 1") as caught:
        small.replace(
            prosumers={"strategies": [{"name": "truthful", "share": 1}]},
            **{"prosumers.strategies.3.share": 1},
        )
    assert caught.value.field == "prosumers.strategies.3.share"


def test_none_removes_an_optional_section_and_a_mapping_brings_it(small):
    named = small.replace(name_registry={})
    assert named.name_registry is not None
    assert named.replace(name_registry=None).name_registry is None
    assert named.replace(name_registry=None) == small


def test_a_section_of_another_kind_takes_the_place_of_the_former(small):
    attack = {"kind": "silent_meter", "meters": ["LV1.101 Bus 3"], "from_interval": 1}
    attacked = small.replace(attack=attack)
    other = {"kind": "flexibility_default", "prosumers": ["LV1.101 Bus 3"]}
    assert attacked.replace(attack=other).attack.kind == "flexibility_default"
    assert attacked.replace(attack=other).attack.from_interval == 0
    assert attacked.replace(attack={"from_interval": 0}).attack.meters == ("LV1.101 Bus 3",)


def test_what_follows_from_another_field_follows_again(small):
    assert small.ledger.confirmations == 0
    fees = small.replace(ledger={"consensus": "proof_of_stake", "initial_base_fee_gwei": 1})
    assert (fees.ledger.confirmations, fees.ledger.others_gas_share) == (1, 0.5)
    assert fees.replace(ledger={"initial_base_fee_gwei": 0}).ledger.others_gas_share == 0
    said = small.replace(ledger={"confirmations": 0, "consensus": "proof_of_stake"})
    assert said.ledger.confirmations == 0
    assert LedgerSettings.model_validate(fees.ledger) is fees.ledger


def test_it_stays_with_its_file_when_it_is_changed_or_sent_to_a_process(tmp_path):
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(FIELDS))
    scenario = load_scenario(file).replace(seed=2)
    assert scenario.file == file
    again = pickle.loads(pickle.dumps(scenario))
    assert (again, again.file) == (scenario, file)
    with pytest.raises(ScenarioError) as caught:
        scenario.replace(market={"pricng": "mcafee"})
    assert caught.value.file == str(file)


def test_its_file_is_found_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(FIELDS))
    monkeypatch.chdir(tmp_path)
    scenario = load_scenario("small.yaml")
    monkeypatch.chdir("/")
    assert scenario.file == tmp_path / "small.yaml"


def test_a_name_finds_a_scenario_that_comes_with_cosim():
    assert load_scenario("quickstart").name == "quickstart"
    assert find_scenario("spam") == find_scenario("attacks/spam") != find_scenario("quickstart")
    assert find_scenario("spam").is_file()
    assert find_scenario("../quickstart").parts == ("..", "quickstart")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ScenarioError, match="cannot be read") as caught:
        load_scenario("quikstart")
    assert "quickstart" in str(caught.value.remedy)
    assert "supply_contract" not in str(caught.value.remedy)


def test_a_study_is_no_scenario(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(FIELDS | {"study": {"axes": {"seed": [1, 2]}}}))
    with pytest.raises(ScenarioError, match="is a study of several runs") as caught:
        load_scenario(file)
    assert caught.value.field == "study"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"name: M\xfcnchen\n", "is not UTF-8 text: line 1 holds the byte 0xfc"),
        (b"time: {start: 2016-12-31\n", "is not YAML: while parsing a flow mapping"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, text, says):
    file = tmp_path / "scenario.yaml"
    file.write_bytes(text)
    with pytest.raises(ScenarioError, match=says) as caught:
        load_scenario(file)
    assert caught.value.file == str(file)
    assert caught.value.remedy


@pytest.mark.parametrize("bond_eur", [0, 4e-7])
def test_a_committed_clearing_needs_a_bond(small, bond_eur):
    assert small.replace(market={"clearing_bond_eur": bond_eur}).market.clearing == "on_chain"
    with pytest.raises(ScenarioError, match=r"needs clearing_bond_eur above 0.*set it to"):
        small.replace(market={"clearing": "committed", "clearing_bond_eur": bond_eur})


def test_a_ring_holds_what_an_interval_takes(small):
    assert small.market.ring_intervals == 0
    assert small.replace(market={"ring_intervals": 3}).market.ring_intervals == 3
    for ring in (1, 2):
        with pytest.raises(ScenarioError, match=r"give 0, or 3 or more") as told:
            small.replace(market={"ring_intervals": ring})
        assert told.value.field == "market.ring_intervals"
