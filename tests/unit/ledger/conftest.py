"""The engines, and the contract that makes them work."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from senders import KEYED

from benchmarks.anvil import find_anvil, running_anvil
from cosim.evm.contracts import Artifact, compile_source
from cosim.evm.engine import Engine, create_engine
from cosim.evm.node import Node
from cosim.evm.rpc import NodeSettings
from cosim.evm.timed_node import connect

CONTRACTS = Path(__file__).parent / "contracts"


@functools.cache
def artifact(name: str) -> Artifact:
    """Compiled test contract."""
    return compile_source(CONTRACTS / f"{name}.vy")


@pytest.fixture(scope="session")
def anvil_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An anvil that mines when told to."""
    program = find_anvil()
    if program is None:
        pytest.skip("no anvil: neither COSIM_ANVIL nor .node (make node) nor the PATH has one")
    with running_anvil(program, tmp_path_factory.mktemp("anvil")) as url:
        yield url


@pytest.fixture(params=["revm", "py-evm", pytest.param("rpc", marks=pytest.mark.node)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh engine in block 1."""
    engine: Engine
    if request.param == "rpc":
        url = request.getfixturevalue("anvil_url")
        Node(url).request("anvil_reset")
        keys = {one.address: one.private_key for one in KEYED}
        engine = connect(NodeSettings(url, patience_s=2.0), keys)
    else:
        engine = create_engine(request.param)
    engine.set_block(1, 1_000_000, 30_000_000)
    return engine


@pytest.fixture(scope="session")
def workbench() -> Any:
    """The compiled workbench contract."""
    return artifact("Workbench")
