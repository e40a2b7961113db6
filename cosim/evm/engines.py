"""The EVM engines that come with cosim, as plug-ins declare theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosim.errors import EngineError
from cosim.plugins.evm_engine import EvmEngine

if TYPE_CHECKING:
    from cosim.evm.engine import Engine
    from cosim.evm.options import EngineOptions


class Revm(EvmEngine):
    """The fast one: revm through pyrevm."""

    requires = ("pyrevm",)
    install = "it has wheels for Python 3.11 and 3.12: install cosim there, e.g. by make with uv"
    speed = 20

    @classmethod
    def create(cls, options: EngineOptions) -> Engine:
        """Return a fresh revm."""
        from cosim.evm.revm import RevmEngine

        return RevmEngine()


class PyEvm(EvmEngine):
    """The reference: py-evm, in Python."""

    requires = ("eth",)
    speed = 10
    cost = "results are the same to the byte, the quickstart takes 40 s in place of 10 s"

    @classmethod
    def create(cls, options: EngineOptions) -> Engine:
        """Return a fresh py-evm."""
        from cosim.evm.py_evm import PyEvmEngine

        return PyEvmEngine()


class Rpc(EvmEngine):
    """A node whose clock and blocks can be set, over JSON-RPC."""

    requires = ("web3",)
    builds_blocks = True

    @classmethod
    def create(cls, options: EngineOptions) -> Engine:
        """Return an engine on the node of the options."""
        if options.node is None:
            raise EngineError("engine rpc is a node: say where it is, with --url or COSIM_NODE_URL")
        from cosim.evm.timed_node import connect_timed

        return connect_timed(options.node, options.keys, takes_over=options.takes_over)
