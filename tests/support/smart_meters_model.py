"""Which meter is valid, and whose it is: model of ``contracts/SmartMeters.vy``.

Meters and customers are text, and ``""`` is the zero address.
"""

from __future__ import annotations

from cosim.errors import ContractRevert

NOBODY = ""


class SmartMetersModel:
    """State of the registry of meters.

    Parameters
    ----------
    operator : str
        Account that may register and unregister meters.
    """

    def __init__(self, operator: str) -> None:
        self.operator = operator
        self._customers: dict[str, str] = {}

    def customer_of(self, meter: str) -> str:
        """Customer of a meter; ``""`` when it is not registered."""
        return self._customers.get(meter, NOBODY)

    def register_meter(self, account: str, meter: str, customer: str) -> None:
        """Make a meter valid and bind it to a customer.

        Raises
        ------
        ContractRevert
            As every method here, if the contract would refuse.
        """
        self._only_operator(account)
        if NOBODY in (meter, customer):
            raise ContractRevert("smart meters: zero address")
        if meter in self._customers:
            raise ContractRevert("smart meters: already registered")
        self._customers[meter] = customer

    def unregister_meter(self, account: str, meter: str) -> None:
        """Make a meter invalid; it may be registered again, for any customer."""
        self._only_operator(account)
        if meter not in self._customers:
            raise ContractRevert("smart meters: not registered")
        del self._customers[meter]

    def _only_operator(self, account: str) -> None:
        if account != self.operator:
            raise ContractRevert("smart meters: not the operator")
