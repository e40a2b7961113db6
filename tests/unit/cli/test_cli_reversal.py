"""``cosim reversal``: what it prints, and that docs/finality.md is what it prints."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from cosim.chain.finality import nakamoto_probability, reversal_probability
from cosim.cli import EXIT_USER, main

ROOT = Path(__file__).parents[3]
FEW = ["--share", "0.1", "0.25", "--confirmations", "1", "6", "--races", "2000"]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["reversal", *arguments]) == 0
    return capsys.readouterr().out


def test_page_and_image_are_what_the_command_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosim.chain import reversal_tables

    rows = reversal_tables.compare()
    # the races take seconds and are the same for both
    monkeypatch.setattr(reversal_tables, "compare", lambda *_: rows)
    page = (ROOT / "docs" / "finality.md").read_text(encoding="utf-8")
    assert printed(capsys, "--markdown") == page
    image = tmp_path / "finality.svg"
    assert str(image) in printed(capsys, "--figure", str(image))
    assert image.read_text() == (ROOT / "docs" / "images" / "finality.svg").read_text()


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, *FEW, "--csv"))))
    assert [(row["share"], row["confirmations"]) for row in rows] == [
        ("0.1", "1"), ("0.1", "6"), ("0.25", "1"), ("0.25", "6"),
    ]  # fmt: skip
    for row in rows:
        pair = float(row["share"]), int(row["confirmations"])
        assert float(row["exact"]) == pytest.approx(reversal_probability(*pair), rel=1e-6)
        assert float(row["nakamoto"]) == pytest.approx(nakamoto_probability(*pair), rel=1e-6)
        low, high = float(row["monte_carlo_low"]), float(row["monte_carlo_high"])
        assert low <= float(row["monte_carlo"]) <= high
        assert row["races"] == "2000"


def test_a_row_does_not_depend_on_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    all_lines = printed(capsys, *FEW, "--csv").splitlines()
    one = printed(
        capsys, "--share", "0.25", "--confirmations", "6", "--races", "2000", "--csv"
    ).splitlines()
    assert one[1] == all_lines[4]
    other_seed = printed(capsys, *FEW, "--csv", "--seed", "2").splitlines()
    assert other_seed[4] != all_lines[4]


def test_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = printed(capsys, *FEW)
    assert "0.0686550" in shown
    assert "25 %" in shown
    assert "±" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ["--share", "0.5"],
        ["--share", "nan"],
        ["--share", "0"],
        ["--confirmations", "-1"],
        ["--confirmations", "1001"],
        ["--races", "0"],
        ["--seed", "-1"],
    ],
)
def test_what_is_out_of_range_is_named(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reversal", *arguments]) == EXIT_USER
    message = capsys.readouterr().err
    assert arguments[0] in message
    assert "remedy" in message
