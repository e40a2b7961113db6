"""The columns of every table of a result folder, with their units.

Signs: energies and powers of a connection point are net injections, positive when the grid is fed;
powers of devices follow pandapower (load, EV, heat pump and battery positive when they consume, PV
positive when it generates); money is positive when the prosumer receives it. ``interval`` counts
from 0; times are Unix times of the ledger's clock, which reads the profiles' time as UTC.
"""

from __future__ import annotations

from types import MappingProxyType

import pyarrow as pa

from cosim.devices.catalogue import device_columns, further_columns
from cosim.results.columns import (
    PROSUMER,
    Column,
    Table,
    integer,
    interval,
    number,
    price,
    text,
    ueur,
    wh,
)

STAGES = ("scheduled", "relieved", "delivered")
"""Stages of a grid check: the schedule before flexibility, after each round of it, and what was
physically delivered."""

ORDER_STATUSES = ("cleared", "partial", "unmatched", "late", "rejected", "unrevealed")
"""What became of an order; sealed orders that nobody reveals in time are not cleared."""


_ELEMENT = (
    text("element", "bus, line, trafo, or grid for the power flow itself"),
    Column("element_idx", pa.int32(), "-", "index of the element in network.json"),
)
_CHECKED = (
    text("quantity", "vm_pu, loading_percent, or convergence (1 solved, 0 not)"),
    number("value", "as quantity", "what the power flow gave; NaN when it has no solution"),
    number("limit", "as quantity", "the limit that is violated, or else the nearest one"),
)
_STAGE = text("stage", "scheduled, relieved or delivered")
_ROUND = Column(
    "round",
    pa.int32(),
    "-",
    "0 before any flexibility; from 1, after so many request and award rounds",
)

_TABLES = (
    Table(
        "orders",
        "an order that a prosumer sent to the local market",
        (
            interval(),
            PROSUMER,
            text("side", "buy or sell"),
            wh("energy_wh", "energy asked or offered, positive"),
            price("price_ueur_per_kwh", "limit price"),
            number("sent_at_s", "s", "Unix time at which it left the prosumer"),
            integer("block", "-", "block that includes it; missing if none does", optional=True),
            text("status", "cleared, partial, unmatched, late, rejected or unrevealed"),
            wh("filled_wh", "energy cleared"),
            price("clearing_price_ueur_per_kwh", "price it was filled at", optional=True),
            text("reason", "revert text of an order that was late, rejected or not revealed", True),
        ),
    ),
    Table(
        "trades",
        "energy that one prosumer sold to another",
        (
            interval(),
            text("buyer", "name of the buying connection point"),
            text("seller", "name of the selling connection point"),
            wh("energy_wh", "energy traded"),
            price("price_ueur_per_kwh", "price that the buyer pays"),
            ueur("amount_ueur", "what the buyer pays for it"),
            price("sell_price_ueur_per_kwh", "price that the seller earns"),
            ueur("earned_ueur", "what the seller earns for it; the supplier keeps the rest"),
        ),
    ),
    Table(
        "schedules",
        "what one prosumer is to do in one interval",
        (
            interval(),
            PROSUMER,
            wh("contracted_wh", "cleared in the local market, sales positive"),
            wh("nominated_wh", "schedule before flexibility, with the supplier's part"),
            wh("activated_wh", "change by awarded flexibility, up positive"),
            wh(
                "curtailed_wh",
                "change by the DSO's order, without a market: injection curtailed is negative, "
                "consumption curtailed positive",
            ),
            wh("dispatched_wh", "final schedule: nominated + activated + curtailed"),
        ),
    ),
    Table(
        "grid_checks",
        "one element at one stage of one interval",
        (
            interval(),
            _ROUND,
            _STAGE,
            *_ELEMENT,
            *_CHECKED,
            Column("violated", pa.bool_(), "-", "whether the limit is violated"),
        ),
    ),
    Table(
        "violations",
        "one violated limit at one stage, with those who drive it",
        (
            interval(),
            _ROUND,
            _STAGE,
            *_ELEMENT,
            *_CHECKED,
            Column(
                "drivers",
                pa.list_(pa.string()),
                "-",
                "connection points whose schedules worsen it, the strongest first",
            ),
        ),
    ),
    Table(
        "flexibility",
        "one prosumer's offer to one request of the DSO",
        (
            interval(),
            integer("request", "-", "number of the request on the ledger, from 1"),
            PROSUMER,
            text("direction", "up: net injection raised, down: lowered"),
            wh("offered_wh", "energy offered"),
            wh("awarded_wh", "energy awarded"),
            wh("delivered_wh", "awarded energy that was delivered against the baseline"),
            price("price_ueur_per_kwh", "price asked"),
            ueur("paid_ueur", "paid by the DSO to the prosumer"),
            ueur("penalty_ueur", "paid by the prosumer to the DSO for what was not delivered"),
            wh("baseline_wh", "net injection that delivery is measured against", optional=True),
        ),
    ),
    Table(
        "settlement",
        "one prosumer's account of one interval",
        (
            interval(),
            PROSUMER,
            wh("contracted_wh", "cleared in the local market, sales positive"),
            wh("metered_wh", "net injection that was settled"),
            wh("imbalance_wh", "metered - contracted: sold to (+) or bought from (-) supplier"),
            ueur("traded_ueur", "received (+) or paid (-) in the local market"),
            ueur("supplier_ueur", "received (+) from or paid (-) to the supplier"),
            ueur("flexibility_ueur", "received from the DSO, less penalties"),
            ueur("fees_ueur", "transaction fees paid, positive"),
            Column("estimated", pa.bool_(), "-", "meter was silent, an agreed estimate settled"),
        ),
    ),
    Table(
        "storage",
        "one member's account of the shared battery in one interval, and the battery itself",
        (
            interval(),
            PROSUMER,
            integer("shares", "-", "shares that it has; the battery's account: unsold ones"),
            wh("nominated_wh", "sent to the ledger, charging positive; the battery: all taken"),
            Column("accepted", pa.bool_(), "-", "whether the ledger took it; true without one"),
            text("reason", "revert text of a nomination that was not taken", optional=True),
            wh(
                "allocated_wh",
                "added to the meter's reading for the local market; over all rows it adds up to 0",
            ),
            wh("account_wh", "stored after the interval; the battery: sum of the accounts"),
            wh(
                "loss_wh",
                "what the battery drew beyond the nominations, on its own row; missing when its "
                "meter reported too late",
                optional=True,
            ),
            ueur("billed_ueur", "billed for losses and settled now, positive"),
            ueur("credited_ueur", "received because less was drawn than nominated"),
            ueur("debt_ueur", "billed and not yet paid, after the interval"),
            ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
    Table(
        "certificates",
        "one prosumer's certificates of one delivery hour, once the hour or the run is over",
        (
            interval("last delivery interval of the hour, from 0"),
            integer("hour", "-", "clock hour of delivery, Unix time / 3600, as on the ledger"),
            PROSUMER,
            wh("issued_wh", "PV generation that its meter recorded, before own consumption"),
            wh("consumed_wh", "load, EV and heat pumps that its meter recorded, gross"),
            wh("offered_wh", "certificates that it offered"),
            wh("sold_wh", "of which sold; the rest went back"),
            wh("bought_wh", "certificates bought"),
            wh("retired_wh", "certificates retired for its consumption of the hour"),
            wh("held_wh", "left over: issued + bought - sold - retired"),
            price("limit_ueur_per_kwh", "most that it pays; missing if it buys none", True),
            ueur("earned_ueur", "received for what was sold, positive"),
            ueur("paid_ueur", "paid for what was bought, positive"),
            ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
    Table(
        "supply",
        "one consumer's billing period by the supply contract, once it is finalised",
        (
            interval("delivery interval after which it was finalised, from 0"),
            integer("period", "-", "billing period, from 0"),
            PROSUMER,
            wh("metered_wh", "drawn from the grid, consumption positive; feed-in counts nothing"),
            wh("declared_wh", "declared by its meter; missing when it stayed silent", True),
            Column("estimated", pa.bool_(), "-", "billed by the agreed estimate"),
            wh("billed_wh", "what was billed: declared, or estimated"),
            price("price_ueur_per_kwh", "price of the period"),
            ueur("bill_ueur", "the bill, positive"),
            ueur("paid_ueur", "of which the deposit paid; the rest is a debt"),
            ueur("topped_up_ueur", "paid in after the bill: repays the debt, then is deposit"),
            ueur("refund_ueur", "withdrawn after the last bill, positive"),
            ueur("deposit_ueur", "left as the deposit of the next period"),
            ueur("debt_ueur", "owed to the supplier after all this, positive"),
            ueur("fees_ueur", "transaction fees paid since the period before, positive"),
        ),
    ),
    Table(
        "names",
        "one change of a name in the name registry; the last one of a name says whose it is",
        (
            interval("delivery interval after which it changed, from 0; -1 for the set-up phase"),
            PROSUMER,
            text("name", "that connection point's name in the registry"),
            text("action", "registered, offered, accepted or updated"),
            text("owner", "address of its owner from then on"),
            text("account", "address that it stands for from then on"),
            ueur("fee_ueur", "paid to the registry for it, positive"),
            ueur("fees_ueur", "transaction fees paid for it, positive"),
        ),
    ),
    Table(
        "prosumers",
        "what one prosumer physically did in one interval",
        (
            interval(),
            PROSUMER,
            Column("bus", pa.int32(), "-", "index of its bus in network.json"),
            number("p_inject_mw", "MW", "net active power fed into the grid"),
            number("q_inject_mvar", "Mvar", "net reactive power fed into the grid"),
            *(number(c.name, c.unit, c.description) for c in device_columns()),
            wh("metered_wh", "what the meter counted, injection positive"),
        ),
        tuple(number(c.name, c.unit, c.description) for c in further_columns()),
    ),
    Table(
        "buses",
        "one bus in one interval, as delivered",
        (
            interval(),
            Column("bus", pa.int32(), "-", "index of the bus in network.json"),
            number("vm_pu", "pu", "voltage magnitude"),
            number("va_degree", "degree", "voltage angle"),
        ),
    ),
    Table(
        "branches",
        "one line or transformer in one interval, as delivered",
        (
            interval(),
            text("element", "line or trafo"),
            Column("element_idx", pa.int32(), "-", "index of the element in network.json"),
            number("loading_percent", "%", "current against rating, the more loaded end"),
        ),
    ),
    Table(
        "grid_balance",
        "the whole grid in one interval, as delivered",
        (
            interval(),
            number("p_slack_mw", "MW", "active power drawn from the upstream grid"),
            number("q_slack_mvar", "Mvar", "reactive power drawn from the upstream grid"),
            number("losses_mw", "MW", "active power lost in lines and transformers"),
            Column("converged", pa.bool_(), "-", "whether the power flow has a solution"),
        ),
    ),
    Table(
        "transactions",
        "one transaction, in the order of the chain",
        (
            integer("block", "-", "block that includes it"),
            Column("index", pa.int32(), "-", "position in the block"),
            number("sent_at_s", "s", "Unix time at which it was sent"),
            integer("included_at_s", "s", "Unix time of its block"),
            text("sender", "address, 0x and 40 hexadecimal digits"),
            integer("nonce", "-", "number among its sender's transactions"),
            text("to", "address called; missing when a contract is created", optional=True),
            Column("data", pa.binary(), "-", "calldata or creation code, as sent"),
            Column("value_wei", pa.decimal128(38, 0), "wei", "native coin sent along"),
            integer("gas_limit", "gas", "most gas it may use"),
            integer("max_fee_wei", "wei/gas", "most it pays"),
            integer("tip_wei", "wei/gas", "most of that which goes to the block's producer"),
            integer("gas_used", "gas", "gas of the whole transaction"),
            Column("status", pa.int8(), "-", "1: done, 0: reverted"),
            Column(
                "interval", pa.int32(), "-", "delivery interval it serves; -1 for the set-up phase"
            ),
            text("contract", "name of the contract called or created", optional=True),
            text("method", "name of the function called", optional=True),
            text("revert_reason", "text of the revert", optional=True),
        ),
    ),
    Table(
        "blocks",
        "one block",
        (
            integer("block", "-", "number"),
            integer("timestamp_s", "s", "Unix time"),
            integer("gas_used", "gas", "gas of its transactions"),
            integer("gas_limit", "gas", "most gas it may hold"),
            integer("base_fee_wei", "wei/gas", "EIP-1559 base fee"),
            Column("n_transactions", pa.int32(), "-", "how many transactions it holds"),
            Column("proposer", pa.int32(), "-", "validator that proposed it, from 0; 0 for miners"),
            integer("others_gas", "gas", "gas that other users of the chain took in it"),
        ),
    ),
    Table(
        "reorganisations",
        "blocks that a competing branch replaced; the other tables hold the branch",
        (
            integer("block", "-", "number of the first block replaced"),
            integer("depth_blocks", "-", "how many blocks were replaced"),
            integer("seen_at_s", "s", "Unix time of the last of them"),
            text("cause", "fork: two miners at once; attack"),
            integer("n_transactions", "-", "transactions in the blocks left behind"),
            integer("n_left_out", "-", "of which the branch does not hold"),
        ),
    ),
    Table(
        "events",
        "one event that a contract logged",
        (
            integer("block", "-", "block"),
            Column("index", pa.int32(), "-", "position of its transaction in the block"),
            Column("log_index", pa.int32(), "-", "position among the transaction's events"),
            text("contract", "name of the contract"),
            text("event", "name of the event"),
            text("arguments", "arguments by name, as JSON with sorted keys"),
        ),
    ),
)

TABLES = MappingProxyType({table.name: table for table in _TABLES})
"""Every table by name, in the order of the documentation."""
