"""Connection points that a scenario names: battery, devices and strategy of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from cosim.devices.battery import Battery
from cosim.devices.load import Load
from cosim.devices.population import Population
from cosim.devices.pv import Photovoltaics
from cosim.errors import ScenarioError
from cosim.prosumers.followers import Followers
from cosim.report.resource_cost import efficiencies
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario
from cosim.scenario.loading import load_scenario
from cosim.scenario.prosumers import NamedProsumer, StrategySettings, Tariff
from cosim.studies.counterfactuals import without

Make = Callable[..., Population]


def named(**own: dict[str, Any]) -> tuple[NamedProsumer, ...]:
    return tuple(NamedProsumer(connection_point=n, **fields) for n, fields in own.items())


def test_a_battery_of_ones_own_needs_no_pv(make_population: Make) -> None:
    battery = {"capacity_kwh": 13.5, "p_max_kw": 5.0, "soc_initial": 0.2, "soc_min": 0.1}
    found = make_population(named=named(consumer={"battery": battery}))
    consumer, drawn = found.names.index("consumer"), found.names.index("battery_owner")
    batteries, plain = found.of(Battery), make_population().of(Battery)
    assert found.of(Photovoltaics).rated_mw[consumer] == 0
    assert batteries.capacity_mwh[consumer] == pytest.approx(0.0135)
    assert batteries.p_max_mw[consumer] == pytest.approx(0.005)
    assert batteries.soc_initial_mwh[consumer] == pytest.approx(0.0027)
    assert batteries.soc_min_mwh[consumer] == pytest.approx(0.00135)
    assert batteries.charge_efficiency[consumer] == plain.charge_efficiency[consumer]
    # nobody else's draw moves
    assert batteries.capacity_mwh[drawn] == plain.capacity_mwh[drawn] > 0


def test_no_battery_where_one_was_drawn(make_population: Make) -> None:
    assert (
        not make_population(named=named(battery_owner={"battery": False}))
        .of(Battery)
        .capacity_mwh.any()
    )


def test_factors_and_deferral_of_ones_own(make_population: Make) -> None:
    plain = make_population()
    found = make_population(
        named=named(
            consumer={"scaling": {"load": 3.0}},
            heat_pump_owner={"deferral": {"share_of_power": 0.25, "energy_max_kwh": 1.0}},
        )
    )
    factor = np.ones(found.n)
    factor[found.names.index("consumer")] = 3.0
    np.testing.assert_allclose(found.of(Load).p_mw, plain.of(Load).p_mw * factor)
    owner = found.names.index("heat_pump_owner")
    assert found.deferral.share_of_power[owner] == 0.25
    assert found.deferral.energy_max_mwh[owner] == pytest.approx(0.001)


def test_an_unknown_connection_point_is_refused_by_its_place(make_population: Make) -> None:
    with pytest.raises(ScenarioError, match=r"named.0.connection_point: 'nobody' is no connection"):
        make_population(named=named(nobody={"battery": False}))


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ([{"connection_point": "a"}, {"connection_point": "a"}], "'a' stands there 2 times"),
        ([{"connection_point": "a", "battery": {"soc_initial": 0.01}}], "soc_initial is below"),
        ([{"connection_point": "a", "battery": True}], "battery"),
        ([{"connection_point": "a", "scaling": {"sun": 1}}], "no device 'sun' with a profile"),
        ([{"connection_point": "a", "strategy": {"name": "lucky"}}], "unknown strategy 'lucky'"),
        ([{"connection_point": "a", "strategy": {"options": {}}}], "name"),
    ],
)
def test_what_cannot_be_is_refused_when_the_scenario_is_read(
    tmp_path: Path, own: list[dict[str, Any]], says: str
) -> None:
    file = tmp_path / "own.yaml"
    fields = {"name": "own", "seed": 1, "grid": {"network": "1-LV-rural1--1-sw"}}
    fields |= {
        "time": {"start": "2016-05-24T11:00:00", "intervals": 2},
        "prosumers": {"named": own},
    }
    file.write_text(yaml.safe_dump(fields), encoding="utf-8")
    with pytest.raises(ScenarioError, match=says):
        load_scenario(file)


def test_equal_strategies_are_one_and_others_keep_what_was_drawn() -> None:
    names = tuple("abcdefgh")
    shares = [StrategySettings(share=0.5), StrategySettings(name="zero_intelligence", share=0.5)]
    abstains = StrategySettings(name="supplier_only")
    tariff, seed = Tariff(300_000, 80_000), np.random.SeedSequence(5)
    drawn = Followers(names, shares, 900, tariff, seed).strategy_of
    own = {0: abstains, 3: abstains, 5: StrategySettings()}
    found = Followers(names, shares, 900, tariff, seed, own).strategy_of
    assert found[[0, 3, 5]].tolist() == [2, 2, 0]
    others = [1, 2, 4, 6, 7]
    assert found[others].tolist() == drawn[others].tolist()


def test_in_a_run_who_is_named_does_what_it_says(
    short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    point, other = "LV1.101 Bus 5", "LV1.101 Bus 10"
    scenario = short_scenario(
        2,
        prosumers={
            "named": [
                {"connection_point": point, "strategy": {"name": "supplier_only"}},
                {"connection_point": other, "battery": {"capacity_kwh": 20, "soc_initial": 0.5}},
            ]
        },
    )
    run_scenario(scenario, tmp_path / "own.yaml", tmp_path / "out")
    orders = pd.read_parquet(tmp_path / "out" / "tables" / "orders.parquet")
    assert point not in set(orders["prosumer"].astype(str))
    prosumers = pd.read_parquet(tmp_path / "out" / "tables" / "prosumers.parquet")
    stored = prosumers[prosumers["prosumer"].astype(str) == other]["soc_mwh"]
    assert 0.008 < stored.iloc[0] <= 0.01 + 0.001
    alone = without(scenario, "no_market").prosumers
    assert [own.strategy for own in alone.named] == [None, None]
    assert alone.named[1].battery == scenario.prosumers.named[1].battery


def test_a_battery_closes_at_efficiencies_of_its_own(
    short_scenario: Callable[..., Scenario], tmp_path: Path
) -> None:
    own = {"capacity_kwh": 20, "charge_efficiency": 0.8}
    point = {"connection_point": "LV1.101 Bus 10", "battery": own}
    run_scenario(
        short_scenario(1, prosumers={"named": [point]}), tmp_path / "o.yaml", tmp_path / "out"
    )
    names = ["LV1.101 Bus 5", "LV1.101 Bus 10"]
    charge, discharge = efficiencies(Results(tmp_path / "out"), Battery, names)
    assert charge.tolist() == [0.96, 0.8]
    assert discharge.tolist() == [0.96, 0.96]
