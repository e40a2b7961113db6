"""Wanted state of charge at the end of a run: bounds, plans, and plays of them to the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cosim.devices.storage import Storage
from cosim.prosumers.end_of_run import USABLE, storage_rows, toward_end
from cosim.prosumers.planning import keep_within, plan_arbitrage, plan_self_consumption
from cosim.units import FloatArray

STEP_H = 0.25
C, D = 0.9, 0.8


def storage_of(end_mwh: list[float] | None, n: int = 3) -> Storage:
    def same(value: float) -> FloatArray:
        return np.full(n, value)

    return Storage(
        capacity_mwh=same(0.010),
        soc_min_mwh=same(0.001),
        soc_initial_mwh=same(0.005),
        p_max_mw=same(0.004),
        charge_efficiency=same(C),
        discharge_efficiency=same(D),
        soc_end_mwh=None if end_mwh is None else np.array(end_mwh),
    )


def test_bounds_are_what_the_usable_rating_can_still_make_up() -> None:
    storage = storage_of([0.009, np.nan, 0.002])
    near = toward_end(storage, 2, STEP_H)
    moved = 2 * USABLE * 0.004 * STEP_H  # at the grid side
    assert near.soc_min_mwh == pytest.approx([0.009 - moved * C, 0.001, 0.001])
    assert near.capacity_mwh == pytest.approx([0.010, 0.010, 0.002 + moved / D])
    last = toward_end(storage, 0, STEP_H)
    assert (last.soc_min_mwh[0], last.capacity_mwh[0]) == (0.009, 0.009)
    assert (last.soc_min_mwh[1], last.capacity_mwh[1]) == (0.001, 0.010)
    far = toward_end(storage, 500, STEP_H)
    assert (far.soc_min_mwh == 0.001).all()
    assert (far.capacity_mwh == 0.010).all()
    free = storage_of(None)
    assert toward_end(free, 0, STEP_H) is free


def test_a_plan_goes_back_between_the_bounds_at_its_rating() -> None:
    storage = storage_of([0.009, 0.005, 0.002])
    soc = np.array([0.0085, 0.005, 0.006])
    near = toward_end(storage, 0, STEP_H)
    wish = np.array([-0.004, -0.004, 0.004])
    plan = plan_self_consumption(near, soc, wish, STEP_H, 300_000.0)
    kept = keep_within(near, soc, plan, STEP_H)
    assert kept.firm_p_mw == pytest.approx([0.0005 / C / STEP_H, 0.0, -0.004])
    assert (kept.planned_p_mw == kept.firm_p_mw).all()
    free = storage_of(None)
    own = plan_self_consumption(free, soc, wish, STEP_H, 300_000.0)
    assert keep_within(free, soc, own, STEP_H) is own


@pytest.mark.parametrize("seed", range(30))
def test_any_household_ends_where_it_wants_to(seed: int) -> None:
    """Whatever the surplus and the prices, if the end is within reach of the start."""
    rng = np.random.default_rng(seed)
    n, T = 6, 40
    end = rng.uniform(0.001, 0.010, n)
    end[rng.random(n) < 0.3] = np.nan
    storage = storage_of(end.tolist(), n)
    soc = rng.uniform(0.001, 0.010, n)
    free = replace(storage, soc_end_mwh=None)
    unbound = soc.copy()
    for k in range(T):
        net = rng.normal(0.0, 0.004, n)
        prices = rng.uniform(80_000, 300_000, 96)
        near = toward_end(storage, T - 1 - k, STEP_H)
        if seed % 2:
            plan = plan_arbitrage(near, soc, net, STEP_H, prices)
            other = plan_arbitrage(free, unbound, net, STEP_H, prices)
        else:
            plan = plan_self_consumption(near, soc, net, STEP_H, 300_000.0)
            other = plan_self_consumption(free, unbound, net, STEP_H, 300_000.0)
        plan = keep_within(near, soc, plan, STEP_H)
        power = plan.firm_p_mw if rng.random() < 0.5 else plan.planned_p_mw
        assert storage.limit_power_mw(soc, power, STEP_H) == pytest.approx(power, abs=1e-15)
        soc = storage.next_soc_mwh(soc, power, STEP_H)
        taken = other.firm_p_mw if power is plan.firm_p_mw else other.planned_p_mw
        unbound = free.next_soc_mwh(unbound, taken, STEP_H)
    wanted = np.isfinite(end)
    assert soc[wanted] == pytest.approx(end[wanted], abs=1e-12)
    # who wants none is where it would have been
    assert soc[~wanted] == pytest.approx(unbound[~wanted], abs=1e-12) or wanted.all()


def test_rows_leave_out_who_has_none() -> None:
    storage = storage_of([0.009, np.nan, 0.002])
    storage = replace(storage, capacity_mwh=np.array([0.01, 0.01, 0.0]))
    (rows,) = storage_rows([storage], ["a", "b", "c"])
    assert rows["prosumer"].tolist() == ["a", "b"]
    assert rows["wanted_mwh"][0] == 0.009
    assert np.isnan(rows["wanted_mwh"][1])
    assert list(storage_rows([replace(storage, capacity_mwh=np.zeros(3))], ["a", "b", "c"])) == []
