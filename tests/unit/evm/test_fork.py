"""Instructions of the compiled contracts are those that a node is probed for."""

from __future__ import annotations

from pathlib import Path

import cosim
from cosim.evm.contracts import compile_contract
from cosim.evm.fork import PROBES

SOURCES = Path(cosim.__file__).parents[1] / "contracts"
CONTRACTS = sorted(path.stem for path in SOURCES.rglob("*.vy") if path.stem[0].isupper())

YOUNG = {
    0x1E: "CLZ",
    0x49: "BLOBHASH",
    0x4A: "BLOBBASEFEE",
    0x5C: "TLOAD",
    0x5D: "TSTORE",
    0x5E: "MCOPY",
    0x5F: "PUSH0",
}
"""Instructions that came after London, by their byte."""


def instructions(code: bytes) -> set[int]:
    """Return the bytes at which an instruction may stand; data at the end is taken for some."""
    found, at = set(), 0
    while at < len(code):
        found.add(code[at])
        at += code[at] - 0x5E if 0x60 <= code[at] <= 0x7F else 1
    return found


def test_what_the_compiler_uses_is_probed():
    used = set().union(*(instructions(compile_contract(name).bytecode) for name in CONTRACTS))
    assert {0x5F, 0x5E} <= used, "PUSH0 and MCOPY"
    assert {"PUSH0", "MCOPY", "TLOAD", "TSTORE"} <= {name for name, _, _ in PROBES}
    # Vyper has the others only where a source names them
    assert not any("blob" in path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.vy"))


def test_a_probe_executes_the_instruction_that_it_names():
    for name, _, code in PROBES:
        assert name in {YOUNG[byte] for byte in instructions(code) & YOUNG.keys()}
