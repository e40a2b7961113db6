"""Every method of the token."""

from __future__ import annotations

from cosim.gas.bench import ISSUER, UNLIMITED, Bench, account
from cosim.gas.cases import GasCases

AMOUNT_UEUR = 12_345_678


def euro_token(bench: Bench) -> None:
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


CASES = GasCases(euro_token)
