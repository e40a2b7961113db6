"""Signature and anchor of a result, where it has them."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import NodeError
from cosim.evm.node import Node, NodeRefused, NodeUnavailable
from cosim.replay.findings import Check
from cosim.results.signature import SIGNATURE, manifest_sha256, read_signature, signer_of


def check_signature(folder: str | Path, url: str | None = None) -> Check:
    """Recover who signed the manifest, and look the anchor up on a node.

    Parameters
    ----------
    folder : str or Path
        A result folder, or a study's.
    url : str, optional
        Of a node of the chain that holds the anchor; without it, the anchor is named only.

    Raises
    ------
    NodeError
        If the node cannot be asked.
    """
    check = Check("signature", "EIP-712 over the SHA-256 of manifest.json")
    if not (Path(folder) / SIGNATURE).is_file():
        check.note("the result is not signed", detail=True)
        return check
    said, digest = read_signature(folder), "0x" + manifest_sha256(folder).hex()
    check.equal(SIGNATURE, "", "scheme", said.get("scheme"), "EIP-712")
    check.equal(SIGNATURE, "", "manifest_sha256", said.get("manifest_sha256"), digest)
    signer = signer_of(said, folder)
    check.equal(SIGNATURE, "", "signer", str(said.get("signer")).lower(), signer)
    check.note(f"signed by {signer}: compare it with the address that the author published")
    anchor = said.get("anchor")
    if not isinstance(anchor, dict):
        return check
    where = f"transaction {anchor.get('transaction')} on chain {anchor.get('chain_id')}"
    if url is None:
        check.note(f"{where} is said to hold its digest: not looked up (--anchor-url)")
        return check
    _check_anchor(check, anchor, signer, digest, url)
    check.note(f"{where} holds its digest" if check.passed else f"{where} does not hold its digest")
    return check


def _check_anchor(
    check: Check, anchor: dict[str, object], signer: str, digest: str, url: str
) -> None:
    node = Node(url)
    try:
        chain_id = int(node.request("eth_chainId"), 16)
        sent = node.request("eth_getTransactionByHash", anchor.get("transaction")) or {}
        receipt = node.request("eth_getTransactionReceipt", anchor.get("transaction")) or {}
    except (NodeRefused, NodeUnavailable) as error:
        raise NodeError(
            f"{url}: {error}", field="--anchor-url", remedy="give a node of the anchor's chain"
        ) from error
    block = receipt.get("blockNumber")
    for key, recorded, found in (
        ("chain_id", anchor.get("chain_id"), chain_id),
        ("block", anchor.get("block"), None if block is None else int(block, 16)),
        ("block_hash", anchor.get("block_hash"), receipt.get("blockHash")),
        ("sender", signer, str(sent.get("from")).lower()),
        ("data", digest, sent.get("input")),
        ("status", "0x1", receipt.get("status")),
    ):
        check.equal(SIGNATURE, "anchor", key, recorded, found)
