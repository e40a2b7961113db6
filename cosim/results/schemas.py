"""Tables of a result folder: those of every run, and those that mechanisms add.

Signs: energies and powers of a connection point are net injections, positive when the grid is fed;
powers of devices follow pandapower (load, EV, heat pump and battery positive when they consume, PV
positive when it generates); money is positive when the prosumer receives it. ``interval`` counts
from 0; times are Unix times of the ledger's clock, which reads the profiles' time as UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.devices.catalogue import device_columns, further_columns
from cosim.plugins import MECHANISMS
from cosim.results.columns import (
    AREA,
    PROSUMER,
    Column,
    Table,
    flag,
    index,
    integer,
    interval,
    number,
    price,
    text,
    ueur,
    wh,
)

if TYPE_CHECKING:
    from cosim.scenario import Scenario

STAGES = ("scheduled", "relieved", "delivered")
"""Stages of a grid check: the schedule before flexibility, after each round of it, and what was
physically delivered."""

ORDER_STATUSES = ("cleared", "partial", "unmatched", "late", "rejected", "unrevealed")
"""Outcomes of an order; sealed orders that nobody reveals in time are not cleared."""


_ELEMENT = (
    text("element", "bus, line, trafo, or grid for the power flow itself"),
    index("element_idx", "index of the element in network.json"),
)
_CHECKED = (
    text("quantity", "vm_pu, loading_percent, or convergence (1 solved, 0 not)"),
    number("value", "as quantity", "what the power flow gave; NaN when it has no solution"),
    number("limit", "as quantity", "the limit that is violated, or else the nearest one"),
)
_STAGE = text("stage", "scheduled, relieved or delivered")
_ROUND = index(
    "round",
    "0 before any flexibility; from 1, after so many request and award rounds",
)

CORE = (
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
            wh(
                "dispatched_wh",
                "final schedule: nominated + activated + curtailed, and unserved where positions "
                "bind",
            ),
        ),
        further=(
            wh(
                "unserved_wh",
                "change because the grid does not carry what is not traded, where positions bind: "
                "injection not sold is negative, consumption not bought positive; part of "
                "dispatched_wh",
            ),
        ),
    ),
    Table(
        "forecasts",
        "one prosumer's devices of one class in one interval, as expected and as they were",
        (
            interval(),
            text("device_class", "a kind of device, or deferrable for all that can wait"),
            PROSUMER,
            number("actual_mw", "MW", "what the devices wanted, a magnitude"),
            number("gate_closure_mw", "MW", "as expected when the order window opened"),
            number("day_ahead_mw", "MW", "as expected the day before; NaN of a model without it"),
            number("persistence_mw", "MW", "last report at gate closure; NaN before the first"),
            number("day_before_mw", "MW", "last report of the time of day, the day before; or NaN"),
            number("rated_mw", "MW", "rating; of a load without one its highest power in the run"),
        ),
        (number("published_mw", "MW", "as the grid's profile has it, where the run varies loads"),),
    ),
    Table(
        "storages",
        "a storage of one prosumer; its energy by interval is in `prosumers`",
        (
            PROSUMER,
            text("device", "kind of storage"),
            number("p_max_mw", "MW", "rating, both ways"),
            number("capacity_mwh", "MWh", "most energy"),
            number("soc_min_mwh", "MWh", "least energy"),
            number("start_mwh", "MWh", "energy at the start of the run"),
            number("wanted_mwh", "MWh", "energy wanted at the end of the run; NaN for none"),
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
            flag("violated", "whether the limit is violated"),
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
                "strings",
                "-",
                "connection points whose schedules worsen it, the strongest first",
            ),
        ),
    ),
    Table(
        "rebounds",
        "one interval in which limits are violated as delivered while consumption is caught up",
        (
            interval(),
            number("caught_up_mw", "MW", "consumption put off before, of all prosumers"),
            flag("violated_without", "whether limits are violated without it, too"),
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
            wh("residual_wh", "metered - contracted: sold to (+) or bought from (-) supplier"),
            ueur("traded_ueur", "received (+) or paid (-) in the local market"),
            ueur("supplier_ueur", "received (+) from or paid (-) to the supplier"),
            ueur("flexibility_ueur", "received from the DSO, less penalties"),
            ueur("fees_ueur", "transaction fees paid, positive"),
            flag("estimated", "meter was silent, an agreed estimate settled"),
        ),
        further=(
            price("retail_price_ueur_per_kwh", "what the supplier charges, with all parts"),
            price("feed_in_price_ueur_per_kwh", "what the supplier pays"),
            price("network_ueur_per_kwh", "network charge in the retail price"),
            price("taxes_ueur_per_kwh", "taxes and levies in the retail price"),
            ueur("local_charge_ueur", "paid for network and taxes on local trades, positive"),
            ueur("network_ueur", "what the supplier owes the DSO because of it, positive"),
            ueur("taxes_ueur", "what the supplier owes the state because of it, positive"),
            AREA,
        ),
    ),
    Table(
        "prosumers",
        "what one prosumer physically did in one interval",
        (
            interval(),
            PROSUMER,
            index("bus", "index of its bus in network.json"),
            number("p_inject_mw", "MW", "net active power fed into the grid"),
            number("q_inject_mvar", "Mvar", "net reactive power fed into the grid"),
            *(number(c.name, c.unit, c.description) for c in device_columns()),
            wh("metered_wh", "what the meter counted, injection positive"),
            wh("imbalance_wh", "metered - dispatched: what the meter counted beyond the schedule"),
        ),
        tuple(number(c.name, c.unit, c.description) for c in further_columns()),
        is_open=True,
    ),
    Table(
        "buses",
        "one bus in one interval, as delivered",
        (
            interval(),
            index("bus", "index of the bus in network.json"),
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
            index("element_idx", "index of the element in network.json"),
            number("loading_percent", "%", "current against rating, the more loaded end"),
        ),
    ),
    Table(
        "taps",
        "one transformer with a tap controller in one interval, as delivered",
        (
            interval(),
            index("trafo", "index of the transformer in network.json"),
            number("tap_pos", "-", "where the tap came to rest; NaN without solution"),
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
            flag("converged", "whether the power flow has a solution"),
        ),
    ),
    Table(
        "transactions",
        "one transaction, in the order of the chain",
        (
            integer("block", "-", "block that includes it"),
            index("index", "position in the block"),
            number("sent_at_s", "s", "Unix time at which it was sent"),
            integer("included_at_s", "s", "Unix time of its block"),
            text("sender", "address, 0x and 40 hexadecimal digits"),
            integer("nonce", "-", "number among its sender's transactions"),
            text("to", "address called; missing when a contract is created", optional=True),
            Column("data", "binary", "-", "calldata or creation code, as sent"),
            Column("value_wei", "wei", "wei", "native coin sent along"),
            integer("gas_limit", "gas", "most gas it may use"),
            integer("max_fee_wei", "wei/gas", "most it pays"),
            integer("tip_wei", "wei/gas", "most of that which goes to the block's producer"),
            integer("gas_used", "gas", "gas of the whole transaction"),
            Column("status", "int8", "-", "1: done, 0: reverted"),
            index("interval", "delivery interval it serves; -1 for the set-up phase"),
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
            index("n_transactions", "how many transactions it holds"),
            index("proposer", "validator that proposed it, from 0; 0 for miners"),
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
            index("index", "position of its transaction in the block"),
            index("log_index", "position among the transaction's events"),
            text("contract", "name of the contract"),
            text("event", "name of the event"),
            text("arguments", "arguments by name, as JSON with sorted keys"),
        ),
    ),
)
"""Tables that no single mechanism writes."""


def all_tables() -> dict[str, Table]:
    """Return every table that a result can hold, by name.

    Raises
    ------
    PluginError
        If a mechanism claims the name of a table that exists, or one of its columns has no unit.
    """
    found = {table.name: table for table in CORE}
    for section, mechanism in MECHANISMS.every().items():
        for table in mechanism.tables:
            if table.name in found:
                raise MECHANISMS.refusal(
                    section,
                    f"claims the name of a table that exists, {table.name!r}",
                    "rename the table",
                )
            if bare := [column.name for column in table.columns if not column.unit]:
                raise MECHANISMS.refusal(
                    section,
                    f"has columns without a unit in its table {table.name!r}: {', '.join(bare)}",
                    'give each its unit, "-" for none',
                )
            found[table.name] = table
    return found


def tables_of(scenario: Scenario | None = None) -> dict[str, Table]:
    """Return the tables of a run, by name.

    Those of mechanisms that come with cosim are always among them, and empty without the
    mechanism; those of other packages only where the scenario has their section.

    Parameters
    ----------
    scenario : Scenario, optional
        Of the run; default: one without a mechanism of another package.

    Raises
    ------
    PluginError
        As :func:`all_tables`.
    """
    used = () if scenario is None else {each.section for each in scenario.mechanisms()}
    left_out = {
        table.name
        for section, mechanism in MECHANISMS.every().items()
        if section not in used and MECHANISMS.package(section) != "cosim"
        for table in mechanism.tables
    }
    return {name: table for name, table in all_tables().items() if name not in left_out}
