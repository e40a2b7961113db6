"""Every method of the registry of names."""

from __future__ import annotations

from cosim.evm.hashing import keccak
from cosim.gas.bench import ISSUER, UNLIMITED, Bench, account
from cosim.gas.cases import GasCases
from cosim.mechanisms.name_registry.names import commitment_of, name_word

REGISTRATION_FEE_UEUR, UPDATE_FEE_UEUR = 2_345_678, 456_789
NAME = name_word("lv1.101-bus-44")
MIN_AGE_S, MAX_AGE_S = 60, 86_400
SECRET = keccak(b"gas: secret")
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
        min_commitment_age_s=MIN_AGE_S,
        max_commitment_age_s=MAX_AGE_S,
    )
    tenant, successor = account("tenant"), account("next tenant")
    for name in ("tenant", "next tenant"):
        token.do(ISSUER, "mint", account(name), 100 * REGISTRATION_FEE_UEUR)
        token.do(name, "approve", registry.address, UNLIMITED)
    word, later = tenant.rjust(32, b"\0"), successor.rjust(32, b"\0")
    names = {"first": name_word("first"), "": NAME, "of 32 letters": LONGEST_NAME}
    for case, named in names.items():
        commitment = commitment_of(registry.address, tenant, named, word, SECRET)
        if case == "":
            registry.measure("tenant", "commitName", commitment)
        else:
            registry.do("tenant", "commitName", commitment)
    bench.at(bench.now_s + MIN_AGE_S)
    for case, named in names.items():
        registry.measure("tenant", "registerName", named, word, SECRET, case=case)
    registry.measure("tenant", "offerName", NAME, successor)
    registry.measure("next tenant", "acceptName", NAME)
    registry.measure("next tenant", "updateValue", NAME, later)
    registry.measure("next tenant", "releaseName", NAME)
    registry.measure("beneficiary", "collectFees")


CASES = GasCases(name_registry, place=8)
