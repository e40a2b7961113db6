"""Tables of the flexibility market: the DSO's requests, offers to them, rounds of awards."""

from __future__ import annotations

from cosim.results.columns import (
    PROSUMER,
    Table,
    flag,
    index,
    integer,
    interval,
    price,
    text,
    ueur,
    wh,
)

TABLES = (
    Table(
        "requests",
        "flexibility that the DSO wanted in one direction, in one round of requests",
        (
            interval(),
            index("round", "of requests in the interval, from 0"),
            text("direction", "up: net injection raised, down: lowered"),
            wh("wanted_wh", "energy that it wanted to ask for, margin included"),
            wh("asked_wh", "of it, as far as its deposit covered it at the price cap"),
            integer(
                "request",
                "-",
                "number of the request on the ledger, from 1; missing if none was opened",
                optional=True,
            ),
        ),
    ),
    Table(
        "flexibility",
        "one block of a prosumer's offer to one request of the DSO; awards and delivery fill the "
        "cheapest first",
        (
            interval(),
            integer("request", "-", "number of the request on the ledger, from 1"),
            PROSUMER,
            index("block", "of the offer, from 0, the cheapest"),
            text("direction", "up: net injection raised, down: lowered"),
            wh("offered_wh", "energy of the block"),
            wh("awarded_wh", "energy awarded"),
            wh("delivered_wh", "awarded energy that was delivered against the baseline"),
            price("price_ueur_per_kwh", "price asked"),
            ueur("paid_ueur", "paid by the DSO to the prosumer"),
            ueur("penalty_ueur", "paid by the prosumer to the DSO for what was not delivered"),
            wh(
                "baseline_wh",
                "net injection that delivery is measured against; missing where readings give none",
                optional=True,
            ),
        ),
        further=(
            flag(
                "called",
                "with dso.baseline.calling_probability: whether the interval's draw lets the "
                "prosumer be awarded; the penalty of who is not is for leaving its nomination",
            ),
            wh(
                "idle_wh",
                "with baseline capacity_limit: energy of the whole offer, said with each of its "
                "blocks, between the registered capacity and the schedule, which an award buys "
                "first and which changes nothing",
            ),
        ),
    ),
    Table(
        "flexibility_debts",
        "a prosumer whose debt to the DSO changed, with settlement usef",
        (
            interval(),
            PROSUMER,
            ueur("debt_ueur", "owed after the interval was settled"),
        ),
    ),
    Table(
        "margins",
        "one round of awards, solved again on the same schedule and offers without the DSO's "
        "margins",
        (
            interval(),
            integer("request", "-", "number of the round's last request with offers"),
            flag("violated", "whether the schedule before the awards violates a limit as reported"),
            wh("needed_wh", "least-cost awards that keep the limits as reported"),
            ueur("needed_ueur", "their cost at the prices asked"),
            flag("sufficient", "whether the offers suffice for these limits"),
        ),
        further=(
            text(
                "seed",
                "with dso.baseline.calling_probability, as the columns after it: of the draw, "
                "hexadecimal; missing where none was made in time",
                optional=True,
            ),
            index("sellers", "prosumers that offered"),
            index("called", "of them, those that the draw lets be awarded"),
            ueur(
                "called_ueur",
                "cheapest awards among those called that keep the limits with the DSO's margins, "
                "or come nearest, without curtailment, at the prices asked",
            ),
            flag("called_suffice", "whether these keep them"),
            ueur("every_ueur", "the same among all that offered"),
            flag("every_suffice", "whether these keep them"),
        ),
    ),
    Table(
        "pivotal",
        "one provider without whom the other offers of a round do not relieve an element",
        (
            interval(),
            integer("request", "-", "number of the round's last request with offers"),
            PROSUMER,
            text("element", "bus, line or trafo"),
            index("element_idx", "index of the element in network.json"),
            text("quantity", "vm_pu or loading_percent, by phase if of one"),
        ),
    ),
)
