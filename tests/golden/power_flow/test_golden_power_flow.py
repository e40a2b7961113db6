"""Power flows whose results are known from elsewhere; expected.json names the sources."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandapower.networks
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.grid.catalogue import open_grid
from cosim.grid.folder_writer import with_connection_points
from cosim.grid.own_elements import own_elements, rated_injection
from cosim.grid.power_flow import make_power_flow
from cosim.grid.validation import check_solvable, dead_buses

EXPECTED = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("engine", ["fixed-point", "pandapower"])
def test_case33bw(engine):
    expected = EXPECTED["case33bw"]
    published = pandapower.networks.case33bw()
    loads = published.load[["bus", "p_mw", "q_mvar"]]
    points = pd.DataFrame({"name": [f"load {bus}" for bus in loads.bus], "bus": loads.bus})
    solver = make_power_flow(engine, with_connection_points(published, points))
    state = solver.solve(-loads.p_mw.to_numpy(), -loads.q_mvar.to_numpy())
    assert np.nanmin(state.vm_pu) == pytest.approx(expected["vm_pu_min"], abs=1e-5)
    lowest = solver.topology.bus_idx[np.nanargmin(state.vm_pu)]
    assert lowest == expected["bus_of_min_counting_from_0"]
    assert float(state.losses_mw) * 1e3 == pytest.approx(expected["losses_kw"], abs=1e-3)
    assert float(state.p_slack_mw) == pytest.approx(expected["import_mw"], abs=1e-6)


NETWORKS = {
    "CIGRE LV": pandapower.networks.create_cigre_network_lv,
    "CIGRE MV": pandapower.networks.create_cigre_network_mv,
    "CIGRE MV with generation": lambda: pandapower.networks.create_cigre_network_mv("pv_wind"),
    "Oberrhein": pandapower.networks.mv_oberrhein,
    "Kerber rural overhead": pandapower.networks.create_kerber_landnetz_freileitung_1,
    "Kerber village": pandapower.networks.create_kerber_dorfnetz,
}
"""Networks that come with pandapower; ``runpp`` on the original is the reference."""


SIMBENCH = {
    "1-LV-rural1--1-sw": 15,
    "1-LV-rural3--2-sw": 129,
    "1-LV-semiurb4--2-sw": 44,
    "1-MV-rural--2-sw": 99,
    "1-MVLV-rural-all-2-sw": 5481,
}
"""SimBench's grids and their number of buses, at the powers as published."""


@pytest.mark.parametrize("name", NETWORKS)
def test_published_networks_as_pandapower_solves_them(name):
    as_pandapower(name, NETWORKS[name](), ("fixed-point", "pandapower"))


@pytest.mark.parametrize("name", SIMBENCH)
def test_networks_of_simbench_as_pandapower_solves_them(name):
    simbench = pytest.importorskip("simbench")
    published = simbench.get_simbench_net(name)
    assert len(published.bus) == SIMBENCH[name]
    # pandapower 3 ignores tap positions without it
    published.trafo["tap_changer_type"] = "Ratio"
    as_pandapower(name, published, ("fixed-point",))


def as_pandapower(name, published, engines):
    """Compare the network as imported with ``runpp`` on the network as it was published."""
    original = copy.deepcopy(published)
    pandapower.runpp(original, numba=False, tolerance_mva=1e-9)
    check_solvable(published, Path(name), imported=True)
    injecting = ("load", "sgen", "storage")
    buses = sorted({int(bus) for table in injecting for bus in published[table].bus})
    points = pd.DataFrame({"name": [f"bus {bus}" for bus in buses], "bus": buses})
    elements = own_elements(published, points, dead_buses(published), Path(name), {})
    rated = rated_injection(elements, points)
    assert np.abs(rated[0]).sum() > 0.0
    imported = with_connection_points(published, points)
    for engine in engines:
        state = make_power_flow(engine, imported).solve(*rated)
        np.testing.assert_allclose(state.vm_pu, original.res_bus.vm_pu, rtol=0, atol=1e-9)
        for loading, table in (
            (state.line_loading_percent, original.res_line),
            (state.trafo_loading_percent, original.res_trafo),
        ):
            expected = table.loading_percent.fillna(0.0)
            np.testing.assert_allclose(loading, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["1-LV-rural1--1-sw", "1-LV-rural3--2-sw"])
def test_steps_over_a_limit_in_the_published_year(name):
    expected = EXPECTED["steps_over_limit_of_35136"][name]
    case = open_grid(name)
    year = published_injections(case, expected["factors"], joint_storage=True)
    assert len(year.time) == 35_136
    state = make_power_flow("fixed-point", case.net).solve_batch(
        year.p_inject_mw, year.q_inject_mvar
    )
    assert state.converged.all()
    assert (np.nanmax(state.vm_pu, axis=1) > 1.1).sum() == expected["over_1.1_pu"]
    assert (state.line_loading_percent > 100).any(axis=1).sum() == expected["line"]
    assert (state.trafo_loading_percent > 100).any(axis=1).sum() == expected["trafo"]
