"""Indicators of the manifest from the tables, and the sums of money and energy."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.report.indicators import compute_indicators
from cosim.results.manifest import MANIFEST
from cosim.results.reader import Results

RELATIVE = 1e-9
"""Numbers of the manifest may differ by so much: sums of floats on another machine."""

TOLERANCE_MW = 1e-6


def check_indicators(results: Results) -> Check:
    """Compute every indicator of the manifest again from the tables."""
    check = Check("indicators", "manifest.json against the tables")
    own = compute_indicators(results).as_dict()
    _compare(check, "indicators", results.manifest.get("indicators"), own)
    return check


def _compare(check: Check, path: str, stated: Any, own: Any) -> None:
    if isinstance(own, dict):
        given = stated if isinstance(stated, dict) else {}
        check.equal(MANIFEST, path, "keys", sorted(given), sorted(map(str, own)))
        for key, value in own.items():
            _compare(check, f"{path}.{key}", given.get(key), value)
    elif isinstance(own, float) and isinstance(stated, float):
        gap = abs(stated - own) / max(abs(own), 1.0)
        check.compared += 1
        check.largest["relative"] = max(check.largest.get("relative", 0.0), gap)
        if not gap <= RELATIVE:
            check.differ(MANIFEST, path, "", stated, own)
    else:
        check.equal(MANIFEST, path, "", stated, own)


def check_conservation(history: History) -> Check:
    """Check that no money is made or lost on the ledger, nor energy in market and grid."""
    check = Check("conservation", "money by token transfers, energy by sums")
    _check_tokens(check, history)
    results = history.results
    balance = results.table("grid_balance")
    fed = results.table("prosumers").groupby("interval")["p_inject_mw"].sum()
    taken = balance["p_slack_mw"].to_numpy() + fed.reindex(balance["interval"]).to_numpy()
    solved = balance["converged"].to_numpy()
    rows = [f"interval {i}" for i in balance["interval"][solved]]
    check.numbers(
        "grid_balance", rows, "losses_mw", balance["losses_mw"][solved], taken[solved], TOLERANCE_MW
    )
    for mechanism in history.mechanisms:
        mechanism.compare_sums(check, results)
    return check


def _check_tokens(check: Check, history: History) -> None:
    """Compare the balances that follow from all transfers with the contract's storage."""
    token = history.done.addresses.get("EuroToken")
    if token is None:
        check.note("there is no token: money was not added up")
        return
    balances: dict[str, int] = defaultdict(int)
    nobody = "0x" + bytes(20).hex()
    for event in history.of("EuroToken", "Transfer"):
        said = event.arguments
        balances[said["sender"]] -= said["value"]
        balances[said["receiver"]] += said["value"]
    issued = -balances.pop(nobody, 0)
    artifact, engine = history.done.artifacts[token], history.done.engine
    for holder, amount in balances.items():
        slot = artifact.slot_of("_balance_of", bytes.fromhex(holder[2:]))
        check.equal("events", f"holder {holder}", "tokens", amount, engine.storage(token, slot))
    check.equal("events", "", "tokens issued", sum(balances.values()), issued)
