"""Every method of the token, of the registry of meters and of the registry of names."""

from __future__ import annotations

from cosim.gas.bench import Bench, Deployed, account
from cosim.gas.community import ISSUER, OPERATOR

AMOUNT_UEUR = 12_345_678
REGISTRATION_FEE_UEUR, UPDATE_FEE_UEUR = 2_345_678, 456_789
UNLIMITED = 2**256 - 1
NAME = b"lv1.101-bus-44".ljust(32, b"\0")
LONGEST_NAME = b"substation-1.feeder-22.house-333"


def euro_token(bench: Bench) -> Deployed:
    """Deploy and measure the token."""
    token = bench.deploy("EuroToken")
    saver, payee = account("saver"), account("payee")
    token.measure(ISSUER, "mint", saver, AMOUNT_UEUR, case="to an account without tokens")
    token.measure(ISSUER, "mint", saver, 10 * AMOUNT_UEUR)
    token.measure("saver", "transfer", payee, AMOUNT_UEUR, case="to an account without tokens")
    token.measure("saver", "transfer", payee, AMOUNT_UEUR)
    token.measure("payee", "transfer", saver, 2 * AMOUNT_UEUR, case="of all tokens")
    token.measure("saver", "approve", account("spender"), 3 * AMOUNT_UEUR)
    token.measure("saver", "approve", account("spender"), 2 * AMOUNT_UEUR, case="another amount")
    token.do(ISSUER, "mint", payee, AMOUNT_UEUR)
    token.measure("spender", "transferFrom", saver, payee, AMOUNT_UEUR)
    token.measure("spender", "transferFrom", saver, payee, AMOUNT_UEUR, case="all of the allowance")
    token.do("saver", "approve", account("market"), UNLIMITED)
    token.measure("market", "transferFrom", saver, payee, AMOUNT_UEUR, case="unlimited allowance")
    return token


def smart_meters(bench: Bench) -> Deployed:
    """Deploy and measure the registry of meters."""
    meters = bench.deploy("SmartMeters")
    meter = account("meter 7")
    meters.measure(OPERATOR, "registerMeter", meter, account("tenant"))
    meters.measure(OPERATOR, "unregisterMeter", meter)
    return meters


def name_registry(bench: Bench, token: Deployed, meters: Deployed) -> None:
    """Deploy and measure the registry of names."""
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
    registry.measure("tenant", "registerName", b"first".ljust(32, b"\0"), word, case="first")
    registry.measure("tenant", "registerName", NAME, word)
    registry.measure("tenant", "registerName", LONGEST_NAME, word, case="of 32 letters")
    registry.measure("tenant", "offerName", NAME, successor)
    registry.measure("next tenant", "acceptName", NAME)
    registry.measure("next tenant", "updateValue", NAME, later)
    registry.measure("next tenant", "releaseName", NAME)
    registry.measure("beneficiary", "collectFees")
