"""Time and fee of transactions, and the interval that each serves."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pandas as pd

from cosim.chain.blocks import effective_tip_wei, next_base_fee_wei
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.participants import deviation
from cosim.replay.replay import transactions_of
from cosim.results.reader import Results, rows_of
from cosim.units import wei_from_gwei


def check_sending(results: Results) -> Check:
    """Check when transactions were sent, what they offered to pay, and how blocks took them.

    Wallets offer twice the base fee of some block plus the tip; whoever pays best, then whoever
    sent first, enters a block first. Where a scenario lets users choose their fees, or messages
    take their time, only the bounds are checked.
    """
    check = Check("sending", "fees of the scenario, order of inclusion, times before the block")
    frame, ledger = results.table("transactions"), results.scenario.ledger
    base_fee = {int(row.block): int(row.base_fee_wei) for row in rows_of(results.table("blocks"))}
    reason = deviation(results.scenario)
    if ledger.fee_strategies:
        reason = reason or "users choose their own fees"
    if ledger.propagation_delay_s:
        reason = reason or "messages take their time, and branches have fees of their own"
    wallets = None if reason else _offers(results)
    tip_wei = wei_from_gwei(ledger.tip_gwei)
    for i, row in enumerate(rows_of(frame)):
        name, fee = f"row {i}", base_fee[row.block]
        check.compared += 3
        if not row.sent_at_s < row.included_at_s:
            check.differ("transactions", name, "sent_at_s", row.sent_at_s, "before its block")
        if wallets is not None and row.tip_wei != tip_wei:
            check.differ("transactions", name, "tip_wei", row.tip_wei, tip_wei)
        elif wallets is not None and row.max_fee_wei - row.tip_wei not in wallets:
            wanted = "twice a block's base fee, plus the tip"
            check.differ("transactions", name, "max_fee_wei", row.max_fee_wei, wanted)
        elif not 0 <= row.tip_wei <= row.max_fee_wei or row.max_fee_wei < fee:
            check.differ("transactions", name, "max_fee_wei", row.max_fee_wei, f"at least {fee}")
    if reason:
        check.note(f"fees and the order within blocks are only bounded: {reason}")
    else:
        _check_order(check, frame, transactions_of(frame), base_fee)
    check.note(
        "not derivable from the chain: when a transaction was sent, beyond its place in the order "
        "of its block; orders say it twice",
        detail=True,
    )
    return check


def _offers(results: Results) -> set[int]:
    """Return what wallets may offer beyond the tip: twice a base fee, the next one's included."""
    blocks = results.table("blocks")
    last = blocks.iloc[-1]
    gas = int(last["gas_used"]) + int(last["others_gas"])
    following = next_base_fee_wei(int(last["base_fee_wei"]), gas, int(last["gas_limit"]))
    return {2 * int(fee) for fee in blocks["base_fee_wei"]} | {2 * following}


def _check_order(
    check: Check, frame: pd.DataFrame, sent: list[Any], base_fee: dict[int, int]
) -> None:
    """Check the order: best effective tip, then first sent, nonces of a sender in order."""
    blocks = frame["block"].to_numpy()
    last_of: dict[bytes, int] = {}
    for i in range(1, len(sent)):
        before, after = sent[i - 1], sent[i]
        last_of[before.sender] = i - 1
        if blocks[i] != blocks[i - 1]:
            continue
        check.compared += 1
        own_before = last_of.get(after.sender, -1)
        if own_before == i - 1 and blocks[own_before] == blocks[i]:
            continue  # it became a candidate only when its sender's transaction before was taken
        fee = int(base_fee[int(blocks[i])])
        keys = [(-effective_tip_wei(one, fee), one.sent_at_s) for one in (before, after)]
        if keys[0] > keys[1]:
            check.differ(
                "transactions",
                f"row {i}",
                "sent_at_s, tip_wei",
                (after.sent_at_s, after.tip_wei),
                f"not before row {i - 1} of its block, sent at {before.sent_at_s}",
            )


def check_intervals(history: History) -> Check:
    """Compare the column ``interval`` of transactions by arguments, requests, and time."""
    check = Check("intervals", "interval of each transaction by its arguments, request, or time")
    clock = history.results.scenario.clock()
    opens_s = clock.window_opens_s(0)
    told: dict[int, int] = {}
    for mechanism in history.mechanisms:
        told |= mechanism.intervals(history)
    strangers = 0
    for position, sent in enumerate(history.sent):
        said, stated = sent.call.arguments, sent.included.transaction.interval
        row = f"row {sent.included.transaction.handle}"
        if not sent.call.contract and (sent.included.transaction.to is not None or stated >= 0):
            strangers += 1
            continue
        if sent.included.included_at_s <= opens_s and "interval" not in said:
            wanted: object = -1
        elif "interval" in said:
            wanted = said["interval"]
        elif position in told or not sent.call.method:
            wanted = told.get(position, -1)
        else:
            wanted = history.settled_in(position)
        check.equal("transactions", row, "interval", stated, wanted)
    if strangers:
        check.note(
            f"not derivable from the chain: what {strangers} transactions to contracts that are "
            "not the run's (an attacker's) are about"
        )
    return check


def check_gas_limits(history: History) -> Check:
    """Compare gas limits: one for all calls of a method with calldata of the same size.

    Clients set them by method, and by the number of orders or accounts that a call is about.
    """
    check = Check("gas limits", "one limit for all calls of a method that are of one size")
    reason = deviation(history.scenario)
    if reason is not None:
        check.note(f"not compared: {reason}")
        return check
    varying = {method for each in history.mechanisms for method in each.varying_gas}
    groups: dict[tuple[str, str, int, int], Counter[int]] = defaultdict(Counter)
    keys = []
    for position, sent in enumerate(history.sent):
        n_orders = [e.arguments.get("n_orders", 0) for e in history.logged(position)]
        data = sent.included.transaction.data
        key = (sent.call.contract, sent.call.method, len(data), max(n_orders, default=0))
        keys.append(key)
        groups[key][sent.included.transaction.gas_limit] += 1
    alone = sum(sum(limits.values()) == 1 for limits in groups.values())
    for key, sent in zip(keys, history.sent, strict=True):
        usual = groups[key].most_common(1)[0][0]
        if key[1] and key[1] not in varying and groups[key].total() > 1:
            row = f"row {sent.included.transaction.handle}"
            stated = sent.included.transaction.gas_limit
            check.equal("transactions", row, "gas_limit", stated, usual)
    if alone:
        check.note(
            f"not derivable from the chain: gas limits of {alone} calls that have no like, of "
            "deployments, and of declarations; they matter only if they are too low",
            detail=True,
        )
    return check
