"""Both engines, and the contract that makes them work."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from cosim.ledger.contracts import Artifact, compile_source
from cosim.ledger.engine import Engine, create_engine

CONTRACTS = Path(__file__).parent / "contracts"


@functools.cache
def artifact(name: str) -> Artifact:
    """Compiled test contract."""
    return compile_source(CONTRACTS / f"{name}.vy")


@pytest.fixture(params=["revm", "py-evm"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh engine in block 1."""
    engine = create_engine(request.param)
    engine.set_block(1, 1_000_000, 30_000_000)
    return engine


@pytest.fixture(scope="session")
def workbench() -> Any:
    """The compiled workbench contract."""
    return artifact("Workbench")
