"""The examples of docs/results.md run, and print what the tables hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


def test_the_examples_print_what_the_tables_hold(
    another_result: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = another_result(indicators={"self_sufficiency": 0.625})
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len(examples) == 2
    for example in examples:
        exec(example.replace("results/quickstart", str(folder)), {})
    assert capsys.readouterr().out.splitlines() == [
        "scheduled    30 min over the limit, at most 140.0 %",
        "delivered    15 min over the limit, at most 100.5 %",
        "0.1 kWh of flexibility at 0.100 EUR/kWh",
        "self-sufficiency 62.5%",
        "15.0 0.015",
    ]
