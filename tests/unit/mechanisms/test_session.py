"""Prosumers, DSO and meters on the chain: what is in time, what is late, what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from deployed import ESTIMATE_WH, Markets, deployed, scenario_of

from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.curves import total_wh
from cosim.mechanisms.local_market.client import LocalMarket

RICH = 10**9
FIRST = 0


def session_of(
    n=4,
    *,
    gas_limit=30_000_000,
    order_lead_s=600,
    metering_s=240,
    deposit_ueur=RICH,
    dso_ueur=RICH,
    base_fee_wei=0,
    tip_wei=0,
):
    purse = {"account_eur": 2 * deposit_ueur / 1e6, "deposit_share": 0.5}
    times = {"order_lead_s": order_lead_s, "metering_s": metering_s}
    scenario = scenario_of(
        intervals=3, seed=5, market=purse | times, dso={"budget_eur": dso_ueur / 1e6}
    )
    names = [f"p{i}" for i in range(n)]
    deployment = deployed(
        scenario,
        names,
        meters=names,
        n_mechanisms=0,
        base_fee_wei=base_fee_wei,
        tip_wei=tip_wei,
    )
    # creating the contracts needs more than small tests fill
    deployment.chain.block_gas_limit = gas_limit
    return Markets(deployment, scenario)


def trade(session, orders, sent=0.0, interval=FIRST):
    """Send (is_sell, energy, price) per prosumer; None for no order."""
    filled = [order or (False, 0, 0) for order in orders]
    is_sell, energy, price = (np.array(column) for column in zip(*filled, strict=True))
    fraction = np.broadcast_to(np.asarray(sent, dtype=float), energy.shape)
    return session.trade(interval, is_sell.astype(bool), energy, price, fraction)


def everybody_sells(n):
    return [(True, 1_000, 100_000)] * n


def test_each_order_is_told_what_became_of_it():
    session = session_of(5, deposit_ueur=1_000_000)
    book = trade(
        session,
        [
            (False, 3_000, 250_000),
            (True, 2_000, 100_000),
            (True, 2_000, 150_000),
            (True, 500, 290_000),
            (False, 90_000, 300_000),  # 27 EUR with 1 EUR deposited
        ],
    )
    assert book.status.tolist() == ["cleared", "cleared", "partial", "unmatched", "rejected"]
    assert book.reason.tolist() == [None] * 4 + ["local market: balance too low"]
    assert book.filled_wh.tolist() == [3_000, 2_000, 1_000, 0, 0]
    assert book.contracted_wh.tolist() == [-3_000, 2_000, 1_000, 0, 0]
    assert (book.price_ueur_per_kwh, book.volume_wh) == (200_000, 3_000)
    assert book.arrived == (0, 1, 2, 3)


def test_nobody_sends_where_the_energy_is_zero():
    session = session_of(3)
    book = trade(session, [None, (True, 10, 90_000), None])
    assert book.status.tolist() == ["", "unmatched", ""]
    assert book.block[0] == -1
    assert book.block[1] > 0
    assert np.isnan(book.sent_at_s[[0, 2]]).all()
    assert book.volume_wh == 0


def test_the_chain_takes_orders_in_the_order_in_which_they_were_sent():
    session = session_of(4)
    book = trade(session, everybody_sells(4), sent=[0.9, 0.1, 0.5, 0.05])
    assert book.arrived == (3, 1, 2, 0)
    opens, closes = session.clock.window_opens_s(FIRST), session.clock.gate_closes_s(FIRST)
    assert book.sent_at_s == pytest.approx(opens + np.array([0.9, 0.1, 0.5, 0.05]) * 396)
    assert (book.sent_at_s < closes - 24).all()


def test_full_blocks_make_the_last_orders_late():
    # 12 transactions of 125 000 gas reserved fit into a block, and three blocks into the window
    session = session_of(80, gas_limit=1_500_000, order_lead_s=216)
    sent = np.linspace(0.0, 0.999, 80)
    book = trade(session, everybody_sells(80), sent=sent)
    late = book.status == "late"
    assert 0 < late.sum() < 80
    assert set(book.reason[late]) <= {
        "not included before gate closure",
        "local market: gate closed",
    }
    # who sent first is in
    assert late.tolist() == sorted(late.tolist())
    assert len(book.arrived) == 80 - late.sum()
    assert (book.filled_wh[late] == 0).all()
    # and a late order binds nobody
    free = session.deployment.client(LocalMarket)
    prosumers = session.deployment.prosumers
    assert {free.balance_of(prosumers[i].address) for i in np.flatnonzero(late)} == {RICH}


def test_meters_report_and_what_was_not_traded_goes_to_the_supplier():
    session = session_of(3)
    trade(session, [(False, 1_000, 250_000), (True, 1_000, 150_000), None])
    settled, _ = session.settle(FIRST, np.array([-1_500, 1_200, -10]))
    assert settled.contracted_wh.tolist() == [-1_000, 1_000, 0]
    assert settled.metered_wh.tolist() == [-1_500, 1_200, -10]
    assert settled.traded_ueur.tolist() == [-200_000, 200_000, 0]
    assert settled.supplier_ueur.tolist() == [-500 * 300, 200 * 80, -10 * 300]
    assert not settled.estimated.any()


def test_silent_meters_are_settled_by_estimate_before_the_next_gate_closes():
    # the report deadline passes before the first block: nobody can report in time
    n = 60
    session = session_of(n, metering_s=10)
    trade(session, everybody_sells(n))
    settled, _ = session.settle(FIRST, np.full(n, 1_000))
    assert settled.estimated.all()
    assert (settled.metered_wh == -ESTIMATE_WH).all()
    # an hour of one block each would make every order of the interval after next late
    assert session.chain.now_s < session.clock.window_opens_s(2)
    book = trade(session, everybody_sells(n), interval=2)
    assert set(book.status) == {"unmatched"}


def test_meters_that_find_no_room_are_silent_and_the_others_are_not():
    n = 80
    session = session_of(n, gas_limit=2_000_000, metering_s=24)
    trade(session, everybody_sells(n))
    settled, _ = session.settle(FIRST, np.full(n, 700))
    assert 0 < settled.estimated.sum() < n
    expected = np.where(settled.estimated, -ESTIMATE_WH, 700)
    assert settled.metered_wh.tolist() == expected.tolist()
    due = np.where(settled.estimated, -ESTIMATE_WH * 300, 700 * 80)
    assert settled.supplier_ueur.tolist() == due.tolist()


def test_a_dso_without_money_gets_no_request():
    session = session_of(2, dso_ueur=1_000)
    trade(session, everybody_sells(2))
    assert session.request(FIRST, -1, 1_000) is None
    assert session.settle(FIRST, np.zeros(2, dtype=np.int64))[1]["request"] == []


def test_no_request_is_opened_after_delivery_has_started():
    session = session_of(2)
    trade(session, everybody_sells(2))
    session.chain.mine_until(session.clock.delivery_start_s(FIRST))
    assert session.request(FIRST, -1, 1_000) is None
    assert session.chain.pending == 0


def flexible(session, energy, price=200_000, baseline=1_000, quantity=10_000):
    request = session.request(FIRST, -1, quantity)
    n = session.n
    session.offer(
        request,
        np.broadcast_to(energy, n).astype(np.int64),
        np.broadcast_to(price, n).astype(np.int64),
        np.full(n, baseline),
    )
    return request


def test_offers_that_the_contract_refuses_are_not_kept():
    session = session_of(4, deposit_ueur=1_000_000)
    trade(session, everybody_sells(4))
    # a bond of 0.6 EUR per kWh: 2 kWh are too much for 1 EUR; 600 000 µEUR/kWh is above the cap
    request = flexible(session, [1_000, 2_000, 1_000, 0], [200_000, 200_000, 600_000, 1])
    assert request.prosumers == [0]
    assert [total_wh(blocks) for blocks in request.blocks] == [1_000]


def test_awards_are_delivered_paid_and_fined():
    session = session_of(4)
    trade(session, everybody_sells(4))
    request = flexible(session, [1_000, 1_000, 1_000, 0])
    assert request.prosumers == [0, 1, 2]
    assert session.award(request, np.array([800, 0, 600])) == [[0, 2]]
    assert request.awarded_wh == [800, 0, 600]
    # prosumer 0 delivers in full and more, prosumer 2 only 250 Wh
    settled, rows = session.settle(FIRST, np.array([100, 1_000, 750, 1_000]))
    assert rows["delivered_wh"] == [800, 0, 250]
    assert rows["paid_ueur"] == [160_000, 0, 50_000]
    assert rows["penalty_ueur"] == [0, 0, 350 * 600]
    assert settled.flexibility_ueur.tolist() == [160_000, 0, 50_000 - 210_000, 0]


def test_an_award_beyond_the_request_is_not_taken():
    session = session_of(3)
    trade(session, everybody_sells(3))
    request = flexible(session, 1_000, quantity=1_500)
    assert session.award(request, np.array([1_000, 600, 0])) == []
    assert request.awarded_wh == [0, 0, 0]
    assert session.award(request, np.array([1_000, 500, 0])) == [[0, 1]]


def test_who_is_awarded_is_looked_up():
    session = session_of(3)
    trade(session, everybody_sells(3))
    request = flexible(session, 1_000)
    prosumers = session.deployment.prosumers
    # one that takes the first for the second, and the second for the first
    session.deployment.lookups.append(lambda i: prosumers[(1, 0, 2)[i]].address)
    assert session.award(request, np.array([700, 0, 300])) == [[0, 2]]
    awarded = [
        session.deployment.client(FlexibilityMarket).view(
            "offerOf", request.number, account.address
        )[3]
        for account in prosumers
    ]
    assert awarded == [0, 700, 300]


def test_awards_and_settlements_are_split_to_fit_into_blocks():
    n = 40
    session = session_of(n, gas_limit=1_500_000)
    trade(session, everybody_sells(n))
    request = flexible(session, 500, quantity=n * 500)
    offered = len(request.prosumers)
    assert offered == n  # the offers take several blocks, and there is time for them
    batches = session.award(request, np.full(offered, 400))
    assert len(batches) > 1
    assert [o for batch in batches for o in batch] == list(range(offered))
    _, rows = session.settle(FIRST, np.full(n, 600))
    assert rows["delivered_wh"] == [400] * offered


def test_offers_wait_for_room_while_an_award_still_has_time():
    n = 40
    session = session_of(n, gas_limit=700_000)
    trade(session, everybody_sells(n))
    chain, begins = session.chain, session.clock.delivery_start_s(FIRST)
    chain.mine_until(begins - 6 * 12)  # a request, three blocks of offers, room for an award
    request = flexible(session, 500, quantity=n * 500)
    offered = len(request.prosumers)
    assert offered == 3 * 9  # of 69 000 gas each, the last one with its limit of 90 000
    assert chain.now_s <= begins - 2 * 12
    energy = np.zeros(offered, dtype=np.int64)
    energy[0] = 400
    assert session.award(request, energy) == [[0]]


def test_fees_are_the_gas_of_each_account_at_its_price():
    session = session_of(3, base_fee_wei=10**9, tip_wei=10**8)
    session.chain.drain_records()
    trade(session, [(True, 1_000, 100_000), None, None])
    flexible(session, [0, 700, 0])
    settled, _ = session.settle(FIRST, np.zeros(3, dtype=np.int64))
    records = session.chain.drain_records()
    rows, blocks = records.transactions, records.blocks
    base = dict(zip(blocks["block"], blocks["base_fee_wei"], strict=True))
    positions = {a.address: i for i, a in enumerate(session.deployment.prosumers)}
    positions |= {a.address: i for i, a in enumerate(session.deployment.meters)}
    expected = [0, 0, 0]
    for sender, block, gas in zip(rows["sender"], rows["block"], rows["gas_used"], strict=True):
        address = bytes.fromhex(sender[2:]) if isinstance(sender, str) else sender
        if address in positions:
            expected[positions[address]] += gas * (base[block] + 10**8)
    assert settled.fees_wei == expected
    assert settled.fees_wei[0] > settled.fees_wei[2] > 0
    assert settled.fees_wei[1] > settled.fees_wei[2]


def test_a_chain_without_fees_charges_none():
    session = session_of(2)
    trade(session, everybody_sells(2))
    assert session.settle(FIRST, np.zeros(2, dtype=np.int64))[0].fees_wei == [0, 0]
