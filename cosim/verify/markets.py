"""Local markets of several areas: who is a member of which, by scenario and grid."""

from __future__ import annotations

from cosim.grid.areas import areas_of
from cosim.grid.catalogue import open_grid
from cosim.mechanisms.local_market.areas import MarketArea, market_areas
from cosim.mechanisms.membership import members
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.participants import Participants
from cosim.results.columns import AREA
from cosim.results.reader import Results

MARKET, JOINED = "LocalMarket", "JoinedMarkets"
_WITH_AREA = ("orders", "trades", "debts", "settlement")


def areas_of_markets(results: Results) -> tuple[MarketArea, ...]:
    """Return the local markets of a result, by its scenario and grid; none where one is for all."""
    scenario = results.scenario
    if scenario.market.areas is None:
        return ()
    names = Participants(results).prosumers
    grid = open_grid(scenario.grid.network, scenario.file.parent if scenario.file else None)
    areas = areas_of(grid.connection_points)
    return market_areas(scenario, names, areas, members(scenario, names))


def check_markets(history: History) -> Check:
    """Compare who joined which market, and where it is asked for, with scenario and grid."""
    check = Check("markets", "members by scenario and grid; every row of one of the areas")
    participants, results = history.participants, history.results
    areas = areas_of_markets(results)
    own = {participants.prosumers[i]: area.name for area in areas for i in area.points}
    joined = {
        participants.prosumer_of.get(event.arguments["account"], ""): event.instance
        for event in history.of(MARKET, "MemberJoined")
    }
    address_of = {
        area.name: "0x" + history.done.addresses.get(f"{MARKET}/{area.name}", b"").hex()
        for area in areas
    }
    asked = {
        participants.prosumer_of.get(event.arguments["account"], ""): event.arguments["market"]
        for event in history.of(JOINED, "AccountEnrolled")
    }
    for name in dict.fromkeys((*own, *joined, *asked)):
        market = own.get(name)
        row, at = f"prosumer {name}", address_of.get(market) if market else None
        check.equal("events", row, "MemberJoined", joined.get(name), market)
        check.equal("events", row, "AccountEnrolled", asked.get(name), at)
    for table in _WITH_AREA:
        unknown = set(results.table(table)[AREA.name]) - set(address_of)
        check.equal(table, "", AREA.name, sorted(map(str, unknown)), [])
    return check
