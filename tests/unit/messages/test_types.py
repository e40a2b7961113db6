"""A misspelt or missing field of a message fails mypy, wherever messages meet."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = (
    "cosim/simulators/market.py",
    "cosim/mechanisms/session.py",
    "cosim/mechanisms/local_market/play.py",
    "cosim/dso/operator.py",
    "cosim/runs/simulation.py",
    "cosim/devices/delivery.py",
    "cosim/simulators/devices.py",
)
MISSPELT = [
    ("cosim/mechanisms/session.py", r"bids\.firm_wh", "bids.firm_whh", '"firm_whh"'),
    ("cosim/mechanisms/session.py", r"\bround=", "rond=", '"rond"'),
    ("cosim/mechanisms/session.py", r"\n +round=state\.round,", "", 'argument "round"'),
    ("cosim/mechanisms/local_market/play.py", r"\.planned_wh", ".planed_wh", '"planed_wh"'),
    ("cosim/simulators/market.py", r"decision\.accepted", "decision.acepted", '"acepted"'),
    ("cosim/dso/operator.py", r"\baccepted=", "acepted=", '"acepted"'),
    ("cosim/runs/simulation.py", r"\bstate=", "stat=", '"stat"'),
    (
        "cosim/simulators/devices.py",
        r"\bdispatch\.activated_wh",
        "dispatch.actived_wh",
        '"actived_wh"',
    ),
    ("cosim/devices/delivery.py", r"\n +soc_mwh=self\.soc_mwh,", "", 'argument "soc_mwh"'),
]
Check = Callable[[], tuple[int, str]]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of what mypy is told."""
    folder = tmp_path_factory.mktemp("typed")
    shutil.copytree(ROOT / "cosim", folder / "cosim", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def mypy(copy: Path) -> Check:
    """Check the copy's files where messages meet; exit code and words."""

    def check() -> tuple[int, str]:
        # as strictly as the repository; what these files import is read, and its errors are not
        command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--cache-dir=cache"]
        done = subprocess.run(
            [*command, *FILES], cwd=copy, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, words = check()
    assert code == 0, words
    return check


@pytest.fixture(scope="module")
def words(copy: Path, mypy: Check) -> dict[int, str]:
    """What mypy says of each of :data:`MISSPELT`, of which it is shown as many at once as fit."""
    said, waiting = {}, dict(enumerate(MISSPELT))
    while waiting:
        before: dict[Path, str] = {}
        changed = []
        for number, (file, pattern, wrong, _) in waiting.items():
            path = copy / file
            text, n = re.subn(pattern, wrong, path.read_text(encoding="utf-8"), count=1)
            if n == 0:  # another took its place, and it is shown next time
                assert path in before, f"{file} has no {pattern}"
                continue
            before.setdefault(path, path.read_text(encoding="utf-8"))
            path.write_text(text, encoding="utf-8")
            changed.append(number)
        code, output = mypy()
        assert code == 1, output
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")
        for number in changed:
            said[number] = output
            del waiting[number]
    return said


@pytest.mark.parametrize("number", range(len(MISSPELT)))
def test_a_misspelt_or_missing_field_is_found(words: dict[int, str], number: int) -> None:
    file, _, _, named = MISSPELT[number]
    assert any(file in line and named in line for line in words[number].splitlines())
