"""Declaration of an EVM engine: what runs the contracts of a run or of a replay.

The class is light: what the engine is made of is imported when one is made, so that asking which
engines there are loads none, and an engine whose packages are not installed can be named.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from cosim.plugins import EVM_ENGINES

if TYPE_CHECKING:
    from cosim.evm.engine import Engine
    from cosim.evm.options import EngineOptions

AUTO = "auto"
"""Stands for the fastest engine that is installed."""


def engine_names() -> tuple[str, ...]:
    """Return every name that an engine can be asked for by."""
    return (AUTO, *EVM_ENGINES.names)


def builds_blocks(name: str) -> bool:
    """Return whether the blocks of an engine are built by a node, which has a URL."""
    return name in EVM_ENGINES.names and EVM_ENGINES.load(name).builds_blocks


class EvmEngine(ABC):
    """An EVM engine, registered under ``cosim.evm_engines``; its name is the entry point's.

    Every engine gives the same receipts and the same state, bit by bit; the shared test-suite
    runs on each that is registered.

    Attributes
    ----------
    requires : tuple of str
        Modules that it imports and that an installation may lack.
    install : str
        How to get them.
    speed : int
        Rank among the engines of which ``auto`` takes the fastest; 0 for one that is only used
        by name.
    cost : str
        What a run on it costs, told when ``auto`` takes it in place of a faster one.
    builds_blocks : bool
        Whether its blocks are built by somebody else, a node: it makes
        :class:`~cosim.evm.engine.BlockEngine`.
    """

    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar[str] = ""
    speed: ClassVar[int] = 0
    cost: ClassVar[str] = ""
    builds_blocks: ClassVar[bool] = False

    @classmethod
    def missing(cls) -> tuple[str, ...]:
        """Return the modules of ``requires`` that are not installed here."""
        return tuple(name for name in cls.requires if find_spec(name) is None)

    @classmethod
    @abstractmethod
    def create(cls, options: EngineOptions) -> Engine:
        """Return a fresh engine.

        Parameters
        ----------
        options : EngineOptions
            An engine reads those that concern it.

        Raises
        ------
        EngineError
            If an option that it needs is not there.
        NodeError
            If it is a node that does not answer, or cannot play a run.
        """
