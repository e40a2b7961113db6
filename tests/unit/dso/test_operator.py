"""The DSO's rounds: what it requests, awards, curtails, and when it lets schedules be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from market_side import MarketSide, loading, operator_of, stages

from cosim.dso.instruments.curtailment import LAST_RESORT_TRIES
from cosim.dso.procurement import DsoNetwork
from cosim.messages import Extras
from cosim.messages.extras import CoveredRequests


def test_sufficient_offers_relieve_in_one_round_without_curtailment(village):
    operator = operator_of(village[0])
    market = MarketSide(village)
    final = market.play(operator)
    assert stages(operator) == [("scheduled", 0), ("relieved", 1)]
    before, after = loading(operator)
    assert before > 100.0
    # as much as the margin needs, and no more than the worst rounding to Wh beyond it
    assert after == pytest.approx(90.0, abs=0.1)
    assert after <= 90.0
    assert not final.curtailed_wh.any()
    assert len(market.requests) == 1


@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_awards_stay_within_the_request_however_the_prices_lie(village, margin):
    # the offers that help most are the dearest: the cheapest award would be larger than the need
    rng = np.random.default_rng(7)
    price = rng.integers(10_000, 500_000, village[1].size)
    market = MarketSide(village, share=1.0, price=price)
    operator = operator_of(village[0], request_margin=margin)
    final = market.play(operator)  # asserts every award against its request
    assert loading(operator)[-1] <= 90.0
    assert not final.curtailed_wh.any()
    assert market.activated_wh.sum() < 0


def test_what_was_requested_too_little_is_requested_again_before_anything_is_cut(village):
    class Underestimates(DsoNetwork):
        def need(self, *schedule):
            need = super().need(*schedule)
            half = need.total_down_mw / 2
            return type(need)(need.down_mw, need.up_mw, half, 0.0, need.relieved, 1)

    operator = operator_of(village[0], Underestimates, request_margin=0.0)
    market = MarketSide(village, share=1.0)
    final = market.play(operator)
    assert len(market.requests) == 3
    first, second, third = (down for down, _ in market.requests)
    assert first / 2 == pytest.approx(second, rel=0.02)
    # the last round has to make do: what its request leaves is cut
    assert final.curtailed_wh.sum() == pytest.approx(third, rel=0.05)
    assert loading(operator)[-1] <= 90.0


def test_without_offers_what_exceeds_the_margin_is_cut_and_recorded(village):
    operator = operator_of(village[0])
    market = MarketSide(village, share=0.0)
    final = market.play(operator)
    assert stages(operator) == [("scheduled", 0), ("relieved", 1)]
    assert loading(operator)[1] == pytest.approx(90.0, abs=0.1)
    assert (final.curtailed_wh >= 0).all()
    assert final.curtailed_wh.sum() > 0
    assert (final.curtailed_wh <= np.maximum(village[1], 0)).all()
    assert market.awards == []


def test_offers_go_before_curtailment(village):
    scarce = MarketSide(village, share=0.05)
    final = scarce.play(operator_of(village[0]))
    (awarded,) = scarce.awards
    offered = (0.05 * np.maximum(village[1], 0)).astype(np.int64)
    assert awarded.sum() == offered.sum()
    none = MarketSide(village, share=0.0)
    without = none.play(operator_of(village[0]))
    assert 0 < final.curtailed_wh.sum() < without.curtailed_wh.sum()


def test_a_dso_that_does_not_procure_records_the_violation_and_accepts(village):
    operator = operator_of(village[0], procure=False)
    market = MarketSide(village)
    final = market.play(operator)
    assert market.round == 0
    assert market.requests == []
    assert stages(operator) == [("scheduled", 0)]
    (check,) = operator.checks
    assert check.assessment.check.element[check.assessment.check.violated].tolist() == ["trafo"]
    assert not final.curtailed_wh.any()


def test_awards_that_the_ledger_does_not_take_end_in_curtailment(village):
    operator = operator_of(village[0], max_rounds=2)
    market = MarketSide(village, carries_out=False)
    final = market.play(operator)
    assert len(market.requests) == 2
    assert len(market.awards) == 2
    assert stages(operator) == [("scheduled", 0), ("relieved", 1), ("relieved", 2), ("relieved", 3)]
    assert loading(operator)[1] == loading(operator)[0] > 100.0
    assert loading(operator)[-1] <= 90.0
    assert final.curtailed_wh.sum() > 0


def test_what_cannot_be_relieved_is_accepted_as_violated_after_the_last_resort(village):
    operator = operator_of(village[0])
    market = MarketSide(village, share=0.0)
    plain = market.schedule
    nothing = np.zeros_like(village[1])
    market.schedule = lambda: replace(
        plain(), curtailable_down_wh=nothing.copy(), curtailable_up_wh=nothing.copy()
    )
    final = market.play(operator)
    assert not final.curtailed_wh.any()
    assert market.requests == []
    assert len(operator.checks) == 1 + LAST_RESORT_TRIES
    assert loading(operator)[-1] == loading(operator)[0] > 100.0


class PoorMarket(MarketSide):
    """Lets the DSO ask for a share of what it wants only."""

    def __init__(self, village, covered=0.5, **options):
        super().__init__(village, **options)
        self.covered = covered

    def schedule(self):
        plain = super().schedule()
        if not self.requests or self.awards:
            return plain
        return replace(plain, extras=Extras(CoveredRequests(*self.covered_wh())))

    def covered_wh(self):
        return tuple(int(self.covered * wh) for wh in self.requests[-1])


def test_awards_stay_within_what_money_covers_and_the_rest_is_cut(village):
    rich = MarketSide(village, share=1.0)
    rich.play(operator_of(village[0]))
    poor = PoorMarket(village, share=1.0)
    operator = operator_of(village[0])
    final = poor.play(operator)
    # one request, and no other once money has fallen short
    assert poor.requests == rich.requests[:1]
    (awarded,) = poor.awards
    assert 0 < awarded.sum() <= poor.covered_wh()[0]
    assert awarded.sum() < rich.awards[0].sum()
    assert final.curtailed_wh.sum() > 0
    assert loading(operator)[-1] <= 90.0


def test_without_any_money_all_is_cut(village):
    poor = PoorMarket(village, covered=0.0, share=1.0)
    operator = operator_of(village[0])
    final = poor.play(operator)
    assert len(poor.requests) == 1
    assert poor.activated_wh.sum() == 0
    assert loading(operator)[-1] <= 90.0
    assert final.curtailed_wh.sum() > 0


def test_money_that_fell_short_is_forgotten_with_the_interval(village):
    operator = operator_of(village[0])
    PoorMarket(village, share=1.0).play(operator)
    again = MarketSide(village)
    assert not again.play(operator).curtailed_wh.any()
    assert len(again.requests) == 1


def test_nobody_is_awarded_in_both_directions(village):
    market = MarketSide(village, up_too=True, price=np.zeros(village[1].size, dtype=np.int64))
    market.play(operator_of(village[0]))
    m = market.awards[0].size // 2
    assert not (market.awards[0][:m].astype(bool) & market.awards[0][m:].astype(bool)).any()
    assert market.awards[0][m:].sum() == 0  # raising injections at noon helps nobody


def test_each_interval_begins_anew(village):
    operator = operator_of(village[0])
    MarketSide(village, share=0.0).play(operator)
    calm = MarketSide(village)
    calm.nominated_wh = village[1] // 3
    final = calm.play(operator)
    assert stages(operator) == [("scheduled", 0)]
    assert not final.curtailed_wh.any()


def test_a_schedule_without_solution_is_violated_and_relieved(village):
    engine, nominated, q_mvar = village
    operator = operator_of(engine)
    final = MarketSide((engine, nominated * 100, q_mvar), share=0.0).play(operator)
    first, last = operator.checks[0].assessment, operator.checks[-1].assessment
    assert not first.state.converged
    assert "grid" in first.check.element[first.check.violated]
    assert last.state.converged
    assert not last.check.any_violated
    assert final.curtailed_wh.sum() > 0


def test_a_dso_that_may_not_cut_leaves_what_offers_do_not_relieve(village):
    scarce = MarketSide(village, share=0.05)
    operator = operator_of(village[0], curtail=False)
    final = scarce.play(operator)
    assert not final.curtailed_wh.any()
    offered = (0.05 * np.maximum(village[1], 0)).astype(np.int64)
    assert sum(award.sum() for award in scarce.awards) == offered.sum()  # it buys all there is
    before, *_, after = loading(operator)
    assert before > after > 100.0  # and the rest stays violated, on record


def test_a_dso_that_may_not_cut_relieves_all_the_same_with_enough_offers(village):
    market = MarketSide(village, share=0.6)
    operator = operator_of(village[0], curtail=False)
    final = market.play(operator)
    assert not final.curtailed_wh.any()
    assert loading(operator)[-1] <= 90.0


def test_checks_name_who_drives_a_violation(village):
    operator = operator_of(village[0], procure=False)
    MarketSide(village).play(operator)
    (stage,) = operator.checks_message().stages
    (violation,) = operator.checks[0].assessment.violations
    assert (stage.stage, stage.round) == ("scheduled", 0)
    assert list(stage.drivers) == [[f"home {driver.point}" for driver in violation.drivers]]
    assert stage.violated.sum() == 1


def test_without_convergence_everything_is_violated_and_nobody_known_to_drive_it(village):
    engine, nominated, q_mvar = village
    operator = operator_of(engine, procure=False)
    MarketSide((engine, nominated * 100, q_mvar)).play(operator)
    (stage,) = operator.checks_message().stages
    assert stage.violated.all()
    assert list(stage.drivers) == [[]] * stage.violated.size
