"""Options that engines are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
