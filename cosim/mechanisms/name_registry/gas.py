"""Every method of the registry of names."""

from __future__ import annotations

from cosim.gas.bench import ISSUER, UNLIMITED, Bench, account
from cosim.gas.cases import GasCases
from cosim.mechanisms.name_registry.names import name_word

REGISTRATION_FEE_UEUR, UPDATE_FEE_UEUR = 2_345_678, 456_789
NAME = name_word("lv1.101-bus-44")
LONGEST_NAME = name_word("substation-1.feeder-22.point-333")


def name_registry(bench: Bench) -> None:
    """Deploy and measure the registry of names."""
    token = bench.contracts["EuroToken"]
    registry = bench.deploy(
        "NameRegistry",
        token=token.address,
        beneficiary=account("beneficiary"),
        registration_fee_ueur=REGISTRATION_FEE_UEUR,
        update_fee_ueur=UPDATE_FEE_UEUR,
    )
    tenant, successor = account("tenant"), account("next tenant")
    for name in ("tenant", "next tenant"):
        token.do(ISSUER, "mint", account(name), 100 * REGISTRATION_FEE_UEUR)
        token.do(name, "approve", registry.address, UNLIMITED)
    word, later = tenant.rjust(32, b"\0"), successor.rjust(32, b"\0")
    registry.measure("tenant", "registerName", name_word("first"), word, case="first")
    registry.measure("tenant", "registerName", NAME, word)
    registry.measure("tenant", "registerName", LONGEST_NAME, word, case="of 32 letters")
    registry.measure("tenant", "offerName", NAME, successor)
    registry.measure("next tenant", "acceptName", NAME)
    registry.measure("next tenant", "updateValue", NAME, later)
    registry.measure("next tenant", "releaseName", NAME)
    registry.measure("beneficiary", "collectFees")


CASES = GasCases(name_registry, place=8)
