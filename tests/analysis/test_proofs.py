"""halmos proves what the contracts promise for every input, and refutes what is not so."""

from __future__ import annotations

from pathlib import Path

import pytest
from prove import HERE, TOOLS, promises, proof_files, prove

pytestmark = [
    pytest.mark.analysis,
    pytest.mark.skipif(
        not (TOOLS / "halmos").exists(), reason="halmos is not installed: make analysis-tools"
    ),
]


@pytest.mark.parametrize("path", proof_files(), ids=lambda path: path.stem)
def test_promises_hold_for_every_input(path: Path) -> None:
    proofs, output = prove(path)
    assert {name: proof.verdict for name, proof in proofs.items()} == dict.fromkeys(
        promises(path), "PASS"
    ), output
    assert all(proof.paths > 1 for proof in proofs.values())


@pytest.mark.parametrize("path", sorted(HERE.glob("false_*.vy")), ids=lambda path: path.stem)
def test_false_promises_are_refuted(path: Path) -> None:
    proofs, output = prove(path)
    assert {name: proof.verdict for name, proof in proofs.items()} == dict.fromkeys(
        promises(path), "FAIL"
    ), output
    assert "Counterexample" in output
