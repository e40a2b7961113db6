"""The table of flexibility, recomputed from the replayed chain; rounds of awards against it.

What a round needs without margins, and who is pivotal in it, is solved again with the grid.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.budget_checks import FLEXIBILITY, BudgetChecks
from cosim.mechanisms.flexibility_market.calling_checks import check_draws, draws_of
from cosim.mechanisms.flexibility_market.curves import Block, settled_by_block
from cosim.mechanisms.flexibility_market.delivery_checks import (
    check_deliveries,
    debt_rows,
    position_wh,
)
from cosim.mechanisms.flexibility_market.settings import DsoSettings
from cosim.replay.checks import Amounts, MechanismChecks, Recompute
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.replay import Replayed
from cosim.units import ueur_from_eur


class FlexibilityChecks(MechanismChecks[DsoSettings]):
    """Checks of the flexibility market."""

    def __init__(self, settings: DsoSettings) -> None:
        super().__init__(settings)
        self.budget = BudgetChecks(settings)
        self._penalty_ueur_per_kwh = ueur_from_eur(settings.penalty_eur_per_kwh)

    def after_block(self, number: int, done: Replayed) -> None:
        """Ask the contract for the DSO's balance, which no event tells."""
        self.budget.after_block(number, done)

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the checks of its tables."""
        drawn: dict[str, Recompute] = {}
        if self.settings.baseline.calling_probability is not None:
            drawn["draws"] = lambda: check_draws(history, self.settings)
        return {
            **drawn,
            "requests": lambda: self.budget.check_requests(history),
            "deliveries": lambda: check_deliveries(history, self.settings),
            "flexibility_debts": lambda: history.compare(
                "flexibility_debts",
                ("interval", "prosumer"),
                "from DebtChanged, up to the last settlement of each interval",
                debt_rows(history),
            ),
            "flexibility": lambda: check_flexibility(history, self._penalty_ueur_per_kwh),
            "margins": lambda: check_rounds(history, "margins"),
            "pivotal": lambda: check_rounds(history, "pivotal"),
        }

    def intervals(self, history: History) -> Mapping[int, int]:
        """Return the interval of the request that a call is about, and of top-ups."""
        opened = _opened(history)
        return {
            position: opened.get(sent.call.arguments.get("request_id"), _NONE)["interval"]
            for position, sent in history.calls(FLEXIBILITY)
        } | top_up_intervals(history)

    def activated_wh(self, history: History) -> Amounts:
        """Return by how much awards change schedules, up positive. [Wh]"""
        found: dict[tuple[int, str], int] = defaultdict(int)
        for row in flexibility_offers(history):
            sign = 1 if row["direction"] == "up" else -1
            effect_wh = max(row["awarded_wh"] - row.get("idle_wh", 0), 0)
            found[row["interval"], row["prosumer"]] += sign * effect_wh
        return found

    def flexibility_ueur(self, history: History) -> Amounts:
        """Return payments less penalties. [µEUR]"""
        found: dict[tuple[int, str], int] = defaultdict(int)
        for row in flexibility_offers(history):
            received = row["paid_ueur"] - row["penalty_ueur"]
            found[row["interval"], row["prosumer"]] += received
        return found

    def fees_wei(self, history: History) -> Amounts:
        """Return the fees of offers and top-ups. [wei]"""
        opened, names = _opened(history), history.participants.prosumer_of
        found: dict[tuple[int, str], int] = defaultdict(int)
        for _, sent in history.calls(FLEXIBILITY, "offer"):
            interval = opened[sent.argument("request_id")]["interval"]
            if sent.sender in names:
                found[interval, names[sent.sender]] += sent.included.fee_wei
        for position, interval in top_up_intervals(history).items():
            sent = history.sent[position]
            found[interval, names[sent.sender]] += sent.included.fee_wei
        return found


_NONE = {"interval": -1}


def _opened(history: History) -> dict[Any, dict[str, Any]]:
    """Requests that were opened, by their numbers."""
    events = history.of(FLEXIBILITY, "RequestOpened")
    return {event.arguments["request"]: event.arguments for event in events}


def top_up_intervals(history: History) -> dict[int, int]:
    """Return the interval that each top-up was made for, by the positions of its transactions.

    It is the interval whose delivery starts next when a block takes the approval or the deposit.
    """
    clock, market = history.scenario.clock(), history.done.addresses.get(FLEXIBILITY)
    approvals = (
        one
        for one in history.calls("EuroToken", "approve")
        if one[1].call.arguments["spender"] == market
    )
    found = {}
    for position, sent in (*history.calls(FLEXIBILITY, "deposit"), *approvals):
        at_s = sent.included.included_at_s
        if at_s > clock.window_opens_s(0) and sent.sender in history.participants.prosumer_of:
            found[position] = max(-(-(at_s - clock.start_s) // clock.step_s), 0)
    return found


def flexibility_offers(history: History) -> list[dict[str, Any]]:
    """Return every offer as the events tell it, with its blocks."""
    names, opened = history.participants.prosumer_of, _opened(history)
    offers: dict[tuple[int, str], dict[str, Any]] = {}
    for event in history.of(FLEXIBILITY, "OfferPlaced"):
        said, request = event.arguments, opened[event.arguments["request"]]
        offer = offers.setdefault(
            (said["request"], said["account"]),
            {
                "interval": request["interval"],
                "request": said["request"],
                "prosumer": names.get(said["account"], said["account"]),
                "direction": "up" if request["is_up"] else "down",
                "baseline_wh": said["baseline_wh"],
                "blocks": [],
                "awarded_wh": 0,
                "delivered_wh": 0,
                "paid_ueur": 0,
                "penalty_ueur": 0,
            },
        )
        offer["blocks"].append(Block(said["energy_wh"], said["price_ueur_per_kwh"]))
    for event in history.of(FLEXIBILITY, "OfferAwarded"):
        offer = offers[event.arguments["request"], event.arguments["account"]]
        offer["awarded_wh"] += event.arguments["energy_wh"]
    for event in history.of(FLEXIBILITY, "OfferSettled"):
        offer = offers[event.arguments["request"], event.arguments["account"]]
        offer |= {
            key: event.arguments[key] for key in ("delivered_wh", "paid_ueur", "penalty_ueur")
        }
    terms = BaselineTerms.of(history.scenario.dso.baseline)
    if terms.is_measured:
        measured = {
            (event.arguments["request"], event.arguments["account"]): event.arguments["baseline_wh"]
            for event in history.of(FLEXIBILITY, "BaselineMeasured")
        }
        for place, offer in offers.items():
            offer["baseline_wh"] = measured.get(place)
    found = sorted(offers.values(), key=lambda offer: offer["request"])
    if terms.is_limit:
        _add_idle(history, found)
    settings = history.scenario.dso
    if settings.baseline.calling_probability is not None:
        draws = draws_of(history, settings)
        for (_, account), offer in offers.items():
            offer["called"] = draws.is_called(offer["interval"], account)
    return found


def _add_idle(history: History, offers: Sequence[dict[str, Any]]) -> None:
    """Add to each offer what its schedule leaves unused below the capacity, less what is bought."""
    schedules = position_wh(history)
    bought: dict[tuple[int, str], int] = defaultdict(int)
    effect: dict[tuple[int, str], int] = defaultdict(int)
    by_request: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for offer in offers:
        by_request[offer["request"]].append(offer)
    for own in by_request.values():
        for offer in own:
            place = (offer["interval"], offer["prosumer"])
            sign = 1 if offer["direction"] == "up" else -1
            unused = sign * (schedules.get(place, 0) + effect[place] - offer["baseline_wh"])
            offer["idle_wh"] = idle = max(unused - bought[place], 0)
            bought[place] += offer["awarded_wh"]
            effect[place] += sign * max(offer["awarded_wh"] - idle, 0)


def flexibility_rows(
    offers: Sequence[Mapping[str, Any]], penalty_ueur_per_kwh: int
) -> list[dict[str, Any]]:
    """Return the rows of the table of flexibility: the blocks of offers, each with its part."""
    rows = []
    shared = ("interval", "request", "prosumer", "direction", "baseline_wh", "idle_wh", "called")
    for offer in offers:
        settled = settled_by_block(
            offer["blocks"],
            offer["awarded_wh"],
            offer["delivered_wh"],
            penalty_ueur_per_kwh,
            offer["penalty_ueur"],
        )
        for k, (block, part) in enumerate(zip(offer["blocks"], settled, strict=True)):
            rows.append(
                {name: offer[name] for name in shared if name in offer}
                | {"block": k, "offered_wh": block.energy_wh}
                | {"price_ueur_per_kwh": block.price_ueur_per_kwh}
                | part._asdict()
            )
    return rows


def check_flexibility(history: History, penalty_ueur_per_kwh: int) -> Check:
    """Compare every block with its award, delivery, payment and penalty; baselines with schedules.

    Requests of an interval that an interruption left unsettled are in no table yet.
    """
    frame, done = history.results.table("flexibility"), history.results.n_intervals
    settled = frame["interval"].max() if len(frame) else -1
    own = flexibility_offers(history)
    kept = [offer for offer in own if settled >= done or offer["interval"] < done]
    rows = flexibility_rows(kept, penalty_ueur_per_kwh)
    key = ("interval", "request", "prosumer", "block")
    check = history.compare("flexibility", key, "from RequestOpened and the events of offers", rows)
    for name in ("paid_ueur", "penalty_ueur"):
        total = sum(offer[name] for offer in kept)
        check.equal("flexibility", "all offers", name, int(frame[name].sum()), total)
    if not BaselineTerms.of(history.scenario.dso.baseline).is_nominated:
        return check
    nominated = position_wh(history)
    for offer in own:
        stated = nominated.get((offer["interval"], offer["prosumer"]))
        name = f"interval {offer['interval']}, prosumer {offer['prosumer']}"
        check.equal("schedules", name, "nominated_wh", stated, offer["baseline_wh"])
    return check


def check_rounds(history: History, table: str) -> Check:
    """Check that rows are of rounds with offers on the chain: the last has the last request.

    A run that the chain's forks touched knows other requests than the branch that stayed.
    """
    check = Check(table, "rounds of requests that have offers")
    if len(history.results.table("reorganisations")):
        check.note("not compared: reorganisations changed requests after the DSO's decision")
        return check
    offered: dict[int, dict[int, set[str]]] = defaultdict(dict)
    for row in flexibility_offers(history):
        offered[row["interval"]].setdefault(row["request"], set()).add(row["prosumer"])
    frame = history.results.table(table)
    rounds = [int(request) for request in history.results.table("margins")["request"]]
    for number in frame.to_dict("records"):
        own, request = offered.get(number["interval"], {}), int(number["request"])
        name = f"interval {number['interval']}, request {request}"
        check.equal(table, name, "request", request in own, True)
        if table == "pivotal":
            check.equal(table, name, "round", request in rounds, True)
            # of this round or of an earlier one of the interval
            everyone = set[str]().union(*(own[other] for other in own if other <= request))
            check.equal(table, name, "prosumer", number["prosumer"] in everyone, True)
    return check
