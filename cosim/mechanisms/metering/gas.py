"""Every method of the registry of meters."""

from __future__ import annotations

from cosim.gas.bench import OPERATOR, Bench, account
from cosim.gas.cases import GasCases


def smart_meters(bench: Bench) -> None:
    """Deploy and measure the registry of meters."""
    meters = bench.deploy("SmartMeters")
    meter = account("meter 7")
    meters.measure(OPERATOR, "registerMeter", meter, account("tenant"))
    meters.measure(OPERATOR, "unregisterMeter", meter)


CASES = GasCases(smart_meters)
