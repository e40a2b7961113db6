"""Balances of the local market, from its events and nothing else.

Every movement of money has an event: whoever sees the events of a transaction knows what every
account has free after it. Escrow and what a sealed order deposits follow from the order and the
terms; what is paid of a debt or a claim is what arose of dues less their change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cosim.mechanisms.local_market.interval_orders import escrow_ueur
from cosim.mechanisms.local_market.orders import Order

Event = tuple[str, Mapping[str, Any]]
"""Name and arguments."""


class EventMoney:
    """Free balances and dues of the local market's accounts.

    Parameters
    ----------
    supplier, dso, state, nobody : str or bytes
        Accounts as events name them; nobody's is the zero address, which gets burned bonds.
    retail_price_ueur_per_kwh : int
        Highest retail price, which sellers' escrow covers. [µEUR/kWh]
    sealed_deposit_ueur : int
        Locked by a sealed order. [µEUR]

    Attributes
    ----------
    free_ueur, dues_ueur : dict
        By account; dues are what it owes the supplier, negative if it is owed. [µEUR]
    """

    def __init__(
        self,
        supplier: Any,
        dso: Any,
        state: Any,
        nobody: Any,
        retail_price_ueur_per_kwh: int,
        sealed_deposit_ueur: int,
    ) -> None:
        self._supplier, self._dso, self._state, self._nobody = supplier, dso, state, nobody
        self._retail_price = retail_price_ueur_per_kwh
        self._sealed_deposit_ueur = sealed_deposit_ueur
        self._locked: dict[tuple[int, Any], int] = {}
        self.free_ueur: dict[Any, int] = defaultdict(int)
        self.dues_ueur: dict[Any, int] = defaultdict(int)

    def take(self, events: Iterable[Event]) -> None:
        """Follow the events of one transaction, which are in the order of the chain."""
        added: dict[Any, int] = defaultdict(int)
        after: dict[Any, int] = {}
        for name, said in events:
            if name == "DuesChanged":
                after[said["account"]] = said["dues_ueur"]
            elif name == "ChargesSettled":
                added[said["account"]] += said["local_ueur"]
            elif name == "CreditLent":
                added[said["account"]] += said["amount_ueur"]
                self._pay(self._supplier, said["account"], said["amount_ueur"])
            elif name == "IntervalSettled":
                added[said["account"]] -= said["supplier_ueur"]
                self._settle(said)
            elif (move := _MOVES.get(name)) is not None:
                move(self, said)
        for account in {*added, *after}:
            dues = self.dues_ueur[account] + added[account]
            self.dues_ueur[account] = after.get(account, self.dues_ueur[account])
            self._pay(account, self._supplier, dues - self.dues_ueur[account])

    def _pay(self, payer: Any, payee: Any, amount_ueur: int) -> None:
        self.free_ueur[payer] -= amount_ueur
        self.free_ueur[payee] += amount_ueur

    def _lock(self, interval: int, account: Any, amount_ueur: int) -> None:
        """Take what is locked for an order, in place of what was locked for its seal."""
        before = self._locked.get((interval, account), 0)
        self._locked[interval, account] = amount_ueur
        self.free_ueur[account] += before - amount_ueur

    def _order(self, said: Mapping[str, Any]) -> None:
        order = Order("", said["is_sell"], said["energy_wh"], said["price_ueur_per_kwh"])
        locked_ueur = escrow_ueur(order, self._retail_price)
        self._lock(said["interval"], said["account"], locked_ueur)

    def _seal(self, said: Mapping[str, Any]) -> None:
        self._lock(said["interval"], said["account"], self._sealed_deposit_ueur)

    def _forfeit(self, said: Mapping[str, Any]) -> None:
        self._locked.pop((said["interval"], said["account"]))
        self.free_ueur[self._supplier] += said["amount_ueur"]

    def _settle(self, said: Mapping[str, Any]) -> None:
        locked_ueur = self._locked.pop((said["interval"], said["account"]), 0)
        self.free_ueur[said["account"]] += locked_ueur + said["trade_ueur"]

    def _add(self, account: Any, amount_ueur: int) -> None:
        self.free_ueur[account] += amount_ueur

    def _overturn(self, said: Mapping[str, Any]) -> None:
        self._add(said["challenger"], said["reward_ueur"])
        self._add(self._nobody, said["burned_ueur"])

    def _pass_on(self, said: Mapping[str, Any]) -> None:
        self._pay(self._supplier, self._dso, said["network_ueur"])
        self._pay(self._supplier, self._state, said["taxes_ueur"])

    def _surplus(self, said: Mapping[str, Any]) -> None:
        self._add(self._supplier, said["amount_ueur"])


_MOVES: Mapping[str, Callable[[EventMoney, Mapping[str, Any]], None]] = {
    "Deposited": lambda m, said: m._add(said["account"], said["amount_ueur"]),
    "Withdrawn": lambda m, said: m._add(said["account"], -said["amount_ueur"]),
    "OrderPlaced": EventMoney._order,
    "OrderCommitted": EventMoney._seal,
    "SurplusPaid": EventMoney._surplus,
    "ClearingCommitted": lambda m, said: m._add(said["committer"], -said["bond_ueur"]),
    "BondReleased": lambda m, said: m._add(said["committer"], said["amount_ueur"]),
    "ClearingOverturned": EventMoney._overturn,
    "DepositForfeited": EventMoney._forfeit,
    "ChargesPassedOn": EventMoney._pass_on,
}
"""Events by what they move; dues, loans and settlements are taken together."""
