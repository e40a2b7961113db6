"""Fork of a node: refused before anything is sent, if contracts could not run on it.

vyper compiles for the rules of a fork. On a node of an older one deployment may succeed, and the
first call that meets an unknown instruction then fails without a reason. So a few bytes of code are
executed by ``eth_call``, which changes nothing. A run also wants the gas that it reports to be that
of the other engines, which play by the rules of Prague.

References
----------
EIP-3855 (PUSH0, Shanghai), EIP-5656 (MCOPY, Cancun), EIP-1153 (TLOAD and TSTORE, Cancun), EIP-7623
(least gas of calldata, Prague).
"""

from __future__ import annotations

from cosim.errors import NodeError
from cosim.evm.node import NodeRefused
from cosim.evm.rpc import NodeEngine, text_of

REMEDY = "start it with --hardfork prague (anvil), or take a node of that fork or a later one"

PROBES = (
    ("PUSH0", "Shanghai", bytes.fromhex("5f5ff3")),
    ("MCOPY", "Cancun", bytes.fromhex("6000600060005e00")),
    ("TLOAD", "Cancun", bytes.fromhex("60005c00")),
    ("TSTORE", "Cancun", bytes.fromhex("600060005d00")),
)
"""Instructions younger than London that contracts may use, since when, and code that has each."""

_CALLDATA = b"\xff" * 400
_LEAST_GAS = 21_000 + 400 * 4 * 10
"""Gas of sending the calldata above to an account without code, by EIP-7623."""


def check_fork(engine: NodeEngine, *, same_gas: bool) -> None:
    """Refuse a node on which the contracts would fail, or would cost other gas.

    Parameters
    ----------
    engine : NodeEngine
        Asked only; nothing is sent.
    same_gas : bool
        Whether gas must be that of Prague, as in a run.

    Raises
    ------
    NodeError
        Names what is missing and its fork.
    """
    missing = [
        f"{name} ({fork})" for name, fork, code in PROBES if not _executes(engine, text_of(code))
    ]
    if missing:
        raise NodeError(
            f"the node's fork lacks what the contracts need: {', '.join(missing)}", remedy=REMEDY
        )
    if same_gas and (gas := _gas_of_calldata(engine)) is not None and gas < _LEAST_GAS:
        raise NodeError(
            f"the node's fork is older than Prague: {len(_CALLDATA)} bytes of calldata cost "
            f"{gas} gas there, and {_LEAST_GAS} by the rules that a run reports (EIP-7623)",
            remedy=REMEDY,
        )


def _executes(engine: NodeEngine, code: str) -> bool:
    try:
        engine.read([("eth_call", ({"data": code}, "latest"))])
    except NodeRefused as refusal:
        return not refusal.is_execution  # other refusals say nothing of the fork
    return True


def _gas_of_calldata(engine: NodeEngine) -> int | None:
    """Return the gas of a transaction with calldata; None if the node does not say."""
    request = {
        "from": text_of(b"\xaa" * 20),
        "to": text_of(b"\xbb" * 20),
        "data": text_of(_CALLDATA),
    }
    try:
        return int(engine.read([("eth_estimateGas", (request,))])[0], 16)
    except NodeRefused:
        return None
