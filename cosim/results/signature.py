"""Signature of a result by an Ethereum key, and its digest in a transaction on a node.

What is signed is typed data of EIP-712: ``Result(string name,bytes32 manifestSha256)`` in the
domain ``{name: "cosim result", version: "1"}``, so that wallets show what they sign. The manifest
holds the hash of every other file but the report, which follows from them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosim.errors import NodeError, ResultFolderError, UserError
from cosim.evm.hashing import address_of, keccak
from cosim.evm.node import Node, NodeRefused, NodeUnavailable, to_bytes
from cosim.evm.secp256k1 import SIGNER, Signature
from cosim.evm.signing import sign
from cosim.inputs.json_file import parse_json
from cosim.results.manifest import MANIFEST, read_manifest
from cosim.results.storage import replace_text

SIGNATURE = "signature.json"

_DOMAIN_TYPE = b"EIP712Domain(string name,string version)"
_RESULT_TYPE = b"Result(string name,bytes32 manifestSha256)"
_DOMAIN_NAME, _DOMAIN_VERSION = b"cosim result", b"1"
_GAS_LIMIT = 100_000
_PATIENCE_S, _POLL_S = 60.0, 0.25


def manifest_sha256(folder: str | Path) -> bytes:
    """Return the SHA-256 of a result's manifest, 32 bytes; the digest that stands for it."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).digest()


def typed_digest(name: str, manifest: bytes) -> bytes:
    """Return the EIP-712 digest of a result that is signed.

    Parameters
    ----------
    name : str
        Of the scenario or the study.
    manifest : bytes
        As :func:`manifest_sha256` gives it.
    """
    domain = keccak(keccak(_DOMAIN_TYPE) + keccak(_DOMAIN_NAME) + keccak(_DOMAIN_VERSION))
    content = keccak(keccak(_RESULT_TYPE) + keccak(name.encode()) + manifest)
    return keccak(b"\x19\x01" + domain + content)


def read_key(file: str | Path) -> bytes:
    """Return a private key from a file that holds it in hexadecimal.

    Raises
    ------
    UserError
        If the file cannot be read, or holds none.
    """
    try:
        key = bytes.fromhex(Path(file).read_text(encoding="utf-8").strip().removeprefix("0x"))
        if len(key) != 32:
            raise ValueError(f"{len(key)} bytes")
        SIGNER.public_key(key)
    except OSError as error:
        raise UserError(
            f"cannot be read ({error.strerror})", file=file, remedy="name a file with the key"
        ) from error
    except Exception as error:  # each library has its own for a number that is no key
        raise UserError(
            "holds no private key", file=file, remedy="write 32 bytes in hexadecimal into it"
        ) from error
    return key


def sign_result(folder: str | Path, key: bytes) -> dict[str, Any]:
    """Sign a result, or a study, and write ``signature.json`` into its folder.

    Parameters
    ----------
    folder : str or Path
        A result folder; an earlier signature in it is replaced.
    key : bytes
        Private key, 32 bytes. It is written nowhere.

    Returns
    -------
    dict
        What was written.

    Raises
    ------
    ResultFolderError
        If it is no result folder.
    """
    manifest, digest = read_manifest(folder), manifest_sha256(folder)
    name = str(manifest.get("name"))
    signed = SIGNER.sign(key, typed_digest(name, digest))
    said = {
        "scheme": "EIP-712",
        "name": name,
        "manifest_sha256": "0x" + digest.hex(),
        "signer": "0x" + address_of(SIGNER.public_key(key)).hex(),
        "signature": "0x"
        + (signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big")).hex()
        + f"{27 + signed.parity:02x}",
    }
    _write(folder, said)
    return said


def signer_of(said: Mapping[str, Any], folder: str | Path) -> str:
    """Return the address that signed the result as it is in the folder, ``0x`` and hexadecimal.

    Raises
    ------
    ValueError
        If the signature is none.
    """
    raw = to_bytes(str(said["signature"]))
    if len(raw) != 65 or raw[64] not in (27, 28):
        raise ValueError("a signature has 65 bytes, the last of them 27 or 28")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
    name = str(read_manifest(folder)["name"])
    digest = typed_digest(name, manifest_sha256(folder))
    public = SIGNER.recover(digest, Signature(r, s, raw[64] - 27))
    return "0x" + address_of(public).hex()


def anchor_result(folder: str | Path, key: bytes, url: str) -> dict[str, Any]:
    """Put the digest of a signed result into a transaction on a node, and note it.

    The transaction goes from the signer to itself, with the SHA-256 of the manifest as its data.

    Parameters
    ----------
    folder : str or Path
        As :func:`sign_result` has signed it with the same key.
    key : bytes
    url : str
        Of the node.

    Returns
    -------
    dict
        What ``signature.json`` says by now.

    Raises
    ------
    NodeError
        If the node does not answer, refuses, or includes nothing in a minute.
    """
    said = read_signature(folder)
    node = Node(url)
    try:
        sender = said["signer"]
        chain_id = int(node.request("eth_chainId"), 16)
        nonce = int(node.request("eth_getTransactionCount", sender, "pending"), 16)
        fee_wei = int(node.request("eth_gasPrice"), 16)
        raw = sign(
            key,
            chain_id=chain_id,
            nonce=nonce,
            to=to_bytes(sender),
            data=manifest_sha256(folder),
            gas_limit=_GAS_LIMIT,
            max_fee_wei=2 * fee_wei,
            tip_wei=min(fee_wei, 10**9),
        )
        hash_ = node.request("eth_sendRawTransaction", "0x" + raw.hex())
        receipt = _receipt(node, hash_)
    except (NodeRefused, NodeUnavailable) as error:
        raise NodeError(
            f"{url}: {error}",
            field="--anchor",
            remedy="give a node that answers, and the key of an account that has coins there",
        ) from error
    said["anchor"] = {
        "chain_id": chain_id,
        "transaction": hash_,
        "block": int(receipt["blockNumber"], 16),
        "block_hash": receipt["blockHash"],
    }
    _write(folder, said)
    return said


def read_signature(folder: str | Path) -> dict[str, Any]:
    """Return what ``signature.json`` says.

    Raises
    ------
    ResultFolderError
        If it is not there, or says nothing.
    """
    path = Path(folder) / SIGNATURE
    try:
        said = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultFolderError(
            f"is no signature ({error})", file=path, remedy="sign the result: cosim sign"
        ) from error
    if not isinstance(said, dict):
        raise ResultFolderError("is no signature", file=path, remedy="sign the result: cosim sign")
    return said


def _receipt(node: Node, hash_: str) -> dict[str, Any]:
    """Wait for the receipt of a transaction."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        receipt = node.request("eth_getTransactionReceipt", hash_)
        if receipt is not None:
            return dict(receipt)
        time.sleep(_POLL_S)
    raise NodeUnavailable(f"{hash_} was not included in {_PATIENCE_S:g} s")


def _write(folder: str | Path, said: Mapping[str, Any]) -> None:
    text = json.dumps(said, indent=2, sort_keys=True) + "\n"
    replace_text(Path(folder) / SIGNATURE, text)
