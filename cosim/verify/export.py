"""A run's transactions as raw signed ones, in the order of its chain, for any Ethereum node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import ResultFolderError, UserError
from cosim.evm.engine import CHAIN_ID
from cosim.evm.hashing import keccak
from cosim.evm.signing import sign
from cosim.replay.participants import Participants
from cosim.replay.replay import transactions_of
from cosim.results.damage import reading
from cosim.results.manifest import read_manifest
from cosim.results.reader import Results
from cosim.units import WEI_PER_ETH, wei_from_gwei

TRANSACTIONS = "transactions.jsonl"
GENESIS = "genesis.json"
README = "README.md"
PURSE_WEI = 10**6 * WEI_PER_ETH
"""Native coin of every sender in the genesis: it outlasts every fee that a node may ask."""


@dataclass(frozen=True)
class Export:
    """Export that was written.

    Parameters
    ----------
    folder : Path
    n_transactions, n_senders : int
    """

    folder: Path
    n_transactions: int
    n_senders: int


def export_transactions(
    result: str | Path,
    out: str | Path | None = None,
    *,
    max_fee_gwei: float | None = None,
    force: bool = False,
) -> Export:
    """Sign a run's transactions and write them with a genesis that funds their senders.

    The same result gives the same bytes: signatures are deterministic (RFC 6979).

    Parameters
    ----------
    result : str or Path
        A result folder.
    out : str or Path, optional
        Folder to be made; default: ``<result>-transactions`` next to it.
    max_fee_gwei : float, optional
        Most that each transaction pays per gas, for nodes with a base fee; default: as recorded.
        [gwei]
    force : bool
        Replace an earlier export there.

    Returns
    -------
    Export

    Raises
    ------
    ResultFolderError
        If the result is none, or the folder exists.
    UserError
        If a transaction's sender is nobody whose key follows from the seed, or the fee is below
        a recorded tip.
    """
    read_manifest(result)  # says what is wrong if it is no result folder
    results = Results(result)
    given = results.folder.absolute()
    folder = given.with_name(f"{given.name}-transactions") if out is None else Path(out)
    if folder.exists() and not (force and (folder / TRANSACTIONS).is_file()):
        raise ResultFolderError(
            "exists already", file=folder, remedy="name another folder with --out, or use --force"
        )
    max_fee_wei = None if max_fee_gwei is None else wei_from_gwei(max_fee_gwei)
    with reading(results.folder):
        lines = list(signed_transactions(results, max_fee_wei))
        senders = sorted({str(line["sender"]) for line in lines})
        text = json.dumps(genesis(results, senders), indent=2) + "\n"
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with (partial / TRANSACTIONS).open("w", encoding="utf-8") as stream:
            for line in lines:
                stream.write(json.dumps(line, separators=(",", ":")) + "\n")
        (partial / GENESIS).write_text(text, encoding="utf-8")
        (partial / README).write_text(_readme(results, len(lines)), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Export(folder, len(lines), len(senders))


def signed_transactions(results: Results, max_fee_wei: int | None) -> Iterator[dict[str, Any]]:
    """Yield each transaction of the chain as raw signed bytes, in order.

    Parameters
    ----------
    results : Results
    max_fee_wei : int or None
        As :func:`export_transactions` takes it. [wei/gas]

    Yields
    ------
    dict
        ``block``, ``index``, ``raw``, ``hash``, ``sender``, ``nonce``.

    Raises
    ------
    UserError
        As :func:`export_transactions`.
    """
    keys = Participants(results).keys
    frame = results.table("transactions")
    places = zip(frame["block"], frame["index"], frame["nonce"], strict=True)
    for sent, (block, index, nonce) in zip(transactions_of(frame), places, strict=True):
        key = keys.get(sent.sender)
        if key is None:
            raise UserError(
                f"the key of the sender 0x{sent.sender.hex()} does not follow from the seed",
                file=results.folder,
                remedy="export a result as 'cosim run' of this version wrote it",
            )
        fee_wei = sent.max_fee_wei if max_fee_wei is None else max_fee_wei
        if fee_wei < sent.tip_wei:
            raise UserError(
                f"a fee of {fee_wei} wei is below the tip of {sent.tip_wei} wei",
                field="--max-fee-gwei",
                remedy="raise it",
            )
        raw = sign(
            key,
            chain_id=CHAIN_ID,
            nonce=int(nonce),
            to=sent.to,
            data=sent.data,
            gas_limit=sent.gas_limit,
            max_fee_wei=fee_wei,
            tip_wei=sent.tip_wei,
            value_wei=sent.value_wei,
        )
        yield {
            "block": int(block),
            "index": int(index),
            "raw": "0x" + raw.hex(),
            "hash": "0x" + keccak(raw).hex(),
            "sender": "0x" + sent.sender.hex(),
            "nonce": int(nonce),
        }


def genesis(results: Results, senders: list[str]) -> dict[str, Any]:
    """Return a genesis in geth's format: Prague rules, the run's block 0, senders funded."""
    first = results.table("blocks").iloc[0]
    forks = "homestead eip150 eip155 eip158 byzantium constantinople petersburg istanbul berlin"
    config: dict[str, Any] = {
        "chainId": CHAIN_ID,
        **{f"{fork}Block": 0 for fork in [*forks.split(), "london"]},
    }
    config |= {"terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0}
    blobs = {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477}
    more = {"target": 6, "max": 9, "baseFeeUpdateFraction": 5007716}
    config["blobSchedule"] = {"cancun": blobs, "prague": more}
    return {
        "config": config,
        "nonce": "0x0",
        "timestamp": hex(int(first.timestamp_s)),
        "extraData": "0x",
        "gasLimit": hex(int(first.gas_limit)),
        "difficulty": "0x0",
        "mixHash": "0x" + bytes(32).hex(),
        "coinbase": "0x" + bytes(20).hex(),
        "baseFeePerGas": hex(int(first.base_fee_wei)),
        "alloc": {sender: {"balance": hex(PURSE_WEI)} for sender in senders},
    }


def _readme(results: Results, n: int) -> str:
    name, seed = results.manifest.get("name"), results.scenario.seed
    return f"""# Signed transactions of {name}

**Test keys.** Every key follows from the seed {seed} of the scenario, so everybody has them.
Never send anything of value to one of these accounts, never use them on a public network.

- `{TRANSACTIONS}`: {n} raw EIP-1559 transactions in the order of the chain, one JSON object a
  line: `block`, `index`, `raw`, `hash`, `sender`, `nonce`.
- `{GENESIS}`: genesis in geth's format: chain id {CHAIN_ID}, Prague rules, time, gas limit and base
  fee of the run's block 0, native coin for every sender.

A node takes the lines one after the other by `eth_sendRawTransaction`; nonces leave no gap. With
anvil:

    anvil --init {GENESIS} --hardfork prague --no-mining --order fifo

Contracts read time and number of their block, so outcome and gas are those of the result only in
blocks with the recorded numbers and times (`tables/blocks.parquet` of the result). So, for every
block with transactions: `anvil_mine` for the empty ones before it, `evm_setNextBlockTimestamp`, its
transactions, `evm_mine`. A node that mines by its own clock accepts all of them, too, but then
contracts refuse what comes at the wrong time.

A chain without fees has a base fee of 0, and transactions that pay nothing. For a node with a base
fee export again with `--max-fee-gwei`. Some clients want the system contracts of EIP-4788,
EIP-2935, EIP-7002 and EIP-7251 in a Prague genesis. They are not in it, and no contract of a run
needs them.
"""
