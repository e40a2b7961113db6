"""Methods of clients that come from the ABI: all there, and refused when misused."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.chain.functions import Transaction, View, constructor_arguments
from cosim.evm.accounts import accounts
from cosim.evm.contracts import compile_contract
from cosim.evm.engine import create_engine
from cosim.mechanisms.community_storage.client import CommunityStorage
from cosim.mechanisms.flexibility_market.client import FlexibilityMarket, award_gas
from cosim.mechanisms.green_certificates.client import GreenCertificates
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.pricing import ClearingForm, PricingRule
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.submission.client import Submissions
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.metering.client import SmartMeters
from cosim.mechanisms.money.client import UNLIMITED, EuroToken
from cosim.mechanisms.name_registry.client import NameRegistry
from cosim.mechanisms.supply_contract.client import Supplier

CLIENTS = (
    CommunityStorage,
    EuroToken,
    FlexibilityMarket,
    GreenCertificates,
    LocalMarket,
    MarketSettlement,
    NameRegistry,
    SmartMeters,
    Submissions,
    Supplier,
)
OPERATOR, ANN, BOB = (a.address for a in accounts(1, ("operator", "ann", "bob")).values())
TIMES = {"first_delivery_s": 1_700_003_700, "step_s": 900, "metering_s": 240}


@pytest.fixture
def chain() -> Chain:
    return Chain(create_engine("revm"), 1_700_000_000, 12, 30_000_000)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.contract)
def test_declared_functions_are_the_contracts(client: type[ContractClient]) -> None:
    abi = [entry for entry in compile_contract(client.contract).abi if entry["type"] == "function"]
    mutability = {entry["name"]: entry["stateMutability"] for entry in abi}
    declared = [getattr(client, name) for name in dir(client)]
    changing = {item.function for item in declared if isinstance(item, Transaction)}
    views = {item.function for item in declared if isinstance(item, View)}
    assert {mutability[name] for name in changing} == {"nonpayable"}
    assert {mutability[name] for name in views} <= {"view", "pure"}
    # what is not declared is a method, so that a client can send whatever its contract takes
    methods = {name.replace("_", "").lower() for name in dir(client)}
    sent = {name for name in mutability if mutability[name] == "nonpayable"}
    # only its settlement and its submissions, contracts, may call them
    sent -= {"record", "passOn", "placeOrders", "reportAll"}
    assert {name.lower() for name in sent} <= methods


def test_number_of_arguments_is_the_contracts(chain: Chain) -> None:
    token = EuroToken.deploy(chain, OPERATOR)
    with pytest.raises(TypeError, match=r"^mint takes \(to, amount\), not 1 arguments$"):
        token.mint(OPERATOR, ANN)
    with pytest.raises(TypeError, match=r"^balanceOf takes \(.*\), not 2 arguments$"):
        token.balance_of(ANN, BOB)
    with pytest.raises(TypeError, match=r"not 3 arguments"):
        token.send(OPERATOR, "mint", ANN, 5, 7.0, gas=10**5)  # type: ignore[arg-type]
    assert chain.pending == 0


def test_allowance_is_unlimited_unless_an_amount_is_given(chain: Chain) -> None:
    token = EuroToken.deploy(chain, OPERATOR)
    sent = [token.approve(ANN, BOB), token.approve(ANN, OPERATOR, 7)]
    chain.mine_blocks()
    token.check_all(sent)
    assert token.view("allowance", ANN, BOB) == [UNLIMITED]
    assert token.view("allowance", ANN, OPERATOR) == [7]


def test_interval_for_the_records_is_the_argument_or_is_told(chain: Chain) -> None:
    token, meters = EuroToken.deploy(chain, OPERATOR), SmartMeters.deploy(chain, OPERATOR)
    addresses = {"token": token.address, "meters": meters.address}
    certificates = GreenCertificates.deploy(chain, OPERATOR, **addresses, **TIMES)
    chain.drain_records()
    certificates.record(ANN, 6, 1, 2, interval=3)
    certificates.send(ANN, "record", 5, 1, 2, gas=10**5)
    certificates.retire(ANN, 8, 1, interval=4)
    certificates.retire(ANN, 8, 1)
    chain.mine_blocks()
    assert sorted(chain.drain_records().transactions["interval"]) == [-1, 4, 5, 6]


def test_gas_limit_of_a_batch_is_by_its_length(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    monkeypatch.setattr(chain, "submit", lambda *sent, **options: limits.append(sent[4]) or 0)
    market = FlexibilityMarket(chain, bytes(20), compile_contract("FlexibilityMarket"))
    market.award(OPERATOR, 1, [ANN, BOB], [3, 4])
    market.award(OPERATOR, 1, [ANN], [3])
    market.close_request(OPERATOR, 1)
    assert limits == [award_gas(2), award_gas(1), FlexibilityMarket.close_request.gas]


def test_constructor_arguments_by_name(chain: Chain) -> None:
    first = SimpleNamespace(first_delivery_s=1_700_003_700, deposit_ueur=5)
    times = SimpleNamespace(**TIMES | {"first_delivery_s": 1_700_007_300})
    addresses = {"token": ANN, "meters": BOB}
    # the first terms go before the second, and what is told by name before both
    client = GreenCertificates.deploy(chain, OPERATOR, first, times, **addresses)
    later = GreenCertificates.deploy(
        chain, OPERATOR, first, times, first_delivery_s=1_700_010_900, **addresses
    )
    hours = [each.view("hourOf", 0)[0] for each in (client, later)]
    assert hours == [1_700_003_700 // 3_600, 1_700_010_900 // 3_600]
    head = "^GreenCertificates is deployed with token, meters, first_delivery_s, step_s, metering_s"
    with pytest.raises(TypeError, match=f"{head}; missing: metering_s; unknown: metering$"):
        GreenCertificates.deploy(
            chain, OPERATOR, **addresses, first_delivery_s=1, step_s=1, metering=240
        )
    with pytest.raises(TypeError, match="nothing; missing: none; unknown: issuer"):
        EuroToken.deploy(chain, OPERATOR, issuer=ANN)


def test_terms_give_numbers_of_enumerations() -> None:
    terms = MarketTerms(300_000, 80_000, 0, rule=PricingRule.MCAFEE, form=ClearingForm.COMMITTED)
    addresses = ("token", "meters", "supplier", "settlement", "submissions")
    others = dict.fromkeys(addresses, ANN) | TIMES
    others |= {"order_lead_s": 600, "gate_closure_s": 180}
    artifact = compile_contract("LocalMarket")
    arguments = constructor_arguments(artifact, [terms], others)
    assert arguments[-7:-5] == [2, 2]
    with pytest.raises(
        TypeError,
        match="missing: rule, form, reveal_s",
    ):
        constructor_arguments(artifact, [SimpleNamespace(retail_price_ueur_per_kwh=1)], others)


def test_mechanisms_are_found_without_the_scenario() -> None:
    code = "import sys; from cosim.plugins import MECHANISMS; MECHANISMS.every()"
    code += "; sys.exit('cosim.scenario' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
