"""An EVM engine around another: it counts and, if asked, writes down what passes.

Set ``COSIM_TRACE`` to the path of a file, and every transaction is a line of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cosim.plugins.evm_engine import EvmEngine

if TYPE_CHECKING:
    from cosim.evm.engine import Engine, Receipt
    from cosim.evm.options import EngineOptions

TRACE = "COSIM_TRACE"


class TracingEngine:
    """Hands everything on to another engine, and notes every transaction.

    Parameters
    ----------
    inner : Engine
        Which does the work.
    trace : str, optional
        File to which a line per transaction is added.

    Attributes
    ----------
    n_transactions, gas_used : int
        Of all transactions that were kept.
    """

    name = "tracing"

    def __init__(self, inner: Engine, trace: str | None = None) -> None:
        self._inner = inner
        self._trace = trace
        self.n_transactions = self.gas_used = 0

    def transact(
        self, sender: bytes, to: bytes | None, data: bytes, gas_limit: int, value_wei: int = 0
    ) -> Receipt:
        """Execute one transaction and note it."""
        receipt = self._inner.transact(sender, to, data, gas_limit, value_wei)
        self.n_transactions += 1
        self.gas_used += receipt.gas_used
        if self._trace:
            target = "create" if to is None else "0x" + to.hex()
            called = (f"0x{sender.hex()}", target, data[:4].hex())
            fields = (*called, receipt.gas_used, receipt.status)
            with open(self._trace, "a", encoding="utf-8") as file:
                file.write(" ".join(map(str, fields)) + "\n")
        return receipt

    def __getattr__(self, name: str) -> Any:
        """Hand anything else on."""
        return getattr(self._inner, name)


class Tracing(EvmEngine):
    """Engine ``tracing``: the fastest that is installed, with a trace."""

    @classmethod
    def create(cls, options: EngineOptions) -> Engine:
        """Return a tracing engine around a fresh one."""
        from cosim.evm.engine import create_engine

        return TracingEngine(create_engine("auto", options), os.environ.get(TRACE))
