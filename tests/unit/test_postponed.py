"""State estimation of pandapower is imported by who uses it, and then it is what it always was."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SEEN = """
import json, sys
{before}
import pandapower
loaded = "scipy.stats" in sys.modules
import pandapower.estimation
from pandapower.estimation import estimate
import pandapower.estimation.util
names = sorted(vars(pandapower.estimation))
print(json.dumps([loaded, "scipy.stats" in sys.modules, estimate.__module__, names]))
"""


def seen(before: str) -> list[Any]:
    command = [sys.executable, "-c", SEEN.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def test_it_waits_for_its_first_use() -> None:
    before, after, *used = seen("import cosim")
    as_ever = seen("")
    assert (before, after) == (False, True)
    assert as_ever[0]
    assert used == as_ever[2:]


def test_a_run_does_without_it() -> None:
    program = "import sys, cosim.runs.experiment, cosim.report.report, cosim.verify.verification; "
    done = subprocess.run(
        [sys.executable, "-c", f"{program}print('scipy.stats' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
