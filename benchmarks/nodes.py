"""The transactions of a result on a node: by our engine, and sent raw to a second one beside it.

The bare machine has everything signed beforehand. For each block it sends one batch, sets the time,
mines, and reads the receipts; ours also signs, checks the node's head, reads traces for what calls
return, and keeps a history from which the node can be told again what it lost.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.anvil import Anvil, find_anvil
from benchmarks.runs import measure_run
from benchmarks.transactions import Sent, read_transactions
from cosim.evm.engine import CHAIN_ID, Message
from cosim.evm.node import Node
from cosim.evm.options import NodeSettings
from cosim.evm.signing import sign
from cosim.evm.timed_node import HIGHEST_FEE_WEI, connect_timed
from cosim.replay.participants import Participants
from cosim.resources import folder
from cosim.results.reader import Results

OPTIONS = ("--prune-history", "64")
PURSE_WEI = 10**24


def measure_node(quick: bool = False) -> dict[str, Any] | None:
    """The quickstart, or four intervals of it, as :func:`replay_on_nodes` measures it."""
    file = str(folder("scenarios") / "quickstart.yaml")
    with tempfile.TemporaryDirectory() as temporary:
        out = str(Path(temporary) / "result")
        extent = {"intervals": 4, "from_interval": 46} if quick else {}
        measure_run(file, "revm", out, **extent)
        return replay_on_nodes(out)


def replay_on_nodes(result: str, max_blocks: int = 0) -> dict[str, Any] | None:
    """Time the blocks of a result on two nodes, in turns.

    Parameters
    ----------
    result : str
        A result folder.
    max_blocks : int
        At most so many blocks with transactions; 0 takes all.

    Returns
    -------
    dict or None
        ``transactions``, ``mgas``, ``blocks``, and seconds by machine; None without anvil.

    Raises
    ------
    ValueError
        If the gas is not that of the tables.
    """
    program = find_anvil()
    if program is None:
        return None
    keys = Participants(Results(result)).keys
    sent = list(read_transactions(Path(result) / "tables", max_blocks))
    seconds = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        nodes = [Anvil(program, Path(place), options=OPTIONS) for place in (one, two)]
        try:
            engine = connect_timed(NodeSettings(nodes[0].url), keys)
            bare = _Bare(nodes[1].url, keys, sent)
            blocks = [list(own) for _, own in itertools.groupby(sent, lambda t: t.block)]
            for own in blocks:
                first = own[0]
                begin = perf_counter()
                engine.set_block(first.block, first.timestamp_s, first.block_gas_limit)
                receipts = engine.execute_block(
                    [Message(t.sender, t.to, t.data, t.gas_limit, t.value_wei) for t in own]
                )
                middle = perf_counter()
                gas = bare.mine(own)
                seconds[0] += middle - begin
                seconds[1] += perf_counter() - middle
                ours = [0 if receipt is None else receipt.gas_used for receipt in receipts]
                if not ours == gas == [t.gas_used for t in own]:
                    raise ValueError(f"block {first.block}: gas differs from the tables'")
        finally:
            for node in nodes:
                node.stop()
    return {
        "transactions": len(sent),
        "blocks": len(blocks),
        "mgas": sum(t.gas_used for t in sent) / 1e6,
        "machines": {"our engine rpc": seconds[0], "signed bytes sent to anvil": seconds[1]},
    }


class _Bare:
    """A node that is sent what was signed before."""

    def __init__(self, url: str, keys: dict[bytes, bytes], sent: list[Sent]) -> None:
        self._node = Node(url)
        self._mined = 0
        nonces: dict[bytes, int] = {}
        self._raw: dict[int, list[str]] = {}
        for t in sent:
            own = self._raw.setdefault(t.block, [])
            nonce = nonces.get(t.sender, 0)
            nonces[t.sender] = nonce + 1
            raw = sign(
                keys[t.sender],
                chain_id=CHAIN_ID,
                nonce=nonce,
                to=t.to,
                data=t.data,
                gas_limit=t.gas_limit,
                max_fee_wei=HIGHEST_FEE_WEI - len(own),
                value_wei=t.value_wei,
            )
            own.append("0x" + raw.hex())
        purses = [("anvil_setBalance", ("0x" + one.hex(), hex(PURSE_WEI))) for one in nonces]
        self._node.read(purses)

    def mine(self, own: list[Sent]) -> list[int]:
        """One block; gas of its transactions."""
        first = own[0]
        if empty := first.block - self._mined - 1:
            self._node.request("anvil_mine", hex(empty), hex(1))
        self._mined = first.block
        self._node.read(
            [("evm_setBlockGasLimit", (hex(first.block_gas_limit),))]
            + [("eth_sendRawTransaction", (raw,)) for raw in self._raw[first.block]]
        )
        self._node.request("evm_setNextBlockTimestamp", first.timestamp_s)
        self._node.request("evm_mine")
        answers = self._node.request("eth_getBlockReceipts", "latest")
        return [int(answer["gasUsed"], 16) for answer in answers]
