"""Relief finds what exists, at hardly more than the least cost, on random networks.

The best of up to four offers is searched on a grid of points with an AC power flow each, refined
round the best point: slow, and nothing of it is shared with the linear programmes. The same
examples are drawn every time; ``COSIM_RELIEF_EXAMPLES`` asks for more of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandapower as pp
import pytest
from profiles import asked_for

from cosim.dso.programme import Actions
from cosim.dso.relief import relieve
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits

EXAMPLES = asked_for("COSIM_RELIEF_EXAMPLES", 8)
KINDS = ("lv", "mv", "meshed")


@dataclass
class Example:
    """Network, limits, injections and offers."""

    engine: FixedPointEngine
    limits: Limits
    p_mw: np.ndarray
    q_mvar: np.ndarray
    actions: Actions

    def within(self, amounts_mw):
        """Return which amounts, (t, m), keep every limit, by a power flow each."""
        effect = np.zeros((self.actions.point.size, self.p_mw.size))
        effect[np.arange(self.actions.point.size), self.actions.point] = self.actions.direction
        p_mw = self.p_mw + amounts_mw @ effect
        states = self.engine.solve_batch(p_mw, np.broadcast_to(self.q_mvar, p_mw.shape))
        limits, topology = self.limits, self.engine.topology
        vm, line = states.vm_pu[:, topology.bus_live], states.line_loading_percent
        return (
            states.converged
            & (vm >= limits.vm_min_pu).all(axis=1)
            & (vm <= limits.vm_max_pu).all(axis=1)
            & (line <= limits.line_loading_percent).all(axis=1)
            & (states.trafo_loading_percent <= limits.trafo_loading_percent).all(axis=1)
        )

    def searched(self):
        """Return the least cost of amounts within limits on a refined grid; inf if none is."""
        cost, top = self.actions.cost, self.actions.max_mw
        m = top.size
        n = {1: 101, 2: 25, 3: 11, 4: 7}[m]
        low, high, least = np.zeros(m), top.copy(), np.inf
        for _ in range(7):
            axes = [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]
            grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, m)
            kept = grid[self.within(grid)]
            if not len(kept):
                break
            best = kept[np.argmin(kept @ cost)]
            least = min(least, float(best @ cost))
            step = 1.5 * (high - low) / (n - 1)
            low, high = np.maximum(best - step, 0.0), np.minimum(best + step, top)
        return least


@cache
def random_network(kind, seed):
    """Return engine and size of a transformer with up to three feeders; [MW].

    ``meshed`` joins the ends of two of them.
    """
    rng = np.random.default_rng([KINDS.index(kind), seed])
    net = pp.create_empty_network()
    lv = kind == "lv"
    vn_hv, vn_lv = (20.0, 0.4) if lv else (110.0, 20.0)
    hv, busbar = pp.create_bus(net, vn_hv), pp.create_bus(net, vn_lv)
    pp.create_ext_grid(net, hv, vm_pu=rng.uniform(0.98, 1.03))
    trafo = rng.choice(["0.25 MVA 20/0.4 kV", "0.4 MVA 20/0.4 kV"]) if lv else "25 MVA 110/20 kV"
    pp.create_transformer(net, hv, busbar, trafo)
    kinds = ["NAYY 4x50 SE", "NAYY 4x150 SE"]
    if not lv:
        kinds = ["NA2XS2Y 1x95 RM/25 12/20 kV", "NA2XS2Y 1x185 RM/25 12/20 kV"]
    ends = []
    for _ in range(int(rng.integers(2, 4))):
        at = busbar
        for _ in range(int(rng.integers(2, 6))):
            bus = pp.create_bus(net, vn_lv)
            km = rng.uniform(0.03, 0.25) if lv else rng.uniform(0.5, 5.0)
            pp.create_line(net, at, bus, km, rng.choice(kinds))
            pp.create_sgen(net, bus, p_mw=0.0, q_mvar=0.0)
            at = bus
        ends.append(at)
    if kind == "meshed":
        pp.create_line(net, ends[0], ends[1], 1.0, kinds[0])
    return FixedPointEngine(net), 0.05 if lv else 5.0


def random_example(kind, seed, n_offers):
    """Draw injections with a solution, limits that some of it violates, and offers."""
    rng = np.random.default_rng([KINDS.index(kind), seed, n_offers])
    engine, size_mw = random_network(kind, seed // 4)
    n = engine.model.n_points
    mix = [("feed", -0.1, 1.2), ("draw", -1.0, 0.1), ("both", -0.6, 0.9)][int(rng.integers(3))]
    p_mw = rng.uniform(*mix[1:], n) * size_mw * rng.uniform(0.3, 1.5)
    q_mvar = -rng.uniform(0.0, 0.2, n) * np.abs(p_mw)
    while not (state := engine.solve(p_mw, q_mvar)).converged:
        p_mw, q_mvar = 0.8 * p_mw, 0.8 * q_mvar
    worst = state.line_loading_percent.max(), state.trafo_loading_percent.max()
    vm_pu = state.vm_pu[engine.topology.bus_live]
    tight = rng.uniform(0.3, 1.3, 4)
    tight[rng.integers(4)] = rng.uniform(0.3, 0.95)
    limits = Limits(
        vm_min_pu=min(1.0 - tight[0] * (1.0 - float(vm_pu.min())), 0.97),
        vm_max_pu=max(1.0 + tight[1] * (float(vm_pu.max()) - 1.0), 1.03),
        line_loading_percent=tight[2] * float(worst[0]),
        trafo_loading_percent=tight[3] * float(worst[1]),
    )
    # most of them towards zero, and some far past it
    m = min(n_offers, n)
    point = rng.choice(n, m, replace=False, p=np.abs(p_mw) / np.abs(p_mw).sum())
    helps = -np.sign(p_mw[point]).astype(np.int64)
    actions = Actions(
        point=point.astype(np.int64),
        direction=np.where(rng.random(m) < 0.8, helps, -helps),
        max_mw=np.abs(p_mw[point]) * rng.uniform(0.5, rng.choice([1.0, 5.0]), m),
        cost=rng.uniform(10.0, 600.0, m),
    )
    return Example(engine, limits, p_mw, q_mvar, actions)


@pytest.mark.parametrize("kind", KINDS)
def test_relief_is_found_whenever_full_use_of_offers_is_one(kind):
    n_possible = 0
    for seed in range(EXAMPLES):
        example = random_example(kind, seed, 3 + seed % 8)
        top, direction = example.actions.max_mw, example.actions.direction
        full = np.array([np.where(direction < 0, top, 0), np.where(direction > 0, top, 0), top])
        if not example.within(full).any():
            continue
        n_possible += 1
        found = relieve(
            example.engine, example.limits, example.p_mw, example.q_mvar, example.actions
        )
        assert found.within_limits, seed
        assert example.within(found.amount_mw[None]).all(), seed
        assert (found.amount_mw <= top).all()
    assert n_possible >= EXAMPLES // 8


@pytest.mark.parametrize("kind", KINDS)
def test_relief_by_few_offers_costs_hardly_more_than_the_best_that_a_search_finds(kind):
    n_possible = 0
    for seed in range(EXAMPLES):
        example = random_example(kind, seed, 1 + seed % 4)
        least = example.searched()
        if not np.isfinite(least):
            continue
        n_possible += 1
        found = relieve(
            example.engine, example.limits, example.p_mw, example.q_mvar, example.actions
        )
        assert found.within_limits, seed
        assert example.actions.cost @ found.amount_mw <= 1.01 * least + 1e-9, seed
    assert n_possible >= EXAMPLES // 8
