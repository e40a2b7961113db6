"""The contract that the chain's tests send transactions to."""

from __future__ import annotations

import pytest
from workbench import workbench_artifact

from cosim.evm.contracts import Artifact


@pytest.fixture(scope="session")
def workbench() -> Artifact:
    """The compiled workbench contract."""
    return workbench_artifact()
