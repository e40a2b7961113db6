"""What every method of every contract costs, in gas of whole transactions, on any engine."""

from cosim.gas.bench import DEPLOY, GasUse
from cosim.gas.clearing import ClearingGas, measure_clearing
from cosim.gas.methods import measure_methods

__all__ = ["DEPLOY", "ClearingGas", "GasUse", "measure_clearing", "measure_methods"]
