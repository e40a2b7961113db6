"""Which transaction gets into which block, and at what fee."""

from __future__ import annotations

import json

import pytest

from cosim.chain.blocks import Background, next_base_fee_wei
from cosim.chain.chain import Chain
from cosim.chain.deployment import deploy
from cosim.errors import ContractRevert, EngineError
from cosim.evm.abi import pack
from cosim.evm.contracts import Artifact
from cosim.evm.hashing import keccak
from cosim.evm.revm import RevmEngine

ALICE, BOB, CAROL = (keccak(name)[12:] for name in (b"alice", b"bob", b"carol"))
GWEI = 10**9
TRANSFER_GAS = 21_000


def chain(
    *, gas_limit: int = 30_000_000, base_fee_wei: int = 0, tip_wei: int = 0, block_time_s: int = 12
) -> Chain:
    return Chain(RevmEngine(), 1000, block_time_s, gas_limit, base_fee_wei, tip_wei)


def send(
    chain: Chain,
    sender: bytes,
    sent_at_s: float,
    gas_limit: int = TRANSFER_GAS,
    tip_wei: int | None = None,
) -> int:
    return chain.submit(sender, CAROL, b"", sent_at_s, gas_limit, tip_wei=tip_wei)


def placed(chain: Chain, handle: int) -> tuple[int, int] | None:
    included = chain.included(handle)
    return included and (included.block, included.index)


def test_a_block_includes_what_was_sent_before_it() -> None:
    ledger = chain()
    before, at, after = (send(ledger, ALICE, s) for s in (1011.9, 1012, 1012.1))
    ledger.mine_until(1011)
    assert ledger.now_s == 1000
    ledger.mine_until(1012)
    assert (ledger.now_s, ledger.block, ledger.pending) == (1012, 1, 2)
    assert placed(ledger, before) == (1, 0)
    assert placed(ledger, at) is None
    ledger.mine_until(1030)
    assert (placed(ledger, at), placed(ledger, after)) == ((2, 0), (2, 1))
    assert ledger.now_s == 1024


def test_by_the_rules_of_osaka_a_transaction_has_a_gas_limit_of_its_own() -> None:
    ledger = chain()
    assert ledger.most_gas == 30_000_000
    ledger.transaction_gas_limit = 16_777_216
    assert ledger.most_gas == 16_777_216
    with pytest.raises(EngineError, match=r"16777217 is above the 16777216 .*EIP-7825"):
        send(ledger, ALICE, 1005, 16_777_217)
    handle = send(ledger, ALICE, 1005, 16_777_216)
    ledger.mine_until(1012)
    assert placed(ledger, handle) == (1, 0)
    ledger.block_gas_limit = 1_000_000
    assert ledger.most_gas == 1_000_000


def test_tip_then_time_then_submission_decide_the_order() -> None:
    ledger = chain()
    late = send(ledger, ALICE, 1005)
    first = send(ledger, BOB, 1001)
    second = send(ledger, CAROL, 1001)
    rich = send(ledger, keccak(b"dave")[12:], 1006, tip_wei=5)
    ledger.mine_until(1012)
    positions = [placed(ledger, handle) for handle in (rich, first, second, late)]
    assert positions == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_a_sender_keeps_its_order_whatever_the_tips() -> None:
    ledger = chain()
    poor = send(ledger, ALICE, 1001, tip_wei=1)
    rich = send(ledger, ALICE, 1002, tip_wei=9)
    other = send(ledger, BOB, 1003, tip_wei=2)
    ledger.mine_until(1012)
    assert [placed(ledger, handle) for handle in (other, poor, rich)] == [(1, 0), (1, 1), (1, 2)]
    nonces = [ledger.included(handle).nonce for handle in (poor, rich)]  # type: ignore[union-attr]
    assert nonces == [0, 1]


def test_what_does_not_fit_waits_and_smaller_ones_pass() -> None:
    ledger = chain(gas_limit=60_000)
    first = send(ledger, ALICE, 1001)
    large = send(ledger, BOB, 1002, gas_limit=50_000)
    behind = send(ledger, BOB, 1003)
    small = send(ledger, CAROL, 1004)
    ledger.mine_until(1012)
    assert [placed(ledger, h) for h in (first, large, small)] == [(1, 0), None, (1, 1)]
    ledger.mine_until(1024)
    # the gas that the large one did not use is free for the one behind it
    assert [placed(ledger, h) for h in (large, behind)] == [(2, 0), (2, 1)]


def test_gas_limit_above_the_block_is_refused() -> None:
    with pytest.raises(EngineError, match="block gas limit 50000"):
        send(chain(gas_limit=50_000), ALICE, 1001, gas_limit=50_001)


@pytest.mark.parametrize(
    ("gas_used", "base_fee_wei"),
    [(15_000_000, 800), (30_000_000, 900), (0, 700), (22_500_000, 850), (15_000_001, 801)],
)
def test_base_fee_follows_eip_1559(gas_used: int, base_fee_wei: int) -> None:
    assert next_base_fee_wei(800, gas_used, 30_000_000) == base_fee_wei


def test_a_base_fee_of_zero_stays() -> None:
    assert next_base_fee_wei(0, 30_000_000, 30_000_000) == 0
    ledger = chain(gas_limit=21_000)
    send(ledger, ALICE, 1001)
    ledger.mine_until(1048)
    assert ledger.drain_records().blocks["base_fee_wei"] == [0] * 5


def test_fees_are_gas_times_base_fee_and_tip() -> None:
    ledger = chain(base_fee_wei=10 * GWEI, tip_wei=2 * GWEI)
    handle = send(ledger, ALICE, 1001)
    ledger.mine_until(1012)
    included = ledger.included(handle)
    assert included is not None
    assert included.transaction.max_fee_wei == 22 * GWEI
    assert included.fee_wei == TRANSFER_GAS * 12 * GWEI
    # a nearly empty block lowers the base fee by nearly an eighth
    assert ledger.base_fee_wei == 10 * GWEI - 10 * GWEI * 14_979_000 // 15_000_000 // 8


def test_a_transaction_waits_until_it_can_pay_the_base_fee() -> None:
    ledger = chain(gas_limit=42_000, base_fee_wei=1000)
    waiting = send(ledger, CAROL, 1001 + 12 * 7)
    for block in range(7):  # full blocks: the base fee more than doubles
        for sender in (ALICE, BOB):
            send(ledger, sender, 1000 + 12 * block)
        ledger.mine_until(1012 + 12 * block)
    assert ledger.base_fee_wei > 2000
    ledger.mine_until(1012 + 12 * 7)
    assert placed(ledger, waiting) is None
    ledger.mine_until(1012 + 12 * 12)
    included = ledger.included(waiting)
    assert included is not None
    blocks = ledger.drain_records().blocks
    assert blocks["base_fee_wei"][included.block] <= 2000
    assert blocks["base_fee_wei"][included.block - 1] > 2000


def test_dropped_transactions_are_withdrawn() -> None:
    ledger = chain()
    kept, dropped, follower = (send(ledger, ALICE, s) for s in (1001, 1013, 1014))
    ledger.mine_until(1012)
    ledger.drop([kept, dropped])
    assert ledger.pending == 1
    ledger.mine_until(1024)
    assert [placed(ledger, h) for h in (kept, dropped, follower)] == [(1, 0), None, (2, 0)]
    records = ledger.drain_records()
    assert records.transactions["sent_at_s"] == [1001, 1014]
    assert records.transactions["nonce"] == [0, 1]


def test_value_needs_a_balance() -> None:
    ledger = chain()
    handle = ledger.submit(ALICE, BOB, b"", 1001, TRANSFER_GAS, value_wei=5)
    ledger.mine_until(1012)
    assert placed(ledger, handle) is None
    ledger.engine.set_balance(ALICE, 5)
    ledger.mine_until(1024)
    assert placed(ledger, handle) == (2, 0)
    assert ledger.engine.balance(BOB) == 5


def test_records_name_contracts_methods_and_events(workbench: Artifact) -> None:
    ledger = chain()
    contract = deploy(ledger, workbench, ALICE, 7)
    store = workbench.selectors["store"] + pack(3, 4)
    ledger.submit(BOB, contract, store, ledger.now_s, 200_000, interval=9)
    late = workbench.selectors["fail_late"] + pack(1, 2)
    ledger.submit(CAROL, contract, late, ledger.now_s + 1, 200_000)
    ledger.mine_until(ledger.now_s + 12)
    records = ledger.drain_records()
    transactions = records.transactions
    assert transactions["contract"] == ["Workbench"] * 3
    assert transactions["method"] == [None, "store", "fail_late"]
    assert transactions["to"] == [None, "0x" + contract.hex(), "0x" + contract.hex()]
    assert transactions["status"] == [1, 1, 0]
    assert transactions["revert_reason"] == [None, None, "workbench: too late"]
    assert transactions["interval"] == [-1, 9, -1]
    assert transactions["included_at_s"] == [1012, 1024, 1024]
    assert transactions["data"][1] == store
    assert records.blocks["n_transactions"] == [0, 1, 2]
    assert records.blocks["gas_used"][1] == transactions["gas_used"][0]
    assert records.events["event"] == ["Stored"]
    assert records.events["block"] == [2]
    assert json.loads(records.events["arguments"][0]) == {
        "amount": 4,
        "is_new": True,
        "key": 3,
        "who": "0x" + BOB.hex(),
    }
    again = ledger.drain_records()
    assert again.blocks["block"] == []
    assert again.transactions.keys() == transactions.keys()


def test_events_of_unknown_contracts_stay_undecoded(workbench: Artifact) -> None:
    ledger = chain()
    contract = deploy(ledger, workbench, ALICE, 0)
    data = workbench.selectors["create_child"] + pack(1)
    ledger.submit(BOB, contract, data, ledger.now_s, 2_000_000)
    ledger.mine_until(ledger.now_s + 12)
    events = ledger.drain_records().events
    assert len(events["event"]) == 2  # the child says that it was paid and that it stored
    assert events["event"] == ["", ""]
    assert events["contract"][0].startswith("0x")
    assert sorted(json.loads(events["arguments"][0])) == ["data", "topics"]


def test_inclusions_are_forgotten_after_the_drain_after_next() -> None:
    ledger = chain()
    handle = send(ledger, ALICE, 1001)
    ledger.mine_until(1012)
    ledger.drain_records()
    assert placed(ledger, handle) == (1, 0)
    ledger.drain_records()
    assert placed(ledger, handle) is None


def test_calls_see_the_latest_block(workbench: Artifact) -> None:
    ledger = chain()
    contract = deploy(ledger, workbench, ALICE, 0)
    ledger.mine_until(2000)
    output = ledger.call(contract, workbench.selectors["whereabouts"])
    assert output[:64] == pack(ledger.block, ledger.now_s) == pack(83, 1996)


def test_a_constructor_that_refuses(workbench: Artifact) -> None:
    with pytest.raises(ContractRevert, match="workbench: unlucky"):
        deploy(chain(), workbench, ALICE, 666)


def test_empty_blocks_do_not_reach_the_engine() -> None:
    class Counting(RevmEngine):
        blocks = 0

        def set_block(self, *arguments: int) -> None:
            self.blocks += 1
            super().set_block(*arguments)

    engine = Counting()
    ledger = Chain(engine, 1000, 12, 30_000_000)
    handle = send(ledger, ALICE, 5000)
    ledger.mine_until(13_000)
    assert ledger.block == 1000
    assert placed(ledger, handle) == (334, 0)
    assert engine.blocks == 2  # genesis, and the one with a transaction


def test_block_time_must_be_positive() -> None:
    with pytest.raises(EngineError, match="block time"):
        chain(block_time_s=0)


def test_others_take_their_gas_first_and_keep_the_base_fee() -> None:
    ledger = chain(gas_limit=63_000, base_fee_wei=1_000_000)
    ledger.background = Background(1 / 3, 1_000_000)  # room for two of 21 000
    handles = [send(ledger, ALICE, 1001) for _ in range(4)]
    ledger.mine_until(1012)
    assert [placed(ledger, handle) for handle in handles] == [(1, 0), (1, 1), None, None]
    # 63 000 against a target of 31 500: an eighth more
    assert ledger.base_fee_wei == 1_125_000
    ledger.mine_until(1024)
    blocks = ledger.drain_records().blocks
    assert blocks["others_gas"] == [0, 21_000, 21_000 * 1_000_000 // 1_125_000]


def test_a_base_fee_comes_back_to_what_others_pay() -> None:
    ledger = chain(base_fee_wei=1_000_000)
    ledger.background = Background(0.5, 1_000_000)
    ledger.mine_until(1000 + 12 * 20)
    assert ledger.base_fee_wei == 1_000_000  # nobody else: it stays at the target
    burner = chain(gas_limit=42_000, base_fee_wei=1_000_000)
    burner.background = Background(0.5, 1_000_000)
    for k in range(6):
        send(burner, ALICE, 1001 + 12 * k)
    burner.mine_until(1000 + 12 * 6)
    risen = burner.base_fee_wei
    assert risen > 1_500_000
    burner.mine_until(1000 + 12 * 60)
    assert 1_000_000 <= burner.base_fee_wei < 1_050_000
    assert burner.base_fee_wei < risen
