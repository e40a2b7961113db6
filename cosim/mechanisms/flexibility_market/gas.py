"""Every method of the flexibility market."""

from __future__ import annotations

from cosim.gas.bench import Bench, account
from cosim.gas.cases import GasCases
from cosim.mechanisms.flexibility_market.baselines import BaselineTerms
from cosim.mechanisms.flexibility_market.calling import CallingTerms, hash_chain
from cosim.mechanisms.flexibility_market.client import MAX_BLOCKS
from cosim.mechanisms.local_market.gas_community import KEPT_UEUR, MONEY, Community

PENALTY = 600_000
MANY = 100
PRICE_CAP, PRICE = 250_000, 123_456
QUANTITY_WH, ENERGY_WH = 400_000, 1_234
BASELINE_WH = -2_345
CURVE = [ENERGY_WH] * MAX_BLOCKS, [PRICE + k for k in range(MAX_BLOCKS)]


def flexibility_market(bench: Bench) -> None:
    """Deploy and measure the flexibility market, on a local market of its own."""
    community = Community(bench, name="of the flexibility market")
    market = bench.deploy(
        "FlexibilityMarket",
        BaselineTerms(),
        CallingTerms(),
        token=community.token.address,
        local_market=community.market.address,
        dso=account("DSO"),
        penalty_ueur_per_kwh=PENALTY,
        is_uncapped=False,
    )
    names = [f"member {k}" for k in range(MANY)]
    community.allow("DSO", market)
    market.measure("DSO", "deposit", MONEY - 1, case="first")
    market.measure("DSO", "deposit", 1)
    market.measure("DSO", "withdraw", 1_234)
    for name in names:
        community.join(name)
        community.fund(name, market)

    community.open_window(0)
    # a request for one offer, and one for many
    market.measure("DSO", "openRequest", 0, True, QUANTITY_WH, PRICE_CAP, case="first")
    market.measure("DSO", "openRequest", 0, True, QUANTITY_WH, PRICE_CAP)
    market.measure(names[0], "offer", 1, BASELINE_WH, [ENERGY_WH], [PRICE])
    curve = f"of {MAX_BLOCKS} blocks"
    market.measure(names[1], "offer", 1, BASELINE_WH, *CURVE, case=curve)
    for name in names:
        market.do(name, "offer", 2, BASELINE_WH, [ENERGY_WH], [PRICE])
    accounts, energies = [account(name) for name in names], [ENERGY_WH - 1] * MANY
    market.measure("DSO", "award", 1, accounts[:1], energies[:1])
    whole = [MAX_BLOCKS * ENERGY_WH - 1]
    market.measure("DSO", "award", 1, accounts[1:2], whole, case=curve)
    market.measure("DSO", "award", 2, accounts, energies, case=f"of {MANY} offers")
    community.close_gate(0)
    community.market.do("anyone", "clear", 0)
    community.deliver(0)
    for name in names:
        community.settlement.do(f"meter of {name}", "report", 0, BASELINE_WH + 2_000)
    market.measure("anyone", "settle", 1, accounts[:1])
    market.measure("anyone", "settle", 1, accounts[1:2], case=curve)
    market.measure("anyone", "settle", 2, accounts, case=f"of {MANY} offers")
    market.measure("anyone", "closeRequest", 1)
    lows, highs = [-12_345] * MANY, [6_789] * MANY
    market.measure("DSO", "registerRanges", accounts[:1], lows[:1], highs[:1])
    market.measure("DSO", "registerRanges", accounts, lows, highs, case=f"of {MANY} accounts")
    _other_terms(bench, community)


def _other_terms(bench: Bench, community: Community) -> None:
    """Measure what other terms than the usual ones make dearer, each in an interval of its own."""
    name = "member 1"
    links = hash_chain(b"gas", 16)
    # so that the draw calls its only seller
    drawn = CallingTerms(999_999, PENALTY, links[-1])
    for k, (case, terms, is_uncapped, calling) in enumerate(
        (
            ("usef", BaselineTerms(), True, CallingTerms()),
            ("bounded nomination", BaselineTerms("bounded_nomination"), False, CallingTerms()),
            ("meter before", BaselineTerms("meter_before", 16), False, CallingTerms()),
            ("random calling", BaselineTerms(), False, drawn),
        )
    ):
        market = bench.deploy(
            "FlexibilityMarket",
            terms,
            calling,
            sender=f"deployer of FlexibilityMarket {k}",
            measured=False,
            token=community.token.address,
            local_market=community.market.address,
            dso=account("DSO"),
            penalty_ueur_per_kwh=PENALTY,
            is_uncapped=is_uncapped,
        )
        for who in ("DSO", name):
            community.allow(who, market)
            market.do(who, "deposit", KEPT_UEUR // 2)
        market.do("DSO", "registerRanges", [account(name)], [-12_345], [6_789])
        interval = 2 * k + 2
        community.open_window(interval)
        market.do("DSO", "openRequest", interval, True, ENERGY_WH, 1)
        market.measure(name, "offer", 1, BASELINE_WH, [ENERGY_WH // 2], [1], case=case)
        if calling.is_random:
            market.measure("DSO", "closeOffers", interval)
            bench.at(bench.now_s)
            market.measure("DSO", "drawCalls", interval, links[-2 - interval])
            market.measure("DSO", "orderCuts", interval, [account(name)], [ENERGY_WH])
        market.measure("DSO", "award", 1, [account(name)], [ENERGY_WH // 2], case=case)
        community.close_gate(interval)
        community.market.do("anyone", "clear", interval)
        community.deliver(interval)
        community.settlement.do(f"meter of {name}", "report", interval, BASELINE_WH - 1)
        market.measure("anyone", "settle", 1, [account(name)], case=case)


CASES = GasCases(flexibility_market, place=4)
