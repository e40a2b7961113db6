"""Names of a small community over three intervals, on the real contracts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from deployed import deployed, readings_of, scenario_of

from cosim.clock import DeliveryClock
from cosim.errors import ContractRevert, ReconciliationError, UserError
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.name_registry.play import NameRegistryPlay, NameTerms, registry_names
from cosim.mechanisms.play import Statement, TokenTransfer

POINTS = ("Point 1", "Point 2", "Flat_3.B")
MEMBERS = (True, False, True)
"""The household at the second point moves after the second interval."""
MOVES = {1: 1}
FEE, UPDATE, ACCOUNT = 1_000_000, 250_000, 2_000_000
CLOCK = DeliveryClock(datetime(2024, 6, 1, 12, tzinfo=UTC), 900, 3, 600, 180, 240, 12)


def deployment(engine: str = "revm", points: tuple[str, ...] = POINTS) -> Deployment:
    return deployed(scenario_of(intervals=3), points, members=MEMBERS, engine=engine)


def registry(engine: str = "revm", **changes: Any) -> NameRegistryPlay:
    settings: dict[str, Any] = {
        "registration_fee_ueur": FEE,
        "update_fee_ueur": UPDATE,
        "account_ueur": ACCOUNT,
        "min_commitment_age_s": 60,
        "max_commitment_age_s": 600,
        "moves": MOVES,
        "seed": 7,
    }
    return NameRegistryPlay.deploy(deployment(engine), CLOCK, NameTerms(**settings | changes))


def settled(names: NameRegistryPlay, interval: int) -> dict[str, Any]:
    """Let the market settle an interval without orders, then the names."""
    place = names._deployment
    chain, market = place.chain, place.client(LocalMarket)
    settlement = place.client(MarketSettlement)
    chain.mine_until(CLOCK.gate_closes_s(interval))
    handles = [market.clear(place.operator.address, interval, 0)]
    chain.mine_until(CLOCK.delivery_start_s(interval + 1))
    handles += [
        settlement.report(meter.address, interval, -500)
        for meter, joined in zip(place.meters, place.members, strict=True)
        if joined
    ]
    chain.mine_until(chain.now_s + chain.block_time_s)
    market.check_all(handles)
    n = len(POINTS)
    return dict(names.settle(interval, readings_of(interval, [0] * n), Statement.empty(n)))


@pytest.mark.parametrize("engine", ["revm", "py-evm"])
def test_names_lead_to_who_lives_there(engine: str) -> None:
    names = registry(engine)
    old = [account.address for account in names._deployment.prosumers]
    new = names.next_households[1].address
    assert names.names == ("point-1", "point-2", "flat-3.b")
    assert [names.account_of(i) for i in range(3)] == old
    assert [names._deployment.account_of(i) for i in range(3)] == old
    rows = settled(names, 0)["names"]
    assert rows["interval"] == [-1] * 6
    assert rows["action"] == ["committed"] * 3 + ["registered"] * 3
    assert rows["account"] == rows["owner"] == ["0x" + address.hex() for address in old] * 2
    assert rows["registry_fee_ueur"] == [0, 0, 0, FEE, FEE, FEE]
    assert list(names.transfers()) == []

    rows = settled(names, 1)["names"]
    assert rows["prosumer"] == ["Point 2"] * 3
    assert rows["action"] == ["offered", "accepted", "updated"]
    assert rows["owner"] == ["0x" + address.hex() for address in (old[1], new, new)]
    assert rows["account"] == ["0x" + address.hex() for address in (old[1], old[1], new)]
    assert rows["registry_fee_ueur"] == [0, 0, UPDATE]
    assert names._deployment.account_of(1) == new
    assert list(names.transfers()) == [
        TokenTransfer("next household Point 2", "NameRegistry", UPDATE)
    ]

    assert settled(names, 2) == {}
    assert list(names.transfers()) == [TokenTransfer("NameRegistry", "DSO", 3 * FEE + UPDATE)]
    token = names._deployment.token
    assert token.balance_of(old[0]) == ACCOUNT - FEE
    assert token.balance_of(new) == ACCOUNT - UPDATE
    assert token.balance_of(names.client.address) == 0


def test_balances_of_a_run_hold_everybody() -> None:
    names = registry()
    tokens = names._deployment.held_ueur()
    assert sum(tokens.values()) == names._deployment.token.total_supply()
    assert tokens["next household Point 2"] == ACCOUNT
    assert tokens["NameRegistry"] == 3 * FEE


def test_a_name_that_leads_elsewhere_stops_the_run() -> None:
    names = registry()
    place, stranger = names._deployment, bytes(range(20))
    handle = names.client.update_value(place.prosumers[0].address, "point-1", stranger)
    place.chain.mine_until(place.chain.now_s + 12)
    names.client.check(handle)
    with pytest.raises(ReconciliationError, match=r"Point 1.*settled by the account of the name"):
        settled(names, 0)


def test_a_value_that_the_model_does_not_know_stops_the_run() -> None:
    names = registry()
    place = names._deployment
    # the second household is no member: only the comparison of values can see this
    handle = names.client.update_value(place.prosumers[1].address, "point-2", bytes(32))
    place.chain.mine_until(place.chain.now_s + 12)
    names.client.check(handle)
    with pytest.raises(ReconciliationError, match="point-2"):
        settled(names, 0)


def test_who_cannot_pay_stops_the_set_up() -> None:
    with pytest.raises(ContractRevert, match="euro token: allowance too low"):
        registry(account_ueur=FEE - 1)


def test_points_that_would_share_a_name_are_refused() -> None:
    with pytest.raises(UserError, match=r"'Bus 1' and 'bus_1' would both be 'bus-1'"):
        registry_names(["Bus 1", "Bus 2", "bus_1"])
