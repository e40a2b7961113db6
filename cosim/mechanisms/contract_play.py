"""Part of a run of a mechanism with one contract: shared by the mechanisms other than markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from cosim.chain.blocks import Included
from cosim.chain.client import ContractClient
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import Play, TokenTransfer
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import Columns
from cosim.results.columns import Table

C = TypeVar("C", bound=ContractClient)
K = TypeVar("K")

BLOCKS_WAITED = 2
"""After so many blocks a transaction is withdrawn, unless it may wait longer."""


class ContractPlay(Play, Generic[C]):
    """Part of a mechanism with one contract.

    Parameters
    ----------
    deployment : Deployment
        Chain, accounts and meters; the contract is added to its clients.
    clock : DeliveryClock
        Times of the run.
    client : ContractClient
        The contract.
    """

    def __init__(self, deployment: Deployment, clock: DeliveryClock, client: C) -> None:
        self.client = client
        self._deployment = deployment
        self._chain = deployment.chain
        self._clock = clock
        self._names = [account.name for account in deployment.prosumers]
        self._transfers: list[TokenTransfer] = []
        deployment.clients.append(client)

    @property
    def clients(self) -> Sequence[ContractClient]:
        """The contract."""
        return (self.client,)

    def transfers(self) -> Sequence[TokenTransfer]:
        """Return the transfers since the last call."""
        done, self._transfers = self._transfers, []
        return done

    def _address(self, i: int) -> bytes:
        return self._deployment.prosumers[i].address

    def _included(self, sent: Mapping[K, int], until_s: float = 0.0) -> dict[K, Included]:
        """Wait for transactions; return those that a block took, in the order of the chain.

        What no block takes for :data:`BLOCKS_WAITED` blocks, or up to a later time, is withdrawn.

        Raises
        ------
        ContractRevert
            If the contract refused one.
        """
        chain = self._chain
        until_s = max(until_s, chain.now_s + BLOCKS_WAITED * chain.block_time_s)
        while (
            any(chain.included(handle) is None for handle in sent.values())
            and chain.next_block_s <= until_s
        ):
            chain.mine_blocks()
        done = [
            (key, included)
            for key, handle in sent.items()
            if (included := self.client.check(handle)) is not None
        ]
        chain.drop([handle for handle in sent.values() if chain.included(handle) is None])
        return dict(sorted(done, key=lambda pair: (pair[1].block, pair[1].index)))

    def _check_tokens(self, interval: int, owed_ueur: int) -> None:
        """Require that the contract holds the tokens that it owes by the model. [µEUR]

        Raises
        ------
        ReconciliationError
            Names the contract.
        """
        contract = self.client.contract
        check_equal(
            interval,
            {contract: self._deployment.token.balance_of(self.client.address)},
            {contract: owed_ueur},
            "tokens of the contract [µEUR]",
            "what it owes [µEUR]",
        )


def columns_of(table: Table, rows: Sequence[tuple[Any, ...]]) -> Columns:
    """Return rows in the order of a table's columns as columns; there is at least one row."""
    names = (column.name for column in table.columns)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
