"""Orders and readings in batches: when they leave, how large they are, what becomes of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from deployed import ESTIMATE_WH, Markets, deployed, scenario_of

from cosim.attacks.silence import SilentSender
from cosim.errors import ScenarioError
from cosim.mechanisms.local_market.interference import LedgerAttack
from cosim.mechanisms.local_market.outcomes import OrderBook
from cosim.mechanisms.local_market.panel import batch_entries
from cosim.mechanisms.local_market.submission.client import (
    Submissions,
    order_batch_gas,
    order_of_word,
    order_word,
    reading_of_word,
    reading_word,
)
from cosim.mechanisms.local_market.submission.partition import batches, most_entries
from cosim.mechanisms.local_market.submission.terms import EACH, SubmissionTerms
from cosim.scenario import Scenario

BATCHED: dict[str, Any] = {"submission": "batched", "batch_size": 3}
SIGNED = BATCHED | {"batch_authority": "signatures"}
ROLE, SIGNATURES = (BATCHED, BATCHED), (SIGNED, SIGNED)
NAMES = [f"p{i}" for i in range(5)]
ORDERS = [
    (False, 3_000, 250_000),
    (True, 2_000, 100_000),
    (True, 2_000, 150_000),
    (True, 500, 290_000),
    (False, 90_000, 300_000),  # 27 EUR with 1 EUR deposited
]
SENT = np.array([0.5, 0.1, 0.4, 0.2, 0.3])


def session(
    sections: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
    attack: LedgerAttack | None = None,
    base_fee_wei: int = 0,
) -> Markets:
    market, metering = sections
    purse = {"account_eur": 2.0, "deposit_share": 0.5}
    scenario = scenario_of(intervals=3, market=purse | market, metering=metering)
    made = deployed(scenario, NAMES, attack=attack, base_fee_wei=base_fee_wei)
    return Markets(made, scenario)


def trade(made: Markets) -> OrderBook:
    is_sell, energy, price = (np.array(column) for column in zip(*ORDERS, strict=True))
    return made.trade(0, is_sell.astype(bool), energy, price, SENT)


def test_a_batch_leaves_when_it_is_full_and_the_rest_at_the_last_moment() -> None:
    coming = [(4.0, 0), (1.0, 1), (3.0, 2), (2.0, 3), (5.0, 4)]
    assert batches(coming, 2, 9.0) == [(2.0, (1, 3)), (4.0, (2, 0)), (9.0, (4,))]
    assert batches(coming, 5, 9.0) == [(5.0, (1, 3, 2, 0, 4))]
    assert batches(coming, 64, 0.0) == [(5.0, (1, 3, 2, 0, 4))]
    assert batches([], 2, 9.0) == []


@pytest.mark.parametrize(
    ("block", "cap", "n"),
    [
        (30_000_000, None, 128),  # as wanted
        (20_000_000, None, 99),  # half a block
        (40_000_000, 16_777_216, 128),
        (40_000_000, 10_000_000, 99),
        (500_000, None, 1),
        (100_000, None, 1),  # none fits: the chain says so
    ],
)
def test_a_batch_fits_into_half_a_block_and_a_transaction(
    block: int, cap: int | None, n: int
) -> None:
    most = block if cap is None else min(block, cap)
    assert most_entries(block, most, 128, order_batch_gas) == n


def test_words_hold_what_they_were_made_of() -> None:
    account = bytes(range(1, 21))
    for order in ((True, 2**32 - 1, 2**31 - 1), (False, 1, 0)):
        assert order_of_word(order_word(account, *order)) == (account, *order)
    for net_wh in (-(2**32) + 1, -1, 0, 2**32 - 1):
        assert reading_of_word(reading_word(account, net_wh)) == (account, net_wh)


@pytest.mark.parametrize("sections", [ROLE, SIGNATURES])
def test_batches_trade_and_settle_what_single_transactions_do(
    sections: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    alone, together = session(), session(sections)
    books = [trade(made) for made in (alone, together)]
    for name in ("status", "reason", "filled_wh", "contracted_wh"):
        one, other = (getattr(book, name).tolist() for book in books)
        assert one == other, name
    assert books[1].reason.tolist() == [None] * 4 + ["local market: balance too low"]
    assert books[0].arrived == books[1].arrived == (1, 3, 2, 0)
    # three left together, and two with the last moment
    assert len(set(books[1].block[[1, 3, 4]].tolist())) == 1
    assert books[1].block[2] == books[1].block[0] > books[1].block[1]
    assert books[1].sent_at_s.tolist() == books[0].sent_at_s.tolist()
    metered = np.array([-3_100, 2_000, 900, 7, -1])
    settled = [made.settle(0, metered)[0] for made in (alone, together)]
    assert settled[0].supplier_ueur.tolist() == settled[1].supplier_ueur.tolist()
    assert not settled[1].estimated.any()
    senders = {
        sent.to: sent.sender
        for one in together.chain._included.values()
        if (sent := one.transaction).interval == 0
    }
    batches_to = together.deployment.client(Submissions).address
    assert senders[batches_to] == together.deployment.metering_operator.address


def test_members_pay_no_fee_of_a_batch() -> None:
    paid = []
    for sections in ((), ROLE, (BATCHED, {}), ({}, BATCHED)):
        made = session(sections or ({}, {}), base_fee_wei=10**9)
        trade(made)
        settled, _ = made.settle(0, np.zeros(5, dtype=np.int64))
        paid.append(sum(settled.fees_wei))
    each, neither, reports, orders = paid
    assert neither == 0 < reports < each
    assert orders > 0


def test_without_the_aggregator_no_order_is_placed() -> None:
    made = session(ROLE, SilentSender("aggregator", range(1)))
    book = trade(made)
    assert set(book.status) == {"late"}
    assert set(book.reason) == {"not included before gate closure"}
    assert book.arrived == ()
    assert not np.isnan(book.sent_at_s).any()
    settled, _ = made.settle(0, np.full(5, 9))
    assert settled.supplier_ueur.tolist() == [9 * 80] * 5


def test_without_the_head_end_everybody_is_estimated() -> None:
    made = session(ROLE, SilentSender("head_end", range(1)))
    trade(made)
    settled, _ = made.settle(0, np.full(5, 9))
    assert settled.estimated.all()
    assert (settled.metered_wh == -ESTIMATE_WH).all()


@pytest.mark.parametrize("batched", ["market", "metering"])
def test_either_side_is_batched_alone(batched: str) -> None:
    made = session(tuple(BATCHED if batched == one else {} for one in ("market", "metering")))
    assert trade(made).arrived == (1, 3, 2, 0)
    assert not made.settle(0, np.zeros(5, dtype=np.int64))[0].estimated.any()


def test_terms_of_sections() -> None:
    built = scenario(market=SIGNED, metering={"submission": "batched"})
    assert SubmissionTerms.of(built.market) == SubmissionTerms(True, 3, True)
    assert SubmissionTerms.of(built.metering) == SubmissionTerms(True, 64, False)
    single = scenario(market={"batch_authority": "signatures"})
    assert SubmissionTerms.of(single.market) == EACH


def test_the_report_says_who_sends_batches() -> None:
    batched = scenario(
        market={"submission": "batched", "batch_size": 32, "batch_authority": "signatures"},
        metering={"submission": "batched", "batch_size": 64},
    )
    assert batch_entries(batched.model_dump(mode="json")) == [
        (
            "Orders in batches",
            "sent by an aggregator, 32 at a time; taken for the members' by their signatures",
        ),
        (
            "Readings in batches",
            "sent by the metering operator's head end, 64 at a time; taken for the meters' by "
            "its role",
        ),
    ]
    assert not batch_entries(scenario().model_dump(mode="json"))


def scenario(**sections: Any) -> Scenario:
    return Scenario(
        name="submission",
        seed=1,
        time={"start": "2016-05-24T00:00:00", "intervals": 2},
        grid={"network": "1-LV-rural1--1-sw"},
        **sections,
    )


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"market": BATCHED | {"reveal_s": 60}}, "reveal_s .60. seals orders.*submission: each"),
        ({"market": {"submission": "batch"}}, "field market.submission.*'each' or 'batched'"),
        ({"market": {"batch_size": 129}}, "field market.batch_size.*128"),
        ({"metering": {"batch_size": 0}}, "field metering.batch_size.*greater than or equal to 1"),
        ({"metering": {"batch_authority": "rolle"}}, "'role' or 'signatures'"),
        ({"metering": {"submision": "each"}}, "unknown field.*'submission'"),
        (
            {"market": BATCHED, "attack": {"kind": "front_running", "attacker": "a"}},
            "attack.kind: front_running.*set market.submission: each",
        ),
        (
            {"market": BATCHED, "attack": {"kind": "reorganisation"}},
            "attack.kind: reorganisation.*set market.submission: each",
        ),
        (
            {"metering": BATCHED, "attack": {"kind": "failing_sender", "sender": "aggregator"}},
            "attack.sender: aggregator sends nothing.*set market.submission: batched",
        ),
        (
            {"market": BATCHED, "attack": {"kind": "failing_sender", "sender": "head_end"}},
            "attack.sender: head_end sends nothing.*set metering.submission: batched",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_remedy(sections: dict[str, Any], says: str) -> None:
    with pytest.raises(ScenarioError, match=f"(?s){says}"):
        scenario(**sections)
