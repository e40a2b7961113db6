"""Power flows whose results are known from elsewhere; expected.json names the sources."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandapower.networks
import pandas as pd
import pytest
from published_injections import published_injections

from cosim.grid.catalogue import open_grid
from cosim.grid.folder_writer import with_connection_points
from cosim.grid.power_flow import make_power_flow

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
