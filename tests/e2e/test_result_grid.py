"""Whole results: what ``verify`` recomputes is as recorded; the grid is as pandapower has it."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from result_folders import Case, verified

RECOMPUTED = (
    *("files", "schemas", "bytes", "manifest", "network", "forecasts", "devices"),
    *("power flow", "grid checks"),
    *("receipts", "events", "blocks", "state", "sending", "gas limits", "intervals"),
    *("clearing", "orders", "schedules", "settlement", "metering", "flexibility"),
    *("conservation", "indicators"),
)
"""Checks without which tests of single tables would be missing here."""


def test_whatever_can_be_recomputed_is_as_recorded(case: Case) -> None:
    trades = () if case.violated == {"line"} else ("trades",)  # nobody sells at night
    verified(case.folder, *RECOMPUTED, *trades)


def checks(case: Case, stage: str) -> pd.DataFrame:
    """Checks of the last round of a stage."""
    table = case.tables["grid_checks"]
    rows = table[table.stage == stage]
    return rows[rows["round"] == rows.groupby("interval")["round"].transform("max")]


def test_violated_before_and_nowhere_after_flexibility(case: Case) -> None:
    before = checks(case, "scheduled")
    assert before.interval.nunique() == case.intervals
    assert set(before[before.violated].element) == case.violated
    relieved = checks(case, "relieved")
    assert set(before[before.violated].interval) <= set(relieved.interval)
    assert not relieved.violated.any()
    delivered = checks(case, "delivered")
    assert delivered.interval.nunique() == case.intervals
    assert not delivered.violated.any()
    # by flexibility, not by force
    schedules = case.tables["schedules"]
    assert (schedules.curtailed_wh == 0).all()
    assert schedules.activated_wh.abs().sum() > 0


def test_pandapower_solves_what_was_delivered_to_the_same_state(case: Case) -> None:
    net = pp.from_json(str(case.folder / "network.json"))
    assert list(net.sgen.name) == case.names
    tables = case.tables
    for interval in range(0, case.intervals, max(case.intervals // 4, 1)):
        at = {
            name: tables[name][tables[name].interval == interval]
            for name in ("prosumers", "buses", "branches", "grid_balance")
        }
        assert at["prosumers"].bus.tolist() == net.sgen.bus.tolist()
        net.sgen["p_mw"] = at["prosumers"].p_inject_mw.to_numpy()
        net.sgen["q_mvar"] = at["prosumers"].q_inject_mvar.to_numpy()
        pp.runpp(net, algorithm="nr", calculate_voltage_angles=True, tolerance_mva=1e-10)
        buses = at["buses"].set_index("bus")
        assert set(buses.index) == set(net.bus.index)
        state = net.res_bus.loc[buses.index]
        np.testing.assert_allclose(buses.vm_pu, state.vm_pu, rtol=0, atol=1e-7)
        np.testing.assert_allclose(buses.va_degree, state.va_degree, rtol=0, atol=1e-5)
        for element, results in (("line", net.res_line), ("trafo", net.res_trafo)):
            rows = at["branches"][at["branches"].element == element].set_index("element_idx")
            assert set(rows.index) == set(results.index)
            expected = results.loading_percent[rows.index]
            np.testing.assert_allclose(rows.loading_percent, expected, rtol=0, atol=1e-4)
        (balance,) = at["grid_balance"].itertuples()
        assert balance.converged
        slack = net.res_ext_grid
        assert balance.p_slack_mw == pytest.approx(slack.p_mw.sum(), abs=1e-7)
        assert balance.q_slack_mvar == pytest.approx(slack.q_mvar.sum(), abs=1e-7)
        losses = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
        assert balance.losses_mw == pytest.approx(losses, abs=1e-7)


def test_batteries_keep_their_energy(case: Case) -> None:
    battery = case.scenario["prosumers"]["battery"]
    table = case.tables["prosumers"].sort_values(["prosumer", "interval"])
    charge = table.battery_p_mw.clip(lower=0) * battery["charge_efficiency"]
    discharge = table.battery_p_mw.clip(upper=0) / battery["discharge_efficiency"]
    change = table.groupby("prosumer").soc_mwh.diff()
    known = change.notna()
    assert table.battery_p_mw.abs().sum() > 0
    np.testing.assert_allclose(change[known], (charge + discharge)[known] * 0.25, rtol=0, atol=1e-9)
