"""Which delivery interval a transaction serves, as far as the transaction itself tells."""

from __future__ import annotations

from cosim.publishing.facts import Facts
from cosim.publishing.findings import Check

ANY_TIME = ("unsubscribeUser", "topUp", "withdraw", "setPrice", "unregisterMeter")
"""Methods that a run records without an interval, when nobody is told of one."""


def check_intervals(facts: Facts) -> Check:
    """The column ``interval`` of transactions by arguments, requests, and time."""
    check = Check("intervals", "interval of each transaction by its arguments, request, or time")
    clock = facts.recorded.scenario.clock()
    opens_s = clock.window_opens_s(0)
    of_request = {
        event.arguments["request"]: event.arguments["interval"]
        for event in facts.of("FlexibilityMarket", "RequestOpened")
    }
    for position, sent in enumerate(facts.sent):
        said, stated = sent.call.arguments, sent.included.transaction.interval
        row = f"row {sent.included.transaction.handle}"
        if sent.included.included_at_s <= opens_s and "interval" not in said:
            wanted: object = -1
        elif "interval" in said:
            wanted = said["interval"]
        elif sent.call.contract == "FlexibilityMarket":
            wanted = of_request.get(_request(said), -1)
        elif sent.call.method in ANY_TIME or not sent.call.method:
            wanted = -1
        else:
            wanted = facts.settled_in(position)
        check.equal("transactions", row, "interval", stated, wanted)
    return check


def _request(arguments: dict[str, object]) -> int:
    value = arguments.get("request_id", -1)
    return value if isinstance(value, int) else -1
