"""``cosim gas``: what it prints is what the reference keeps."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cosim.cli import EXIT_USER, main

ROOT = Path(__file__).parents[3]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gas", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    kept = json.loads((ROOT / "results/reference/gas.json").read_text(encoding="utf-8"))
    assert [set(row) for row in rows] == [{"contract", "method", "gas"}] * len(kept)
    assert [row["method"] for row in rows] == [row["method"] for row in kept]


def test_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["gas", "--engine", "revm"]) == 0
    printed = capsys.readouterr().out
    for word in (
        "SmartMeters",
        "Supplier",
        "registerMeter",
        "46 411",
        "Against the published contracts",
    ):
        assert word in printed


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gas", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["form"] for row in rows} == {"on chain", "verified", "committed"}


def test_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gas", "--markdown"]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("#")]
    page = (ROOT / "docs/gas.md").read_text(encoding="utf-8").splitlines()
    assert headings == [line for line in page if line.startswith("#")]


def test_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "gas.svg"
    assert main(["gas", "--figure", str(image)]) == 0
    assert str(image) in capsys.readouterr().out
    assert image.read_text(encoding="utf-8").startswith("<svg")
    assert main(["gas", "--figure", str(tmp_path / "missing" / "gas.svg")]) == EXIT_USER


def test_unknown_engine_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["gas", "--engine", "abacus"])
    assert stopped.value.code == EXIT_USER
