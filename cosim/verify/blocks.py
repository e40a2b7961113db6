"""Blocks and reorganisations: drawn again by the consensus, counted again from a replay."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from cosim.chain.blocks import Background, next_base_fee_wei
from cosim.chain.consensus import BlockPlan
from cosim.mechanisms.deployment import genesis_s
from cosim.replay.findings import Check
from cosim.replay.participants import Participants, deviation
from cosim.replay.replay import Replayed
from cosim.results.reader import Results, rows_of
from cosim.runs.preparation import CONSENSUS_SEED, SETUP_GAS_LIMIT, consensus_of
from cosim.seeds import child_seed
from cosim.units import wei_from_gwei
from cosim.verify.markets import areas_of_markets


def plans(results: Results) -> tuple[list[BlockPlan], int]:
    """Return every block as set-up and consensus draw it, and the set-up's number of them.

    A competing branch has the times and proposers of the blocks that it replaces, so this holds
    for whatever branch the tables hold.
    """
    scenario, n = results.scenario, len(results.table("blocks"))
    ledger, opens_s = scenario.ledger, scenario.clock().window_opens_s(0)
    setup_gas = max(ledger.block_gas_limit, SETUP_GAS_LIMIT)
    first_s = genesis_s(
        opens_s,
        ledger.block_time_s,
        round((1.0 - ledger.others_gas_share) * setup_gas),
        len(Participants(results).prosumers),
        sum(not each.is_default for each in scenario.mechanisms()),
        sum(each.setup_wait_s() for each in scenario.mechanisms()),
        max(len(areas_of_markets(results)), 1),
    )
    found = [BlockPlan(time_s) for time_s in range(first_s, opens_s + 1, ledger.block_time_s)]
    n_setup = len(found)
    seed = child_seed(np.random.SeedSequence(scenario.seed), CONSENSUS_SEED)
    schedule = consensus_of(scenario).schedule(found[-1].timestamp_s, np.random.default_rng(seed))
    while len(found) < n:
        found.append(schedule.following(found[-1].timestamp_s))
    return found[:n], n_setup


def check_blocks(results: Results, done: Replayed) -> Check:
    """Compare number, time, proposer, gas, count and base fee of every block."""
    check = Check("blocks", "drawn by the consensus, gas of the replay, base fee by EIP-1559")
    frame, ledger = results.table("blocks"), results.scenario.ledger
    drawn, n_setup = plans(results)
    n = len(frame)
    gas_used, count = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    place = {int(block): i for i, block in enumerate(frame["block"])}
    for one in done.included:
        gas_used[place[one.block]] += one.receipt.gas_used
        count[place[one.block]] += 1
    gas_limit = np.full(n, ledger.block_gas_limit)
    gas_limit[:n_setup] = max(ledger.block_gas_limit, SETUP_GAS_LIMIT)
    fee = wei_from_gwei(ledger.initial_base_fee_gwei)
    others = Background(ledger.others_gas_share, fee)
    base_fee, others_gas = [fee], [0]
    for used, limit in zip(gas_used[1:].tolist(), gas_limit[1:].tolist(), strict=True):
        base_fee.append(fee)
        others_gas.append(others.gas(limit, fee))
        fee = next_base_fee_wei(fee, used + others_gas[-1], limit) if fee else 0
    own = pd.DataFrame(
        {
            "block": np.arange(n),
            "timestamp_s": [plan.timestamp_s for plan in drawn],
            "gas_used": gas_used,
            "gas_limit": gas_limit,
            "base_fee_wei": base_fee,
            "n_transactions": count,
            "proposer": [plan.proposer for plan in drawn],
            "others_gas": others_gas,
        }
    )
    check.columns("blocks", None, frame, own, list(frame.columns))
    for earlier, later in pairwise(frame["timestamp_s"].tolist()):
        check.compared += 1
        if later <= earlier:
            check.differ("blocks", f"time {later}", "timestamp_s", later, f"after {earlier}")
    if (cap := ledger.transaction_gas_limit) is not None:
        for one in done.included:
            check.compared += 1
            if (own_limit := one.transaction.gas_limit) > cap:
                row = f"block {one.block} index {one.index}"
                check.differ("transactions", row, "gas_limit", own_limit, f"at most {cap}")
    return check


def check_reorganisations(results: Results) -> Check:
    """Compare the blocks that a branch replaced, as far as the consensus draws them."""
    check = Check("reorganisations", "forks drawn again by the consensus")
    frame, (drawn, _) = results.table("reorganisations"), plans(results)
    possible = {i - 1: plan.orphans for i, plan in enumerate(drawn) if plan.orphans}
    check.compared += 1
    last_seen = 0
    for i, row in enumerate(rows_of(frame)):
        name, last = f"row {i}", int(row.block + row.depth_blocks - 1)
        when_s = drawn[last].timestamp_s if 0 <= last < len(drawn) else None
        check.equal("reorganisations", name, "seen_at_s", row.seen_at_s, when_s)
        check.compared += 3
        if row.cause == "fork" and not 0 < row.depth_blocks <= possible.get(last, 0):
            check.differ(
                "reorganisations", name, "depth_blocks", row.depth_blocks, possible.get(last, 0)
            )
        if row.cause != "fork" and (row.cause != "attack" or deviation(results.scenario) is None):
            check.differ("reorganisations", name, "cause", row.cause, "fork")
        if not 0 <= row.n_left_out <= row.n_transactions or row.seen_at_s < last_seen:
            check.differ("reorganisations", name, "n_left_out", row.n_left_out, "at most all")
        last_seen = row.seen_at_s
    if len(frame):
        check.note(
            "not derivable from the chain: how many transactions the blocks left behind held, and "
            "whether all of a drawn fork could still be replaced",
            detail=True,
        )
    return check
