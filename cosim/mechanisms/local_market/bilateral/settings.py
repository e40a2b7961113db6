"""Section ``market.bilateral``: who may trade with whom, and at which fees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosim.settings import Model, NonNegative

Rule = Literal["complete", "ring", "same_feeder", "listed"]
Neighbours = Annotated[int, Field(ge=2, multiple_of=2)]


class EdgeSettings(Model):
    """A pair that may trade; what is left out is as in ``market.bilateral``."""

    seller: str = Field(description="connection point that may sell")
    buyer: str = Field(description="connection point that may buy of it")
    fee_eur_per_kwh: NonNegative | None = Field(
        None, description="paid by the buyer on top of the price [EUR/kWh]"
    )
    penalty_eur_per_kwh: NonNegative | None = Field(
        None, description="what the buyer would rather not pay, and nobody is paid [EUR/kWh]"
    )


class BilateralSettings(Model):
    """Graph of who may trade with whom (docs/bilateral.md)."""

    graph: Rule = Field(
        "complete",
        description="complete: everybody with everybody; ring: with the nearest in the order of "
        "the connection points; same_feeder: on one outgoing feeder of the transformer's busbar; "
        "listed: by `edges` or `file`",
    )
    neighbours: Neighbours = Field(2, description="of each in a ring, half of them on either side")
    directed: bool = Field(
        False, description="whether a listed edge lets the buyer buy only; else both ways"
    )
    fee_eur_per_kwh: NonNegative = Field(
        0.0, description="of every edge without one: paid by the buyer on top [EUR/kWh]"
    )
    penalty_eur_per_kwh: NonNegative = Field(
        0.0, description="of every edge without one: the buyer's preference against it [EUR/kWh]"
    )
    edges: tuple[EdgeSettings, ...] = Field((), description="of a listed graph")
    file: str | None = Field(
        None,
        description="CSV file with columns seller, buyer and, if wanted, fee_eur_per_kwh and "
        "penalty_eur_per_kwh, relative to the scenario's, in place of edges",
    )

    @model_validator(mode="after")
    def _edges_fit(self) -> BilateralSettings:
        if self.graph == "listed" and not self.edges and self.file is None:
            raise ValueError(
                "the graph has no edge: list some under edges, or name a CSV file under file"
            )
        if self.graph != "listed" and (self.edges or self.file is not None):
            raise ValueError(f"edges and file are of graph: listed, and it is {self.graph}")
        if self.edges and self.file is not None:
            raise ValueError("edges and file say the same: give one of them")
        if self.graph != "ring" and "neighbours" in self.model_fields_set and self.neighbours != 2:
            raise ValueError(f"neighbours are of graph: ring, and it is {self.graph}")
        if (problem := edge_problem(self.edges, self.directed)) is not None:
            raise ValueError(f"edges.{problem[0]}: {problem[1]}")
        return self


def edge_problem(edges: Iterable[EdgeSettings], directed: bool) -> tuple[int, str] | None:
    """Return the first edge, by position, that leads to itself or stands there twice, and why."""
    seen: dict[tuple[str, str], int] = {}
    for k, edge in enumerate(edges):
        if edge.seller == edge.buyer:
            return k, f"{edge.seller!r} cannot trade with itself: name another connection point"
        pair = (edge.seller, edge.buyer)
        first = seen.get(pair, None if directed else seen.get(pair[::-1]))
        if first is not None:
            both = "" if directed else " (edges hold both ways; directed: true lets one of them)"
            return k, f"{pair[0]!r} and {pair[1]!r} are edge {first} already: drop one{both}"
        seen[pair] = k
    return None
