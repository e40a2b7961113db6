"""The ledger's tables against a replay: receipts, events, blocks, contracts, final state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from cosim.ledger.blocks import effective_tip_wei, next_base_fee_wei
from cosim.ledger.contracts import runtime_code_hash
from cosim.ledger.hashing import keccak
from cosim.ledger.records import records
from cosim.publishing.findings import Check
from cosim.publishing.recorded import Recorded, rows_of
from cosim.publishing.replay import Replayed, transactions_of
from cosim.recording.manifest import MANIFEST
from cosim.units import wei_from_gwei

RECEIPT_COLUMNS = (
    "block",
    "index",
    "included_at_s",
    "nonce",
    "gas_used",
    "status",
    "contract",
    "method",
    "revert_reason",
)


def check_receipts(recorded: Recorded, done: Replayed, expected: dict[str, Any]) -> Check:
    """Outcome of every transaction: block, time, nonce, gas, status, what it called, revert text.

    Parameters
    ----------
    expected : dict
        Columns of the replay, as :func:`replayed_tables` gives them.
    """
    check = Check("receipts", f"every transaction replayed on {done.engine.name}")
    frame = recorded.frame("transactions")
    for position, reason in done.refused.items():
        check.differ("transactions", f"row {position}", "", "included", reason)
    executed = frame.drop(index=list(done.refused)).reset_index(drop=True)
    replayed = expected["transactions"]
    rows = [f"row {position}" for position in frame.index if position not in done.refused]
    check.columns("transactions", rows, executed, replayed, RECEIPT_COLUMNS)
    # of deployments that were reverted nothing lies at the address
    return check


def check_events(recorded: Recorded, done: Replayed, expected: dict[str, Any]) -> Check:
    """Every event with all its arguments, in its order."""
    check = Check("events", f"every log of the replay on {done.engine.name}")
    frame, replayed = recorded.frame("events"), expected["events"]
    check.equal("events", "", "number of rows", len(frame), len(replayed))
    n = min(len(frame), len(replayed))
    check.columns("events", None, frame.iloc[:n], replayed.iloc[:n], list(replayed.columns))
    return check


def replayed_tables(done: Replayed) -> dict[str, pd.DataFrame]:
    """Tables of transactions and events as a run of the replayed transactions would write them."""
    drained = records(done.included, [], [], done.artifacts)
    return {"transactions": pd.DataFrame(drained.transactions), "events": _frame(drained.events)}


def _frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def check_blocks(recorded: Recorded, done: Replayed) -> Check:
    """Numbers, times, gas, count and base fee of every block."""
    check = Check("blocks", "gas and count of the replay; base fee by EIP-1559")
    frame, ledger = recorded.frame("blocks"), recorded.scenario.ledger
    n = len(frame)
    gas_used, count = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    place = {int(block): i for i, block in enumerate(frame["block"])}
    for one in done.included:
        gas_used[place[one.block]] += one.receipt.gas_used
        count[place[one.block]] += 1
    base_fee = [wei_from_gwei(ledger.initial_base_fee_gwei)] * min(n, 2)
    for i in range(1, n - 1):
        base_fee.append(
            next_base_fee_wei(base_fee[i], int(gas_used[i]), int(frame["gas_limit"].iloc[i]))
        )
    own = pd.DataFrame(
        {
            "block": np.arange(n),
            "gas_used": gas_used,
            "gas_limit": ledger.block_gas_limit,
            "base_fee_wei": base_fee,
            "n_transactions": count,
        }
    )
    check.columns("blocks", None, frame, own, list(own.columns))
    times = frame["timestamp_s"].to_numpy()
    if _is_regular(ledger):
        wanted = times[:1] + ledger.block_time_s * np.arange(n)
        check.columns("blocks", None, frame, pd.DataFrame({"timestamp_s": wanted}), ["timestamp_s"])
    else:
        check.note("times of empty blocks are only required to rise: their consensus draws them")
        check.compared += n
        for late in np.flatnonzero(np.diff(times) <= 0).tolist():
            check.differ("blocks", f"row {late + 1}", "timestamp_s", int(times[late + 1]), "later")
    return check


def _is_regular(ledger: Any) -> bool:
    """Whether a block follows every ``block_time_s``."""
    consensus = getattr(ledger, "consensus", "proof_of_authority")
    drawn = getattr(ledger, "missed_slot_probability", 0) or getattr(ledger, "failed_validators", 0)
    return consensus in ("proof_of_authority", "pbft") and not drawn


def check_sending(recorded: Recorded) -> Check:
    """When transactions were sent, what they offered to pay, and which interval they serve."""
    check = Check("sending", "order of inclusion, fees and times against scenario.yaml")
    frame, scenario = recorded.frame("transactions"), recorded.scenario
    sent = transactions_of(frame)
    base_fee = dict(
        zip(
            recorded.frame("blocks")["block"], recorded.frame("blocks")["base_fee_wei"], strict=True
        )
    )
    fixed_fee = not scenario.ledger.initial_base_fee_gwei and not getattr(
        scenario.ledger, "fee_strategies", None
    )
    tip_wei = wei_from_gwei(scenario.ledger.tip_gwei)
    ordered = recorded.deviation() is None and not getattr(
        scenario.ledger, "propagation_delay_s", 0
    )
    if not ordered:
        check.note("the order of inclusion within blocks is not checked: messages take their time")
    for i, row in enumerate(rows_of(frame)):
        name, fee = f"row {i}", int(base_fee[row.block])
        check.compared += 3
        if not row.sent_at_s < row.included_at_s:
            check.differ("transactions", name, "sent_at_s", row.sent_at_s, "before its block")
        if fixed_fee and (row.max_fee_wei, row.tip_wei) != (tip_wei, tip_wei):
            check.differ(
                "transactions",
                name,
                "max_fee_wei, tip_wei",
                (row.max_fee_wei, row.tip_wei),
                tip_wei,
            )
        if not 0 <= row.tip_wei <= row.max_fee_wei or row.max_fee_wei < fee:
            check.differ("transactions", name, "max_fee_wei", row.max_fee_wei, f"at least {fee}")
    if ordered:
        _check_order(check, frame, sent, base_fee)
    return check


def _check_order(
    check: Check, frame: pd.DataFrame, sent: list[Any], base_fee: dict[int, int]
) -> None:
    """Best effective tip first, then first sent, nonces of one sender in their order."""
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


def check_state(recorded: Recorded, done: Replayed) -> Check:
    """Runtime code, storage roots and digest of the final state."""
    check = Check("state", "code, storage roots and digest at the end of the replay")
    stated = recorded.manifest.get("contracts", {})
    check.equal(MANIFEST, "contracts", "names", sorted(stated), sorted(done.addresses))
    engine, roots = done.engine, []
    for name, address in done.addresses.items():
        root = engine.storage_root(address)
        roots.append(root)
        own = {
            "address": "0x" + address.hex(),
            "runtime_code_hash": runtime_code_hash(engine.code(address)),
            "storage_root": "0x" + root.hex(),
        }
        for key, value in own.items():
            check.equal(MANIFEST, f"contracts.{name}", key, stated.get(name, {}).get(key), value)
        if name in done.unknown_code:
            check.note(
                f"{name} was compiled from other sources than this version's: it was replayed as "
                f"recorded (result of cosim {recorded.manifest.get('versions', {}).get('cosim')}, "
                f"revision {recorded.manifest.get('git_revision')})"
            )
    known = len(done.addresses) - len(done.unknown_code)
    check.note(f"{known} of {len(done.addresses)} contracts are, by code, those of this version")
    digest = "0x" + keccak(b"".join(roots)).hex()
    check.equal(
        MANIFEST, "chain", "state_digest", recorded.manifest["chain"]["state_digest"], digest
    )
    for sender, nonce in _nonces(done).items():
        check.equal(
            "transactions", f"sender 0x{sender.hex()}", "nonce", nonce, engine.nonce(sender)
        )
    return check


def _nonces(done: Replayed) -> dict[bytes, int]:
    counts: dict[bytes, int] = {}
    for one in done.included:
        counts[one.transaction.sender] = counts.get(one.transaction.sender, 0) + 1
    return counts


def event_arguments(text: str) -> dict[str, Any]:
    """Arguments of an event by name."""
    arguments: dict[str, Any] = json.loads(text)
    return arguments
