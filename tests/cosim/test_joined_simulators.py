"""Other people's simulators that feed a prosumer or listen in, in this process and in others."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from strangers import CONSUMPTION, POINT, READS, SCRIPT, heard, listener, remote

from cosim.errors import ScenarioError, SimulatorError

# the DSO would lower all injections to nothing, in every interval
FREE = {"dso": {"procure": False}}


def assert_hears_the_tables(log: Path, tables, n_intervals: int) -> None:
    """At the time at which an interval begins the listener reads what was delivered in it."""
    lines = heard(log)
    assert [line["time"] for line in lines] == [900 * k for k in range(n_intervals + 1)]
    bus = tables["buses"].query("bus == 4")["vm_pu"].to_list()
    line_2 = tables["branches"].query("element == 'line' and element_idx == 2")["loading_percent"]
    power = tables["prosumers"].query("prosumer == @POINT")["p_inject_mw"].to_list()
    wanted = {
        "voltage": ("grid-0.Bus-4", bus),
        "loading": ("grid-0.Line-2", line_2.to_list()),
        "power": (f"devices-0.{POINT}", power),
    }
    for attribute, (source, values) in wanted.items():
        assert len(set(values)) == n_intervals, "every interval differs, so a shift would show"
        # the last step settles and delivers nothing: what was there is read again
        assert [line["read"][attribute][source] for line in lines] == [*values, values[-1]]
    assert {kind for line in lines for kind in line["types"]} == {"float"}


@pytest.fixture
def csv_load(tmp_path):
    """mosaik-csv with one load, as a foreign simulator of a scenario, and its values. [MW]"""
    values_mw = [0.0031, 0.0, 0.0102, 0.0044, 0.002]
    rows = "\n".join(
        f"2016-05-24 {11 + k // 4}:{15 * (k % 4):02}:00,{mw}" for k, mw in enumerate(values_mw)
    )
    file = tmp_path / "load.csv"
    file.write_text(f"Household\nDate,P\n{rows}\n")
    foreign = {
        "name": "household",
        "python": "mosaik_csv:CSV",
        "params": {
            "sim_start": "2016-05-24 11:00:00",
            "datafile": str(file),
            "date_format": "%Y-%m-%d %H:%M:%S",
        },
        "model": "Household",
        "feeds": [{"attribute": "P", "to_entity": POINT, "to_attribute": "P_load[MW]"}],
    }
    return foreign, np.array(values_mw)


def test_mosaik_csv_feeds_a_prosumer_and_a_listener_reads_the_grid(
    play, short_scenario, csv_load, tmp_path
):
    foreign, load_mw = csv_load
    log = tmp_path / "heard.jsonl"
    tables = play(short_scenario(4, simulators=[foreign, listener(log)]))
    fed = tables["prosumers"].query("prosumer == @POINT")
    np.testing.assert_array_equal(fed["p_inject_mw"], -load_mw[:4])
    np.testing.assert_array_equal(fed["metered_wh"], [-775, 0, -2550, -1100])
    assert (fed[["pv_p_mw", "battery_p_mw", "ev_p_mw"]] == 0).all(axis=None)
    settled = tables["settlement"].query("prosumer == @POINT")
    np.testing.assert_array_equal(settled["metered_wh"], fed["metered_wh"])
    assert_hears_the_tables(log, tables, 4)


def test_forecast_of_a_fed_prosumer_follows_what_it_was_fed(play, short_scenario, csv_load):
    foreign, load_mw = csv_load
    tables = play(short_scenario(4, simulators=[foreign]))
    planned = tables["schedules"].query("prosumer == @POINT")["nominated_wh"].to_numpy()
    before = -250_000 * load_mw[:3]
    assert (np.abs(planned[1:] - before) <= 0.2 * np.abs(before) + 1).all()


def test_a_process_of_its_own_reads_the_same_numbers(play, short_scenario, tmp_path):
    log = tmp_path / "heard.jsonl"
    tables = play(short_scenario(3, simulators=[listener(log, cmd=remote("Listener"))], **FREE))
    assert_hears_the_tables(log, tables, 3)


def test_a_simulator_that_runs_already_reads_the_same_numbers(play, short_scenario, tmp_path):
    log = tmp_path / "heard.jsonl"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, SCRIPT, "Listener", address, "--remote", "--timeout=30"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(address)
            tables = play(short_scenario(3, simulators=[listener(log, connect=address)], **FREE))
            assert process.wait(10) == 0, "it was told to stop"
        finally:
            process.kill()
    assert_hears_the_tables(log, tables, 3)


def wait_for(address: str) -> None:
    """Wait until something listens there, without taking its one connection."""
    port = f"{int(address.rpartition(':')[2]):04X}"
    for _ in range(200):
        listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(local.endswith(f":{port}") for local in listening):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at {address}")


def test_a_controller_reads_the_interval_before_and_feeds_this_one(play, short_scenario, tmp_path):
    log = tmp_path / "heard.jsonl"
    controller = listener(log, READS[:1], python="foreign_simulators:Controller")
    controller["reads"][0] |= {"time_shifted": True, "initial": 1.0}
    controller["feeds"] = [CONSUMPTION]
    tables = play(short_scenario(3, simulators=[controller]))
    vm_pu = tables["buses"].query("bus == 4")["vm_pu"].to_list()
    read = [line["read"]["voltage"]["grid-0.Bus-4"] for line in heard(log)]
    assert read == [1.0, *vm_pu]
    fed = tables["prosumers"].query("prosumer == @POINT")["p_inject_mw"]
    np.testing.assert_allclose(fed, [-0.001, -0.002, -0.003], rtol=1e-12)


def test_a_child_of_the_foreign_entity_feeds_and_reads(play, short_scenario, tmp_path):
    log = tmp_path / "heard.jsonl"
    house = listener(log, READS[:1], python="foreign_simulators:House")
    house["reads"][0] |= {"time_shifted": True, "initial": 1.0, "entity": "display"}
    house["feeds"] = [CONSUMPTION | {"entity": "display", "to_attribute": "P_gen[MW]"}]
    tables = play(short_scenario(2, simulators=[house]))
    fed = tables["prosumers"].query("prosumer == @POINT")["p_inject_mw"]
    np.testing.assert_allclose(fed, [0.001, 0.002], rtol=1e-12)
    assert [len(line["read"]["voltage"]) for line in heard(log)] == [1, 1, 1]
    house["feeds"][0]["entity"] = "kitchen"
    with pytest.raises(ScenarioError, match="display has no entity 'kitchen'"):
        play(short_scenario(2, simulators=[house]))


def test_a_value_holds_until_its_source_gives_another_and_sources_add_up(play, short_scenario):
    announcers = [
        {
            "name": f"announcer{at}",
            "python": "foreign_simulators:Announcer",
            "params": {"at": at, "value": value},
            "model": "Display",
            "feeds": [CONSUMPTION],
        }
        for at, value in ((900, 0.002), (1800, 0.004))
    ]
    plain = play(short_scenario(4))["prosumers"].query("prosumer == @POINT")
    fed = play(short_scenario(4, simulators=announcers))["prosumers"].query("prosumer == @POINT")
    assert fed["p_inject_mw"].to_list()[0] == plain["p_inject_mw"].to_list()[0]
    np.testing.assert_allclose(fed["p_inject_mw"].to_list()[1:], [-0.002, -0.006, -0.006])


@pytest.mark.parametrize("start", [{"python": "foreign_simulators:Listener"}, {"cmd": "Listener"}])
def test_whole_messages_can_be_read(play, short_scenario, tmp_path, start):
    log = tmp_path / "heard.jsonl"
    if "cmd" in start:
        start = {"cmd": remote(start["cmd"])}
    reads = [("market", "population", "prices", "message")]
    tables = play(short_scenario(3, simulators=[listener(log, reads, **start)]))
    read = [line["read"]["message"]["market-0.population"] for line in heard(log)[:3]]
    assert [prices["interval"] for prices in read] == [0, 1, 2]
    volumes = tables["orders"].query("side == 'sell'").groupby("interval")["filled_wh"].sum()
    assert [set(prices["volume_wh"]) for prices in read] == [{wh} for wh in volumes]


@pytest.mark.parametrize(
    ("step_s", "pulse", "metered_wh", "start"),
    [
        # 9 kW for five minutes of every quarter hour: 750 Wh
        (60, {}, [-750, -750, -750], {"python": "foreign_simulators:Pulse"}),
        # 9 kW from 420 to 840, from 1260 to 2100 and from 2100 to 2940
        (420, {"on": 300, "off": 800}, [-1050, -1350, -2250], {"cmd": remote("Pulse")}),
    ],
)
def test_a_feed_counts_by_its_mean_over_the_interval(
    play, short_scenario, step_s, pulse, metered_wh, start
):
    feeder = {
        "name": "pulse",
        "params": {"step_s": step_s} | pulse,
        "model": "Display",
        "feeds": [CONSUMPTION],
    } | start
    tables = play(short_scenario(3, simulators=[feeder]))
    fed = tables["prosumers"].query("prosumer == @POINT")
    assert fed["metered_wh"].to_list() == metered_wh
    np.testing.assert_allclose(fed["p_inject_mw"] * 0.25e6, metered_wh, rtol=1e-12)


def test_a_feed_that_begins_within_an_interval_is_refused(play, short_scenario):
    late = {
        "name": "announcer",
        "python": "foreign_simulators:Announcer",
        "params": {"at": 300, "value": 0.002},
        "model": "Display",
        "feeds": [CONSUMPTION],
    }
    words = r"simulator announcer: gave its first announcer\.consumption at 300 s, within the"
    with pytest.raises(SimulatorError, match=words):
        play(short_scenario(2, simulators=[late]))
