"""The token: supply, transfers, allowances."""

import pytest
from market_world import ISSUER, MarketWorld, address

from cosim.errors import ContractRevert

UNLIMITED = 2**256 - 1


def test_identity(world: MarketWorld) -> None:
    token = world.token
    assert token.get("name") == "Euro token"
    assert token.get("symbol") == "EURT"
    assert token.get("decimals") == 6
    assert token.get("ISSUER") == address(ISSUER)


def test_mint_raises_supply_and_balance(world: MarketWorld) -> None:
    supply = world.token.get("totalSupply")
    done = world.token.send(ISSUER, "mint", address("saver"), 70)
    assert world.token.get("balanceOf", address("saver")) == 70
    assert world.token.get("totalSupply") == supply + 70
    transfer = {"sender": bytes(20), "receiver": address("saver"), "value": 70}
    assert done.events == [("Transfer", transfer)]


def test_only_the_issuer_mints(world: MarketWorld) -> None:
    with pytest.raises(ContractRevert, match="euro token: not the issuer"):
        world.token.send("saver", "mint", address("saver"), 1)


@pytest.mark.parametrize("function", ["mint", "transfer"])
def test_nothing_goes_to_the_zero_address(world: MarketWorld, function: str) -> None:
    with pytest.raises(ContractRevert, match="euro token: to the zero address"):
        world.token.send(ISSUER, function, bytes(20), 0)


def test_transfer_moves_tokens(world: MarketWorld) -> None:
    world.token.send(ISSUER, "mint", address("saver"), 100)
    done = world.token.send("saver", "transfer", address("friend"), 30)
    assert int.from_bytes(done.output, "big") == 1
    moved = {"sender": address("saver"), "receiver": address("friend"), "value": 30}
    assert done.events == [("Transfer", moved)]
    assert world.token.get("balanceOf", address("saver")) == 70
    assert world.token.get("balanceOf", address("friend")) == 30


def test_transfer_to_oneself_changes_nothing(world: MarketWorld) -> None:
    world.token.send(ISSUER, "mint", address("saver"), 100)
    world.token.send("saver", "transfer", address("saver"), 100)
    assert world.token.get("balanceOf", address("saver")) == 100


def test_transfer_beyond_the_balance(world: MarketWorld) -> None:
    world.token.send(ISSUER, "mint", address("saver"), 100)
    with pytest.raises(ContractRevert, match="euro token: balance too low"):
        world.token.send("saver", "transfer", address("friend"), 101)


def test_allowance_is_used_up(world: MarketWorld) -> None:
    world.token.send(ISSUER, "mint", address("saver"), 100)
    done = world.token.send("saver", "approve", address("friend"), 60)
    approval = {"owner": address("saver"), "spender": address("friend"), "value": 60}
    assert done.events == [("Approval", approval)]
    assert int.from_bytes(done.output, "big") == 1
    world.token.send("friend", "transferFrom", address("saver"), address("friend"), 60)
    assert world.token.get("allowance", address("saver"), address("friend")) == 0
    with pytest.raises(ContractRevert, match="euro token: allowance too low"):
        world.token.send("friend", "transferFrom", address("saver"), address("friend"), 1)


def test_unlimited_allowance_stays(world: MarketWorld) -> None:
    world.token.send(ISSUER, "mint", address("saver"), 100)
    world.token.send("saver", "approve", address("friend"), UNLIMITED)
    world.token.send("friend", "transferFrom", address("saver"), address("friend"), 60)
    assert world.token.get("allowance", address("saver"), address("friend")) == UNLIMITED
    assert world.token.get("balanceOf", address("friend")) == 60
