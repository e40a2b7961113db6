"""halmos proves what the contracts promise for every input, and refutes what is not so.

A proof that takes long, and that ``make analyse`` made of the very same bytes, is not made again.
"""

from __future__ import annotations

import json
from pathlib import Path

import prove as proving
import pytest
from prove import HERE, PROVED, TOOLS, digest, holds, promises, proof_files, prove, proved_before

needs_halmos = [
    pytest.mark.analysis,
    pytest.mark.skipif(
        not (TOOLS / "halmos").exists(), reason="halmos is not installed: make analysis-tools"
    ),
]


def with_halmos(paths: list[Path]) -> list[object]:
    return [pytest.param(path, marks=needs_halmos, id=path.stem) for path in paths]


@pytest.mark.parametrize(
    "path", with_halmos([path for path in proof_files() if not proved_before(path)])
)
def test_promises_hold_for_every_input(path: Path) -> None:
    proofs, output = prove(path)
    assert holds(path, proofs), output


@pytest.mark.parametrize("path", with_halmos(sorted(HERE.glob("false_*.vy"))))
def test_false_promises_are_refuted(path: Path) -> None:
    proofs, output = prove(path)
    assert {name: proof.verdict for name, proof in proofs.items()} == dict.fromkeys(
        promises(path), "FAIL"
    ), output
    assert "Counterexample" in output


def test_what_changed_since_is_proved_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment in a contract, a line of the proof, another compiler: each is another proof."""
    (path,) = (path for path in proof_files() if path.stem == "EuroTokenProofs")
    was = digest(path)
    known = tmp_path / "proved.json"
    monkeypatch.setattr(proving, "PROVED", known)
    assert not proved_before(path)
    known.write_text(json.dumps({path.stem: {"sha256": was, "seconds": 5.0}}))
    assert proved_before(path)
    known.write_text(json.dumps({path.stem: {"sha256": was, "seconds": 1.0}}))
    assert not proved_before(path), "it takes no time worth saving"
    known.write_text(json.dumps({path.stem: {"sha256": was, "seconds": 5.0}}))

    sources = proving.sources_of
    token = tmp_path / "EuroToken.vy"
    token.write_text(sources("EuroToken")["money/EuroToken.vy"].read_text() + "# another\n")

    def changed(name: str, place: Path | None = None) -> dict[str, Path]:
        return {
            key: token if key == "money/EuroToken.vy" else file
            for key, file in sources(name, place).items()
        }

    with monkeypatch.context() as patch:
        patch.setattr(proving, "sources_of", changed)
        assert digest(path) != was
        assert not proved_before(path)
    with monkeypatch.context() as patch:
        patch.setattr(proving, "VYPER", "0.4.4")
        assert not proved_before(path)
    for name in (path.name, "prover.vy"):
        (tmp_path / name).write_bytes((path.parent / name).read_bytes())
    assert digest(tmp_path / path.name) == was
    with (tmp_path / path.name).open("a") as file:
        file.write("\n")
    assert digest(tmp_path / path.name) != was


def test_what_was_proved_is_there() -> None:
    assert set(json.loads(PROVED.read_text())) <= {path.stem for path in proof_files()}
