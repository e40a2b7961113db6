"""Prove the promises in ``proofs/`` with halmos, over the bytecode that the tests deploy.

halmos reads what forge builds. Nothing here is Solidity, so this writes such a build itself: one
artifact for each contract and each proof, compiled by Vyper with the settings of the framework.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.output import build_abi_output, build_method_identifiers_output
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import Settings

from cosim.evm.contracts import EVM_VERSION, VYPER, compile_contract, sources_of, subjects

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
CONTRACTS = REPOSITORY / "contracts"
PROOFS = HERE / "proofs"
TOOLS = Path(os.environ.get("COSIM_ANALYSIS", REPOSITORY / ".analysis")).resolve() / "bin"

PROVED = HERE / "proved.json"
"""Of each proof file: SHA-256 of what was proved, and how long that took. Written by ``main``."""

LONG_S = 3.0
"""What takes longer is proved by ``make test`` only if it changed since it was proved. [s]"""

_RESULT = re.compile(r"\[([A-Z]+)\]\S* (check_\w+)\([^)]*\) \(paths: (\d+), time: ([\d.]+)s")

_NOISE = re.compile(
    r"^WARNING +unknown deployed bytecode: *\n( +(0x)?[0-9a-f]+ *\n)+", re.MULTILINE
)


@dataclass(frozen=True)
class Proof:
    """What halmos says of one promise.

    Parameters
    ----------
    verdict : str
        ``PASS``: it holds for every input. ``FAIL``: there is a counterexample. Anything else:
        halmos gave up.
    paths : int
        Ways through the code that it followed.
    time_s : float
        How long it took. [s]
    """

    verdict: str
    paths: int
    time_s: float


def proof_files() -> list[Path]:
    """Sources with promises."""
    return sorted(path for path in PROOFS.glob("*.vy") if "def check_" in path.read_text())


def promises(path: Path) -> list[str]:
    """Names of the promises in a source."""
    return re.findall(r"^def (check_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)


def digest(path: Path) -> str:
    """Return the SHA-256 of all that a proof rests on: its source, what that imports or deploys,
    compiler and tools.
    """
    text = path.read_text(encoding="utf-8")
    sources = sources_of(path.stem, path.parent)
    for name in named_codes(text):
        sources |= sources_of(name, None if is_contract(name) else PROOFS)
    tools = [HERE / name for name in ("prove.py", "solve.py", "requirements.txt")]
    found = hashlib.sha256(f"{VYPER} {EVM_VERSION}".encode())
    for file in sorted([*sources.values(), *tools], key=lambda file: file.name):
        content = file.read_bytes()
        found.update(f"\n{file.name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def proved_before(path: Path) -> bool:
    """Return True for a long proof of which nothing changed since all its promises were proved."""
    known = json.loads(PROVED.read_text(encoding="utf-8")) if PROVED.is_file() else {}
    one = known.get(path.stem)
    return one is not None and one["seconds"] > LONG_S and one["sha256"] == digest(path)


def named_codes(text: str) -> list[str]:
    """Names of the contracts and proofs that a proof deploys."""
    return re.findall(r'_code\("(\w+)"\)', text)


def is_contract(name: str) -> bool:
    """Return True for a contract of the framework, False for one of the proofs."""
    return any(CONTRACTS.rglob(f"{name}.vy"))


def proof_artifact(path: Path) -> dict[str, Any]:
    """A compiled proof as forge would write it, as far as halmos reads it."""
    bundle = FilesystemInputBundle([*subjects(), PROOFS, path.parent])
    data = CompilerData(
        bundle.load_file(path.name),
        input_bundle=bundle,
        settings=Settings(evm_version=EVM_VERSION),
    )
    selectors = {
        name: word[2:].zfill(8) for name, word in build_method_identifiers_output(data).items()
    }
    return _as_of_forge(
        path.stem, build_abi_output(data), data.bytecode, data.bytecode_runtime, selectors
    )


def contract_artifact(name: str) -> dict[str, Any]:
    """A contract of the framework as forge would write it."""
    compiled = compile_contract(name)
    selectors = {
        f"{function}({','.join(types)})": compiled.selectors[function].hex()
        for function, types in compiled.inputs.items()
    }
    return _as_of_forge(name, list(compiled.abi), compiled.bytecode, b"", selectors)


def _as_of_forge(
    name: str, abi: list[Any], code: bytes, runtime: bytes, selectors: dict[str, str]
) -> dict[str, Any]:
    contract = {
        "nodeType": "ContractDefinition",
        "name": name,
        "contractKind": "contract",
        "abstract": False,
    }
    return {
        "abi": abi,
        "bytecode": {"object": "0x" + code.hex(), "linkReferences": {}},
        "deployedBytecode": {"object": "0x" + runtime.hex(), "linkReferences": {}},
        "methodIdentifiers": selectors,
        "ast": {"nodeType": "SourceUnit", "absolutePath": f"{name}.vy", "nodes": [contract]},
        "metadata": {"compiler": {"version": "vyper"}, "output": {"devdoc": {"methods": {}}}},
        "id": 0,
    }


def build(path: Path, folder: Path) -> None:
    """Write a proof and the contracts that it names, as forge would."""
    text = path.read_text(encoding="utf-8")
    artifacts = {path.stem: proof_artifact(path)}
    for name in named_codes(text):
        artifacts[name] = (
            contract_artifact(name) if is_contract(name) else proof_artifact(PROOFS / f"{name}.vy")
        )
    for name, content in artifacts.items():
        target = folder / "out" / f"{name}.sol" / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content), encoding="utf-8")
    forge = folder / "bin" / "forge"  # halmos asks it to build what is built already
    forge.parent.mkdir()
    forge.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    forge.chmod(0o755)


def prove(path: Path) -> tuple[dict[str, Proof], str]:
    """Prove what a source promises.

    Parameters
    ----------
    path : Path
        Source in ``proofs/``.

    Returns
    -------
    proofs : dict of str to Proof
        By the promise's name.
    output : str
        What halmos printed, with counterexamples.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(path, folder)
        command = [
            *(str(TOOLS / "halmos"), "--root", name, "--contract", path.stem, "--no-status"),
            *("--storage-layout", "generic", "--solver-threads", "1"),
            *("--solver-timeout-assertion", "0"),
            # within its 1 ms a busy machine settles no branch, and every way is followed
            *("--solver-timeout-branching", "20ms"),
            *("--solver-command", f"{TOOLS / 'python'} {HERE / 'solve.py'}"),
        ]
        environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            command, cwd=name, env=environment, capture_output=True, text=True, check=False
        )
    output = _NOISE.sub("", done.stdout + done.stderr)
    proofs = {
        name: Proof(verdict, int(paths), float(time_s))
        for verdict, name, paths, time_s in _RESULT.findall(output)
    }
    return proofs, output


def main() -> int:
    """Prove all, or the sources named on the command line; 1 if one cannot be proved."""
    if not (TOOLS / "halmos").exists():
        print("halmos is not installed here: make analyse installs it", file=sys.stderr)
        return 2
    failed = 0
    start = time.monotonic()
    known = json.loads(PROVED.read_text(encoding="utf-8")) if PROVED.is_file() else {}
    for path in proof_files():
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        before = processor_s()
        proofs, output = prove(path)
        for name in promises(path):
            proof = proofs.get(name, Proof("MISSING", 0, 0.0))
            failed += proof.verdict != "PASS"
            print(f"{proof.verdict:8} {proof.time_s:6.1f} s  {path.stem}.{name}", flush=True)
        known.pop(path.stem, None)
        if holds(path, proofs):
            spent = round(processor_s() - before, 1)
            known[path.stem] = {"sha256": digest(path), "seconds": spent}
        else:
            print(output)
        PROVED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{failed} not proved, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


def holds(path: Path, proofs: dict[str, Proof]) -> bool:
    """Return True if every promise of a source, and nothing else, is proved on several paths."""
    return {name: proof.verdict for name, proof in proofs.items()} == dict.fromkeys(
        promises(path), "PASS"
    ) and all(proof.paths > 1 for proof in proofs.values())


def processor_s() -> float:
    """Time of processors that this process and those that it waited for took. [s]"""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


if __name__ == "__main__":
    sys.exit(main())
