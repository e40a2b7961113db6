"""A medium-voltage feeder whose offers reach far past zero flow, where a loading turns round."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pytest

from cosim.dso.procurement import DsoNetwork, Offers
from cosim.dso.programme import Actions
from cosim.dso.relief import relieve
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits

LIMITS = Limits(0.95, 1.05, 60.0, 80.0)
KWH_MW = 4e-3
"""Power of one kWh in a quarter of an hour."""


def feeders(*of_feeder_km):
    """A 20 kV network of radial feeders, a connection point at the end of each section."""
    net = pp.create_empty_network()
    hv, busbar = pp.create_bus(net, 110.0), pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, hv, vm_pu=1.0)
    pp.create_transformer(net, hv, busbar, "40 MVA 110/20 kV")
    for lengths_km in of_feeder_km:
        at = busbar
        for length_km in lengths_km:
            bus = pp.create_bus(net, 20.0)
            pp.create_line(net, at, bus, length_km, "NA2XS2Y 1x95 RM/25 12/20 kV")
            pp.create_sgen(net, bus, p_mw=0.0, q_mvar=0.0)
            at = bus
    return FixedPointEngine(net)


@pytest.fixture(scope="module")
def engine():
    """One long feeder of five connection points, and a short one of two."""
    return feeders((2.8, 4.4, 0.6, 0.6, 1.5), (4.9, 3.0))


P_MW = np.array([0.2, 9.0, 6.0, 5.0, 4.0, -0.4, 3.0])
Q_MVAR = np.array([-0.1, -0.2, -0.1, -0.1, -0.1, -0.1, -0.1])


def test_full_use_past_zero_flow_is_not_mistaken_for_no_use(engine):
    # every producer can take more than it feeds: the whole feeder turns round
    actions = Actions(
        point=np.array([1, 2, 3, 4, 6]),
        direction=np.full(5, -1),
        max_mw=np.array([10.0, 8.0, 6.0, 6.0, 3.0]),
        cost=np.array([90.0, 80.0, 100.0, 70.0, 60.0]),
    )
    before = engine.solve(P_MW, Q_MVAR)
    assert before.line_loading_percent.max() > 200.0
    found = relieve(engine, LIMITS, P_MW, Q_MVAR, actions)
    assert found.within_limits
    assert found.state.line_loading_percent.max() <= 60.0
    full = engine.solve(P_MW + actions.change_mw(actions.max_mw, 7), Q_MVAR)
    assert full.line_loading_percent.max() > 60.0  # everything is too much
    assert actions.cost @ found.amount_mw < 0.9 * (actions.cost @ actions.max_mw)


def test_steep_offers_must_pass_zero_flow_on_one_line_to_relieve_another(engine):
    # the last two points cannot stop feeding: those before them must consume
    actions = Actions(
        point=np.array([1, 2]),
        direction=np.array([-1, -1]),
        max_mw=np.array([18.0, 18.0]),
        cost=np.array([50.0, 60.0]),
    )
    limits = Limits(0.9, 1.1, 100.0, 100.0)
    found = relieve(engine, limits, P_MW, Q_MVAR, actions)
    assert found.within_limits
    # as a search over a grid of 0.05 MW finds it, by an AC power flow each
    steps = np.arange(0.0, 18.001, 0.05)
    first, second = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    p_mw = np.tile(P_MW, (first.size, 1))
    p_mw[:, 1] -= first
    p_mw[:, 2] -= second
    cost = np.where(kept(engine, p_mw, limits), 50.0 * first + 60.0 * second, np.inf)
    assert np.isfinite(cost.min())
    assert actions.cost @ found.amount_mw == pytest.approx(cost.min(), rel=0.01)


def kept(engine, p_mw, limits):
    states = engine.solve_batch(p_mw, np.tile(Q_MVAR, (len(p_mw), 1)))
    vm_pu = states.vm_pu[:, engine.topology.bus_live]
    return (
        states.converged
        & (states.line_loading_percent <= limits.line_loading_percent).all(axis=1)
        & (states.trafo_loading_percent <= limits.trafo_loading_percent).all(axis=1)
        & (vm_pu <= limits.vm_max_pu).all(axis=1)
        & (vm_pu >= limits.vm_min_pu).all(axis=1)
    )


def offers_of(point, kwh, price):
    point = np.asarray(point, dtype=np.int64)
    return Offers(
        prosumer=point,
        direction=np.full(point.size, -1),
        energy_mw=KWH_MW * np.asarray(kwh, dtype=float),
        price=np.asarray(price, dtype=float),
    )


def test_nothing_is_curtailed_where_offers_suffice_though_a_cut_helps_far_more():
    far = feeders((15.0,), (0.1,))
    p_mw, q_mvar, none = np.array([4.0, 0.0]), np.zeros(2), np.zeros(2)
    highest = float(far.solve(p_mw, q_mvar).vm_pu.max())
    network = DsoNetwork(far, Limits(0.9, highest - 2e-4, 100.0, 100.0))
    offers = offers_of([1], [5000], [1.0])
    cut = network.procure(p_mw, q_mvar, offers_of([], [], []), p_mw, none)
    result = network.procure(p_mw, q_mvar, offers, p_mw, none, quantum_mw=KWH_MW / 1000)
    # more than the hundred times by which a cut is dearer than any offer
    assert result.awarded_mw.sum() > 100.0 * cut.curtailed_mw.sum() > 0.0
    assert result.margins_kept
    assert not result.curtailed_mw.any()
    wh = result.awarded_mw / (KWH_MW / 1000)
    np.testing.assert_allclose(wh, np.rint(wh), atol=1e-6)


def test_of_what_does_not_suffice_the_point_of_least_excess_is_returned(engine):
    actions = Actions(
        point=np.array([4]), direction=np.array([-1]), max_mw=np.array([3.0]), cost=np.array([1.0])
    )
    found = relieve(engine, LIMITS, P_MW, Q_MVAR, actions)
    assert not found.within_limits
    assert found.amount_mw == pytest.approx([3.0])
    assert found.check.any_violated


def test_awards_are_whole_wh_at_the_cost_of_the_continuous_optimum(engine):
    offers = offers_of([1, 2, 3, 4, 6], [2500, 2000, 1500, 1500, 750], [3.0, 2.0, 4.0, 1.0, 1.0])
    network = DsoNetwork(engine, LIMITS)
    none, quantum_mw = np.zeros(7), KWH_MW / 1000
    exact = network.procure(P_MW, Q_MVAR, offers, none, none)
    whole = network.procure(P_MW, Q_MVAR, offers, none, none, quantum_mw=quantum_mw)
    assert whole.margins_kept
    costs = [float(offers.price @ each.awarded_mw) for each in (exact, whole)]
    # a Wh of each offer that is taken in part
    assert costs[1] <= costs[0] + 5 * 4.0 * quantum_mw
