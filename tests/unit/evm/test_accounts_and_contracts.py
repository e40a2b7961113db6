"""Keys from the seed; compiled contracts and their cache."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account as EthAccount

from cosim.errors import EngineError, UserError
from cosim.evm import contracts
from cosim.evm.accounts import account, accounts

SOURCE = "# pragma version 0.4.3\nx: public(uint256)\n"


def test_addresses_follow_from_the_keys() -> None:
    for known in accounts(7, ["dso", "supplier"]).values():
        expected = EthAccount.from_key(known.private_key).address
        assert known.hex == expected.lower()


def test_seed_and_name_decide() -> None:
    assert account(1, "dso") == account(1, "dso")
    assert len({account(seed, name).address for seed in (1, 2) for name in ("dso", "p1")}) == 4
    # a change of this address changes every published result
    assert account(1, "dso").hex == "0x3350d94f36b2966d2945dcb41433235bcfcdf6ea"
    assert account(1, "dso").private_key.hex() not in repr(account(1, "dso"))


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two accounts named 'p1'"):
        accounts(1, ["p1", "p2", "p1"])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "contracts"


def test_artifacts_come_from_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "Store.vy"
    source.write_text(SOURCE)
    compiled = contracts.compile_source(source)
    assert list(compiled.selectors) == ["x"]

    def no_compiler(path: Path, source_hash: str) -> contracts.Artifact:
        raise AssertionError("compiled again")

    with monkeypatch.context() as patch:
        patch.setattr(contracts, "_compile", no_compiler)
        assert contracts.compile_source(source) == compiled
    (kept,) = cache.iterdir()
    kept.write_text(kept.read_text()[:40])  # as a full disk leaves it
    assert contracts.compile_source(source) == compiled
    assert json.loads(kept.read_text())["source_hash"] == compiled.source_hash


def test_what_is_shipped_is_what_the_sources_compile_to() -> None:
    compiled = contracts.compile_shipped()
    assert len(compiled) == 12
    outdated = [
        path.name
        for path, text in compiled.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert not outdated, "run make contracts"


def test_shipped_contracts_need_no_compiler() -> None:
    script = """
import sys
sys.modules["vyper"] = None
from cosim.evm.contracts import compile_contract
print(len(compile_contract("LocalMarket").bytecode))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == len(contracts.compile_contract("LocalMarket").bytecode)


def test_a_plug_in_ships_its_compiled_contract(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "Store.vy"
    source.write_text(SOURCE)
    compiled = contracts.compile_source(source)
    (kept,) = cache.iterdir()
    kept.rename(source.with_suffix(".json"))

    def no_version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", no_version)
    assert contracts.compile_source(source) == compiled
    source.write_text(SOURCE + "y: uint256\n")
    with pytest.raises(UserError, match=r"Store\.vy.*there is no Vyper compiler here") as error:
        contracts.compile_source(source)
    assert error.value.remedy == "install vyper 0.4.3: pip install 'cosim[contracts]'"


def test_a_change_of_any_source_compiles_anew(cache: Path, tmp_path: Path) -> None:
    source, module = tmp_path / "Store.vy", tmp_path / "numbers.vy"
    module.write_text("# pragma version 0.4.3\nN: constant(uint256) = 1\n")
    source.write_text(
        "# pragma version 0.4.3\nimport numbers\n@external\n@view\n"
        "def n() -> uint256:\n    return numbers.N\n"
    )
    first = contracts.compile_source(source)
    module.write_text("# pragma version 0.4.3\nN: constant(uint256) = 2\n")
    second = contracts.compile_source(source)
    assert first.bytecode != second.bytecode
    assert len(list(cache.iterdir())) == 2


def test_an_unwritable_cache_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "file"))
    source = tmp_path / "Store.vy"
    source.write_text(SOURCE)
    assert contracts.compile_source(source).bytecode


def test_what_does_not_compile(cache: Path, tmp_path: Path) -> None:
    source = tmp_path / "Broken.vy"
    source.write_text("x: public(uint257)\n")
    with pytest.raises(EngineError, match=r"(?s)Broken\.vy does not compile.*uint257"):
        contracts.compile_source(source)
    with pytest.raises(EngineError, match="no contract Absent"):
        contracts.compile_contract("Absent")
