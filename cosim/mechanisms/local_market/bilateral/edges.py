"""Edges of a run's trading graph out of its section: by rule, from a CSV file, or as listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cosim.errors import ScenarioError
from cosim.inputs.csv_file import read_table
from cosim.mechanisms.local_market.bilateral.settings import (
    BilateralSettings,
    EdgeSettings,
    edge_problem,
)
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH
from cosim.units import eur_from_ueur, ueur_from_eur

if TYPE_CHECKING:
    from cosim.scenario import Scenario

FIELD = "market.bilateral"
_AMOUNTS = ("fee_eur_per_kwh", "penalty_eur_per_kwh")


class _Listed(NamedTuple):
    """An edge with the place that errors name."""

    edge: EdgeSettings
    field: str
    file: Path | None


def with_edges(
    scenario: Scenario, names: Sequence[str], feeders: Callable[[], Sequence[int]]
) -> Scenario:
    """Return a scenario whose trading graph is written out, edge by edge and way by way.

    So a result folder needs neither file nor grid for it. A complete graph stays as it is, and so
    does a scenario without bilateral trades.

    Parameters
    ----------
    scenario : Scenario
    names : sequence of str
        Connection points.
    feeders : callable
        Gives the outgoing feeder of each connection point.

    Raises
    ------
    ScenarioError
        If the graph has no edge, one twice, one from a connection point to itself or to one that
        the network lacks, or an amount that no contract holds; names file, field and remedy.
    """
    market = scenario.market
    if market.clearing != "bilateral":
        return scenario
    settings = market.bilateral or BilateralSettings()
    if settings.graph != "complete":
        folder = scenario.file.parent if scenario.file else Path()
        edges = list(_written_out(settings, names, feeders, folder))
        settings = BilateralSettings(graph="listed", directed=True, edges=tuple(edges))
    else:
        for field in _AMOUNTS:
            _check_amount(getattr(settings, field), f"{FIELD}.{field}", None)
    return scenario.model_copy(update={"market": market.model_copy(update={"bilateral": settings})})


def _written_out(
    settings: BilateralSettings,
    names: Sequence[str],
    feeders: Callable[[], Sequence[int]],
    folder: Path,
) -> Iterator[EdgeSettings]:
    """Give every edge, one way, with its fee and penalty."""
    default = {field: getattr(settings, field) for field in _AMOUNTS}
    if settings.graph == "ring":
        listed = _pairs(ring(len(names), settings.neighbours), names)
        is_directed = False
    elif settings.graph == "same_feeder":
        listed = _pairs(same(feeders()), names)
        is_directed = False
    else:
        listed, is_directed = _listed(settings, folder), settings.directed
    known = set(names)
    for edge, field, file in listed:
        for side in ("seller", "buyer"):
            if (name := getattr(edge, side)) not in known:
                raise ScenarioError(
                    f"{name!r} is no connection point of the network",
                    file=file,
                    field=f"{field}{side}",
                    remedy="use a name from the network's connection_points.csv",
                )
        own = {f: default[f] if getattr(edge, f) is None else getattr(edge, f) for f in _AMOUNTS}
        for amount, eur in own.items():
            _check_amount(eur, f"{field}{amount}", file)
        yield edge.model_copy(update=own)
        if not is_directed:
            yield edge.model_copy(update={"seller": edge.buyer, "buyer": edge.seller} | own)


def ring(n: int, neighbours: int) -> list[tuple[int, int]]:
    """Return the pairs of a ring lattice, each with its nearest, half of them on either side.

    As in D. J. Watts, S. H. Strogatz: Collective dynamics of small-world networks. Nature 393
    (1998) 440-442, doi:10.1038/30918, before any rewiring.
    """
    pairs = {
        (min(i, j), max(i, j))
        for i in range(n)
        for step in range(1, neighbours // 2 + 1)
        if (j := (i + step) % n) != i
    }
    return sorted(pairs)


def same(groups: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of positions that are in the same group."""
    n = len(groups)
    return [(i, j) for i in range(n) for j in range(i + 1, n) if groups[i] == groups[j]]


def _pairs(pairs: Sequence[tuple[int, int]], names: Sequence[str]) -> list[_Listed]:
    if not pairs:
        raise ScenarioError(
            "the graph has no edge: no two connection points of this network are a pair by it",
            field=f"{FIELD}.graph",
            remedy="take another rule, or graph: listed with edges of your own",
        )
    return [
        _Listed(EdgeSettings(seller=names[i], buyer=names[j]), f"{FIELD}.graph.", None)
        for i, j in pairs
    ]


def _listed(settings: BilateralSettings, folder: Path) -> list[_Listed]:
    if settings.file is None:
        return [_Listed(edge, f"{FIELD}.edges.{k}.", None) for k, edge in enumerate(settings.edges)]
    file = folder / settings.file
    if not file.is_file():
        raise ScenarioError(
            f"the file {settings.file!r} does not exist",
            field=f"{FIELD}.file",
            remedy="name a CSV file with columns seller and buyer, relative to the scenario's",
        )
    table = read_table(file, ScenarioError, ("seller", "buyer"))
    if strange := sorted(set(table.columns) - {"seller", "buyer", *_AMOUNTS}):
        raise ScenarioError(
            f"has the column {strange[0]!r}",
            file=file,
            field=strange[0],
            remedy=f"leave it out; columns are seller, buyer, {', '.join(_AMOUNTS)}",
        )
    amounts = {field: table.numbers(field) for field in _AMOUNTS if field in table.columns}
    edges = []
    for k, (seller, buyer) in enumerate(
        zip(table.columns["seller"], table.columns["buyer"], strict=True)
    ):
        own = {field: float(values[k]) for field, values in amounts.items()}
        for field, value in own.items():
            if value < 0:
                raise _in_line(file, table.lines[k], field, f"is {value:g}", "give 0 or more")
        edges.append(EdgeSettings(seller=seller, buyer=buyer, **own))
    if not edges:
        raise ScenarioError(
            "the graph has no edge: the file has no row under its header",
            file=file,
            field="seller",
            remedy="list who may sell to whom, one pair a line",
        )
    if (problem := edge_problem(edges, settings.directed)) is not None:
        k, text = problem
        raise _in_line(file, table.lines[k], "seller", text, "mend or drop the line")
    return [
        _Listed(edge, f"line {line}, ", file) for edge, line in zip(edges, table.lines, strict=True)
    ]


def _in_line(file: Path, line: int, field: str, problem: str, remedy: str) -> ScenarioError:
    return ScenarioError(f"line {line}: {problem}", file=file, field=field, remedy=remedy)


def _check_amount(eur_per_kwh: float, field: str, file: Path | None) -> None:
    if ueur_from_eur(eur_per_kwh) > MAX_PRICE_UEUR_PER_KWH:
        raise ScenarioError(
            f"is {eur_per_kwh:g} EUR/kWh; the contract takes amounts up to "
            f"{eur_from_ueur(MAX_PRICE_UEUR_PER_KWH):g} EUR/kWh",
            file=file,
            field=field,
            remedy="lower it",
        )
