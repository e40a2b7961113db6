"""The start line: contracts deployed, money deposited, meters registered, all in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cosim.chain.chain import Chain
from cosim.errors import EngineError
from cosim.evm.engine import create_engine
from cosim.mechanisms.deployment import ContractTerms, deploy_market, genesis_s

FIRST_DELIVERY_S = 1_717_243_200
TERMS = ContractTerms(
    retail_price_ueur_per_kwh=300_000,
    feed_in_price_ueur_per_kwh=80_000,
    penalty_ueur_per_kwh=600_000,
    first_delivery_s=FIRST_DELIVERY_S,
    step_s=900,
    order_lead_s=600,
    gate_closure_s=180,
    metering_s=240,
    silent_estimate_wh=2_000,
    local_deposit_ueur=60_000_001,
    flexibility_deposit_ueur=40_000_002,
    supplier_deposit_ueur=7_000_000_003,
    dso_deposit_ueur=5_000_000_004,
)
WINDOW_S = FIRST_DELIVERY_S - TERMS.order_lead_s


def deployed(n=3, *, seed=11, gas_limit=30_000_000, genesis=None, terms=TERMS, engine="revm"):
    names = [f"point {i}" for i in range(n)]
    if genesis is None:
        genesis = genesis_s(WINDOW_S, 12, gas_limit, n)
    chain = Chain(create_engine(engine), genesis, 12, gas_limit)
    return deploy_market(chain, seed, names, [f"m{i}" for i in range(n)], terms)


@pytest.fixture(scope="module", params=["revm", "py-evm"])
def market(request):
    return deployed(engine=request.param)


def test_everybody_has_deposited_what_the_terms_say(market):
    supply, tokens, local, flexibility = market.balances()
    people = ["point 0", "point 1", "point 2"]
    assert local == dict.fromkeys(people, 60_000_001) | {
        "supplier": 7_000_000_003, "DSO": 0, "market operator": 0,
    }  # fmt: skip
    assert flexibility == dict.fromkeys(people, 40_000_002) | {"supplier": 0, "DSO": 5_000_000_004}
    assert tokens["LocalMarket"] == sum(local.values())
    assert tokens["FlexibilityMarket"] == sum(flexibility.values())
    outside = {name: held for name, held in tokens.items() if not name.endswith("Market")}
    assert outside.keys() >= {*people, "supplier", "DSO", "issuer", "market operator"}
    assert set(outside.values()) == {0}
    assert supply == sum(tokens.values()) == 3 * 100_000_003 + 12_000_000_007


def test_balances_read_from_storage_are_those_of_the_views(market):
    supply, tokens, local, flexibility = market.balances()
    assert market.token.total_supply() == supply
    assert market.token.balance_of(market.local_market.address) == tokens["LocalMarket"]
    for account in (*market.prosumers, market.supplier, market.dso):
        assert market.token.balance_of(account.address) == tokens[account.name]
        assert market.local_market.balance_of(account.address) == local[account.name]
        assert market.flexibility.balance_of(account.address) == flexibility[account.name]


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
    addresses |= {client.address for client in market.contracts}
    assert len(addresses) == 3 + 3 + 5 + 4


def test_addresses_follow_from_the_seed():
    first, again, other = deployed(), deployed(), deployed(seed=12)
    assert [c.address for c in first.contracts] == [c.address for c in again.contracts]
    assert first.prosumers == again.prosumers
    assert not {c.address for c in first.contracts} & {c.address for c in other.contracts}
    assert not set(first.prosumers) & set(other.prosumers)


@pytest.mark.parametrize("n", [1, 13, 118])
@pytest.mark.parametrize("gas_limit", [7_000_000, 30_000_000])
def test_the_set_up_is_done_when_the_first_window_opens(n, gas_limit):
    market = deployed(n, gas_limit=gas_limit)
    assert market.chain.now_s <= WINDOW_S
    assert market.chain.pending == 0
    # windows and gate closures fall on blocks
    assert (WINDOW_S - market.chain.now_s) % 12 == 0


def test_a_genesis_that_is_too_late_is_an_error():
    with pytest.raises(EngineError, match=r"raise ledger\.block_gas_limit"):
        deployed(118, gas_limit=7_000_000, genesis=WINDOW_S - 10 * 12)


def test_nobody_deposits_nothing():
    market = deployed(1, terms=replace(TERMS, dso_deposit_ueur=0))
    assert market.balances()[3]["DSO"] == 0
    transactions = market.chain.drain_records().transactions
    sent = zip(transactions["sender"], transactions["method"], strict=True)
    assert not [method for sender, method in sent if sender == market.dso.hex]
