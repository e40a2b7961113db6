"""Binding positions: trades are carried first, orders to the supplier as far as the grid can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from published_injections import published_injections

from cosim.dso.instruments.supplier_position import SupplierPositionInstrument
from cosim.dso.operator import GridOperator
from cosim.dso.procurement import DsoNetwork
from cosim.grid.fixed_point import FixedPointEngine
from cosim.grid.limits import Limits
from cosim.messages import Extras, ScheduleMessage
from cosim.messages.extras import SupplierOrders, UnservedOrders
from cosim.settings import Model
from cosim.units import energy_wh_from_mw, p_mw_from_wh

STEP_S, MARGIN_PERCENT = 900, 10.0


@pytest.fixture(scope="module")
def noon(rural1):
    """Engine of a feeder whose transformer PV overloads, and the schedules of such a noon."""
    year = published_injections(rural1)
    k = year.step("2016-05-24T12:00")
    nominated_wh = energy_wh_from_mw(year.p_inject_mw[k], STEP_S)
    nothing = np.zeros_like(nominated_wh)
    schedule = ScheduleMessage(
        interval=0,
        round=0,
        nominated_wh=nominated_wh,
        activated_wh=nothing,
        curtailed_wh=nothing,
        forecast_q_mvar=year.q_inject_mvar[k],
        curtailable_down_wh=np.maximum(nominated_wh, 0),
        curtailable_up_wh=nothing,
        offers=None,
    )
    return FixedPointEngine(rural1.net), schedule


def operator_of(engine):
    network = DsoNetwork(engine, Limits(), MARGIN_PERCENT, 0.003)
    return GridOperator(network, STEP_S, (SupplierPositionInstrument(Model()),))


def answer(noon, traded_wh):
    """Unserved orders where so much of every schedule was traded. [Wh]"""
    engine, schedule = noon
    sell_wh = np.maximum(schedule.nominated_wh - traded_wh, 0)
    orders = SupplierOrders(sell_wh=sell_wh, buy_wh=np.zeros_like(sell_wh))
    operator = operator_of(engine)
    decision = operator.decide(replace(schedule, extras=Extras(orders)))
    unserved = decision.extras.of(UnservedOrders)
    assert unserved is not None
    assert not decision.accepted
    return operator, sell_wh, unserved.energy_wh


def loading_percent(noon, unserved_wh):
    engine, schedule = noon
    p_mw = p_mw_from_wh(schedule.nominated_wh - unserved_wh, STEP_S)
    return engine.solve(p_mw, schedule.forecast_q_mvar).trafo_loading_percent.max()


def test_as_much_is_served_as_the_limits_with_their_margins_allow(noon):
    _, sell_wh, unserved_wh = answer(noon, 0)
    assert loading_percent(noon, np.zeros_like(unserved_wh)) > 100.0
    assert loading_percent(noon, unserved_wh) == pytest.approx(90.0, abs=0.1)
    assert loading_percent(noon, unserved_wh) <= 90.0
    assert ((unserved_wh >= 0) & (unserved_wh <= sell_wh)).all()


def test_what_is_traded_is_carried(noon):
    nominated_wh = noon[1].nominated_wh
    seller = int(np.argmax(nominated_wh))
    traded_wh = np.zeros_like(nominated_wh)
    traded_wh[seller] = nominated_wh[seller]
    _, _, without = answer(noon, 0)
    _, _, with_trade = answer(noon, traded_wh)
    assert with_trade[seller] == 0
    # the others stand back for it, and the grid is as full as before
    assert with_trade.sum() == pytest.approx(without.sum(), rel=0.05)
    assert loading_percent(noon, with_trade) <= 90.0


def test_after_its_answer_the_schedules_stand(noon):
    _, schedule = noon
    operator, sell_wh, unserved_wh = answer(noon, 0)
    left = SupplierOrders(sell_wh - unserved_wh, np.zeros_like(sell_wh))
    moved = replace(
        schedule, round=1, nominated_wh=schedule.nominated_wh - unserved_wh, extras=Extras(left)
    )
    assert operator.decide(moved).accepted


def test_without_a_violation_the_supplier_takes_everything(noon):
    engine, schedule = noon
    quarter = replace(schedule, nominated_wh=schedule.nominated_wh // 4)
    orders = SupplierOrders(np.maximum(quarter.nominated_wh, 0), 0 * quarter.nominated_wh)
    assert operator_of(engine).decide(replace(quarter, extras=Extras(orders))).accepted
