"""A signed result: the typed data of EIP-712 as eth_account has them, and whose key it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_typed_data

from cosim.cli import EXIT_USER, main
from cosim.errors import ResultFolderError, UserError
from cosim.evm.accounts import account
from cosim.evm.secp256k1 import FastSigner, PortableSigner, Signature
from cosim.results.signature import (
    SIGNATURE,
    manifest_sha256,
    read_key,
    read_signature,
    sign_result,
    signer_of,
    typed_digest,
)
from cosim.verify.signature import check_signature

AUTHOR = account(1, "author")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result = tmp_path / "result"
    result.mkdir()
    (result / "manifest.json").write_text(json.dumps({"name": "day", "complete": True}))
    return result


def test_it_is_what_eth_account_signs(folder: Path) -> None:
    said = sign_result(folder, AUTHOR.private_key)
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
            ],
            "Result": [
                {"name": "name", "type": "string"},
                {"name": "manifestSha256", "type": "bytes32"},
            ],
        },
        "primaryType": "Result",
        "domain": {"name": "cosim result", "version": "1"},
        "message": {"name": "day", "manifestSha256": manifest_sha256(folder)},
    }
    message = encode_typed_data(full_message=typed)
    signed = EthAccount.sign_message(message, AUTHOR.private_key)
    assert said["signature"] == "0x" + bytes(signed.signature).hex()
    assert EthAccount.recover_message(message, signature=said["signature"]).lower() == AUTHOR.hex
    assert said["signer"] == signer_of(said, folder) == AUTHOR.hex
    assert read_signature(folder) == said
    assert check_signature(folder).passed
    assert AUTHOR.private_key.hex() not in (folder / SIGNATURE).read_text()


@pytest.mark.parametrize("signer", [FastSigner(), PortableSigner()], ids=["coincurve", "eth-keys"])
def test_both_libraries_recover_the_key(signer: FastSigner | PortableSigner) -> None:
    digest = typed_digest("day", bytes(31) + b"\x07")
    signature = signer.sign(AUTHOR.private_key, digest)
    assert signer.recover(digest, signature) == signer.public_key(AUTHOR.private_key)
    assert signer.recover(typed_digest("night", bytes(32)), signature) != signer.public_key(
        AUTHOR.private_key
    )
    with pytest.raises(ValueError, match="nobody signed this"):
        signer.recover(digest, Signature(0, 0, 0))


def test_a_signature_of_another_manifest_or_another_signer_is_found(folder: Path) -> None:
    sign_result(folder, AUTHOR.private_key)
    honest = (folder / SIGNATURE).read_text()
    said = json.loads(honest)
    for key, value in (
        ("signer", account(2, "somebody").hex),
        ("manifest_sha256", "0x" + "00" * 32),
        ("scheme", "none"),
    ):
        (folder / SIGNATURE).write_text(json.dumps(said | {key: value}))
        assert [one.column for one in check_signature(folder).differences] == [key]
    (folder / SIGNATURE).write_text(honest)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"name": "day", "complete": False}))
    found = {one.column for one in check_signature(folder).differences}
    assert found == {"manifest_sha256", "signer"}


def test_what_is_not_signed_is_said_to_be_none(folder: Path) -> None:
    check = check_signature(folder)
    assert (check.passed, check.notes) == (True, ["the result is not signed"])
    (folder / SIGNATURE).write_text("[]")
    with pytest.raises(ResultFolderError, match="is no signature"):
        check_signature(folder)


@pytest.mark.parametrize("text", ["", "0x12", "00" * 32, "zz" * 32])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(UserError, match="holds no private key"):
        read_key(tmp_path / "key")


def test_the_command_signs_with_a_key_in_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text("0x" + AUTHOR.private_key.hex() + "\n")
    assert main(["sign", str(folder), "--key", str(tmp_path / "key")]) == 0
    assert f"signed by {AUTHOR.hex}" in capsys.readouterr().out
    assert main(["sign", str(folder), "--key", str(tmp_path / "none")]) == EXIT_USER
    url = "http://127.0.0.1:1"
    assert main(["sign", str(folder), "--key", str(tmp_path / "key"), "--anchor", url]) == EXIT_USER
    assert "field --anchor" in capsys.readouterr().err
