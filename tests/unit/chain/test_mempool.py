"""The mempool's order against its definition, for many fees, senders and blocks that leave some."""

from __future__ import annotations

import random

import pytest

from cosim.chain.blocks import Mempool, Transaction

BASE_FEE_WEI = 10


def _by_definition(waiting: list[Transaction], skipped: set[int]) -> list[int]:
    """Best tip first, then first sent; of a sender one after the other, none behind one skipped."""
    queues: dict[bytes, list[Transaction]] = {}
    for one in sorted(waiting, key=lambda one: (one.sent_at_s, one.handle)):
        queues.setdefault(one.sender, []).append(one)
    offered = []
    while heads := [
        queue[0] for queue in queues.values() if queue and queue[0].max_fee_wei >= BASE_FEE_WEI
    ]:
        best = min(
            heads,
            key=lambda one: (
                -min(one.tip_wei, one.max_fee_wei - BASE_FEE_WEI),
                one.sent_at_s,
                one.handle,
            ),
        )
        offered.append(best.handle)
        queue = queues[best.sender]
        queue.pop(0)
        if best.handle in skipped:
            queue.clear()
    return offered


@pytest.mark.parametrize("tips", [(0,), (5,), (0, 1, 2)], ids=["free", "alike", "various"])
@pytest.mark.parametrize("max_fees", [(10,), (9,), (9, 11, 12)], ids=["enough", "low", "mixed"])
@pytest.mark.parametrize("seed", range(4))
def test_order_of_candidates(tips: tuple[int, ...], max_fees: tuple[int, ...], seed: int) -> None:
    rng = random.Random(seed)
    mempool, waiting, handle = Mempool(), dict[int, Transaction](), 0
    for block_s in (100, 200, 300, 400):
        for _ in range(rng.randrange(12)):
            one = Transaction(
                handle,
                rng.randrange(block_s - 100, block_s + 100),
                bytes([rng.randrange(5)]) * 20,
                bytes(20),
                b"",
                21_000,
                rng.choice(max_fees),
                rng.choice(tips),
            )
            mempool.add(one)
            waiting[handle] = one
            handle += 1
        withdrawn = rng.sample(sorted(waiting), len(waiting) // 4)
        mempool.drop(withdrawn)
        for gone in withdrawn:
            del waiting[gone]
        skipped = set(rng.sample(sorted(waiting), len(waiting) // 4))
        ready = [one for one in waiting.values() if one.sent_at_s < block_s]
        offered = []
        for one in mempool.candidates(block_s, BASE_FEE_WEI):
            offered.append(one.handle)
            if one.handle not in skipped:
                mempool.taken(one)
        assert offered == _by_definition(ready, skipped)
        for taken in set(offered) - skipped:
            del waiting[taken]
        assert len(mempool) == len(waiting)
        assert mempool.has_candidates(block_s) == any(
            one.sent_at_s < block_s for one in waiting.values()
        )
