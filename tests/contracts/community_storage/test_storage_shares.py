"""Shares: bought from the owner, offered and accepted, never forced on anybody; deployment."""

from typing import Any

import pytest
from market_world import RETAIL, Contract, address, double
from storage_world import MONEY, OWNER, TERMS, StorageWorld

from cosim.errors import ContractRevert

PRICE = TERMS.share_price_ueur


def test_owner_starts_with_all_shares_and_sells_them(storage_world: StorageWorld) -> None:
    fresh = storage_world.deploy_storage()
    assert fresh.get("accountOf", address(OWNER)) == (20, 0, 0)
    assert [storage_world.shares(name) for name in ("ann", "bob", "cem", OWNER)] == [8, 6, 2, 4]
    assert storage_world.money(OWNER) == MONEY + 16 * PRICE
    bought = storage_world.storage.send("cem", "buyShares", 3)
    assert bought.events == [
        (
            "SharesTransferred",
            {
                "account": address(OWNER),
                "to": address("cem"),
                "shares": 3,
                "price_ueur": 3 * PRICE,
            },
        )
    ]
    assert storage_world.money("cem") == MONEY - 3 * PRICE
    assert storage_world.money(OWNER) == MONEY + 19 * PRICE
    assert storage_world.shares(OWNER) == 1
    assert storage_world.storage_backed()


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        (0, "community storage: shares out of range"),
        (21, "community storage: shares out of range"),
        (2**256 - 1, "community storage: shares out of range"),
        (5, "community storage: not enough shares"),
    ],
)
def test_buying_has_limits(storage_world: StorageWorld, shares: int, reason: str) -> None:
    with pytest.raises(ContractRevert, match=reason):
        storage_world.storage.send("ann", "buyShares", shares)


def test_buying_needs_money_and_another_account(storage_world: StorageWorld) -> None:
    with pytest.raises(ContractRevert, match="community storage: balance too low"):
        storage_world.storage.send("stranger", "buyShares", 1)
    with pytest.raises(ContractRevert, match="community storage: own shares"):
        storage_world.storage.send(OWNER, "buyShares", 1)


def test_shares_change_hands_only_when_both_agree(storage_world: StorageWorld) -> None:
    storage = storage_world.storage
    offered = storage.send("ann", "offerShares", address("cem"), 3, 700)
    assert offered.events == [
        (
            "SharesOffered",
            {"account": address("ann"), "to": address("cem"), "shares": 3, "price_ueur": 700},
        )
    ]
    assert storage_world.shares("cem") == 2
    assert storage.get("offerOf", address("ann"), address("cem")) == (3, 700)
    storage.send("cem", "acceptShares", address("ann"), 3, 700)
    assert (storage_world.shares("ann"), storage_world.shares("cem")) == (5, 5)
    assert storage_world.money("ann") == MONEY + 700
    assert storage_world.money("cem") == MONEY - 700
    assert storage.get("offerOf", address("ann"), address("cem")) == (0, 0)
    with pytest.raises(ContractRevert, match="community storage: no such offer"):
        storage.send("cem", "acceptShares", address("ann"), 3, 700)


@pytest.mark.parametrize(
    ("buyer", "shares", "price"),
    [
        ("bob", 3, 700),
        ("cem", 2, 700),
        ("cem", 3, 699),
        ("cem", 3, 700 + 2**224),  # what a shift to the left would lose
        ("cem", 3 + (700 << 32), 0),
    ],
)
def test_accepting_something_else_is_refused(
    storage_world: StorageWorld, buyer: str, shares: int, price: int
) -> None:
    storage_world.storage.send("ann", "offerShares", address("cem"), 3, 700)
    with pytest.raises(ContractRevert, match="community storage: no such offer"):
        storage_world.storage.send(buyer, "acceptShares", address("ann"), shares, price)


def test_offer_is_taken_back_with_no_shares(storage_world: StorageWorld) -> None:
    storage_world.storage.send("ann", "offerShares", address("cem"), 3, 0)
    storage_world.storage.send("ann", "offerShares", address("cem"), 0, 5)
    for shares, price in ((3, 0), (0, 5)):
        with pytest.raises(ContractRevert, match="community storage: no such offer"):
            storage_world.storage.send("cem", "acceptShares", address("ann"), shares, price)


def test_offer_has_limits(storage_world: StorageWorld) -> None:
    with pytest.raises(ContractRevert, match="community storage: shares out of range"):
        storage_world.storage.send("ann", "offerShares", address("cem"), 21, 0)
    with pytest.raises(ContractRevert, match="community storage: price out of range"):
        storage_world.storage.send("ann", "offerShares", address("cem"), 1, 2**96)
    storage_world.storage.send("ann", "offerShares", address("cem"), 9, 0)
    with pytest.raises(ContractRevert, match="community storage: not enough shares"):
        storage_world.storage.send("cem", "acceptShares", address("ann"), 9, 0)


def test_stored_energy_keeps_its_shares(storage_world: StorageWorld) -> None:
    storage_world.nominate("ann", 5_000)  # 4 750 Wh stored, 5 000 Wh a share
    storage_world.close_gate(0)
    for shares in (8, 7):
        storage_world.storage.send("ann", "offerShares", address("cem"), shares, 0)
        if shares == 8:
            with pytest.raises(ContractRevert, match="community storage: above share of capacity"):
                storage_world.storage.send("cem", "acceptShares", address("ann"), shares, 0)
    storage_world.storage.send("cem", "acceptShares", address("ann"), 7, 0)
    assert storage_world.shares("ann") == 1


def test_nominated_shares_stay_until_gate_closure(storage_world: StorageWorld) -> None:
    storage_world.nominate("ann", 100)
    storage_world.storage.send("ann", "offerShares", address("cem"), 1, 0)
    with pytest.raises(ContractRevert, match="community storage: nomination pending"):
        storage_world.storage.send("cem", "acceptShares", address("ann"), 1, 0)
    storage_world.close_gate(0)
    storage_world.storage.send("cem", "acceptShares", address("ann"), 1, 0)
    assert storage_world.shares("cem") == 3


def test_shares_do_not_leave_a_debt_behind(storage_world: StorageWorld) -> None:
    storage = storage_world.storage
    storage.send("ann", "withdraw", MONEY)
    storage_world.deliver(0)
    storage_world.report_storage(-100)
    storage.send("ann", "offerShares", address("cem"), 8, 0)
    with pytest.raises(ContractRevert, match="community storage: debt unpaid"):
        storage.send("cem", "acceptShares", address("ann"), 8, 0)
    storage_world.fund("ann", storage, MONEY)
    storage.send("cem", "acceptShares", address("ann"), 8, 0)
    assert storage_world.shares("cem") == 10


def test_bills_stay_with_who_held_the_shares(storage_world: StorageWorld) -> None:
    storage_world.deliver(0)
    storage_world.report_storage(-100)  # 30 000 µEUR: 1 500 a share
    storage_world.storage.send("cem", "buyShares", 1)
    storage_world.storage.send("ann", "offerShares", address("bob"), 8, 0)
    storage_world.storage.send("bob", "acceptShares", address("ann"), 8, 0)
    storage_world.settle_losses("ann", "bob", "cem")
    assert storage_world.money("ann") == MONEY - 8 * 1_500
    assert storage_world.money("bob") == MONEY - 6 * 1_500
    assert storage_world.money("cem") == MONEY - PRICE - 2 * 1_500


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"owner": bytes(20)}, "community storage: zero address"),
        ({"total_shares": 0}, "community storage: shares out of range"),
        ({"total_shares": 1_000_001}, "community storage: shares out of range"),
        ({"share_price_ueur": 2**96}, "community storage: price out of range"),
        ({"capacity_wh": 0}, "community storage: energy out of range"),
        ({"capacity_wh": 2**32}, "community storage: energy out of range"),
        ({"power_wh": 0}, "community storage: energy out of range"),
        ({"power_wh": 2**32}, "community storage: energy out of range"),
        ({"charge_permille": 0}, "community storage: efficiency out of range"),
        ({"charge_permille": 1_001}, "community storage: efficiency out of range"),
        ({"discharge_permille": 0}, "community storage: efficiency out of range"),
        ({"discharge_permille": 1_001}, "community storage: efficiency out of range"),
        ({"loss_limit_wh": 2**32}, "community storage: energy out of range"),
        ({"retail": 2**31}, "community storage: price out of range"),
        ({"feed_in": 300_001}, "community storage: feed-in above retail"),
        ({"gate_closure_s": 600}, "community storage: no order window"),
    ],
)
def test_deployment_refuses(
    storage_world: StorageWorld, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ContractRevert, match=reason):
        storage_world.deploy_storage(**change)


def test_deployment_at_the_limits(storage_world: StorageWorld) -> None:
    largest = storage_world.deploy_storage(
        total_shares=1_000_000, capacity_wh=2**32 - 1, power_wh=2**32 - 1, retail=2**31 - 1
    )
    assert largest.get("limitsOf", address(OWNER)) == (2**32 - 1, 2**32 - 1)
    assert largest.get("OWNER") == address(OWNER)
    smallest = storage_world.deploy_storage(
        total_shares=1,
        share_price_ueur=0,
        capacity_wh=1,
        power_wh=1,
        charge_permille=1,
        discharge_permille=1,
        loss_limit_wh=0,
        feed_in=RETAIL,
        gate_closure_s=599,
    )
    assert smallest.get("limitsOf", address(OWNER)) == (1, 1)
    smallest.send("ann", "buyShares", 1)  # for nothing
    smallest.send("ann", "nominate", 0, 1)  # 0.001 Wh of it arrive: none
    assert smallest.get("accountOf", address("ann")) == (1, 0, 1)
    dearest = storage_world.deploy_storage(share_price_ueur=2**96 - 1, loss_limit_wh=2**32 - 1)
    assert dearest.get("SHARE_PRICE_UEUR") == 2**96 - 1


def test_token_that_refuses_is_told(storage_world: StorageWorld) -> None:
    token = Contract(storage_world.engine, double("RefusingToken"))
    storage = storage_world.deploy_storage(token=token.address)
    storage.send("ann", "deposit", 5)
    token.send("anyone", "refuse")
    for function in ("deposit", "withdraw"):
        with pytest.raises(ContractRevert, match="community storage: token transfer failed"):
            storage.send("ann", function, 3)
    assert storage.get("balanceOf", address("ann")) == 5


@pytest.mark.parametrize("function", ["deposit", "withdraw"])
def test_token_that_calls_back_gets_nothing(storage_world: StorageWorld, function: str) -> None:
    token = Contract(storage_world.engine, double("ReentrantToken"))
    storage = storage_world.deploy_storage(token=token.address)
    token.send("attacker", "deposit", storage.address, 100)
    token.send("attacker", "arm", True)
    token.send("attacker", function, storage.address, 40)
    assert token.get("calls") == 1
    assert token.get("successes") == 0
    assert storage.get("balanceOf", token.address) == (140 if function == "deposit" else 60)
