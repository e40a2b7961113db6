"""The columns of every table of a result folder, with their units.

Signs: energies and powers of a connection point are net injections, positive when the grid is fed;
powers of devices follow pandapower (load, EV, heat pump and battery positive when they consume, PV
positive when it generates); money is positive when the prosumer receives it. ``interval`` counts
from 0; times are Unix times of the ledger's clock, which reads the profiles' time as UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

FORMAT_VERSION = "1"
"""Changes when a column is renamed, removed, or changes its meaning."""

STAGES = ("scheduled", "relieved", "delivered")
"""Stages of a grid check: the schedule before flexibility, after each round of it, and what was
physically delivered."""

ORDER_STATUSES = ("cleared", "partial", "unmatched", "late", "rejected", "unrevealed")
"""What became of an order; sealed orders that nobody reveals in time are not cleared."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name : str
        Ends in the unit, where there is one.
    type : pyarrow.DataType
        Type in the Parquet file.
    unit : str
        Unit in brackets' stead, ``"-"`` if there is none.
    description : str
        What it means, with its sign.
    optional : bool
        Whether values may be missing (null), and the column left out when rows are appended.
    """

    name: str
    type: Any
    unit: str
    description: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name, what a row is, and its columns in order."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def arrow(self) -> Any:
        """The pyarrow schema, with unit and description as metadata of each field."""
        fields = [
            pa.field(
                column.name,
                column.type,
                nullable=column.optional,
                metadata={"unit": column.unit, "description": column.description},
            )
            for column in self.columns
        ]
        return pa.schema(fields, metadata={"cosim_format": FORMAT_VERSION, "row": self.row})


def _interval(description: str = "delivery interval, from 0") -> Column:
    return Column("interval", pa.int32(), "-", description)


_PROSUMER = Column("prosumer", pa.string(), "-", "name of the connection point")


def _wh(name: str, description: str, optional: bool = False) -> Column:
    return Column(name, pa.int64(), "Wh", description, optional)


def _ueur(name: str, description: str) -> Column:
    return Column(name, pa.int64(), "µEUR", description)


def _price(name: str, description: str, optional: bool = False) -> Column:
    return Column(name, pa.int64(), "µEUR/kWh", description, optional)


def _number(name: str, unit: str, description: str, optional: bool = False) -> Column:
    return Column(name, pa.float64(), unit, description, optional)


def _integer(name: str, unit: str, description: str, optional: bool = False) -> Column:
    return Column(name, pa.int64(), unit, description, optional)


def _text(name: str, description: str, optional: bool = False) -> Column:
    return Column(name, pa.string(), "-", description, optional)


_ELEMENT = (
    _text("element", "bus, line, trafo, or grid for the power flow itself"),
    Column("element_idx", pa.int32(), "-", "index of the element in network.json"),
)
_CHECKED = (
    _text("quantity", "vm_pu, loading_percent, or convergence (1 solved, 0 not)"),
    _number("value", "as quantity", "what the power flow gave; NaN when it has no solution"),
    _number("limit", "as quantity", "the limit that is violated, or else the nearest one"),
)
_STAGE = _text("stage", "scheduled, relieved or delivered")
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
            _interval(),
            _PROSUMER,
            _text("side", "buy or sell"),
            _wh("energy_wh", "energy asked or offered, positive"),
            _price("price_ueur_per_kwh", "limit price"),
            _number("sent_at_s", "s", "Unix time at which it left the prosumer"),
            _integer("block", "-", "block that includes it; missing if none does", optional=True),
            _text("status", "cleared, partial, unmatched, late, rejected or unrevealed"),
            _wh("filled_wh", "energy cleared"),
            _price("clearing_price_ueur_per_kwh", "price it was filled at", optional=True),
            _text(
                "reason", "revert text of an order that was late, rejected or not revealed", True
            ),
        ),
    ),
    Table(
        "trades",
        "energy that one prosumer sold to another",
        (
            _interval(),
            _text("buyer", "name of the buying connection point"),
            _text("seller", "name of the selling connection point"),
            _wh("energy_wh", "energy traded"),
            _price("price_ueur_per_kwh", "price that the buyer pays"),
            _ueur("amount_ueur", "what the buyer pays for it"),
            _price("sell_price_ueur_per_kwh", "price that the seller earns"),
            _ueur("earned_ueur", "what the seller earns for it; the supplier keeps the rest"),
        ),
    ),
    Table(
        "schedules",
        "what one prosumer is to do in one interval",
        (
            _interval(),
            _PROSUMER,
            _wh("contracted_wh", "cleared in the local market, sales positive"),
            _wh("nominated_wh", "schedule before flexibility, with the supplier's part"),
            _wh("activated_wh", "change by awarded flexibility, up positive"),
            _wh(
                "curtailed_wh",
                "change by the DSO's order, without a market: injection curtailed is negative, "
                "consumption curtailed positive",
            ),
            _wh("dispatched_wh", "final schedule: nominated + activated + curtailed"),
        ),
    ),
    Table(
        "grid_checks",
        "one element at one stage of one interval",
        (
            _interval(),
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
            _interval(),
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
            _interval(),
            _integer("request", "-", "number of the request on the ledger, from 1"),
            _PROSUMER,
            _text("direction", "up: net injection raised, down: lowered"),
            _wh("offered_wh", "energy offered"),
            _wh("awarded_wh", "energy awarded"),
            _wh("delivered_wh", "awarded energy that was delivered against the baseline"),
            _price("price_ueur_per_kwh", "price asked"),
            _ueur("paid_ueur", "paid by the DSO to the prosumer"),
            _ueur("penalty_ueur", "paid by the prosumer to the DSO for what was not delivered"),
            _wh("baseline_wh", "net injection that delivery is measured against", optional=True),
        ),
    ),
    Table(
        "settlement",
        "one prosumer's account of one interval",
        (
            _interval(),
            _PROSUMER,
            _wh("contracted_wh", "cleared in the local market, sales positive"),
            _wh("metered_wh", "net injection that was settled"),
            _wh("imbalance_wh", "metered - contracted: sold to (+) or bought from (-) supplier"),
            _ueur("traded_ueur", "received (+) or paid (-) in the local market"),
            _ueur("supplier_ueur", "received (+) from or paid (-) to the supplier"),
            _ueur("flexibility_ueur", "received from the DSO, less penalties"),
            _ueur("fees_ueur", "transaction fees paid, positive"),
            Column("estimated", pa.bool_(), "-", "meter was silent, an agreed estimate settled"),
        ),
    ),
    Table(
        "storage",
        "one member's account of the shared battery in one interval, and the battery itself",
        (
            _interval(),
            _PROSUMER,
            _integer("shares", "-", "shares that it has; the battery's account: unsold ones"),
            _wh("nominated_wh", "sent to the ledger, charging positive; the battery: all taken"),
            Column("accepted", pa.bool_(), "-", "whether the ledger took it; true without one"),
            _text("reason", "revert text of a nomination that was not taken", optional=True),
            _wh(
                "allocated_wh",
                "added to the meter's reading for the local market; over all rows it adds up to 0",
            ),
            _wh("account_wh", "stored after the interval; the battery: sum of the accounts"),
            _wh(
                "loss_wh",
                "what the battery drew beyond the nominations, on its own row; missing when its "
                "meter reported too late",
                optional=True,
            ),
            _ueur("billed_ueur", "billed for losses and settled now, positive"),
            _ueur("credited_ueur", "received because less was drawn than nominated"),
            _ueur("debt_ueur", "billed and not yet paid, after the interval"),
            _ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
    Table(
        "certificates",
        "one prosumer's certificates of one delivery hour, once the hour or the run is over",
        (
            _interval("last delivery interval of the hour, from 0"),
            _integer("hour", "-", "clock hour of delivery, Unix time / 3600, as on the ledger"),
            _PROSUMER,
            _wh("issued_wh", "PV generation that its meter recorded, before own consumption"),
            _wh("consumed_wh", "load, EV and heat pumps that its meter recorded, gross"),
            _wh("offered_wh", "certificates that it offered"),
            _wh("sold_wh", "of which sold; the rest went back"),
            _wh("bought_wh", "certificates bought"),
            _wh("retired_wh", "certificates retired for its consumption of the hour"),
            _wh("held_wh", "left over: issued + bought - sold - retired"),
            _price("limit_ueur_per_kwh", "most that it pays; missing if it buys none", True),
            _ueur("earned_ueur", "received for what was sold, positive"),
            _ueur("paid_ueur", "paid for what was bought, positive"),
            _ueur("fees_ueur", "transaction fees paid for all this, positive"),
        ),
    ),
    Table(
        "supply",
        "one consumer's billing period by the supply contract, once it is finalised",
        (
            _interval("delivery interval after which it was finalised, from 0"),
            _integer("period", "-", "billing period, from 0"),
            _PROSUMER,
            _wh("metered_wh", "drawn from the grid, consumption positive; feed-in counts nothing"),
            _wh("declared_wh", "declared by its meter; missing when it stayed silent", True),
            Column("estimated", pa.bool_(), "-", "billed by the agreed estimate"),
            _wh("billed_wh", "what was billed: declared, or estimated"),
            _price("price_ueur_per_kwh", "price of the period"),
            _ueur("bill_ueur", "the bill, positive"),
            _ueur("paid_ueur", "of which the deposit paid; the rest is a debt"),
            _ueur("topped_up_ueur", "paid in after the bill: repays the debt, then is deposit"),
            _ueur("refund_ueur", "withdrawn after the last bill, positive"),
            _ueur("deposit_ueur", "left as the deposit of the next period"),
            _ueur("debt_ueur", "owed to the supplier after all this, positive"),
            _ueur("fees_ueur", "transaction fees paid since the period before, positive"),
        ),
    ),
    Table(
        "names",
        "one change of a name in the name registry; the last one of a name says whose it is",
        (
            _interval("delivery interval after which it changed, from 0; -1 for the set-up phase"),
            _PROSUMER,
            _text("name", "that connection point's name in the registry"),
            _text("action", "registered, offered, accepted or updated"),
            _text("owner", "address of its owner from then on"),
            _text("account", "address that it stands for from then on"),
            _ueur("fee_ueur", "paid to the registry for it, positive"),
            _ueur("fees_ueur", "transaction fees paid for it, positive"),
        ),
    ),
    Table(
        "prosumers",
        "what one prosumer physically did in one interval",
        (
            _interval(),
            _PROSUMER,
            Column("bus", pa.int32(), "-", "index of its bus in network.json"),
            _number("p_inject_mw", "MW", "net active power fed into the grid"),
            _number("q_inject_mvar", "Mvar", "net reactive power fed into the grid"),
            _number("load_p_mw", "MW", "fixed load, consumption positive"),
            _number("pv_p_mw", "MW", "PV generation after curtailment"),
            _number("pv_curtailed_p_mw", "MW", "PV generation given up"),
            _number("ev_p_mw", "MW", "charging of electric vehicles"),
            _number("heat_pump_p_mw", "MW", "consumption of heat pumps"),
            _number("battery_p_mw", "MW", "battery, charging positive"),
            _number("shed_p_mw", "MW", "consumption that the DSO cut, lost"),
            _number("soc_mwh", "MWh", "energy in the battery at the interval's end"),
            _number("deferred_mwh", "MWh", "consumption put off and still owed at its end"),
            _wh("metered_wh", "what the meter counted, injection positive"),
        ),
    ),
    Table(
        "buses",
        "one bus in one interval, as delivered",
        (
            _interval(),
            Column("bus", pa.int32(), "-", "index of the bus in network.json"),
            _number("vm_pu", "pu", "voltage magnitude"),
            _number("va_degree", "degree", "voltage angle"),
        ),
    ),
    Table(
        "branches",
        "one line or transformer in one interval, as delivered",
        (
            _interval(),
            _text("element", "line or trafo"),
            Column("element_idx", pa.int32(), "-", "index of the element in network.json"),
            _number("loading_percent", "%", "current against rating, the more loaded end"),
        ),
    ),
    Table(
        "grid_balance",
        "the whole grid in one interval, as delivered",
        (
            _interval(),
            _number("p_slack_mw", "MW", "active power drawn from the upstream grid"),
            _number("q_slack_mvar", "Mvar", "reactive power drawn from the upstream grid"),
            _number("losses_mw", "MW", "active power lost in lines and transformers"),
            Column("converged", pa.bool_(), "-", "whether the power flow has a solution"),
        ),
    ),
    Table(
        "transactions",
        "one transaction, in the order of the chain",
        (
            _integer("block", "-", "block that includes it"),
            Column("index", pa.int32(), "-", "position in the block"),
            _number("sent_at_s", "s", "Unix time at which it was sent"),
            _integer("included_at_s", "s", "Unix time of its block"),
            _text("sender", "address, 0x and 40 hexadecimal digits"),
            _integer("nonce", "-", "number among its sender's transactions"),
            _text("to", "address called; missing when a contract is created", optional=True),
            Column("data", pa.binary(), "-", "calldata or creation code, as sent"),
            Column("value_wei", pa.decimal128(38, 0), "wei", "native coin sent along"),
            _integer("gas_limit", "gas", "most gas it may use"),
            _integer("max_fee_wei", "wei/gas", "most it pays"),
            _integer("tip_wei", "wei/gas", "most of that which goes to the block's producer"),
            _integer("gas_used", "gas", "gas of the whole transaction"),
            Column("status", pa.int8(), "-", "1: done, 0: reverted"),
            Column(
                "interval", pa.int32(), "-", "delivery interval it serves; -1 for the set-up phase"
            ),
            _text("contract", "name of the contract called or created", optional=True),
            _text("method", "name of the function called", optional=True),
            _text("revert_reason", "text of the revert", optional=True),
        ),
    ),
    Table(
        "blocks",
        "one block",
        (
            _integer("block", "-", "number"),
            _integer("timestamp_s", "s", "Unix time"),
            _integer("gas_used", "gas", "gas of its transactions"),
            _integer("gas_limit", "gas", "most gas it may hold"),
            _integer("base_fee_wei", "wei/gas", "EIP-1559 base fee"),
            Column("n_transactions", pa.int32(), "-", "how many transactions it holds"),
        ),
    ),
    Table(
        "events",
        "one event that a contract logged",
        (
            _integer("block", "-", "block"),
            Column("index", pa.int32(), "-", "position of its transaction in the block"),
            Column("log_index", pa.int32(), "-", "position among the transaction's events"),
            _text("contract", "name of the contract"),
            _text("event", "name of the event"),
            _text("arguments", "arguments by name, as JSON with sorted keys"),
        ),
    ),
)

TABLES = MappingProxyType({table.name: table for table in _TABLES})
"""Every table by name, in the order of the documentation."""
