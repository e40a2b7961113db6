"""Needs without margins and pivotal providers, on a feeder small enough to enumerate."""

from __future__ import annotations

import numpy as np
import pandapower as pp
import pytest

from cosim.dso.appraisal import needed_without_margins, pivotal_providers
from cosim.dso.procurement import DsoNetwork, Offers
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits

P_MW, Q_MVAR = np.array([0.06, 0.08, 0.05]), np.zeros(3)


@pytest.fixture(scope="module")
def engine():
    """400 V: three connection points in a row."""
    net = pp.create_empty_network()
    hv, at = pp.create_bus(net, 20.0), pp.create_bus(net, 0.4)
    pp.create_ext_grid(net, hv)
    pp.create_transformer(net, hv, at, "0.25 MVA 20/0.4 kV")
    for _ in range(3):
        bus = pp.create_bus(net, 0.4)
        pp.create_line(net, at, bus, 0.05, "NAYY 4x150 SE")
        pp.create_sgen(net, bus, p_mw=0.0)
        at = bus
    return FixedPointEngine(net)


def offers_of(*energy_mw):
    n = len(energy_mw)
    return Offers(np.arange(n), np.full(n, -1), np.array(energy_mw), np.linspace(1.0, 2.0, n))


def worst(engine, p_mw):
    return float(engine.solve(p_mw, Q_MVAR).line_loading_percent[0])


def test_without_margins_less_is_needed_or_nothing(engine):
    loading = worst(engine, P_MW)
    offers = offers_of(0.05, 0.05, 0.05)
    cut = DsoNetwork(engine, Limits(0.8, 1.2, loading - 5.0, 100.0), 10.0)
    awarded, sufficient = needed_without_margins(cut, P_MW, Q_MVAR, offers)
    assert sufficient
    assert (
        0.0 < awarded.sum() < cut.procure(P_MW, Q_MVAR, offers, 0 * P_MW, 0 * P_MW).awarded_mw.sum()
    )
    assert worst(engine, P_MW - awarded) == pytest.approx(loading - 5.0, abs=0.01)
    only_margin = DsoNetwork(engine, Limits(0.8, 1.2, loading + 1.0, 100.0), 10.0)
    awarded, sufficient = needed_without_margins(only_margin, P_MW, Q_MVAR, offers)
    assert sufficient
    assert not awarded.any()


def test_offers_that_do_not_suffice_without_margins_are_said_not_to(engine):
    network = DsoNetwork(engine, Limits(0.8, 1.2, worst(engine, P_MW) - 20.0, 100.0), 5.0)
    awarded, sufficient = needed_without_margins(network, P_MW, Q_MVAR, offers_of(0.01, 0.0, 0.0))
    assert not sufficient
    assert awarded == pytest.approx([0.01, 0.0, 0.0])


@pytest.mark.parametrize(
    "energy_mw", [(0.05, 0.05, 0.05), (0.03, 0.01, 0.01), (0.06, 0.004, 0.0), (0.01, 0.005, 0.0)]
)
def test_a_provider_is_pivotal_if_the_others_in_full_do_not_relieve(engine, energy_mw):
    offers = offers_of(*energy_mw)
    network = DsoNetwork(engine, Limits(0.8, 1.2, worst(engine, P_MW) - 10.0, 100.0), 5.0)
    rows = {"line": 0, "trafo": 0}
    found = pivotal_providers(network, P_MW, Q_MVAR, offers)
    element, element_idx, _ = engine.topology.check_columns
    assert all(element[row] in rows for row in found.row)
    limit = network.relief_limits.line_loading_percent - 5.0
    everyone = worst(engine, P_MW - np.array(energy_mw)) <= limit
    own = []
    for j in range(3):
        others = np.array(energy_mw)
        others[j] = 0.0
        if everyone and energy_mw[j] and worst(engine, P_MW - others) > limit:
            own.append(j)
    first_line = (element[found.row] == "line") & (element_idx[found.row] == 0)
    assert found.prosumer[first_line].tolist() == own


def test_the_cases_above_have_pivotal_providers_and_none(engine):
    network = DsoNetwork(engine, Limits(0.8, 1.2, worst(engine, P_MW) - 10.0, 100.0), 5.0)
    sizes = [
        pivotal_providers(network, P_MW, Q_MVAR, offers_of(*energy_mw)).prosumer.size
        for energy_mw in ((0.05, 0.05, 0.05), (0.06, 0.004, 0.0))
    ]
    assert sizes[0] == 0
    assert sizes[1] >= 1


def test_nobody_is_asked_alone_where_all_together_do_not_suffice(engine, monkeypatch):
    """Otherwise every provider of a large network would be left out once, in vain."""
    network = DsoNetwork(engine, Limits(0.8, 1.2, worst(engine, P_MW) - 20.0, 100.0))
    offers, states = offers_of(0.005, 0.005, 0.0), []
    plain = engine.solve_batch

    def counted(p_mw, q_mvar):
        states.append(len(p_mw))
        return plain(p_mw, q_mvar)

    monkeypatch.setattr(engine, "solve_batch", counted)
    assert not pivotal_providers(network, P_MW, Q_MVAR, offers).prosumer.size
    assert states
    assert set(states) == {1}
