"""Simulators of somebody else in the place of ours, in this process and in others."""

from __future__ import annotations

import numpy as np
import pytest
from strangers import assert_same, heard, listener, remote, stand_in

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


def test_two_of_ours_can_be_replaced_at_once(play, short_scenario):
    dso = stand_in("dso", "AcceptingDso", elsewhere=True) | {"name": "their_dso"}
    devices = stand_in("devices", "FaithfulDevices") | {"name": "their_devices"}
    tables = play(short_scenario(2, simulators=[dso, devices]))
    assert (tables["schedules"]["activated_wh"] == 0).all()
    np.testing.assert_array_equal(
        tables["settlement"]["metered_wh"], tables["schedules"]["nominated_wh"]
    )
