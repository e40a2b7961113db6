"""Validators that keep some accounts' transactions out of the blocks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cosim.chain.blocks import Transaction
from cosim.chain.chain import Chain
from cosim.chain.consensus import Consensus
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.interference import LedgerAttack

VETO_SHARE = {
    "proof_of_authority": 1 / 2,
    "pbft": 1 / 3,
    "proof_of_stake": 1 / 2,
    "proof_of_work": 1 / 2,
}
"""Share of validators or hash power beyond which nobody else's block with a censored transaction
becomes part of the chain: under pbft it finds no quorum of more than two thirds (Castro and Liskov
1999), else the majority builds on another branch and leaves it behind."""


@dataclass(frozen=True)
class Censors(LedgerAttack):
    """Proposers that refuse what some accounts send.

    A minority refuses in its own blocks only, and the next honest one takes what waits. A majority
    has its way in every block; the time that it loses with others' blocks is not modelled.

    Parameters
    ----------
    chain : Chain
        Whose proposers they are.
    consensus : Consensus
        Who proposes, and what share is a majority.
    seed : int
        Of the blocks that censoring miners find, where proposers are not known by number.
    accounts : collection of bytes
        Whose transactions are refused.
    intervals : range
        Delivery intervals that the transactions serve.
    share : float
        Of the validators, or of the hash power. [-]
    """

    chain: Chain
    consensus: Consensus
    seed: int
    accounts: Collection[bytes]
    intervals: range
    share: float

    def refuses(self, sent: Transaction, proposer: int) -> bool:
        """Return whether a transaction stays out of the block that is being built."""
        if sent.sender not in self.accounts or sent.interval not in self.intervals:
            return False
        if self.share > VETO_SHARE[self.consensus.kind]:
            return True
        if self.consensus.kind != "proof_of_work":
            return proposer < round(self.share * self.consensus.validators)
        drawn = keccak(f"censorship {self.seed} {self.chain.block}".encode())
        return int.from_bytes(drawn, "big") < self.share * 2**256
