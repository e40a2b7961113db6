"""The ledger's tables against a replay: receipts, events, blocks, contracts, final state."""

from __future__ import annotations

from collections import Counter

from cosim.attacks.spam import CREATE_SPIN
from cosim.evm.contracts import runtime_code_hash
from cosim.evm.hashing import keccak
from cosim.replay.findings import Check, row_name
from cosim.replay.replay import Replayed
from cosim.results.manifest import MANIFEST
from cosim.results.reader import Results

_NAMES = "block index included_at_s nonce gas_used status contract method revert_reason"
RECEIPT_COLUMNS = tuple(_NAMES.split())


def check_receipts(results: Results, done: Replayed) -> Check:
    """Compare every transaction's block, time, nonce, gas, status, call and revert text."""
    check = Check("receipts", f"every transaction replayed on {done.engine.name}")
    frame = results.table("transactions")
    for position, reason in done.refused.items():
        check.differ("transactions", row_name(frame, position), "", "included", reason)
    executed = frame.drop(index=list(done.refused)).reset_index(drop=True)
    replayed = done.tables["transactions"]
    check.columns("transactions", None, executed, replayed, RECEIPT_COLUMNS)
    return check


def check_events(results: Results, done: Replayed) -> Check:
    """Compare every event with all its arguments, in its order."""
    check = Check("events", f"every log of the replay on {done.engine.name}")
    frame, replayed = results.table("events"), done.tables["events"]
    check.equal("events", "", "number of rows", len(frame), len(replayed))
    n = min(len(frame), len(replayed))
    check.columns("events", None, frame.iloc[:n], replayed.iloc[:n], list(replayed.columns))
    return check


def check_state(results: Results, done: Replayed) -> Check:
    """Compare runtime code, storage roots and digest of the final state."""
    check = Check("state", "code, storage roots and digest at the end of the replay")
    stated = results.manifest.get("contracts", {})
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
    attack = results.scenario.attack
    for name, data in done.unknown_code.items():
        if data == CREATE_SPIN and attack is not None and attack.kind == "spam":
            continue  # the attacker's, which burns gas and belongs to no mechanism
        check.differ("transactions", f"creation of {name}", "data", "other code", "this version's")
    known = len(set(done.addresses) - set(done.unknown_code))
    check.note(
        f"{known} of {len(done.addresses)} contracts are, by code, those of this version",
        detail=True,
    )
    digest = "0x" + keccak(b"".join(roots)).hex()
    check.equal(
        MANIFEST, "chain", "state_digest", results.manifest["chain"]["state_digest"], digest
    )
    for sender, nonce in Counter(one.transaction.sender for one in done.included).items():
        check.equal(
            "transactions", f"sender 0x{sender.hex()}", "nonce", nonce, engine.nonce(sender)
        )
    return check
