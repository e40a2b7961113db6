"""The contract that makes engines and chain work."""

from __future__ import annotations

import functools
from pathlib import Path

from cosim.evm.contracts import Artifact, compile_source

WORKBENCH = Path(__file__).with_name("Workbench.vy")


@functools.cache
def workbench_artifact() -> Artifact:
    """Return the workbench, compiled."""
    return compile_source(WORKBENCH)
