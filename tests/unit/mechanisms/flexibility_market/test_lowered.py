"""Delivered energy that lowered injections: by throttling, otherwise, and what was only idle."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pandas as pd
import pytest

from cosim.mechanisms.flexibility_market.indicators import idle_kwh, lowered_kwh
from cosim.results.reader import Results


def test_idle_capacity_lowers_nothing() -> None:
    powers = pd.DataFrame(
        {
            "interval": [0, 0],
            "prosumer": ["a", "b"],
            "pv_curtailed_p_mw": [0.004, 0.0],  # a throttles 1 kWh in a quarter of an hour
        }
    )
    whole = SimpleNamespace(frame=lambda name: powers, step_h=0.25, first=0, n_intervals=1)
    whole.stretches = lambda: iter([whole])
    whole.is_long, whole.kept = False, lambda name, make: make()
    results = cast("Results", whole)
    rows = pd.DataFrame(
        {
            "interval": 0,
            "request": 1,
            "prosumer": ["a", "a", "b"],
            "direction": "down",
            "delivered_wh": [5000, 1500, 2000],  # in two blocks; b does not reach beyond the idle
            "idle_wh": [5000, 5000, 3000],
        }
    )
    throttled, other = lowered_kwh(results, rows)
    assert (throttled, other) == pytest.approx((1.0, 0.5))
    throttled, other = lowered_kwh(results, rows.drop(columns="idle_wh"))
    assert (throttled, other) == pytest.approx((1.0, 7.5))


def test_idle_energy_is_counted_once_an_offer_and_as_far_as_it_was_awarded() -> None:
    rows = pd.DataFrame(
        {
            "interval": 0,
            "request": [1, 1, 1, 2],
            "prosumer": ["a", "a", "b", "a"],
            "awarded_wh": [5000, 1500, 2000, 0],  # in two blocks; b's reaches not beyond the idle
            "idle_wh": [5000, 5000, 3000, 700],
        }
    )
    assert idle_kwh(rows) == 7.0
    assert idle_kwh(rows.drop(columns="idle_wh")) == 0.0
