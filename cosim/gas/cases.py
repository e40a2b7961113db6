"""Cases that a mechanism hands out to ``cosim gas``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cosim.evm.engine import Engine
from cosim.gas.bench import Bench


class Published(NamedTuple):
    """Figures of a published method.

    Parameters
    ----------
    then : int
        As published. [gas]
    today : int
        The same code under current rules, in whole transactions, optimiser on. [gas]
    warm : int
        The same measured within one open transaction, where storage stays warm: less than any
        transaction costs, except for deployments, where it is the same. [gas]
    beyond : str
        What ours does in addition, and what that costs.
    """

    then: int
    today: int
    warm: int
    beyond: str


@dataclass(frozen=True)
class GasSweep:
    """Gas of one thing by size, measured apart: its table and its part of docs/gas.md.

    Parameters
    ----------
    csv, section : callable
        Take a fresh engine, and return CSV and Markdown.
    """

    csv: Callable[[Engine], str]
    section: Callable[[Engine], str]


@dataclass(frozen=True)
class GasCases:
    """Measurements of a mechanism's contracts.

    Parameters
    ----------
    measure : callable
        Deploys the contracts on a bench with the token and the registry of meters, and measures
        every method that changes state.
    place : int
        In the tables; those of one place follow each other by section.
    published : mapping of (str, str) to Published
        Figures of somebody else's contracts of the kind, by our contract and method.
    sweep : GasSweep, optional
    """

    measure: Callable[[Bench], None]
    place: int = 100
    published: Mapping[tuple[str, str], Published] = field(default_factory=dict)
    sweep: GasSweep | None = None
