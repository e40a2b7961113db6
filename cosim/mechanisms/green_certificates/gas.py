"""Every method of the green certificates."""

from __future__ import annotations

from cosim.gas.bench import Bench, account
from cosim.gas.cases import GasCases
from cosim.mechanisms.local_market.gas_community import HOUR_S, MONEY, Community

PRODUCED_WH, CONSUMED_WH = 5_432, 1_234
PRICE = 12_345


def green_certificates(bench: Bench) -> None:
    """Deploy and measure the certificates."""
    community = Community(bench, name="of the certificates")
    contract = bench.deploy(
        "GreenCertificates",
        community.clock,
        first_delivery_s=community.first_delivery_s,
        token=community.token.address,
        meters=community.meters.address,
    )
    for name in ("producer", "consumer"):
        community.register(name)
        community.allow(name, contract)
    contract.measure("consumer", "deposit", MONEY - 1, case="first")
    contract.measure("consumer", "deposit", 1)
    contract.measure("consumer", "withdraw", 1_234)
    hour = community.first_delivery_s // HOUR_S
    cases = ("first of a meter and an hour", "")
    for interval, case in enumerate(cases):
        community.deliver(interval)
        contract.measure("meter of producer", "record", interval, PRODUCED_WH, 1, case=case)
        contract.do("meter of consumer", "record", interval, 0, CONSUMED_WH)
    contract.measure("producer", "transfer", hour, account("consumer"), 234)
    contract.measure("producer", "offer", hour, 2_345, PRICE, case="first")
    contract.measure("producer", "offer", hour, 2_345, PRICE)
    contract.measure("consumer", "buy", 1, 1_234, case="first of the seller")
    contract.measure("consumer", "buy", 2, 1_234)
    contract.measure("consumer", "buy", 1, 2_345 - 1_234, case="all that is left")
    contract.measure("producer", "cancelOffer", 2)
    contract.measure("consumer", "retire", hour, 567)


CASES = GasCases(green_certificates, place=7)
