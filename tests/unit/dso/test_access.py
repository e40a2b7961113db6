"""Curtailment by principles of access: least energy, pro rata, last in first out."""

from __future__ import annotations

import numpy as np
import pytest
from market_side import STEP_S, MarketSide, loading, operator_of
from pydantic import ValidationError

from cosim.dso.access import PARTS, contributing, cut_by_rule
from cosim.dso.instruments.curtailment import CurtailmentInstrument, CurtailmentOptions
from cosim.dso.procurement import DsoNetwork
from cosim.errors import ScenarioError
from cosim.grid.limits import Limits, check
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.units import p_mw_from_wh

MARGIN_PERCENT = 10.0


def network_of(village) -> DsoNetwork:
    return DsoNetwork(village[0], Limits(), MARGIN_PERCENT, 0.003)


def excess(village, cut_wh) -> float:
    """Of the limits with their margins, as the AC power flow has it after a cut."""
    engine, net_wh, q_mvar = village
    state = engine.solve(p_mw_from_wh(net_wh - cut_wh, STEP_S), q_mvar)
    return check(state, network_of(village).relief_limits, engine.topology).excess


def cut(village, rule, connected=None):
    _, net_wh, q_mvar = village
    down_wh = np.maximum(net_wh, 0)
    order = range(net_wh.size) if connected is None else connected
    return cut_by_rule(
        rule, network_of(village), net_wh, q_mvar, down_wh, np.zeros_like(down_wh), STEP_S, order
    )


def test_pro_rata_takes_the_same_share_of_everybody_and_no_more_than_is_needed(village):
    cut_wh, down_wh = cut(village, "pro_rata"), np.maximum(village[1], 0)
    part = int(np.ceil(cut_wh.sum() / down_wh.sum() * PARTS)) - 1
    parts = [-(-down_wh * one // PARTS) for one in range(part - 3, part + 4)]
    (found,) = [k for k, one in enumerate(parts) if np.array_equal(one, cut_wh)]
    assert excess(village, cut_wh) == 0.0
    assert excess(village, parts[found - 1]) > 0.0
    share = cut_wh[down_wh > 0] / down_wh[down_wh > 0]
    assert 0.1 < share.min() <= share.max() < 0.9
    assert np.ptp(share) < 1.0 / down_wh[down_wh > 0].min()


@pytest.mark.parametrize("newest_first", [True, False])
def test_last_in_first_out_asks_nobody_before_those_after_gave_everything(village, newest_first):
    order = list(range(village[1].size))
    connected = order if newest_first else order[::-1]
    cut_wh, down_wh = cut(village, "last_in_first_out", connected), np.maximum(village[1], 0)
    newest = [i for i in connected[::-1] if down_wh[i] > 0]
    is_whole = [cut_wh[i] == down_wh[i] for i in newest]
    first_kept = is_whole.index(False)
    assert first_kept > 0
    assert not cut_wh[newest[first_kept + 1 :]].any()
    assert excess(village, cut_wh) == 0.0
    one_less = cut_wh.copy()
    one_less[newest[first_kept] if cut_wh[newest[first_kept]] else newest[first_kept - 1]] -= 1
    assert excess(village, one_less) > 0.0


def test_no_rule_cuts_less_than_the_least_energy(village):
    network, (_, net_wh, q_mvar) = network_of(village), village
    potential = p_mw_from_wh(np.maximum(net_wh, 0), STEP_S)
    least = network.need(
        p_mw_from_wh(net_wh, STEP_S), q_mvar, potential, np.zeros_like(potential)
    ).total_down_mw
    for rule in ("pro_rata", "last_in_first_out"):
        assert p_mw_from_wh(cut(village, rule).sum(), STEP_S) >= least - 1e-5


def test_who_consumes_contributes_the_other_way(village):
    engine, net_wh, q_mvar = village
    network = network_of(village)
    feeding = p_mw_from_wh(net_wh, STEP_S)
    assert set(contributing(network, feeding, q_mvar)) == {1}  # reverse flow: less injection
    assert set(contributing(network, -feeding, q_mvar)) == {-1}
    assert not contributing(network, 0.1 * feeding, q_mvar).any()
    drawn_wh = np.maximum(net_wh, 0)
    cut_wh = cut_by_rule(
        "pro_rata", network, -drawn_wh, q_mvar, 0 * drawn_wh, drawn_wh, STEP_S, range(drawn_wh.size)
    )
    assert (cut_wh <= 0).all()
    state = engine.solve(p_mw_from_wh(-drawn_wh - cut_wh, STEP_S), q_mvar)
    assert not check(state, network.relief_limits, engine.topology).any_violated


def test_where_nothing_may_be_cut_or_nothing_is_violated_nothing_is(village):
    _, net_wh, q_mvar = village
    nothing, order = np.zeros_like(net_wh), range(net_wh.size)
    network = network_of(village)
    for net, down in ((net_wh, nothing), (net_wh // 10, net_wh.clip(0) // 10)):
        found = cut_by_rule("pro_rata", network, net, q_mvar, down, nothing, STEP_S, order)
        assert not found.any()


def test_what_does_not_suffice_comes_as_near_as_it_can(village):
    _, net_wh, q_mvar = village
    tenth_wh = np.maximum(net_wh, 0) // 10
    network, nothing = network_of(village), np.zeros_like(net_wh)
    found = cut_by_rule(
        "pro_rata", network, net_wh, q_mvar, tenth_wh, nothing, STEP_S, range(net_wh.size)
    )
    np.testing.assert_array_equal(found, tenth_wh)


@pytest.mark.parametrize("rule", ["pro_rata", "last_in_first_out"])
def test_the_rule_decides_what_offers_leave(village, rule):
    instruments = ("flexibility_market", {"kind": "curtailment", "rule": rule})
    operator = operator_of(village[0], instruments=instruments)
    market = MarketSide(village, share=0.2)
    final = market.play(operator)
    assert market.activated_wh.sum() < 0  # offers first
    assert loading(operator)[-1] <= 100.0 - MARGIN_PERCENT
    left_wh = np.maximum(village[1] + market.activated_wh, 0)
    cut_wh = final.curtailed_wh
    assert cut_wh.sum() > 0
    if rule == "last_in_first_out":
        assert (cut_wh > 0).sum() < (left_wh > 0).sum()
        assert cut_wh[np.flatnonzero(left_wh)[-1]] > 0
    else:
        assert ((cut_wh > 0) == (left_wh > 0)).all()


def test_the_order_names_connection_points_once():
    for order, problem in ((("a", "d"), "no connection point"), (("a", "b", "a"), "twice")):
        instrument = CurtailmentInstrument(CurtailmentOptions(connection_order=order))
        with pytest.raises(ScenarioError, match=problem) as caught:
            instrument.meet(("a", "b", "c"))
        assert caught.value.field == "dso.instruments"
        assert caught.value.remedy
    instrument = CurtailmentInstrument(CurtailmentOptions(connection_order=("c", "a")))
    instrument.meet(("a", "b", "c"))
    assert instrument._connected == [1, 2, 0]


def test_a_rule_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match=r"curtailment\.rule"):
        DsoSettings(instruments=({"kind": "curtailment", "rule": "by_height"},))
