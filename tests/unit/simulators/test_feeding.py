"""Means of fed signals over intervals: energy is kept, whatever the steps of the simulator."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from cosim.errors import SimulatorError
from cosim.scenario.simulators import ForeignSimulator
from cosim.simulators.feeding import IntervalFeed

WANTED = {"load": ["P"]}
REMOTE = SimpleNamespace(sim=SimpleNamespace(output_request=WANTED))


def foreign(**changes) -> ForeignSimulator:
    feed = {"attribute": "P", "to_entity": "a", "to_attribute": "P_load[MW]"}
    fields = {"name": "source", "python": "m:C", "model": "M", "feeds": [feed]} | changes
    return ForeignSimulator(**fields)


def means(signal: list[tuple[int, float]], intervals: int, step_s: int = 900) -> list[object]:
    """Play a source that steps at the times of a signal; its value in each interval."""
    feed, calls = IntervalFeed(foreign(), step_s), []
    following = dict(zip([t for t, _ in signal], [t for t, _ in signal[1:]], strict=False))
    values = dict(signal)

    async def ask(request):
        if request[0] == "get_data":
            assert request[1] == (WANTED,)
            value = values[calls[-1]]
            return {} if value is None else {"load": {"P": value}}
        calls.append(request[1][0])
        return following.get(calls[-1], 10**9)

    async def play():
        got = []
        for k in range(intervals):
            next_s = await feed.send(("step", (k * step_s, {}, 0), {}), ask, REMOTE)
            assert next_s == (k + 1) * step_s
            data = await feed.send(("get_data", (WANTED,), {}), ask, REMOTE)
            got.append(data.get("load", {}).get("P"))
        return got

    got = asyncio.run(play())
    assert calls == [t for t, _ in signal if t < intervals * step_s], "once each, in order"
    return got


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ([(0, 0.0), (300, 9.0), (600, 0.0)], [3.0, 0.0]),
        ([(0, 9.0), (1350, 0.0)], [9.0, 4.5]),
        ([(0, 1.0), (900, 2.0)], [1.0, 2.0]),
        ([(0, 5.0)], [5.0, 5.0]),
        ([(0, None), (900, 2.0)], [None, 2.0]),
    ],
)
def test_hand_made_signals(signal, expected):
    assert means(signal, 2) == expected


def test_a_constant_signal_is_not_rounded():
    assert means([(60 * k, 0.1) for k in range(30)], 2) == [0.1, 0.1]


def test_energy_is_kept_for_uneven_steps():
    rng = np.random.default_rng(3)
    times = np.concatenate([[0], np.cumsum(rng.integers(1, 700, 80))])
    values = rng.uniform(-1, 1, len(times))
    n = 20
    got = means(list(zip(times.tolist(), values.tolist(), strict=True)), n)
    ends = np.append(times[1:], 10**9)
    seconds = np.clip(ends, 0, 900 * n) - np.clip(times, 0, 900 * n)
    assert 900 * np.sum(got) == pytest.approx(np.sum(values * seconds), abs=1e-9)


def test_values_that_are_no_numbers_pass_to_who_refuses_them():
    assert means([(0, 1.0), (300, "a lot")], 1) == ["a lot"]
    assert np.isnan(means([(0, 1.0), (300, float("nan"))], 1)[0])


def test_a_signal_that_begins_within_an_interval_is_refused():
    with pytest.raises(SimulatorError, match=r"gave its first load\.P at 300 s, within"):
        means([(0, None), (300, 1.0)], 1)


@pytest.mark.parametrize(
    ("step", "data", "words"),
    [
        (0, {}, "its step at 0 s returned 0, not a later time"),
        (3.5, {}, "returned 3.5"),
        (900, None, "get_data at 0 s gave None"),
        (900, {"load": 1.0}, "not values by entity and attribute"),
        (900, {"time": -1, "load": {"P": 1.0}}, "get_data at 0 s gave"),
    ],
)
def test_answers_that_break_the_rules_of_mosaik_are_named(step, data, words):
    async def ask(request):
        return data if request[0] == "get_data" else step

    request = ("step", (0, {}, 0), {})
    with pytest.raises(SimulatorError, match="simulator source: broke the rules") as caught:
        asyncio.run(IntervalFeed(foreign(), 900).send(request, ask, REMOTE))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "answer", "words"),
    [
        (("step", (900, {}, 0), {}), 960, "returned 960 s as its next step"),
        (("get_data", (WANTED,), {}), {"time": 1000}, "gave outputs for 1000 s"),
    ],
)
def test_one_that_also_reads_keeps_to_the_intervals(request_, answer, words):
    reading = {"from_simulator": "grid", "from_entity": "Bus-1", "from_attribute": "Vm[pu]"}
    reader = foreign(reads=[reading | {"attribute": "U"}])

    async def ask(request):
        return answer

    with pytest.raises(SimulatorError, match=words):
        asyncio.run(IntervalFeed(reader, 900).send(request_, ask, REMOTE))


@pytest.mark.parametrize("answer", [960, 2700])
def test_a_stand_in_steps_every_interval(answer):
    stand_in = foreign(feeds=[], replaces="grid")

    async def ask(request):
        return answer

    request = ("step", (900, {}, 0), {})
    with pytest.raises(SimulatorError, match=f"its step at 900 s returned {answer}; "):
        asyncio.run(IntervalFeed(stand_in, 900).send(request, ask, REMOTE))
    answer = 1800
    assert asyncio.run(IntervalFeed(stand_in, 900).send(request, ask, REMOTE)) == 1800
