"""The start line: contracts deployed, money deposited, meters registered, all in time."""

from __future__ import annotations

import pytest
from deployed import deployed, scenario_of

from cosim.errors import EngineError
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket
from cosim.mechanisms.flexibility_market.play import FlexibilityMarketPlay
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.play import LocalMarketPlay

FIRST_DELIVERY_S = 1_717_243_200
MARKET = {"account_eur": 100.000003, "deposit_share": 0.6, "supplier_eur": 7_000.000003}
DSO = {"budget_eur": 5_000.000004}
WINDOW_S = FIRST_DELIVERY_S - 600


def community(n=3, *, seed=11, dso=DSO, **ledger):
    names = [f"point {i}" for i in range(n)]
    scenario = scenario_of(market=MARKET, dso=dso, seed=seed)
    assert scenario.clock().window_opens_s(0) == WINDOW_S
    meters = [f"m{i}" for i in range(n)]
    return deployed(scenario, names, meters=meters, n_mechanisms=0, **ledger)


def balances(market):
    """Supply, tokens by holder, and free balances in the two markets as models would know them."""
    free = (market.play(kind)._free_ueur() for kind in (LocalMarketPlay, FlexibilityMarketPlay))
    return market.token.total_supply(), market.held_ueur(), *free


@pytest.fixture(scope="module", params=["revm", "py-evm"])
def market(request):
    return community(engine=request.param)


def test_everybody_has_deposited_what_the_terms_say(market):
    supply, tokens, local, flexibility = balances(market)
    points = ["point 0", "point 1", "point 2"]
    assert local == dict.fromkeys(points, 60_000_002) | {
        "supplier": 7_000_000_003, "DSO": 0, "market operator": 0, "state": 0,
    }  # fmt: skip
    assert flexibility == dict.fromkeys(points, 40_000_001) | {"supplier": 0, "DSO": 5_000_000_004}
    assert tokens["LocalMarket"] == sum(local.values())
    assert tokens["FlexibilityMarket"] == sum(flexibility.values())
    outside = {name: held for name, held in tokens.items() if not name.endswith("Market")}
    assert outside.keys() >= {*points, "supplier", "DSO", "issuer", "market operator"}
    assert set(outside.values()) == {0}
    assert supply == sum(tokens.values()) == 3 * 100_000_003 + 12_000_000_007


def test_balances_read_from_storage_are_those_of_the_views(market):
    _, tokens, local, flexibility = balances(market)
    local_market, flexibility_market = market.client(LocalMarket), market.client(FlexibilityMarket)
    assert market.token.balance_of(local_market.address) == tokens["LocalMarket"]
    for account in (*market.prosumers, market.supplier, market.dso):
        assert market.token.balance_of(account.address) == tokens[account.name]
        assert local_market.balance_of(account.address) == local[account.name]
        assert flexibility_market.balance_of(account.address) == flexibility[account.name]


def test_every_prosumer_joined_with_a_meter_of_its_own(market):
    registry = market.meter_registry
    assert [registry.view("customerOf", meter.address)[0] for meter in market.meters] == [
        prosumer.address for prosumer in market.prosumers
    ]
    records = market.chain.drain_records()
    methods = list(records.transactions["method"])
    assert methods.count("join") == methods.count("registerMeter") == 3
    assert set(records.transactions["interval"]) == {-1}
    assert set(records.transactions["status"]) == {1}


def test_roles_prosumers_and_meters_are_different_accounts(market):
    everybody = [
        *market.prosumers,
        *market.meters,
        market.operator,
        market.supplier,
        market.dso,
        market.issuer,
        market.metering_operator,
    ]
    addresses = {account.address for account in everybody}
    addresses |= {client.address for client in market.clients}
    assert len(addresses) == 3 + 3 + 5 + 5


def test_addresses_follow_from_the_seed():
    first, again, other = community(), community(), community(seed=12)
    assert [c.address for c in first.clients] == [c.address for c in again.clients]
    assert first.prosumers == again.prosumers
    assert not {c.address for c in first.clients} & {c.address for c in other.clients}
    assert not set(first.prosumers) & set(other.prosumers)


@pytest.mark.parametrize("n", [1, 13, 118])
@pytest.mark.parametrize("gas_limit", [7_000_000, 30_000_000])
def test_the_set_up_is_done_when_the_first_window_opens(n, gas_limit):
    market = community(n, gas_limit=gas_limit)
    assert market.chain.now_s <= WINDOW_S
    assert market.chain.pending == 0
    # windows and gate closures fall on blocks
    assert (WINDOW_S - market.chain.now_s) % 12 == 0


def test_a_genesis_that_is_too_late_is_an_error():
    with pytest.raises(EngineError, match=r"raise ledger\.block_gas_limit"):
        community(118, gas_limit=7_000_000, genesis=WINDOW_S - 10 * 12)


def test_nobody_deposits_nothing():
    market = community(1, dso={"budget_eur": 0.0})
    assert balances(market)[3]["DSO"] == 0
    transactions = market.chain.drain_records().transactions
    sent = zip(transactions["sender"], transactions["method"], strict=True)
    assert not [method for sender, method in sent if sender == market.dso.hex]
