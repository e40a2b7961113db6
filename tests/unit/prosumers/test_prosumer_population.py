from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cosim.devices.battery import Battery, draw_battery_owners
from cosim.devices.ev import ElectricVehicles
from cosim.devices.heat_pump import HeatPumps
from cosim.devices.load import Load
from cosim.devices.pv import Photovoltaics
from cosim.errors import GridDataError, ProfileError, ScenarioError
from cosim.prosumers.elements import Element, profile_columns, read_elements
from cosim.prosumers.population import build_population
from cosim.scenario.prosumers import ProsumerSettings, ScalingSettings, assign_meters

ROW = {
    "connection_point": "house",
    "name": "Load 1",
    "kind": "load",
    "profile": "H0-A",
    "p_mw": 0.002,
    "q_mvar": 0.001,
}


def test_elements_of_one_connection_point_add_up(population):
    pv_owner = population.names.index("pv_owner")
    np.testing.assert_allclose(population.of(Load).p_mw[:, pv_owner], [0.001, 0.002, 0.0005, 0.001])
    np.testing.assert_allclose(
        population.of(Photovoltaics).p_mw[:, pv_owner], [0.0, 0.005, 0.010, 0.004]
    )
    owner = population.names.index("heat_pump_owner")
    np.testing.assert_allclose(
        population.of(ElectricVehicles).p_mw[:, owner], [0.0, 0.002, 0.006, 0.0]
    )
    np.testing.assert_allclose(population.of(HeatPumps).p_mw[:, owner], [0.002, 0.0025, 0.001, 0.0])
    np.testing.assert_allclose(population.deferral.q_mvar[:, owner], [0.0008, 0.001, 0.0004, 0.0])
    assert population.deferral.rated_mw[owner] == pytest.approx(0.015)
    assert population.of(Load).q_mvar[1, 0] == pytest.approx(0.0004)


def test_connection_point_without_elements_does_nothing(population):
    empty = population.names.index("empty")
    for series in (
        population.of(Load).p_mw,
        population.of(Photovoltaics).p_mw,
        population.deferral.p_mw,
    ):
        assert not series[:, empty].any()


def test_scaling_multiplies_power_and_rating(make_population):
    scaled = make_population(scaling=ScalingSettings(load=2.0, pv=3.0, ev=4.0, heat_pump=5.0))
    plain = make_population()
    np.testing.assert_allclose(scaled.of(Load).p_mw, 2 * plain.of(Load).p_mw)
    np.testing.assert_allclose(scaled.of(Load).q_mvar, 2 * plain.of(Load).q_mvar)
    np.testing.assert_allclose(scaled.of(Photovoltaics).p_mw, 3 * plain.of(Photovoltaics).p_mw)
    np.testing.assert_allclose(
        scaled.of(ElectricVehicles).p_mw, 4 * plain.of(ElectricVehicles).p_mw
    )
    np.testing.assert_allclose(scaled.deferral.q_mvar, 5 * plain.deferral.q_mvar)
    assert scaled.deferral.rated_mw.max() == pytest.approx(4 * 0.010 + 5 * 0.005)


def test_battery_goes_to_the_storage_of_the_network_first(population):
    owner = population.names.index("battery_owner")
    assert np.flatnonzero(population.of(Battery).capacity_mwh).tolist() == [owner]
    assert population.of(Battery).capacity_mwh[owner] == pytest.approx(0.008)
    assert population.of(Battery).soc_min_mwh[owner] == pytest.approx(0.0008)
    assert population.of(Battery).soc_initial_mwh[owner] == pytest.approx(0.004)
    assert population.of(Battery).p_max_mw[owner] == pytest.approx(0.004)


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.3, 4), (0.5, 6), (1.0, 13)])
def test_battery_share_is_exact_by_rounding(share, count):
    pv_owners = np.arange(20) < 13
    owners = draw_battery_owners(
        pv_owners, np.zeros(20, dtype=bool), share, np.random.default_rng(0)
    )
    assert owners.sum() == count
    assert not (owners & ~pv_owners).any()


def test_battery_owners_depend_on_the_seed_only():
    def draw(seed):
        everyone = np.ones(50, dtype=bool)
        rng = np.random.default_rng(seed)
        return draw_battery_owners(everyone, ~everyone, 0.5, rng).tolist()

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_population_cannot_be_written_to(population):
    with pytest.raises(ValueError, match="read-only"):
        population.of(Photovoltaics).p_mw[0, 0] = 1.0


def test_tiny_negative_values_are_noise():
    profiles = {"H0-A_p": np.array([1.0, -1e-5]), "H0-A_q": np.array([1.0, -0.3])}
    population = build_population(
        [Element(ROW["connection_point"], "load", "H0-A", 0.002, 0.001)],
        ["house"],
        ProsumerSettings(),
        profiles,
        900,
        np.random.SeedSequence(0),
    )
    assert population.of(Load).p_mw[1, 0] == 0.0
    assert population.of(Load).q_mvar[1, 0] == pytest.approx(-0.0003)


def test_negative_profile_names_file_and_column():
    with pytest.raises(ProfileError, match="negative in step 1") as caught:
        build_population(
            [Element("house", "load", "H0-A", 0.002, 0.0)],
            ["house"],
            ProsumerSettings(),
            {"H0-A_p": np.array([1.0, -0.5])},
            900,
            np.random.SeedSequence(0),
            profiles_file="grids/x/profiles.parquet",
        )
    assert caught.value.field == "H0-A_p"
    assert caught.value.file == "grids/x/profiles.parquet"


@pytest.mark.parametrize(
    ("p_mw", "settings", "error", "field"),
    [
        (0.002, {"scaling": {"load": 1e9}}, ScenarioError, "prosumers.scaling.load"),
        (5000.0, {}, GridDataError, "p_mw"),
        (
            0.002,
            {"battery": {"p_max_kw": 1e9, "share_of_pv_owners": 1.0}},
            ScenarioError,
            "prosumers.battery",
        ),
    ],
)
def test_energies_beyond_the_integers_of_the_market(p_mw, settings, error, field):
    """2**30 Wh in 15 min are 4294.97 MW."""
    place = ROW["connection_point"]
    elements = [Element(place, "load", "H", p_mw, 0.0), Element(place, "pv", "H", 0.001, 0.0)]

    def build(chosen):
        return build_population(
            elements,
            [place],
            ProsumerSettings(**chosen),
            {"H_p": np.ones(2)},
            900,
            np.random.SeedSequence(0),
            elements_file="grids/x/elements.csv",
        )

    with pytest.raises(error, match=r"no connection point more than 4294.97 MW") as caught:
        build(settings)
    assert caught.value.field == field
    assert caught.value.file == ("grids/x/elements.csv" if error is GridDataError else None)
    if not settings:
        elements[0] = Element(place, "load", "H", 4294.0, 0.0)
        assert build({}).of(Load).p_mw.max() == 4294.0


def test_network_without_consumption_or_generation():
    with pytest.raises(GridDataError, match="no element has a profile"):
        build_population(
            [Element("house", "storage", "", 0.002, 0.0)],
            ["house"],
            ProsumerSettings(),
            {},
            900,
            np.random.SeedSequence(0),
        )


def test_two_prosumers_on_one_meter():
    with pytest.raises(ScenarioError, match="'a' and 'c' share 'm1'") as caught:
        assign_meters(("a", "b", "c"), {"a": "m1", "c": "m1"})
    assert caught.value.field == "prosumers.meters"


def test_meter_taken_from_the_default_of_another():
    with pytest.raises(ScenarioError, match="two prosumers on one meter"):
        assign_meters(("a", "b"), {"b": "meter-a"})


def test_meter_of_an_unknown_connection_point():
    with pytest.raises(ScenarioError, match="'z' is no connection point"):
        assign_meters(("a",), {"z": "m1"})


def test_meters_default_to_one_each():
    assert assign_meters(("a", "b"), {"b": "m7"}) == ("meter-a", "m7")


def test_elements_are_read_with_empty_profiles_of_storages():
    table = pd.DataFrame([ROW, {**ROW, "kind": "storage", "profile": np.nan}])
    elements = read_elements(table, ["house"])
    assert elements == (
        Element("house", "load", "H0-A", 0.002, 0.001),
        Element("house", "storage", "", 0.002, 0.001),
    )
    assert profile_columns(elements) == ("H0-A_p", "H0-A_q")


def test_reactive_profile_is_needed_only_with_reactive_power():
    assert profile_columns([replace(Element(**_element()), q_mvar=0.0)]) == ("H0-A_p",)


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"connection_point": "barn"}, "connection_point", "line 3: 'barn' is no connection point"),
        ({"kind": "tide"}, "kind", "line 3: unknown kind 'tide'"),
        ({"profile": ""}, "profile", "line 3: a load without a profile"),
        ({"p_mw": -0.1}, "p_mw", "line 3: p_mw is -0.1"),
        ({"p_mw": float("nan")}, "p_mw", "line 3: p_mw is nan"),
        ({"q_mvar": float("inf")}, "q_mvar", "line 3: q_mvar is inf"),
    ],
)
def test_bad_elements(change, field, problem):
    with pytest.raises(GridDataError, match=problem) as caught:
        read_elements(pd.DataFrame([ROW, {**ROW, **change}]), ["house"], "grids/x/elements.csv")
    assert caught.value.field == field
    assert caught.value.file == "grids/x/elements.csv"
    assert caught.value.remedy


def test_missing_element_column():
    with pytest.raises(GridDataError) as caught:
        read_elements(pd.DataFrame([ROW]).drop(columns="q_mvar"), ["house"])
    assert caught.value.field == "q_mvar"


def _element():
    return {key: value for key, value in ROW.items() if key != "name"}
