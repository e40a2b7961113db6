"""Part of a run of a mechanism whose contract keeps free balances, as its model does."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

import numpy as np

from cosim.chain.client import ContractClient
from cosim.evm.accounts import Account
from cosim.mechanisms.accounts import EscrowAccounts
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.escrow_client import EscrowClient
from cosim.mechanisms.play import Play, Statement
from cosim.mechanisms.reconciliation import check_equal, check_held

C = TypeVar("C", bound=EscrowClient)
M = TypeVar("M", bound=EscrowAccounts)


class EscrowPlay(Play, ABC, Generic[C, M]):
    """Mechanism with free balances in its contract and its model, which must agree.

    Parameters
    ----------
    deployment : Deployment
        With the contract.
    client : EscrowClient
    model : EscrowAccounts
        Without any deposit.
    others : sequence of Account
        Accounts that may have a balance, other than the prosumers'.
    """

    free_of: ClassVar[str]
    """Mapping of the free balances in the contract's storage."""

    def __init__(
        self, deployment: Deployment, client: C, model: M, others: Sequence[Account]
    ) -> None:
        self.client = client
        self.model = model
        self._deployment = deployment
        self._chain = deployment.chain
        self._names = np.array([account.name for account in deployment.prosumers], dtype=object)
        self._members = np.array(deployment.members, dtype=bool)
        self._payers = {one.name: one.address for one in (*deployment.prosumers, *others)}
        self._marked: M | None = None

    @property
    def clients(self) -> Sequence[ContractClient]:
        """Its one contract."""
        return (self.client,)

    def open(self) -> None:
        """Take over the deposits."""
        for name, amount_ueur in self._free_ueur().items():
            self.model.deposit(name, amount_ueur)

    def mark(self) -> None:
        """Remember the model, to come back to it once."""
        self._marked = copy.deepcopy(self.model)

    def check_money(self, interval: int, tokens_ueur: Mapping[str, int]) -> None:
        """Require equal balances in contract and model, and tokens of the sum that is owed."""
        name, free, model = self.client.name, self._free_ueur(), self.model
        check_equal(
            interval,
            free,
            {account: model.balance_of(account) for account in free},
            f"balance in {name} [µEUR]",
            "balance of the model [µEUR]",
        )
        free_ueur = model.free_total_ueur()
        check_held(interval, name, tokens_ueur[name], free_ueur, self._locked_ueur())

    @abstractmethod
    def _locked_ueur(self) -> int:
        """Return the sum that the model holds beyond the free balances. [µEUR]"""

    def _back_to_mark(self) -> None:
        if self._marked is None:
            raise ValueError("there is no mark to go back to")
        self.model, self._marked = self._marked, None

    def _add_fees(self, statement: Statement, handles: Iterable[tuple[int, int]]) -> None:
        """Add the fees of transactions that are included, by prosumer and handle."""
        for i, handle in handles:
            included = self._chain.included(handle)
            if included is not None:
                statement.fees_wei[i] += included.fee_wei

    def _free_ueur(self) -> dict[str, int]:
        """Return the free balance of everybody with an account in the contract. [µEUR]"""
        return self._deployment.read(self.client, self.free_of, self._payers)
