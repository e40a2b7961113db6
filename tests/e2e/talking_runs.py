"""Runs in processes of their own that tell of every interval, to be interrupted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# the command line as it is, with a word for every interval
TALKING = """
import sys
from cosim import cli
from cosim.cli import running

tell = running._RunProgress.tell

def told(self, interval, violated):
    tell(self, interval, violated)
    print("interval", interval, file=sys.stderr, flush=True)

running._RunProgress.tell = told
sys.exit(cli.main(sys.argv[1:]))
"""


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-c", TALKING, "run", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
