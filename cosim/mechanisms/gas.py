"""Gas of every contract: the token, the registry of meters, and what the registry lists."""

from __future__ import annotations

from cosim.evm.engine import Engine
from cosim.gas.bench import Bench, GasUse
from cosim.gas.cases import GasCases
from cosim.mechanisms.metering.gas import CASES as METERING
from cosim.mechanisms.money.gas import CASES as MONEY
from cosim.plugins import MECHANISMS


def every_case() -> list[GasCases]:
    """Return the cases of the token, of the registry of meters, and of every mechanism."""
    kinds = sorted(MECHANISMS.every().items())
    found = [cases for _, kind in kinds if (cases := kind.gas()) is not None]
    return [MONEY, METERING, *sorted(found, key=lambda cases: cases.place)]


def measure_methods(engine: Engine) -> list[GasUse]:
    """Measure the gas of every deployment and every state-changing method, on a fresh engine.

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
    for chapter, cases in enumerate(every_case(), start=1):
        bench.begin(chapter)
        cases.measure(bench)
    return bench.uses
