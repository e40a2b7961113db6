"""Trading graphs out of a scenario: by rule, from a file, listed; what is refused, and the tree."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import ScenarioError
from cosim.evm.abi import pack
from cosim.evm.hashing import keccak
from cosim.grid.catalogue import open_grid
from cosim.grid.feeders import feeders_of
from cosim.mechanisms.local_market.bilateral.edges import ring, with_edges
from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, EdgeTree, TradingGraph, parent
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.scenario import Scenario

NAMES = ("a", "b", "c", "d", "e")


def scenario_of(tmp_path: Path, **bilateral: Any) -> Scenario:
    fields = {
        "name": "graphs",
        "seed": 1,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 4},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "market": {"clearing": "bilateral", "bilateral": bilateral},
    }
    return Scenario.of(fields, tmp_path / "graphs.yaml")


def graph_of(tmp_path: Path, feeders: tuple[int, ...] = (), **bilateral: Any) -> TradingGraph:
    scenario = with_edges(scenario_of(tmp_path, **bilateral), NAMES, lambda: feeders)
    graph = MarketTerms.of(scenario).graph
    assert graph is not None
    again = with_edges(scenario, NAMES, lambda: ())  # a result's scenario needs neither
    assert again.market == scenario.market
    assert Scenario.of(scenario.model_dump(mode="json"), "x.yaml").market == scenario.market
    return graph


def test_a_ring_is_the_lattice_of_watts_and_strogatz() -> None:
    assert ring(5, 2) == [(0, 1), (0, 4), (1, 2), (2, 3), (3, 4)]
    # n k / 2 edges, k of each
    edges = ring(20, 4)
    assert len(edges) == 40
    assert {sum(i in edge for edge in edges) for i in range(20)} == {4}
    assert ring(3, 8) == ring(3, 2) == [(0, 1), (0, 2), (1, 2)]
    assert ring(1, 2) == []


def test_rules_and_default_terms(tmp_path: Path) -> None:
    found = graph_of(tmp_path, graph="ring", fee_eur_per_kwh=0.01, penalty_eur_per_kwh=0.002)
    assert found.edges is not None
    assert len(found.edges) == 10
    assert found.terms_of("e", "a") == found.terms_of("a", "e") == EdgeTerms(10_000, 2_000)
    assert found.terms_of("a", "c") is None
    feeder = graph_of(tmp_path, (1, 2, 1, 1, 2), graph="same_feeder").edges
    assert feeder is not None
    assert sorted(feeder) == [
        ("a", "c"), ("a", "d"), ("b", "e"), ("c", "a"), ("c", "d"), ("d", "a"), ("d", "c"),
        ("e", "b"),
    ]  # fmt: skip
    everybody = graph_of(tmp_path, fee_eur_per_kwh=0.02)
    assert everybody.edges is None
    assert everybody.terms_of("a", "zz") == EdgeTerms(20_000, 0)


def test_edges_have_terms_of_their_own_and_one_direction_if_asked(tmp_path: Path) -> None:
    edges = [
        {"seller": "a", "buyer": "b", "fee_eur_per_kwh": 0.03},
        {"seller": "c", "buyer": "a", "penalty_eur_per_kwh": 0.01},
    ]
    both = graph_of(tmp_path, graph="listed", edges=edges, fee_eur_per_kwh=0.005).edges
    assert both == {
        ("a", "b"): EdgeTerms(30_000, 0),
        ("b", "a"): EdgeTerms(30_000, 0),
        ("c", "a"): EdgeTerms(5_000, 10_000),
        ("a", "c"): EdgeTerms(5_000, 10_000),
    }
    directed = graph_of(tmp_path, graph="listed", directed=True, edges=edges).edges
    assert directed == {("a", "b"): EdgeTerms(30_000, 0), ("c", "a"): EdgeTerms(0, 10_000)}
    back = [*edges, {"seller": "b", "buyer": "a"}]
    assert len(graph_of(tmp_path, graph="listed", directed=True, edges=back).edges or ()) == 3


def test_edges_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text("seller,buyer,fee_eur_per_kwh\na,b,0.01\nb,c,0\n")
    found = graph_of(tmp_path, graph="listed", file="edges.csv", penalty_eur_per_kwh=0.001).edges
    assert found is not None
    assert found["b", "a"] == EdgeTerms(10_000, 1_000)
    assert found["b", "c"] == EdgeTerms(0, 1_000)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("bilateral", "field", "text"),
    [
        ({"graph": "listed"}, "market.bilateral", "no edge"),
        ({"edges": [{"seller": "a", "buyer": "b"}]}, "market.bilateral", "are of graph: listed"),
        (
            {"graph": "listed", "file": "x.csv", "edges": [{"seller": "a", "buyer": "b"}]},
            "market.bilateral",
            "give one of them",
        ),
        (
            {"graph": "listed", "edges": [{"seller": "a", "buyer": "a"}]},
            "market.bilateral.edges.0",
            "'a' cannot trade with itself",
        ),
        (
            {
                "graph": "listed",
                "edges": [{"seller": "a", "buyer": "b"}, {"seller": "b", "buyer": "a"}],
            },
            "market.bilateral.edges.1",
            "'b' and 'a' are edge 0 already",
        ),
        ({"graph": "ring", "neighbours": 3}, "market.bilateral.neighbours", "multiple of 2"),
        ({"graph": "complete", "neighbours": 4}, "market.bilateral", "neighbours are of graph"),
    ],
)
def test_a_section_that_is_no_graph_is_refused(
    tmp_path: Path, bilateral: dict[str, Any], field: str, text: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(tmp_path, **bilateral)
    assert caught.value.field == field
    assert text in caught.value.problem
    assert Path(caught.value.file or "") == tmp_path / "graphs.yaml"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("market", "text"),
    [
        ({"bilateral": {}}, "clearing is on_chain"),
        ({"clearing": "bilateral", "pricing": "mcafee"}, "midpoint in place of mcafee"),
    ],
)
def test_the_section_goes_with_clearing_by_pairs(market: dict[str, Any], text: str) -> None:
    fields = {
        "name": "x",
        "seed": 1,
        "time": {"start": "2016-05-24T00:00:00", "intervals": 4},
        "grid": {"network": "1-LV-rural1--1-sw"},
        "market": market,
    }
    with pytest.raises(ScenarioError) as caught:
        Scenario.of(fields, "x.yaml")
    assert text in caught.value.problem
    forks = {"consensus": "proof_of_work", "propagation_delay_s": 2}
    with pytest.raises(ScenarioError, match="bilateral needs a ledger without"):
        Scenario.of(fields | {"market": {"clearing": "bilateral"}, "ledger": forks}, "x.yaml")


@pytest.mark.parametrize(
    ("content", "field", "text"),
    [
        ("seller,buyer\na,x\n", "line 2, buyer", "'x' is no connection point"),
        ("seller,buyer\na,b\nc,c\n", "seller", "line 3: 'c' cannot trade with itself"),
        ("seller,buyer\na,b\nb,a\n", "seller", "line 3: 'b' and 'a' are edge 0 already"),
        ("seller,buyer\n", "seller", "no edge"),
        ("seller,buyer,fee_eur_per_kwh\na,b,-1\n", "fee_eur_per_kwh", "line 2: is -1"),
        ("seller,buyer,fee_eur_per_kwh\na,b,\n", "fee_eur_per_kwh", "empty"),
        ("seller,buyer,weight\na,b,1\n", "weight", "has the column 'weight'"),
        ("seller,to\na,b\n", "buyer", "buyer"),
        ("seller,buyer,fee_eur_per_kwh\na,b,3000\n", "line 2, fee_eur_per_kwh", "up to 2147.48"),
    ],
)
def test_a_file_is_refused_by_its_line(tmp_path: Path, content: str, field: str, text: str) -> None:
    (tmp_path / "edges.csv").write_text(content)
    with pytest.raises(ScenarioError) as caught:
        graph_of(tmp_path, graph="listed", file="edges.csv")
    assert text in str(caught.value)
    assert Path(caught.value.file or "") == tmp_path / "edges.csv"
    assert caught.value.field is not None
    assert field in caught.value.field
    assert caught.value.remedy


def test_strangers_missing_files_and_graphs_without_pairs_are_refused(tmp_path: Path) -> None:
    def refused(**bilateral: Any) -> ScenarioError:
        with pytest.raises(ScenarioError) as caught:
            graph_of(tmp_path, (1, 2, 3, 4, 5), **bilateral)
        assert caught.value.remedy
        return caught.value

    edges = [{"seller": "a", "buyer": "b"}, {"seller": "zz", "buyer": "b"}]
    stranger = refused(graph="listed", edges=edges)
    assert stranger.field == "market.bilateral.edges.1.seller"
    assert "'zz' is no connection point" in stranger.problem
    assert refused(graph="listed", file="none.csv").field == "market.bilateral.file"
    assert "no edge" in refused(graph="same_feeder").problem
    assert refused(penalty_eur_per_kwh=3_000).field == "market.bilateral.penalty_eur_per_kwh"


def test_feeders_of_the_shipped_grids_leave_the_busbar_apart() -> None:
    grid = open_grid("1-LV-rural1--1-sw")
    feeders = feeders_of(grid.net, grid.connection_points)
    assert sorted(feeders.count(feeder) for feeder in set(feeders)) == [1, 3, 4, 5]
    net = copy.deepcopy(grid.net)
    net.line["in_service"] = False
    assert len(set(feeders_of(net, grid.connection_points))) == 13


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13])
def test_every_edge_has_a_proof_and_no_other_has(n: int) -> None:
    accounts = [keccak(bytes([k]))[:20] for k in range(n + 1)]
    edges = [(accounts[k], accounts[k + 1], EdgeTerms(k, 2 * k)) for k in range(n)]
    tree = EdgeTree(edges)
    for seller, buyer, terms in edges:
        node = keccak(pack(seller, buyer, *terms))
        proof = tree.proof(seller, buyer)
        for neighbour in proof:
            node = parent(node, neighbour)
        assert node == tree.root
        assert len(proof) <= (n - 1).bit_length()
    with pytest.raises(KeyError):
        tree.proof(accounts[1], accounts[0])
    assert EdgeTree(reversed(edges)).root == tree.root
