"""Markets and money of whole results, by rules that are written here in plain pandas.

That tables, events, receipts and blocks agree is for ``verify``: ``test_result_grid.py`` calls it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
from result_folders import KEY, Case, by_prosumer, same

from cosim.evm.accounts import account


def due(energy_wh: int, price: int) -> int:
    """What a payer owes: rounded up."""
    return -(-energy_wh * price // 1_000)


def earned(energy_wh: int, price: int) -> int:
    """What a payee gets: rounded down."""
    return energy_wh * price // 1_000


def test_filled_orders_keep_their_limit_price_and_nothing_better_stays_unfilled(case: Case) -> None:
    orders = case.tables["orders"]
    assert not orders.duplicated(KEY).any()
    filled = orders[orders.filled_wh > 0]
    assert len(filled) > 0 or case.violated == {"line"}  # nobody sells at night
    price = filled.clearing_price_ueur_per_kwh
    buys = filled.side == "buy"
    assert (filled[buys].price_ueur_per_kwh >= price[buys]).all()
    assert (filled[~buys].price_ueur_per_kwh <= price[~buys]).all()
    assert filled.groupby("interval").clearing_price_ueur_per_kwh.nunique().eq(1).all()
    taken = orders[orders.status.isin(["cleared", "partial", "unmatched"])]
    for _, book in taken.groupby("interval"):
        left = book[book.filled_wh < book.energy_wh]
        prices = left.groupby("side").price_ueur_per_kwh.agg(["min", "max"])
        # what is left on both sides does not cross
        if len(prices) == 2:
            assert prices["max"]["buy"] < prices["min"]["sell"]


def test_trades_add_up_to_payments(case: Case) -> None:
    trades, settlement = case.tables["trades"], case.tables["settlement"]
    keys = {
        role: [trades.interval, trades[role].rename("prosumer")] for role in ("buyer", "seller")
    }
    paid = by_prosumer(case, trades.amount_ueur.groupby(keys["buyer"]).sum())
    same(settlement.traded_ueur.clip(upper=0), -paid)
    earned_ueur = by_prosumer(case, trades.earned_ueur.groupby(keys["seller"]).sum())
    same(settlement.traded_ueur.clip(lower=0), earned_ueur)
    # sellers get the same rounded down: less than a µEUR each stays with the supplier
    received = settlement.groupby("interval").traded_ueur.sum()
    filled = case.tables["orders"].groupby("interval").filled_wh.agg(lambda wh: (wh > 0).sum())
    assert (received <= 0).all()
    assert (-received <= filled.reindex(received.index, fill_value=0)).all()


def test_contracted_and_residual_energy_is_paid_to_the_integer(case: Case) -> None:
    settlement = case.tables["settlement"]
    assert not settlement.estimated.any()
    retail = case.ueur("market", "retail_eur_per_kwh")
    feed_in = case.ueur("market", "feed_in_eur_per_kwh")
    price = case.events("IntervalCleared").set_index("interval").buy_price_ueur_per_kwh
    for row in settlement.itertuples():
        contracted, residual = row.contracted_wh, row.residual_wh
        cleared = int(price[row.interval])
        traded = earned(contracted, cleared) if contracted > 0 else -due(-contracted, cleared)
        supplied = earned(residual, feed_in) if residual > 0 else -due(-residual, retail)
        assert (row.traded_ueur, row.supplier_ueur) == (traded, supplied)


def test_flexibility_is_paid_for_what_was_delivered_and_fined_for_the_rest(case: Case) -> None:
    flexibility = case.tables["flexibility"]
    assert (flexibility.awarded_wh <= flexibility.offered_wh).all()
    assert flexibility.awarded_wh.sum() > 0
    penalty = case.ueur("dso", "penalty_eur_per_kwh")
    metered = case.tables["settlement"].set_index(KEY).metered_wh
    awarded_before: dict[tuple[int, str], int] = {}
    for row in flexibility.sort_values("request", kind="stable").itertuples():
        place = (row.interval, row.prosumer)
        change = int(metered[place]) - row.baseline_wh
        change = change if row.direction == "up" else -change
        earlier = awarded_before.get(place, 0)
        delivered = min(max(change - earlier, 0), row.awarded_wh)
        awarded_before[place] = earlier + row.awarded_wh
        assert (row.delivered_wh, row.paid_ueur, row.penalty_ueur) == (
            delivered,
            earned(delivered, row.price_ueur_per_kwh),
            due(row.awarded_wh - delivered, penalty),
        )


def test_awards_keep_to_their_requests(case: Case) -> None:
    requests = case.events("RequestOpened").set_index("request")
    assert (requests.price_cap_ueur_per_kwh == case.ueur("dso", "price_cap_eur_per_kwh")).all()
    flexibility = case.tables["flexibility"]
    awarded = flexibility.groupby("request").awarded_wh.sum()
    assert (awarded <= requests.quantity_wh[awarded.index]).all()
    opened = requests.loc[flexibility.request]
    assert (flexibility.price_ueur_per_kwh.to_numpy() <= opened.price_cap_ueur_per_kwh).all()
    closed = case.events("RequestClosed")
    assert sorted(closed.request) == requests.index.tolist()


def test_the_sum_of_all_balances_is_constant(case: Case) -> None:
    """Replay of every event that moves money: nothing appears, vanishes, or goes below zero."""
    seed = case.scenario["seed"]
    retail = case.ueur("market", "retail_eur_per_kwh")
    penalty = case.ueur("dso", "penalty_eur_per_kwh")
    supplier, dso = account(seed, "supplier").hex, account(seed, "DSO").hex
    tokens: dict[str, int] = {}
    free: dict[tuple[str, str], int] = {}
    locked = {"LocalMarket": 0, "FlexibilityMarket": 0}
    orders: dict[tuple[int, str], dict[str, Any]] = {}
    prices: dict[int, int] = {}
    requests: dict[int, dict[str, Any]] = {}
    offers: dict[tuple[int, str], dict[str, Any]] = {}
    holder_of = {
        row.to: row.contract
        for row in case.tables["transactions"].itertuples()
        if row.method == "deposit"
    }

    def move(contract: str, owner: str, amount: int) -> None:
        """From locked money to an account's free balance, or back."""
        free[contract, owner] = free.get((contract, owner), 0) + amount
        locked[contract] -= amount
        assert free[contract, owner] >= 0, (contract, owner)

    def pay(contract: str, payer: str, payee: str, amount: int) -> None:
        move(contract, payer, -amount)
        move(contract, payee, amount)

    local, flexible = "LocalMarket", "FlexibilityMarket"
    events = case.tables["events"]
    supply = 0
    for contract, event, text in zip(events.contract, events.event, events.arguments, strict=True):
        a = json.loads(text)
        who = a.get("account", "")
        if event == "Transfer":
            if int(a["sender"], 16):
                tokens[a["sender"]] -= a["value"]
            else:
                supply += a["value"]
            tokens[a["receiver"]] = tokens.get(a["receiver"], 0) + a["value"]
        elif event == "Deposited":
            free[contract, who] = free.get((contract, who), 0) + a["amount_ueur"]
        elif event == "OrderPlaced":
            per_kwh = retail - a["price_ueur_per_kwh"] if a["is_sell"] else a["price_ueur_per_kwh"]
            a["escrow"] = due(a["energy_wh"], max(per_kwh, 0))
            move(local, who, -a["escrow"])
            orders[a["interval"], who] = a | {"filled": 0}
        elif event == "OrderFilled":
            orders[a["interval"], who]["filled"] = a["energy_wh"]
        elif event == "IntervalCleared":
            interval, price = a["interval"], a["buy_price_ueur_per_kwh"]
            prices[interval] = price
            own = [order for (k, _), order in orders.items() if k == interval]
            dust = sum(due(o["filled"], price) for o in own if not o["is_sell"])
            dust -= sum(earned(o["filled"], price) for o in own if o["is_sell"])
            move(local, supplier, dust)
        elif event == "IntervalSettled":
            order = orders.pop((a["interval"], who), None)
            if order is not None:
                move(local, who, order["escrow"] + a["trade_ueur"])
            pay(local, supplier, who, a["supplier_ueur"])
        elif event == "RequestOpened":
            a["escrow"] = due(a["quantity_wh"], a["price_cap_ueur_per_kwh"])
            move(flexible, dso, -a["escrow"])
            requests[a["request"]] = a | {"held": 0}
        elif event == "OfferPlaced":
            # one for each block of an offer, whose bond is that of all blocks
            new = a | {"awarded": 0, "offered": 0, "blocks": []}
            offer = offers.setdefault((a["request"], who), new)
            bond = due(offer["offered"], penalty)
            offer["offered"] += a["energy_wh"]
            offer["blocks"].append((a["energy_wh"], a["price_ueur_per_kwh"]))
            move(flexible, who, bond - due(offer["offered"], penalty))
        elif event == "OfferAwarded":
            offers[a["request"], who]["awarded"] += a["energy_wh"]
        elif event == "OfferSettled":
            offer = offers.pop((a["request"], who))
            left, milli = offer["awarded"], 0
            for energy, asked in offer["blocks"]:
                milli += min(energy, left) * asked
                left -= min(energy, left)
            reserved = milli // 1_000
            requests[a["request"]]["held"] += reserved
            move(flexible, who, due(offer["offered"], penalty))
            pay(flexible, who, dso, a["penalty_ueur"])
            move(flexible, who, a["paid_ueur"])
            move(flexible, dso, reserved - a["paid_ueur"])
        elif event == "RequestClosed":
            request = requests.pop(a["request"])
            assert a["returned_ueur"] == request["escrow"] - request["held"]
            move(flexible, dso, a["returned_ueur"])
        assert locked[local] >= 0
        assert locked[flexible] >= 0
    # everything is settled, and each market holds exactly what it owes
    assert locked == {local: 0, flexible: 0}
    assert (orders, requests, offers) == ({}, {}, {})
    assert sum(tokens.values()) == supply
    held = {holder_of[owner]: amount for owner, amount in tokens.items() if owner in holder_of}
    for contract in (local, flexible):
        owed = sum(amount for (where, _), amount in free.items() if where == contract)
        assert held[contract] == owed
    # outside are the bank accounts alone, which nobody had to touch
    banks = case.ueur("market", "bank_eur") * case.tables["settlement"].prosumer.nunique()
    assert sum(held.values()) + banks == supply


def test_orders_and_reports_are_on_time(case: Case) -> None:
    market, step_s = case.scenario["market"], case.scenario["time"]["step_s"]
    start_s = int(pd.Timestamp(case.scenario["time"]["start"], tz="UTC").timestamp())
    transactions = case.tables["transactions"]
    done = transactions[(transactions.status == 1) & (transactions.interval >= 0)]
    begins = start_s + step_s * done.interval
    times: dict[str, Callable[[pd.Series], tuple[pd.Series, pd.Series]]] = {
        "placeOrder": lambda at: (at - market["order_lead_s"], at - market["gate_closure_s"] - 1),
        "clear": lambda at: (at - market["gate_closure_s"], at - 1),
        "openRequest": lambda at: (at - market["gate_closure_s"], at - 1),
        "offer": lambda at: (at - market["gate_closure_s"], at - 1),
        "award": lambda at: (at - market["gate_closure_s"], at - 1),
        "report": lambda at: (at + step_s, at + step_s + market["metering_s"]),
    }
    assert set(times) <= set(done.method)
    for method, window in times.items():
        rows = done.method == method
        first, last = window(begins[rows])
        assert (done.included_at_s[rows] >= first).all(), method
        assert (done.included_at_s[rows] <= last).all(), method
