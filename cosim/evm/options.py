"""Options that engines are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cosim.errors import UserError
from cosim.plugins.evm_engine import builds_blocks


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Address of a node, and the times to wait for it.

    Parameters
    ----------
    url : str
        http or https. It may hold a password, so it is never recorded.
    timeout_s : float
        Longest time of one answer. [s]
    patience_s : float
        Time to try again before the node counts as gone. [s]
    """

    url: str
    timeout_s: float = 20.0
    patience_s: float = 60.0


@dataclass(frozen=True)
class EngineOptions:
    """Options of an engine that is made.

    Parameters
    ----------
    keys : mapping of bytes to bytes
        Private keys by address of everybody who may send, for an engine that signs.
    node : NodeSettings, optional
        For an engine on one.
    takes_over : bool
        True if the chain that the engine finds may be gone on with.
    """

    keys: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    node: NodeSettings | None = None
    takes_over: bool = False


def node_settings(engine: str, node: NodeSettings | str | None) -> NodeSettings | None:
    """Return the settings of the node that an engine plays on; None for one of its own chain.

    Parameters
    ----------
    engine : str
        Name of the engine.
    node : NodeSettings or str, optional
        As given by the user; a text is the URL.

    Raises
    ------
    UserError
        If an engine on a node has no URL, or another one has one.
    """
    if builds_blocks(engine) and node is None:
        raise UserError(
            f"engine {engine} needs the URL of a node",
            remedy="give it as node= of cosim.run, with --url or in COSIM_NODE_URL, e.g. "
            "http://127.0.0.1:8545 of anvil --no-mining",
        )
    if not builds_blocks(engine) and node is not None:
        raise UserError(
            f"a URL is for runs on a node, and the engine is {engine}",
            field="ledger.engine",
            remedy="take engine rpc: scenario.replace(ledger={'engine': 'rpc'}), or --engine rpc",
        )
    return NodeSettings(node) if isinstance(node, str) else node
