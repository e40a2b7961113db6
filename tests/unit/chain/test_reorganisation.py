"""Effects of a competing branch on transactions, state, fees and records."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cosim.chain.blocks import FeeStrategy, Transaction
from cosim.chain.chain import Chain
from cosim.chain.consensus import BlockPlan
from cosim.chain.deployment import deploy
from cosim.errors import EngineError
from cosim.evm.abi import pack
from cosim.evm.contracts import Artifact
from cosim.evm.engine import create_engine
from cosim.evm.hashing import keccak

ALICE, BOB, CAROL = (keccak(name)[12:] for name in (b"alice", b"bob", b"carol"))
GWEI = 10**9


class Listed:
    """Blocks every 12 s, of which some leave others behind."""

    def __init__(self, orphans: dict[int, int] | None = None) -> None:
        self._orphans = orphans or {}
        self._n = 0

    def following(self, timestamp_s: int) -> BlockPlan:
        self._n += 1
        return BlockPlan(timestamp_s + 12, self._n % 2, self._orphans.get(self._n, 0))


@pytest.fixture(params=["revm", "py-evm"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def chain(
    engine: str = "revm",
    *,
    orphans: dict[int, int] | None = None,
    horizon: int = 10,
    propagation_s: float = 0.0,
    confirmations: int = 0,
    base_fee_wei: int = 0,
    gas_limit: int = 30_000_000,
) -> Chain:
    ledger = Chain(create_engine(engine), 1000, 12, gas_limit, base_fee_wei)
    ledger.begin(
        Listed(orphans),
        horizon_blocks=horizon,
        propagation_s=propagation_s,
        confirmations=confirmations,
    )
    return ledger


def send(ledger: Chain, sender: bytes, sent_at_s: float, **fees: int) -> int:
    return ledger.submit(sender, CAROL, b"", sent_at_s, 21_000, **fees)


def placed(ledger: Chain, handles: Iterable[int]) -> list[tuple[int, int] | None]:
    found = [ledger.included(handle) for handle in handles]
    return [included and (included.block, included.index) for included in found]


def test_an_attacker_leaves_out_what_it_likes(engine_name: str, workbench: Artifact) -> None:
    ledger = chain(engine_name)
    contract = deploy(ledger, workbench, CAROL, 0)  # block 1
    store = workbench.selectors["store"]
    victim = ledger.submit(ALICE, contract, store + pack(1, 10), 1013, 200_000)
    other = ledger.submit(BOB, contract, store + pack(2, 20), 1014, 200_000)
    ledger.mine_blocks(3)
    assert placed(ledger, [victim, other]) == [(2, 0), (2, 1)]
    state = ledger.engine.storage_root(contract)

    done = ledger.reorganise(3, lambda sent: sent.sender == ALICE)

    assert done == (2, 3, 1048, "attack", 2, 1)
    assert (ledger.block, ledger.now_s) == (5, 1060)  # the branch is one block longer
    # the victim's came back with the block on top of the branch, which honest miners mined
    assert placed(ledger, [victim, other]) == [(5, 0), (2, 0)]
    assert ledger.engine.storage_root(contract) == state
    assert (ledger.engine.nonce(ALICE), ledger.engine.nonce(BOB)) == (1, 1)


def test_state_and_nonces_are_those_of_the_branch(engine_name: str, workbench: Artifact) -> None:
    ledger = chain(engine_name)
    contract = deploy(ledger, workbench, CAROL, 0)
    ledger.checkpoint()
    before = ledger.engine.storage_root(contract)
    sent = ledger.submit(ALICE, contract, workbench.selectors["store"] + pack(1, 10), 1013, 200_000)
    ledger.mine_blocks(1)
    assert ledger.engine.storage_root(contract) != before
    ledger.refuse = lambda transaction, proposer: transaction.sender == ALICE
    ledger.reorganise(1, lambda transaction: False)
    assert ledger.engine.storage_root(contract) == before
    assert ledger.engine.nonce(ALICE) == 0
    assert ledger.included(sent) is None
    assert ledger.pending == 1


def test_a_fork_includes_again_what_the_other_miner_knew() -> None:
    ledger = chain(orphans={4: 2}, propagation_s=5)
    known = send(ledger, ALICE, 1012)  # 12 s before block 2
    fresh = send(ledger, BOB, 1021)  # 3 s before block 2: the other miner has not heard of it
    ledger.mine_blocks(3)
    assert placed(ledger, [known, fresh]) == [(2, 0), (2, 1)]
    ledger.mine_blocks(1)
    assert placed(ledger, [known, fresh]) == [(2, 0), (3, 0)]
    drained = ledger.drain_records()
    assert drained.reorganisations == {
        "block": [2],
        "depth_blocks": [2],
        "seen_at_s": [1036],
        "cause": ["fork"],
        "n_transactions": [2],
        "n_left_out": [0],
    }
    assert drained.transactions["block"] == []  # its blocks may still be replaced
    ledger.checkpoint()
    drained = ledger.drain_records()
    assert drained.transactions["block"] == [2, 3]


def test_no_block_holds_what_was_sent_after_it() -> None:
    ledger = chain(gas_limit=21_000)
    first, second, third = (
        send(ledger, s, t) for s, t in ((ALICE, 1001), (BOB, 1002), (CAROL, 1030))
    )
    ledger.mine_blocks(3)
    assert placed(ledger, [first, second, third]) == [(1, 0), (2, 0), (3, 0)]
    # without the first two, the third still comes no earlier than it was sent
    ledger.reorganise(3, lambda sent: sent.sender in (ALICE, BOB))
    assert placed(ledger, [third]) == [(3, 0)]
    assert placed(ledger, [first, second]) == [(4, 0), None]


def test_later_ones_of_an_excluded_sender_wait_too() -> None:
    ledger = chain()
    first, second = send(ledger, ALICE, 1001), send(ledger, ALICE, 1002)
    ledger.mine_blocks(2)
    ledger.reorganise(2, lambda sent: sent.handle == first)
    assert placed(ledger, [first, second]) == [(3, 0), (3, 1)]


def test_base_fees_are_those_of_the_branch() -> None:
    ledger = chain(base_fee_wei=1_000_000, gas_limit=42_000)
    for sender in (ALICE, BOB):
        send(ledger, sender, 1001)
    ledger.mine_blocks(1)
    assert ledger.base_fee_wei == 1_125_000
    ledger.reorganise(1, lambda sent: True)
    # an empty block lowers the fee by an eighth; the full one on top raises it by as much
    assert ledger.base_fee_wei == 875_000 + 875_000 // 8
    ledger.checkpoint()
    blocks = ledger.drain_records().blocks
    assert blocks["base_fee_wei"] == [1_000_000, 1_000_000, 875_000]
    assert blocks["n_transactions"] == [0, 0, 2]


def test_only_what_is_kept_can_be_replaced() -> None:
    ledger = chain(horizon=3)
    ledger.mine_blocks(5)
    assert ledger.replaceable == 3
    with pytest.raises(EngineError, match="4 blocks cannot be replaced: the chain keeps 3"):
        ledger.reorganise(4, lambda sent: False)
    ledger.checkpoint()
    with pytest.raises(EngineError, match="the chain keeps 0"):
        ledger.reorganise(1, lambda sent: False)


def test_a_chain_that_keeps_nothing_takes_no_snapshot() -> None:
    ledger = chain(horizon=0, orphans={2: 1, 3: 2})
    sent = send(ledger, ALICE, 1001)
    ledger.mine_blocks(4)
    assert placed(ledger, [sent]) == [(1, 0)]
    assert ledger.n_reorganisations == 0
    assert not ledger.can_reorganise


def test_records_wait_until_they_are_final() -> None:
    ledger = chain(horizon=2)
    handles = [send(ledger, ALICE, 1001 + 12 * k) for k in range(4)]
    ledger.mine_blocks(4)
    drained = ledger.drain_records()
    assert drained.blocks["block"] == [0, 1, 2]
    assert drained.transactions["block"] == [1, 2]
    ledger.reorganise(2, lambda sent: sent.handle == handles[2])
    ledger.checkpoint()
    drained = ledger.drain_records()
    assert drained.blocks["block"] == [3, 4, 5]
    # the fourth waits behind the third: it is the same sender's
    assert drained.transactions["block"] == [5, 5]
    assert drained.reorganisations["depth_blocks"] == [2]


def test_a_validator_refuses_in_its_own_blocks_only() -> None:
    ledger = chain()
    ledger.refuse = lambda sent, proposer: proposer == 1 and sent.sender == ALICE
    censored, other = send(ledger, ALICE, 1001), send(ledger, BOB, 1002)
    ledger.mine_blocks(2)  # proposed by 1, then by 0
    assert placed(ledger, [censored, other]) == [(2, 0), (1, 0)]


def test_the_public_mempool_shows_what_was_sent() -> None:
    ledger = chain()
    send(ledger, BOB, 1013)
    send(ledger, ALICE, 1005)
    send(ledger, CAROL, 1050)
    ledger.refuse = lambda sent, proposer: True
    ledger.mine_blocks(1)
    seen: list[Transaction] = ledger.pending_transactions()
    assert [one.sender for one in seen] == [ALICE]
    ledger.mine_blocks(2)
    assert [one.sender for one in ledger.pending_transactions()] == [ALICE, BOB]


def test_fees_rise_with_every_block_that_passes() -> None:
    ledger = chain(gas_limit=21_000)
    ledger.set_fees(ALICE, FeeStrategy(GWEI, rise_permille=500))
    for k in range(4):  # fills a block each, at twice the tip
        send(ledger, BOB, 1001 + 12 * k, tip_wei=2 * GWEI)
    patient = send(ledger, CAROL, 1001, tip_wei=GWEI)
    rising = send(ledger, ALICE, 1002)
    ledger.mine_blocks(6)
    included = ledger.included(rising)
    assert included is not None
    # 1, 1.5, 2.25 gwei: the third block takes it
    assert (included.block, included.transaction.tip_wei) == (3, 2_250_000_000)
    assert included.fee_wei == 21_000 * 2_250_000_000
    assert placed(ledger, [patient]) == [(6, 0)]
