"""Relief of a network whose power flow is solved by sparse factors."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.areas import joined_areas
from cosim.dso import programme, relief, whole
from cosim.dso.procurement import DsoNetwork, Offers
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits, check

QUANTUM_MW = 4e-6  # one Wh in a quarter of an hour


@pytest.fixture(scope="module")
def net(rural3):
    """Two areas of 118 connection points along a medium-voltage cable."""
    return joined_areas(rural3, 2)[0]


@pytest.fixture(scope="module")
def engine(net):
    engine = FixedPointEngine(net)
    assert engine.model.response.is_sparse
    return engine


@pytest.fixture(scope="module")
def noon(engine):
    """Powers that overload both areas' transformers, and offers to feed in less."""
    n = engine.model.n_points
    rng = np.random.default_rng(5)
    p_mw = rng.normal(0.0, 0.002, n) + 0.0045
    offers = Offers(
        prosumer=np.arange(n),
        direction=np.full(n, -1),
        energy_mw=np.maximum(p_mw, 0.0),
        price=rng.uniform(50.0, 200.0, n),
    )
    return p_mw, np.zeros(n), offers


def procured(engine, noon, **options):
    p_mw, nothing, offers = noon
    return DsoNetwork(engine, Limits()).procure(p_mw, nothing, offers, nothing, nothing, **options)


def test_awards_are_those_of_the_dense_form(engine, net, noon):
    found = procured(engine, noon), procured(FixedPointEngine(net, sparse=False), noon)
    assert all(one.relieved for one in found)
    assert found[0].awarded_mw == pytest.approx(found[1].awarded_mw, abs=1e-7)
    n = found[0].awarded_mw.size
    assert min(found[0].awarded_mw[: n // 2].sum(), found[0].awarded_mw[n // 2 :].sum()) > 0.05


@pytest.mark.parametrize("most_mw", [np.inf, 0.1])
def test_what_is_left_out_costs_nothing(engine, noon, most_mw, monkeypatch):
    """Violated rows and effects within an area find what every near row and effect does."""
    options = {"quantum_mw": QUANTUM_MW, "requested_down_mw": most_mw}
    small = procured(engine, noon, **options)
    monkeypatch.setattr(relief, "LARGEST_DENSE", 10**9)
    full = procured(engine, noon, **options)
    price = noon[2].price
    assert small.relieved == full.relieved == (most_mw == np.inf)
    assert price @ small.awarded_mw == pytest.approx(price @ full.awarded_mw, rel=1e-4)
    number = small.awarded_mw / QUANTUM_MW
    assert number == pytest.approx(np.rint(number), abs=1e-6)
    assert small.awarded_mw.sum() <= most_mw + 1e-9


def test_effects_of_other_areas_are_left_out_and_those_of_the_cable_kept(engine, noon):
    p_mw, nothing, _ = noon
    state = engine.solve(p_mw, nothing)
    checked = check(state, Limits(), engine.topology)
    names = checked.element
    trafos, last = np.flatnonzero(names == "trafo"), np.flatnonzero(names == "line")[-1]
    rows = np.zeros(names.size, dtype=np.bool_)
    rows[[*trafos, last]] = True
    phasors = engine.phasors(state, p_mw, nothing, rows)
    kept = relief.local(phasors.d_p) != 0.0
    n = p_mw.size
    cable, first, second = (phasors.row == i for i in range(3))
    assert kept[first, : n // 2].all()
    assert not kept[first, n // 2 :].any()
    assert kept[second, n // 2 :].all()
    assert not kept[second, : n // 2].any()
    assert kept[cable, n // 2 :].all()


def test_a_programme_with_presolve_has_the_same_answer(engine, noon, monkeypatch):
    expected = procured(engine, noon).awarded_mw
    monkeypatch.setattr(programme, "_OPTIONS", programme._OPTIONS | {"presolve": "on"})
    monkeypatch.setattr(programme, "_SOLVER", programme._Solver())
    assert procured(engine, noon).awarded_mw == pytest.approx(expected, abs=1e-9)


def test_few_swaps_are_enough_where_there_are_too_many_to_try(engine, noon, monkeypatch):
    options = {"quantum_mw": QUANTUM_MW, "requested_down_mw": 0.1}
    expected = procured(engine, noon, **options)
    monkeypatch.setattr(whole, "MOST_SWAPS", 1000)
    found = procured(engine, noon, **options)
    price = noon[2].price
    assert price @ found.awarded_mw == pytest.approx(price @ expected.awarded_mw, rel=1e-3)
    assert found.awarded_mw.sum() <= 0.1 + 1e-9


def test_rounding_of_many_actions_predicts_from_those_that_change(engine, noon, monkeypatch):
    options = {"quantum_mw": QUANTUM_MW}
    expected = procured(engine, noon, **options).awarded_mw
    monkeypatch.setattr(whole, "MANY_ACTIONS", 10)
    found = procured(engine, noon, **options).awarded_mw
    assert found == pytest.approx(expected, abs=1e-9)
    number = found / QUANTUM_MW
    assert number == pytest.approx(np.rint(number), abs=1e-6)
