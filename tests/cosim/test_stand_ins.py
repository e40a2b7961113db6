"""Simulators of somebody else in the place of ours, in this process and in others."""

from __future__ import annotations

import numpy as np
import pytest
from strangers import READS, assert_same, heard, listener, remote, stand_in

# what says how schedules were checked, which a DSO without a network model cannot fill
CHECKS = {"grid_checks", "violations"}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_dso_that_accepts_everything_is_a_dso_that_does_not_procure(
    play, short_scenario, elsewhere
):
    ours = play(short_scenario(3, dso={"procure": False}))
    theirs = play(
        short_scenario(3, simulators=[stand_in("dso", "AcceptingDso", elsewhere=elsewhere)])
    )
    assert_same(ours, theirs, but=CHECKS)
    assert set(theirs["grid_checks"]["stage"]) == {"delivered"}
    assert theirs["grid_checks"]["violated"].any(), "the transformer is overloaded at noon"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_devices_that_deliver_their_dispatch(play, short_scenario, elsewhere):
    devices = stand_in("devices", "FaithfulDevices", elsewhere=elsewhere, step_s=900)
    tables = play(short_scenario(3, simulators=[devices]))
    key = ["interval", "prosumer"]
    both = tables["schedules"].merge(tables["settlement"], on=key, suffixes=("", "_settled"))
    assert len(both) == 3 * 13
    np.testing.assert_array_equal(both["metered_wh"], both["dispatched_wh"])
    power = tables["prosumers"].merge(both, on=key)
    np.testing.assert_allclose(power["p_inject_mw"], power["dispatched_wh"] * 4e-6)
    flexibility = tables["flexibility"]
    assert flexibility["awarded_wh"].sum() > 0
    np.testing.assert_array_equal(flexibility["delivered_wh"], flexibility["awarded_wh"])
    assert flexibility["penalty_ueur"].sum() == 0


@pytest.mark.parametrize("elsewhere", [False, True])
def test_bidders_that_replay_recorded_bids_give_the_same_run(
    play, short_scenario, tmp_path, elsewhere
):
    log = tmp_path / "bids.jsonl"
    recorder = listener(log, [("bidders", "population", "bids", "message")], cmd=remote("Listener"))
    ours = play(short_scenario(3, simulators=[recorder]))
    assert [sorted(line["read"]) for line in heard(log)] == [["message"]] * 3 + [[]]
    bidders = stand_in("bidders", "ReplayedBidders", elsewhere=elsewhere, log=str(log))
    theirs = play(short_scenario(3, simulators=[bidders]))
    assert len(theirs["orders"]) > 0
    assert_same(ours, theirs, but=set())


def test_many_processes_at_once_give_the_same_run(play, short_scenario, tmp_path):
    """Steps of several processes overlap; mosaik 3.6 lost track of them."""

    def strangers(elsewhere):
        start = (
            {"cmd": remote("Listener")} if elsewhere else {"python": "foreign_simulators:Listener"}
        )
        return [
            stand_in("dso", "AcceptingDso", elsewhere=elsewhere) | {"name": "dso2"},
            stand_in("devices", "FaithfulDevices", elsewhere=elsewhere) | {"name": "devices2"},
            *(
                listener(tmp_path / f"{name}-{elsewhere}", READS[:2], **start) | {"name": name}
                for name in ("first", "second", "third")
            ),
        ]

    here = play(short_scenario(12, simulators=strangers(False)))
    there = play(short_scenario(12, simulators=strangers(True)))
    assert_same(here, there, but=set())
    assert (here["schedules"]["activated_wh"] == 0).all()
    np.testing.assert_array_equal(
        here["settlement"]["metered_wh"], here["schedules"]["nominated_wh"]
    )
    assert heard(tmp_path / "third-True") == heard(tmp_path / "third-False")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_grid_without_impedance(play, short_scenario, elsewhere):
    grid = stand_in("grid", "CopperPlate", elsewhere=elsewhere, sizes=[15, 13, 1])
    tables = play(short_scenario(2, simulators=[grid]))
    assert (tables["buses"]["vm_pu"] == 1).all()
    assert not tables["grid_checks"].query("stage == 'delivered'")["violated"].any()
    injected = tables["prosumers"].groupby("interval")["p_inject_mw"].sum()
    np.testing.assert_allclose(tables["grid_balance"]["p_slack_mw"], -injected)
    assert len(tables["settlement"]) == 2 * 13, "meters and grid are reconciled"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_market_without_trade(play, short_scenario, tmp_path, elsewhere):
    log = tmp_path / "bids.jsonl"
    market = stand_in("market", "SupplierOnlyMarket", elsewhere=elsewhere)
    bids = listener(log, [("bidders", "population", "bids", "message")], cmd=remote("Listener"))
    tables = play(short_scenario(2, dso={"procure": False}, simulators=[market, bids]))
    firm = [line["read"]["message"]["bidders-0.population"]["firm_wh"] for line in heard(log)[:2]]
    nominated = tables["schedules"]["nominated_wh"].to_numpy().reshape(2, 13)
    np.testing.assert_array_equal(nominated, firm)
    assert (tables["schedules"]["contracted_wh"] == 0).all()
    assert tables["orders"].empty
    assert len(tables["buses"]) == 2 * 15
