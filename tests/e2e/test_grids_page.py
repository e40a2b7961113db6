"""The example of docs/grids.md that solves what a run delivered."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "grids.md"


def test_the_example_solves_what_the_run_recorded(
    quickstart_result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "quickstart").symlink_to(quickstart_result)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    (example,) = [block for block in blocks if "solve_batch" in block]
    seen: dict[str, object] = {}
    exec(example, seen)
    buses = seen["result"].frame("buses")  # type: ignore[attr-defined]
    recorded = buses.pivot(index="interval", columns="bus", values="vm_pu").to_numpy()
    solved = seen["states"].vm_pu  # type: ignore[attr-defined]
    assert np.abs(solved - recorded).max() < 1e-12
