"""The deployed market of the contract tests serves here too, on the fast engine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "contracts"))
