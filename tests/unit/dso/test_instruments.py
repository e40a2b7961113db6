"""Instruments in a DSO's rounds: their order, what they announce, and how a scenario names them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from market_side import MarketSide, loading, operator_of, stages
from pydantic import ValidationError

from cosim.dso.instruments.base import Action, Instrument
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.messages import Extras
from cosim.messages.extras import extra
from cosim.settings import Model


@extra("unit test: agreed limit")
@dataclass(frozen=True)
class AgreedLimit:
    limit_wh: int


class LimitOptions(Model):
    limit_wh: int


class ExportLimit(Instrument[LimitOptions]):
    """Cuts injection above a fixed limit, whether the grid needs it or not."""

    settings_type = LimitOptions

    def announce(self, interval, network):
        return Extras(AgreedLimit(self.settings.limit_wh + interval))

    def act(self, round, assessment):
        excess_wh = np.maximum(round.net_wh - self.settings.limit_wh, 0)
        return Action(curtailed_wh=excess_wh) if excess_wh.any() else None


def test_the_first_instrument_that_acts_decides_the_round(village):
    settled = DsoSettings().made_instruments()
    limit_wh = int(village[1].max()) - 200
    operator = operator_of(village[0])
    operator.instruments = (ExportLimit(LimitOptions(limit_wh=limit_wh)), *settled)
    market = MarketSide(village, share=0.8)
    first = operator.decide(market.schedule())
    excess_wh = np.maximum(village[1] - limit_wh, 0)
    assert excess_wh.sum() == 200
    np.testing.assert_array_equal(first.curtailed_wh, excess_wh)
    assert (first.request_down_wh, first.accepted) == (0, False)
    market.carry_out(first)
    second = operator.decide(market.schedule())
    # the transformer is still overloaded: the market behind it is asked, the cut stays in force
    assert second.request_down_wh > 0
    np.testing.assert_array_equal(second.curtailed_wh, excess_wh)
    market.carry_out(second)
    final = market.play(operator)
    np.testing.assert_array_equal(final.curtailed_wh, excess_wh)
    assert market.activated_wh.sum() < 0
    assert loading(operator)[-1] <= 90.0
    assert stages(operator) == [("scheduled", 0), ("relieved", 1), ("relieved", 2)]


def test_an_instrument_acts_without_any_violation(village):
    operator = operator_of(village[0], procure=False)
    operator.instruments = (ExportLimit(LimitOptions(limit_wh=10)),)
    calm = MarketSide(village)
    calm.nominated_wh = np.full_like(village[1], 40)
    final = calm.play(operator)
    assert final.curtailed_wh.tolist() == [30] * village[1].size


def test_the_accepting_decision_carries_what_is_announced_of_the_next_interval(village):
    operator = operator_of(village[0])
    operator.instruments = (ExportLimit(LimitOptions(limit_wh=10**9)),)
    assert operator.announce(0).of(AgreedLimit) == AgreedLimit(10**9)
    final = MarketSide(village).play(operator)
    assert final.extras.of(AgreedLimit) == AgreedLimit(10**9 + 1)
    assert MarketSide(village).play(operator_of(village[0])).extras.of(AgreedLimit) is None


def test_a_market_with_nothing_behind_it_cuts_nothing_though_curtailment_stands_before(village):
    scarce = MarketSide(village, share=0.05)
    operator = operator_of(village[0], instruments=["curtailment", "flexibility_market"])
    final = scarce.play(operator)
    # the last resort was asked first and relieved all
    assert scarce.requests == []
    assert final.curtailed_wh.sum() > 0
    alone = MarketSide(village, share=0.05)
    final = alone.play(operator_of(village[0], instruments=["flexibility_market"]))
    assert not final.curtailed_wh.any()
    assert alone.activated_wh.sum() < 0


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, ["FlexibilityMarketInstrument", "CurtailmentInstrument"]),
        ({"procure": False}, []),
        ({"curtail": False}, ["FlexibilityMarketInstrument"]),
        ({"instruments": []}, []),
        ({"instruments": ["curtailment"]}, ["CurtailmentInstrument"]),
        ({"instruments": [{"kind": "curtailment"}], "curtail": False}, []),
    ],
)
def test_instruments_of_a_scenario(settings, kinds):
    made = DsoSettings(**settings).made_instruments()
    assert [type(one).__name__ for one in made] == kinds


def test_fields_of_the_section_reach_the_instrument_that_has_them():
    settings = DsoSettings(request_margin=0.25, max_rounds=2)
    market, _ = settings.made_instruments()
    assert (market.settings.request_margin, market.settings.max_rounds) == (0.25, 2)


@pytest.mark.parametrize(
    ("instruments", "says"),
    [
        (["curtailement"], "no instrument 'curtailement'; there are curtailment, flexibility_m"),
        ([{"max_rounds": 2}], "no instrument None; there are"),
        (
            [{"kind": "curtailment", "limit": 2}],
            "curtailment.limit: Extra inputs are not permitted",
        ),
        ([{"kind": "flexibility_market", "max_rounds": 2}], "give dso.max_rounds, which flexibil"),
    ],
)
def test_an_instrument_that_cannot_be_is_refused_by_name(instruments, says):
    with pytest.raises(ValidationError, match=says):
        DsoSettings(instruments=instruments)
