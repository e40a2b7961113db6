"""The digest of a signed result in a transaction on anvil, and looked up there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from anvil_node import anvil

from cosim.cli import main
from cosim.errors import NodeError
from cosim.evm.accounts import account
from cosim.results.signature import SIGNATURE, manifest_sha256
from cosim.verify.signature import check_signature

AUTHOR = account(1, "author")


def test_a_digest_is_anchored_and_found(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result"
    result.mkdir()
    (result / "manifest.json").write_text(json.dumps({"name": "day", "complete": True}))
    key = tmp_path / "key"
    key.write_text(AUTHOR.private_key.hex())
    with anvil(program, tmp_path, 1_600_000_000, 30_000_000, 10**9) as node:
        url = str(node._provider.endpoint_uri)
        node.request("anvil_setBalance", AUTHOR.hex, hex(10**18))
        node.request("evm_setAutomine", True)
        assert main(["sign", str(result), "--key", str(key), "--anchor", url]) == 0
        assert "anchored in transaction 0x" in capsys.readouterr().out
        said = json.loads((result / SIGNATURE).read_text())
        sent = node.request("eth_getTransactionByHash", said["anchor"]["transaction"])
        assert sent["input"] == "0x" + manifest_sha256(result).hex()
        check = check_signature(result, url)
        assert [str(one) for one in check.differences] == []
        assert check.notes[-1].endswith("holds its digest")
        assert "not looked up (--anchor-url)" in check_signature(result).notes[-1]
        for key_, value in (("block", 7), ("chain_id", 1), ("transaction", "0x" + "11" * 32)):
            forged = said | {"anchor": said["anchor"] | {key_: value}}
            (result / SIGNATURE).write_text(json.dumps(forged))
            assert not check_signature(result, url).passed
        (result / SIGNATURE).write_text(json.dumps(said))
    with pytest.raises(NodeError, match="anchor-url"):
        check_signature(result, url)
