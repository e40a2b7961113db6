"""Whole results computed again from their tables: limits, power flows, devices, schedules."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pandas as pd
import pytest
from result_folders import Case, by_prosumer, fills, same


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


def test_violations_are_the_violated_checks_with_their_drivers(case: Case) -> None:
    table, violations = case.tables["grid_checks"], case.tables["violations"]
    columns = ["interval", "round", "stage", "element", "element_idx", "quantity", "value", "limit"]
    expected = table[table.violated][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(violations[columns], expected)
    assert len(violations) > 0
    for drivers in violations.drivers:
        assert 0 < len(drivers) == len(set(drivers))
        assert set(drivers) <= set(case.names)


def test_every_check_is_value_against_limit(case: Case) -> None:
    limits = case.scenario["grid"]["limits"]
    table = case.tables["grid_checks"]
    bus, line = table[table.element == "bus"], table[table.element == "line"]
    trafo = table[table.element == "trafo"]
    outside = (bus.value < limits["vm_min_pu"]) | (bus.value > limits["vm_max_pu"])
    same(bus.violated, outside)
    same(line.violated, line.value > limits["line_loading_percent"])
    same(trafo.violated, trafo.value > limits["trafo_loading_percent"])
    assert (table[table.element == "grid"].value == 1.0).all()


def test_delivered_checks_are_the_buses_and_branches(case: Case) -> None:
    delivered = checks(case, "delivered")
    columns = ["interval", "element", "element_idx", "value"]
    buses = case.tables["buses"].rename(columns={"bus": "element_idx", "vm_pu": "value"})
    branches = case.tables["branches"].rename(columns={"loading_percent": "value"})
    physical = pd.concat([buses.assign(element="bus"), branches])[columns]
    checked = delivered[delivered.element != "grid"][columns]
    keys = columns[:3]
    found = checked.merge(physical, on=keys, suffixes=("", "_physical"))
    assert len(found) == len(checked)
    # the upstream node is not the feeder's to keep within limits
    assert set(branches.element_idx) == set(checked[checked.element != "bus"].element_idx)
    same(found.value, found.value_physical)


def test_pandapower_solves_what_was_delivered_to_the_same_state(case: Case) -> None:
    net = pp.from_json(str(case.folder / "network.json"))
    assert list(net.sgen.name) == case.names
    tables = case.tables
    for interval in range(0, case.intervals, max(case.intervals // 12, 1)):
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


def test_power_is_balanced_in_every_interval(case: Case) -> None:
    fed_in = case.tables["prosumers"].groupby("interval").p_inject_mw.sum()
    balance = case.tables["grid_balance"].set_index("interval")
    assert len(balance) == case.intervals
    np.testing.assert_allclose(balance.p_slack_mw + fed_in, balance.losses_mw, rtol=0, atol=1e-8)


def test_meters_count_what_devices_feed(case: Case) -> None:
    table = case.tables["prosumers"]
    assert len(table) == case.intervals * len(case.names)
    net = (
        table.pv_p_mw
        - table.load_p_mw
        - table.ev_p_mw
        - table.heat_pump_p_mw
        - table.battery_p_mw
        + table.shed_p_mw
    )
    np.testing.assert_allclose(table.p_inject_mw, net, rtol=0, atol=1e-12)
    energy = table.p_inject_mw * 250_000  # a quarter of an hour, in Wh
    same(table.metered_wh, np.rint(energy).astype(int))


def test_batteries_keep_their_energy(case: Case) -> None:
    battery = case.scenario["prosumers"]["battery"]
    table = case.tables["prosumers"].sort_values(["prosumer", "interval"])
    charge = table.battery_p_mw.clip(lower=0) * battery["charge_efficiency"]
    discharge = table.battery_p_mw.clip(upper=0) / battery["discharge_efficiency"]
    change = table.groupby("prosumer").soc_mwh.diff()
    known = change.notna()
    assert table.battery_p_mw.abs().sum() > 0
    np.testing.assert_allclose(change[known], (charge + discharge)[known] * 0.25, rtol=0, atol=1e-9)


def test_dispatched_is_nominated_with_what_was_activated_and_curtailed(case: Case) -> None:
    schedules, flexibility = case.tables["schedules"], case.tables["flexibility"]
    same(
        schedules.dispatched_wh,
        schedules.nominated_wh + schedules.activated_wh + schedules.curtailed_wh,
    )
    signed = flexibility.awarded_wh.where(flexibility.direction == "up", -flexibility.awarded_wh)
    awarded = signed.groupby([flexibility.interval, flexibility.prosumer]).sum()
    same(schedules.activated_wh, by_prosumer(case, awarded))
    same(schedules.contracted_wh, fills(case))
