"""Nominations: time, membership, shares of power and capacity, and conversion in kind."""

import pytest
from market_world import (
    FIRST_DELIVERY_S,
    GATE_CLOSURE_S,
    OPERATOR,
    ORDER_LEAD_S,
    STEP_S,
    address,
)
from storage_world import MONEY, OWNER, StorageWorld

from cosim.errors import ContractRevert


def test_charging_credits_less_and_discharging_takes_more(storage_world: StorageWorld) -> None:
    charged = storage_world.nominate("ann", 1_001)
    assert charged.events == [
        (
            "EnergyNominated",
            {"interval": 0, "account": address("ann"), "energy_wh": 1_001, "account_wh": 950},
        )
    ]
    assert storage_world.energy("ann") == 950  # floor(950.95)
    assert storage_world.storage.get("nominationOf", 0, address("ann")) == 1_001
    storage_world.open_window(1)
    storage_world.nominate("ann", -100, interval=1)
    assert storage_world.energy("ann") == 950 - 108  # ceil(107.53)
    assert storage_world.storage.get("nominatedOf", 0) == (1_001, 0, 950, 0)
    assert storage_world.storage.get("nominatedOf", 1) == (0, 100, 0, 108)
    assert storage_world.storage.get("accountOf", address("ann")) == (8, 842, 2)


def test_the_last_fraction_of_a_wh_is_taken_too(storage_world: StorageWorld) -> None:
    storage = storage_world.deploy_storage(share_price_ueur=0, discharge_permille=999)
    storage.send("ann", "buyShares", 1)
    storage.send("ann", "nominate", 0, 10)  # 9.5 Wh
    storage_world.open_window(1)
    storage.send("ann", "nominate", 1, -1)  # 1.001 Wh
    assert storage.get("accountOf", address("ann")) == (1, 9 - 2, 2)


def test_members_of_an_interval_add_up(storage_world: StorageWorld) -> None:
    for account in ("ann", "bob", "cem"):
        storage_world.nominate(account, 1_000)
    storage_world.open_window(1)
    storage_world.nominate("ann", 333, interval=1)
    storage_world.nominate("bob", -500, interval=1)
    storage_world.nominate("cem", -7, interval=1)
    assert storage_world.storage.get("nominatedOf", 1) == (333, 507, 316, 538 + 8)


@pytest.mark.parametrize("offset", [-1, 0])
def test_nominations_open_with_the_order_window(storage_world: StorageWorld, offset: int) -> None:
    storage_world.at(FIRST_DELIVERY_S + 3 * STEP_S - ORDER_LEAD_S + offset)
    if offset < 0:
        with pytest.raises(ContractRevert, match="community storage: window not open"):
            storage_world.nominate("ann", 1, interval=3)
    else:
        storage_world.nominate("ann", 1, interval=3)
        assert storage_world.storage.get("nominationOf", 3, address("ann")) == 1


@pytest.mark.parametrize("offset", [-1, 0])
def test_nominations_close_with_the_gate(storage_world: StorageWorld, offset: int) -> None:
    storage_world.at(FIRST_DELIVERY_S - GATE_CLOSURE_S + offset)
    if offset < 0:
        storage_world.nominate("ann", 1)
        assert storage_world.storage.get("nominationOf", 0, address("ann")) == 1
    else:
        with pytest.raises(ContractRevert, match="community storage: gate closed"):
            storage_world.nominate("ann", 1)


@pytest.mark.parametrize("interval", [2**64, 2**255, 2**256 - 1])
def test_far_intervals_never_open(storage_world: StorageWorld, interval: int) -> None:
    with pytest.raises(ContractRevert, match="community storage: window not open"):
        storage_world.nominate("ann", 1, interval=interval)


def test_only_members_with_valid_meters_nominate(storage_world: StorageWorld) -> None:
    with pytest.raises(ContractRevert, match="community storage: not a member"):
        storage_world.nominate("stranger", 1)
    storage_world.meters.send(OPERATOR, "unregisterMeter", address("meter of ann"))
    with pytest.raises(ContractRevert, match="community storage: not a member"):
        storage_world.nominate("ann", 1)


def test_the_owner_stores_nothing(storage_world: StorageWorld) -> None:
    with pytest.raises(ContractRevert, match="community storage: owner stores nothing"):
        storage_world.nominate(OWNER, 1)


def test_one_nomination_after_the_other(storage_world: StorageWorld) -> None:
    storage_world.at(FIRST_DELIVERY_S - GATE_CLOSURE_S - 1)
    storage_world.nominate("ann", 100)
    with pytest.raises(ContractRevert, match="community storage: nomination exists"):
        storage_world.nominate("ann", 100)
    fast = storage_world.deploy_storage(order_lead_s=5 * STEP_S)
    storage_world.fund("bob", fast, MONEY)
    fast.send("bob", "buyShares", 1)
    fast.send("bob", "nominate", 2, 100)
    with pytest.raises(ContractRevert, match="community storage: later interval nominated"):
        fast.send("bob", "nominate", 1, -50)  # energy that arrives later
    fast.send("bob", "nominate", 3, -50)
    assert fast.get("accountOf", address("bob")) == (1, 95 - 54, 4)


@pytest.mark.parametrize("energy", [0, 2**32, -(2**32), 2**255 - 1])
def test_energy_has_limits(storage_world: StorageWorld, energy: int) -> None:
    with pytest.raises(ContractRevert, match="community storage: energy out of range"):
        storage_world.nominate("ann", energy)


def test_largest_energy_fits(storage_world: StorageWorld) -> None:
    most = 2**32 - 1
    vast = storage_world.deploy_storage(
        total_shares=1, share_price_ueur=0, capacity_wh=most, power_wh=most,
        charge_permille=1_000, discharge_permille=1_000,
    )  # fmt: skip
    vast.send("ann", "buyShares", 1)
    vast.send("ann", "nominate", 0, most)
    assert vast.get("accountOf", address("ann")) == (1, most, 1)
    storage_world.open_window(1)
    vast.send("ann", "nominate", 1, -most)
    assert vast.get("accountOf", address("ann")) == (1, 0, 2)
    assert vast.get("nominatedOf", 1) == (0, most, 0, most)


def test_power_goes_by_shares(storage_world: StorageWorld) -> None:
    assert storage_world.storage.get("limitsOf", address("cem")) == (10_000, 1_250)
    for energy in (1_251, -1_251):
        with pytest.raises(ContractRevert, match="community storage: above share of power"):
            storage_world.nominate("cem", energy)
    storage_world.nominate("cem", 1_250)
    assert storage_world.energy("cem") == 1_187


def test_capacity_goes_by_shares(storage_world: StorageWorld) -> None:
    for interval in range(8):
        storage_world.open_window(interval)
        storage_world.nominate("cem", 1_250, interval=interval)
    storage_world.open_window(8)
    assert storage_world.energy("cem") == 8 * 1_187  # 504 Wh left
    with pytest.raises(ContractRevert, match="community storage: above share of capacity"):
        storage_world.nominate("cem", 532, interval=8)  # 505.4 Wh
    storage_world.nominate("cem", 531, interval=8)
    assert storage_world.energy("cem") == 10_000


def test_only_what_is_stored_is_discharged(storage_world: StorageWorld) -> None:
    storage_world.nominate("ann", 1_000)  # 950 Wh
    storage_world.open_window(1)
    with pytest.raises(ContractRevert, match="community storage: account too low"):
        storage_world.nominate("ann", -884, interval=1)  # 950.5 Wh
    with pytest.raises(ContractRevert, match="community storage: account too low"):
        storage_world.nominate("bob", -1, interval=1)
    storage_world.nominate("ann", -883, interval=1)
    assert storage_world.energy("ann") == 0


def test_debtors_take_their_energy_out_but_store_none(storage_world: StorageWorld) -> None:
    storage_world.nominate("ann", 1_000)
    storage_world.storage.send("ann", "withdraw", MONEY)
    storage_world.deliver(0)
    storage_world.report_storage(-1_100)
    storage_world.settle_losses("ann")
    storage_world.at(FIRST_DELIVERY_S + 2 * STEP_S - ORDER_LEAD_S)
    with pytest.raises(ContractRevert, match="community storage: debt unpaid"):
        storage_world.nominate("ann", 1, interval=2)
    storage_world.nominate("ann", -500, interval=2)
    assert storage_world.energy("ann") == 950 - 538
