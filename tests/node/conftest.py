"""The node that the tests of this folder need."""

from __future__ import annotations

import pytest
from anvil_node import find_anvil


@pytest.fixture(scope="session")
def program() -> str:
    """Path of anvil."""
    found = find_anvil()
    if found is None:
        pytest.skip("no anvil: neither COSIM_ANVIL nor .node (make node) nor the PATH has one")
    return found
