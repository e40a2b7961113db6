"""What strategies are told of their own fills, awards and money is what the tables hold."""

from __future__ import annotations

import numpy as np
import pytest

from cosim.plugins import STRATEGIES
from cosim.prosumers.flexibility import FlexibilityContext, FlexibilityPrices
from cosim.prosumers.strategies import Truthful


class Listening(Truthful):
    """Truthful, and keeps what it is told."""

    told: list[FlexibilityContext] = []  # noqa: RUF012

    def price_flexibility(self, context: FlexibilityContext) -> FlexibilityPrices:
        self.told.append(context)
        return super().price_flexibility(context)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[FlexibilityContext]:
    monkeypatch.setitem(STRATEGIES._points, "listening", None)
    monkeypatch.setitem(STRATEGIES._loaded, "listening", Listening)
    Listening.told = []
    return Listening.told


def test_own_outcomes_are_those_of_the_tables(play, short_scenario, told) -> None:
    tables = play(short_scenario(4, prosumers={"strategies": [{"name": "listening"}]}))
    contexts = {one.interval: one for one in told}
    schedules = tables["schedules"].sort_values(["interval", "prosumer"], kind="stable")
    names = tables["schedules"].query("interval == 0")["prosumer"].tolist()
    assert not contexts[0].outcomes.awarded_wh.any()
    for k in range(1, 4):
        own = contexts[k].outcomes
        before = schedules[schedules["interval"] == k - 1].set_index("prosumer").loc[names]
        assert own.contracted_wh.tolist() == before["contracted_wh"].tolist()
        assert own.awarded_wh.tolist() == before["activated_wh"].tolist()
        assert own.awarded_wh.any()
        offers = tables["flexibility"].query("interval == @k - 1 and direction == 'down'")
        most = offers.groupby(["request", "prosumer"])["offered_wh"].sum().groupby("prosumer").max()
        assert own.offered_down_wh.tolist() == most.reindex(names, fill_value=0).tolist()
        asked = tables["requests"].query("interval == @k - 1")
        assert own.requested_down_wh == asked.query("direction == 'down'")["asked_wh"].sum()
        assert own.requested_up_wh == asked.query("direction == 'up'")["asked_wh"].sum()
        settled = tables["settlement"].query("interval == @k - 2").set_index("prosumer")
        for name in ("traded_ueur", "supplier_ueur", "flexibility_ueur"):
            wanted = settled[name].reindex(names, fill_value=0).tolist()
            assert getattr(own, name).tolist() == wanted
        assert not own.awarded_wh.flags.writeable
    # batteries are told with their state of charge
    soc = contexts[1].state_of_charge
    assert np.isfinite(soc).any()
    assert np.isnan(soc).any()
    assert ((soc >= 0) & (soc <= 1) | np.isnan(soc)).all()


def test_a_mark_up_makes_relief_dearer_and_moves_no_power(play, short_scenario) -> None:
    cost = {}
    for mark_up in (0.0, 0.5):
        strategy = {"name": "mark_up", "options": {"mark_up": mark_up}}
        tables = play(short_scenario(3, prosumers={"strategies": [strategy]}))
        rows = tables["flexibility"]
        awarded = rows.groupby("prosumer")["awarded_wh"].sum()
        cost[mark_up] = (awarded, rows["paid_ueur"].sum(), rows["price_ueur_per_kwh"].max())
    assert cost[0.0][0].sum() == pytest.approx(cost[0.5][0].sum(), rel=1e-3)
    assert cost[0.5][1] == pytest.approx(1.5 * cost[0.0][1], rel=1e-2)
    assert cost[0.5][2] <= 600_000  # the cap


def test_who_withholds_offers_less_of_every_block(play, short_scenario) -> None:
    offered = {}
    for withheld in (0.0, 0.75):
        strategy = {"name": "mark_up", "options": {"mark_up": 0.0, "withheld": withheld}}
        tables = play(short_scenario(1, prosumers={"strategies": [strategy]}))
        rows = tables["flexibility"]
        offered[withheld] = rows[rows["request"] == 1].groupby("prosumer")["offered_wh"].sum()
    ratio = (offered[0.75] / offered[0.0]).to_numpy()
    assert ratio == pytest.approx(0.25, abs=0.01)
