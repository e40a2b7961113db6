"""Runs through every state-changing method of every contract."""

from __future__ import annotations

from collections.abc import Callable

from cosim.evm.engine import Engine
from cosim.gas.bench import Bench, Deployed, GasUse
from cosim.gas.registries import euro_token, name_registry, smart_meters
from cosim.mechanisms.community_storage.gas import community_storage
from cosim.mechanisms.flexibility_market.gas import flexibility_market
from cosim.mechanisms.green_certificates.gas import green_certificates
from cosim.mechanisms.local_market.gas import local_market
from cosim.mechanisms.supply_contract.gas import supplier

Sequence = Callable[[Bench, Deployed, Deployed], None]


# each contract keeps its number, and with it its blocks and times
SEQUENCES: dict[int, Sequence] = {
    3: local_market,
    4: flexibility_market,
    5: supplier,
    6: community_storage,
    7: green_certificates,
    8: name_registry,
}


def measure_methods(engine: Engine) -> list[GasUse]:
    """Gas of every deployment and every state-changing method, on a fresh engine.

    Parameters
    ----------
    engine : Engine
        Any, at its genesis.

    Returns
    -------
    list of GasUse
        By contract, in the order of the calls. A method's own row is its usual case; other cases,
        such as the first use of a storage slot, have rows of their own.

    Raises
    ------
    ContractRevert
        If a contract refuses a call of its sequence.
    """
    bench = Bench(engine)
    bench.begin(1)
    token = euro_token(bench)
    bench.begin(2)
    meters = smart_meters(bench)
    for chapter, sequence in SEQUENCES.items():
        bench.begin(chapter)
        sequence(bench, token, meters)
    return bench.uses
