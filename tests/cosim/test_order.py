"""Who steps when, and what it knows by then."""

from __future__ import annotations

import re

import numpy as np
import pytest

from cosim.simulators.base import PopulationSimulator


@pytest.fixture
def steps(monkeypatch):
    """Every step of every simulator of ours, in the order in which they ended."""
    log = []
    step = PopulationSimulator.step

    def logged(self, time, inputs, max_advance):
        messages = {k: next(iter(v.values())) for k, v in inputs.get("population", {}).items()}
        result = step(self, time, inputs, max_advance)
        name = type(self).__name__.removesuffix("Simulator")
        log.append((time // self.step_s, name, messages, dict(self._outputs)))
        return result

    monkeypatch.setattr(PopulationSimulator, "step", logged)
    return log


@pytest.fixture
def three_intervals(steps, play, short_scenario):
    """Steps and tables of three intervals in which the transformer is overloaded."""
    return steps, play(short_scenario(intervals=3))


def test_simulators_step_in_the_order_of_the_delivery_interval(three_intervals):
    steps, _ = three_intervals
    for interval in range(3):
        names = [name for k, name, _, _ in steps if k == interval]
        assert re.fullmatch(
            r"Bidders Market( Dso Market)+ Devices Grid Recorder", " ".join(names)
        ), names
    assert [k for k, _, _, _ in steps] == sorted(k for k, _, _, _ in steps)


def test_market_and_dso_take_turns_until_the_schedules_are_accepted(three_intervals):
    steps, tables = three_intervals
    for interval in range(3):
        decisions = [out["decision"] for k, name, _, out in steps if (k, name) == (interval, "Dso")]
        rounds = [
            read["schedule"].round for k, name, read, _ in steps if (k, name) == (interval, "Dso")
        ]
        assert rounds == list(range(len(decisions)))
        assert [d.accepted for d in decisions] == [False] * (len(decisions) - 1) + [True]
        requested = not tables["flexibility"].query("interval == @interval").empty
        # request, award, recheck of the award: three turns where flexibility is bought
        assert (len(decisions) >= 3) == requested
    assert requested, "the transformer is overloaded at noon"


def test_devices_act_once_on_the_schedules_that_were_accepted(three_intervals):
    steps, _ = three_intervals
    for interval in range(3):
        inside = [step for step in steps if step[0] == interval]
        dispatched = [out["dispatch"] for _, name, _, out in inside if "dispatch" in out]
        (read,) = [read for _, name, read, _ in inside if name == "Devices"]
        (accepted,) = [
            read["schedule"] for _, name, read, out in inside if "checks" in out and name == "Dso"
        ]
        assert len(dispatched) == 1
        for key in ("nominated_wh", "activated_wh", "curtailed_wh"):
            np.testing.assert_array_equal(getattr(read["dispatch"], key), getattr(accepted, key))


def test_readings_and_prices_arrive_one_interval_later(three_intervals):
    steps, tables = three_intervals
    for interval in range(4):
        first = {}
        for k, name, read, _ in steps:
            if k == interval:
                first.setdefault(name, read)
        for reader, message in (
            ("Bidders", "delivery"),
            ("Bidders", "prices"),
            ("Market", "delivery"),
            ("Market", "flow"),
        ):
            assert first[reader][message].interval == interval - 1
    soc_mwh = tables["prosumers"].query("interval == 1")["soc_mwh"]
    (read,) = [read for k, name, read, _ in steps if (k, name) == (2, "Bidders")]
    np.testing.assert_array_equal(read["delivery"].soc_mwh, soc_mwh)


def test_last_step_only_settles(three_intervals):
    steps, tables = three_intervals
    last = [(name, sorted(out)) for k, name, _, out in steps if k == 3]
    assert sorted(last) == [
        ("Bidders", []),
        ("Devices", []),
        ("Dso", []),
        ("Grid", []),
        ("Market", ["session"]),
        ("Recorder", []),
    ]
    assert sorted(tables["settlement"]["interval"].unique()) == [0, 1, 2]
