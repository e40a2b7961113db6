"""Methods of bilateral trades: proving an edge, matchings of one pair and of many, settlement."""

from __future__ import annotations

from cosim.gas.bench import Bench, account
from cosim.mechanisms.local_market.bilateral.client import pair_word
from cosim.mechanisms.local_market.bilateral.edges import ring
from cosim.mechanisms.local_market.bilateral.graph import EdgeTerms, TradingGraph
from cosim.mechanisms.local_market.gas_community import Community
from cosim.mechanisms.local_market.pricing import ClearingForm

N_MEMBERS, NEIGHBOURS = 118, 8
"""A ring of the larger shipped grid: 944 edges one way, so that a proof has ten nodes."""
N_PAIRS = 20


def bilateral_trades(bench: Bench) -> None:
    """Deploy and measure bilateral trades."""
    names = [f"member {k}" for k in range(N_MEMBERS)]
    terms = EdgeTerms(10_123, 5_123)
    both = ring(N_MEMBERS, NEIGHBOURS)
    edges = {(names[i], names[j]): terms for i, j in (*both, *((j, i) for i, j in both))}
    graph = TradingGraph(edges)
    community = Community(bench, ClearingForm.BILATERAL, name="with pairs", graph=graph)
    trades, settlement = community.trades, community.settlement
    tree = graph.tree({name: account(name) for name in names})
    if trades is None or tree is None:
        raise LookupError("the community has no trading graph")
    own = names[: 2 * N_PAIRS]
    for name in own:
        community.join(name)
    community.open_window(0)
    for k, name in enumerate(own):  # the even ones sell, each to the next
        is_sell = k % 2 == 0
        community.order(name, 0, is_sell, 1_234 + k, 123_456 if is_sell else 210_123)
    community.close_gate(0)
    for k in range(0, 2 * N_PAIRS, 2):
        edge = account(own[k]), account(own[k + 1])
        call = ("anyone", "proveEdge", *edge, *terms, list(tree.proof(*edge)))
        if k:
            trades.do(*call)
        else:
            trades.measure(*call)
    words = [pair_word(k, k + 1, 1_000 + k) for k in range(0, 2 * N_PAIRS, 2)]
    trades.measure("anyone", "proposeMatching", 0, words[:1], case="one pair")
    trades.measure("anyone", "proposeMatching", 0, words)
    more = [pair_word(k, k + 1, 1_001 + k) for k in range(0, 2 * N_PAIRS, 2)]
    trades.measure("anyone", "proposeMatching", 0, more, case="in place of another")
    community.deliver(0)
    settlement.measure(f"meter of {own[1]}", "report", 0, -1_345, case="bilateral")
    settlement.measure(f"meter of {own[0]}", "report", 0, 1_345, case="bilateral, of a seller")
