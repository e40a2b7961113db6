"""Money into and out of every contract that keeps free balances, and what is logged of it."""

from __future__ import annotations

import pytest
from certificates_world import CertificatesWorld
from market_world import Contract, address
from storage_world import StorageWorld

from cosim.errors import ContractRevert

SAVER = "saver"


def contract_with_token(name: str) -> tuple[Contract, Contract]:
    """A contract, and the token of which the saver has 1 000, approved."""
    if name == "GreenCertificates":
        certificates = CertificatesWorld("revm")
        contract, token = certificates.certificates, certificates.token
    else:
        world = StorageWorld("revm")
        contracts = (world.market, world.flexibility, world.storage)
        contract = next(each for each in contracts if each.artifact.name == name)
        token = world.token
    token.send("issuer", "mint", address(SAVER), 1_000)
    token.send(SAVER, "approve", contract.address, 1_000)
    return contract, token


@pytest.mark.parametrize(
    "name", ["LocalMarket", "FlexibilityMarket", "CommunityStorage", "GreenCertificates"]
)
def test_money_comes_in_and_goes_out(name: str) -> None:
    contract, token = contract_with_token(name)
    done = contract.send(SAVER, "deposit", 900)
    assert done.events == [("Deposited", {"account": address(SAVER), "amount_ueur": 900})]
    assert contract.get("balanceOf", address(SAVER)) == 900
    assert token.get("balanceOf", contract.address) == 900
    assert token.get("balanceOf", address(SAVER)) == 100
    with pytest.raises(ContractRevert, match="balance too low"):
        contract.send(SAVER, "withdraw", 901)
    done = contract.send(SAVER, "withdraw", 300)
    assert done.events == [("Withdrawn", {"account": address(SAVER), "amount_ueur": 300})]
    assert contract.get("balanceOf", address(SAVER)) == 600
    assert token.get("balanceOf", contract.address) == 600
    contract.send(SAVER, "withdraw", 600)  # to the last µEUR
    assert token.get("balanceOf", address(SAVER)) == 1_000
