"""Every engine that is registered, and the contract that makes them work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from senders import KEYED
from workbench import workbench_artifact

from benchmarks.anvil import find_anvil, running_anvil
from cosim.evm.contracts import Artifact
from cosim.evm.engine import Engine, create_engine
from cosim.evm.node import Node
from cosim.evm.options import EngineOptions, NodeSettings
from cosim.plugins import EVM_ENGINES


@pytest.fixture(scope="session")
def anvil_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An anvil that mines when told to."""
    program = find_anvil()
    if program is None:
        pytest.skip("no anvil: neither COSIM_ANVIL nor .node (make node) nor the PATH has one")
    with running_anvil(program, tmp_path_factory.mktemp("anvil")) as url:
        yield url


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.node) if kind.builds_blocks else name
        for name, kind in EVM_ENGINES.every().items()
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh engine in block 1."""
    kind = EVM_ENGINES.load(request.param)
    if kind.missing():
        pytest.skip(f"engine {request.param} needs {', '.join(kind.missing())}")
    node = None
    if kind.builds_blocks:
        url = request.getfixturevalue("anvil_url")
        Node(url).request("anvil_reset")
        node = NodeSettings(url, patience_s=2.0)
    keys = {one.address: one.private_key for one in KEYED}
    engine = create_engine(request.param, EngineOptions(keys, node))
    engine.set_block(1, 1_000_000, 30_000_000)
    return engine


@pytest.fixture(scope="session")
def workbench() -> Artifact:
    """The compiled workbench contract."""
    return workbench_artifact()
