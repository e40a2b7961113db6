"""Attacks on the chain: who is refused by whom, what spam costs, what a branch holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cosim.attacks.censorship import Censors
from cosim.attacks.reorganisation import Takeover
from cosim.attacks.spam import CREATE_SPIN, PART_GAS, SPIN, Spam
from cosim.chain.blocks import Transaction
from cosim.chain.chain import Chain
from cosim.chain.consensus import Consensus, Regular
from cosim.clock import DeliveryClock
from cosim.evm.accounts import account
from cosim.evm.hashing import keccak
from cosim.evm.py_evm import PyEvmEngine
from cosim.evm.revm import RevmEngine

ALICE, BOB = (keccak(name)[12:] for name in (b"alice", b"bob"))
ORDER_GAS = 125_000
CLOCK = DeliveryClock(datetime(1970, 1, 1, 1), 900, 4, 600, 180, 240, 12)
OPENS_S, CLOSES_S, STARTS_S = 3_000, 3_420, 3_600


def chain(**settings: int) -> Chain:
    return Chain(RevmEngine(), OPENS_S - 24, 12, 1_000_000, **settings)


def send(ledger: Chain, sender: bytes, sent_at_s: float, interval: int = 0) -> int:
    """Something with the gas limit of an order."""
    return ledger.submit(sender, BOB, b"", sent_at_s, ORDER_GAS, interval=interval)


def test_spin_burns_what_it_is_given_on_both_engines() -> None:
    receipts = []
    for engine in (RevmEngine(), PyEvmEngine()):
        engine.set_block(1, 1_000_000, 30_000_000)
        created = engine.transact(ALICE, None, CREATE_SPIN, 60_000)
        assert created.contract_address is not None
        assert engine.code(created.contract_address) == SPIN
        receipts.append(engine.transact(ALICE, created.contract_address, b"", 100_000))
    assert receipts[0] == receipts[1]
    assert (receipts[0].status, receipts[0].gas_used) == (0, 100_000)


def spammer(ledger: Chain, **settings: Any) -> Spam:
    defaults = {"blocks": 3, "until_delivery": False, "tip_wei": 500}
    return Spam(ledger, CLOCK, account(1, "attacker"), range(1), **{**defaults, **settings})


def test_spam_fills_the_last_blocks_before_the_gate_at_a_rising_base_fee() -> None:
    ledger = chain(initial_base_fee_wei=10**9)
    spam = spammer(ledger)
    early, late = send(ledger, BOB, CLOSES_S - 60), send(ledger, ALICE, CLOSES_S - 40)
    spam.orders_sent(0, {}, lambda *_: None)
    assert ledger.now_s == CLOSES_S - 12
    records = ledger.drain_records()
    assert records.blocks["gas_used"][-4:] == [21_000, 960_000, 960_000, 960_000]
    base_fees_wei = records.blocks["base_fee_wei"][-3:]
    assert [round(8 * fee / base_fees_wei[0]) for fee in base_fees_wei] == [8, 9, 10]
    assert ledger.included(early) is not None
    assert ledger.included(late) is None
    attacker = "0x" + spam.attacker.address.hex()
    sent = zip(records.transactions["sender"], records.transactions["fee_wei"], strict=True)
    assert spam.spent_wei == sum(fee_wei for sender, fee_wei in sent if sender == attacker)
    assert spam.spent_wei > 36 * PART_GAS * (base_fees_wei[0] + 500)
    assert ledger.pending == 1  # what the attack left over was withdrawn


def test_spam_until_delivery_leaves_no_room_after_the_gate() -> None:
    ledger = chain(initial_base_fee_wei=1_000)
    spam = spammer(ledger, until_delivery=True)
    spam.orders_sent(0, {}, lambda *_: None)
    too_cheap = send(ledger, ALICE, CLOSES_S)  # twice the base fee, which more than doubles
    waiting = ledger.submit(BOB, ALICE, b"", CLOSES_S, ORDER_GAS, max_fee_wei=10**6)
    ledger.mine_until(STARTS_S)
    assert ledger.drain_records().blocks["gas_used"][-18:] == [960_000] * 18
    spam.before_delivery(0)
    assert ledger.pending == 2
    ledger.mine_blocks()
    assert ledger.included(too_cheap) is None
    included = ledger.included(waiting)
    assert included is not None
    assert included.included_at_s == STARTS_S + 12


def test_spam_takes_its_share_of_the_blocks_of_the_run_and_not_of_the_set_up() -> None:
    ledger = Chain(RevmEngine(), OPENS_S - 24, 12, 30_000_000, initial_base_fee_wei=1_000)
    spam = spammer(ledger, gas_share=0.5)
    ledger.block_gas_limit = 1_000_000
    spam.orders_sent(0, {}, lambda *_: None)
    assert ledger.drain_records().blocks["gas_used"][-3:] == [480_000] * 3


@pytest.mark.parametrize("until_delivery", [False, True])
def test_spam_keeps_to_its_budget(until_delivery: bool) -> None:
    spent_wei = []
    for budget_wei in (None, 500_000_000):
        spam = spammer(
            chain(initial_base_fee_wei=1_000), until_delivery=until_delivery, budget_wei=budget_wei
        )
        spam.orders_sent(0, {}, lambda *_: None)
        spam.before_delivery(0)
        spent_wei.append(spam.spent_wei)
    assert spent_wei[0] > 1_000_000_000
    assert 400_000_000 < spent_wei[1] <= 500_000_000


@pytest.mark.parametrize(
    ("kind", "share", "refusing"),
    [
        ("pbft", 0.3, [0, 1]),  # two of seven
        ("pbft", 0.34, [0, 1, 2, 3, 4, 5, 6]),  # more than a third leaves no quorum
        ("proof_of_authority", 0.34, [0, 1]),
        ("proof_of_authority", 0.51, [0, 1, 2, 3, 4, 5, 6]),
        ("proof_of_stake", 0.5, [0, 1, 2, 3]),
    ],
)
def test_which_validators_refuse(kind: str, share: float, refusing: list[int]) -> None:
    consensus = Consensus(kind, validators=7)
    censors = Censors(chain(), consensus, 1, frozenset({ALICE}), range(2, 4), share)
    sent = Transaction(0, 0.0, ALICE, BOB, b"", 21_000, 0, 0, interval=2)
    assert [p for p in range(7) if censors.refuses(sent, p)] == refusing
    assert not any(censors.refuses(sent._replace(interval=4), p) for p in range(7))
    assert not any(censors.refuses(sent._replace(sender=BOB), p) for p in range(7))


def test_miners_censor_in_their_share_of_the_blocks() -> None:
    ledger = chain()
    censors = Censors(ledger, Consensus("proof_of_work"), 1, frozenset({ALICE}), range(1), 0.3)
    sent = Transaction(0, 0.0, ALICE, BOB, b"", 21_000, 0, 0, interval=0)
    refused = 0
    for _ in range(1_000):
        ledger.mine_blocks()
        refused += censors.refuses(sent, 0)
        assert censors.refuses(sent, 0) == censors.refuses(sent, 0)
    assert 250 < refused < 350


def test_a_branch_holds_what_others_sent_in_their_time() -> None:
    ledger = chain()
    ledger.mine_until(OPENS_S - 12)
    ledger.begin(Regular(12), horizon_blocks=100)
    takeover = Takeover(ledger, CLOCK, frozenset({ALICE}), range(1))
    takeover.orders_sent(0, {}, lambda *_: None)
    victim, other = send(ledger, ALICE, OPENS_S + 30), send(ledger, BOB, OPENS_S + 40)
    later = send(ledger, BOB, OPENS_S + 100)
    elsewhere = send(ledger, ALICE, OPENS_S + 200, interval=1)
    ledger.mine_until(CLOSES_S)
    before = {handle: ledger.included(handle) for handle in (victim, other, later)}
    takeover.before_delivery(0)
    assert ledger.now_s == STARTS_S
    for handle in (other, later):
        after, known = ledger.included(handle), before[handle]
        assert after is not None
        assert known is not None
        assert (after.block, after.included_at_s) == (known.block, known.included_at_s)
    one = ledger.included(victim)
    assert one is not None
    assert one.included_at_s == STARTS_S  # the block on top of the branch
    # what its sender sent afterwards waits for it, because nonces leave no gap
    two = ledger.included(elsewhere)
    assert two is not None
    assert two.included_at_s == STARTS_S


def test_a_branch_longer_than_the_chain_keeps_open_changes_nothing() -> None:
    ledger = chain()
    ledger.begin(Regular(12), horizon_blocks=5)
    takeover = Takeover(ledger, CLOCK, frozenset({ALICE}), range(1), depth_blocks=6)
    takeover.orders_sent(0, {}, lambda *_: None)
    takeover.before_delivery(0)
    assert ledger.n_reorganisations == 0
