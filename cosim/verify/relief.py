"""Needs without margins and pivotal providers, from recorded schedules and offers once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cosim.dso.procurement import DsoNetwork
from cosim.dso.rounds import Round
from cosim.grid.limits import Limits
from cosim.mechanisms.flexibility_market.outcomes import AppraisedDraw, AppraisedRound
from cosim.mechanisms.flexibility_market.rows import appraisal_tables
from cosim.messages import Extras, OffersMessage, ScheduleMessage
from cosim.messages.extras import IdleFlexibility, UncalledOffers
from cosim.plugins import INSTRUMENTS
from cosim.replay.findings import Check
from cosim.results.reader import by_interval
from cosim.runs.preparation import metering_of
from cosim.scenario import Scenario
from cosim.units import WH_PER_KWH, FloatArray, IntArray
from cosim.verify.population import RebuiltPopulation

TABLES = ("margins", "pivotal")
_KEYS = {
    "margins": ["interval", "request"],
    "pivotal": ["interval", "request", "prosumer", "element", "element_idx", "quantity"],
}


def check_margins(
    rebuilt: RebuiltPopulation, every: int, network: DsoNetwork | None = None
) -> Check:
    """Solve rounds of awards again without margins, and look for pivotal providers once more.

    Of every so many intervals. The schedule of a later round holds what earlier ones awarded.

    Parameters
    ----------
    rebuilt : RebuiltPopulation
    every : int
    network : DsoNetwork, optional
        That solves them, as :func:`awarding_network` makes it, which is the default.
    """
    outcome = Check("margins", "rounds of awards solved again on recorded schedules and offers")
    results = rebuilt.results
    forecast_q_mvar = rebuilt.forecast_q_mvar
    if forecast_q_mvar is None:
        outcome.note(f"not solved again: {rebuilt.missing}")
        return outcome
    if len(results.table("reorganisations")):
        outcome.note("not solved again: reorganisations changed what the DSO had been offered")
        return outcome
    is_random = "seed" in results.table("margins")
    network = network or awarding_network(rebuilt)
    step_s = results.scenario.time.step_s
    first = _positions_first(results.scenario)
    recorded = {name: results.table(name) for name in TABLES}
    margins = dict(by_interval(recorded["margins"]))
    schedules = dict(by_interval(results.table("schedules")))
    index = {name: i for i, name in enumerate(rebuilt.names)}
    names = np.array(rebuilt.names, dtype=object)
    solved: dict[str, list[Any]] = {name: [] for name in TABLES}
    unsolved: list[int] = []
    for interval, offers in by_interval(results.table("flexibility")):
        own = margins.pop(interval, recorded["margins"].iloc[:0])
        last = sorted(int(request) for request in own["request"])
        row = f"interval {interval}"
        seeds = dict(zip(own["request"], own["seed"], strict=True)) if is_random else {}
        outcome.equal(
            "margins", row, "last request", max(last, default=None), int(offers["request"].max())
        )
        if interval % every:
            unsolved.append(interval)
            continue
        rebuilt.operation.begin(network.engine, interval)
        unserved_wh = _unserved_wh(schedules[interval], first)
        state = _before_awards(
            interval, schedules[interval], forecast_q_mvar[interval], unserved_wh
        )
        curtailed_wh = -schedules[interval]["curtailed_wh"].to_numpy(np.int64)
        # mostly, a cut comes with the last awards or after them; or else before the last
        cuts = [np.zeros_like(curtailed_wh)]
        if curtailed_wh.any():
            cuts.append(curtailed_wh)
        for cut_wh in cuts:
            ordered = cut_wh, unserved_wh
            rounds = _rounds(network, step_s, state, offers, last, index, ordered, seeds)
            tables = {
                name: pd.DataFrame(columns)
                for name, columns in appraisal_tables(interval, names, rounds, is_random).items()
            }
            if _same(own, tables["margins"]):
                break
        if not _same(own, tables["margins"]) and len(cuts) > 1 and len(last) > 1:
            outcome.note("not solved again: rounds of an interval between which the DSO cut")
            unsolved.append(interval)
            continue
        for name in TABLES:
            solved[name].append(tables[name])
    for interval in margins:
        outcome.differ("margins", f"interval {interval}", "rows", len(margins[interval]), 0)
    for name in TABLES:
        frame, key = recorded[name], _KEYS[name]
        rest = [column for column in frame.columns if column not in key]
        mine = pd.concat(solved[name]) if solved[name] else frame.iloc[:0]
        outcome.keyed(name, key, frame[~frame["interval"].isin(unsolved)], mine, rest)
    return outcome


def _positions_first(scenario: Scenario) -> bool:
    """Return whether orders to the supplier were left unserved before flexibility was bought."""
    instruments = scenario.dso.made_instruments(scenario.market.position == "binding")
    position, market = (INSTRUMENTS.load(n) for n in ("supplier_position", "flexibility_market"))
    asked = [one for one in instruments if isinstance(one, position | market)]
    return not asked or isinstance(asked[0], position)


def awarding_network(rebuilt: RebuiltPopulation) -> DsoNetwork:
    """Return the network of a result as its DSO procured with it."""
    scenario = rebuilt.results.scenario
    return DsoNetwork(
        rebuilt.operation.dso_engine(scenario.grid.power_flow),
        Limits(**scenario.grid.limits.model_dump()),
        scenario.dso.loading_margin_percent,
        scenario.dso.voltage_margin_pu,
        metering=metering_of(scenario, rebuilt.names),
    )


def _unserved_wh(schedule: pd.DataFrame, before_offers: bool) -> IntArray:
    """Return what was left unserved before flexibility is bought; positive lowers injection."""
    if before_offers and "unserved_wh" in schedule:
        return -schedule["unserved_wh"].to_numpy(np.int64)
    return np.zeros(len(schedule), dtype=np.int64)


def _before_awards(
    interval: int, schedule: pd.DataFrame, q_mvar: FloatArray, unserved_wh: IntArray
) -> ScheduleMessage:
    """Schedules when flexibility is bought; orders may have been left unserved before it."""
    none = np.zeros(len(schedule), dtype=np.int64)
    return ScheduleMessage(
        interval=interval,
        round=0,
        nominated_wh=schedule["nominated_wh"].to_numpy(np.int64) - unserved_wh,
        activated_wh=none,
        curtailed_wh=none,
        forecast_q_mvar=q_mvar,
        curtailable_down_wh=none,
        curtailable_up_wh=none,
        offers=None,
    )


def _rounds(
    network: DsoNetwork,
    step_s: int,
    state: ScheduleMessage,
    offers: pd.DataFrame,
    last: list[int],
    index: dict[str, int],
    ordered_wh: tuple[IntArray, IntArray],
    seeds: Mapping[int, str | None],
) -> list[AppraisedRound]:
    """Appraise the rounds of an interval, each by the number of its last request.

    Of ``ordered_wh``, cuts were in force before the last, and orders left unserved from the first.
    """
    found, before = [], 0
    cut_wh, unserved_wh = ordered_wh
    for request in last:
        if request == last[-1]:
            state = replace(state, curtailed_wh=cut_wh)
        own = offers[(offers["request"] > before) & (offers["request"] <= request)]
        own, extras = _effective(own)
        left_out = own.iloc[:0]
        if "called" in own:
            own, left_out = own[own["called"]], own[~own["called"]]
            extras |= Extras(_uncalled(left_out, index))
        prosumer = own["prosumer"].map(index).to_numpy(np.int64)
        sign = np.asarray(np.where(own["direction"] == "up", 1, -1), dtype=np.int64)
        price = own["price_ueur_per_kwh"].to_numpy(np.int64)
        answers = OffersMessage(
            np.asarray(own["request"], dtype=np.int64),
            np.asarray(prosumer, dtype=np.int64),
            sign,
            own["offered_wh"].to_numpy(np.int64),
            price,
        )
        answered = replace(state, offers=answers, extras=extras)
        round = Round(answered, network, step_s, unserved_wh=unserved_wh)
        idle = extras.of(IdleFlexibility)
        draw = None
        if (appraisal := round.appraise_draw()) is not None:
            sellers = set(own["prosumer"]), set(left_out["prosumer"])
            every = (*price.tolist(), *left_out["price_ueur_per_kwh"].tolist())
            # seeds are compared with the chain's
            seed = seeds.get(request)
            draw = AppraisedDraw(seed, len(set.union(*sellers)), len(sellers[0]), every, appraisal)
        prices = tuple(price.tolist())
        found.append(AppraisedRound(request, prices, round.appraise(), idle, draw))
        activated_wh = state.activated_wh.copy()
        np.add.at(activated_wh, prosumer, sign * own["awarded_wh"].to_numpy(np.int64))
        state, before = replace(state, activated_wh=activated_wh), request
    return found


def _uncalled(left_out: pd.DataFrame, index: dict[str, int]) -> UncalledOffers:
    sign = np.where(left_out["direction"] == "up", 1, -1)
    return UncalledOffers(
        np.asarray(left_out["prosumer"].map(index), dtype=np.int64),
        np.asarray(sign, dtype=np.int64),
        left_out["offered_wh"].to_numpy(np.int64),
        left_out["price_ueur_per_kwh"].to_numpy(np.int64),
    )


def _effective(own: pd.DataFrame) -> tuple[pd.DataFrame, Extras]:
    """Return blocks without what is idle of their offers, and what that costs."""
    if "idle_wh" not in own:
        return own, Extras()
    place = own.groupby(["request", "prosumer"], sort=False).ngroup()
    own = own.assign(offer=place)
    before = own.groupby("offer")["offered_wh"].cumsum() - own["offered_wh"]
    idle_wh = (own["idle_wh"] - before).clip(0, own["offered_wh"])
    cost = (idle_wh * own["price_ueur_per_kwh"]).groupby(own["offer"]).transform("sum")
    own = own.assign(
        cost_ueur=-(-cost // WH_PER_KWH),
        offered_wh=own["offered_wh"] - idle_wh,
        awarded_wh=(own["awarded_wh"] - idle_wh).clip(lower=0),
    )
    own = own[own["offered_wh"] > 0]
    offer, cost_ueur = (own[name].to_numpy(np.int64) for name in ("offer", "cost_ueur"))
    return own, Extras(IdleFlexibility(offer, cost_ueur))


def _same(recorded: pd.DataFrame, solved: pd.DataFrame) -> bool:
    left = recorded.sort_values("request").to_dict("list")
    return all(left[name] == list(solved[name]) for name in left)
