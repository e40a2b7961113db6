"""Tokens of a run: none appears or vanishes, and each holder has what it should."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.play import Play, TokenTransfer
from cosim.mechanisms.reconciliation import check_equal, check_total


class Treasury:
    """Tokens that every holder should have.

    Nobody issues or withdraws tokens during a run: money moves inside contracts, whose mechanisms
    answer for it, and between holders as mechanisms say.

    Parameters
    ----------
    deployment : Deployment
        Set up.
    plays : sequence of Play
    """

    def __init__(self, deployment: Deployment, plays: Sequence[Play]) -> None:
        self._deployment = deployment
        self._plays = plays
        self._supply_ueur = deployment.token.total_supply()
        self._held_ueur = dict(deployment.held_ueur())
        self.check(-1)

    def book(self, transfers: Sequence[TokenTransfer]) -> None:
        """Note tokens that left one holder for another."""
        for sender, receiver, amount_ueur in transfers:
            self._held_ueur[sender] -= amount_ueur
            self._held_ueur[receiver] += amount_ueur

    def check(self, interval: int) -> None:
        """Require that the ledger holds what it should, to the integer.

        Raises
        ------
        ReconciliationError
            Names the accounts.
        """
        tokens = self._deployment.held_ueur()
        answered = {holder for play in self._plays for holder in play.answers_for}
        check_equal(
            interval,
            _without(tokens, answered),
            _without(self._held_ueur, answered),
            "tokens outside the markets [µEUR]",
            "what should be there [µEUR]",
        )
        check_total(interval, tokens, self._supply_ueur)
        check_equal(
            interval,
            {"EuroToken": self._deployment.token.total_supply()},
            {"EuroToken": self._supply_ueur},
            "total supply [µEUR]",
            "what was issued at the start [µEUR]",
        )
        for play in self._plays:
            play.check_money(interval, tokens)


def _without(tokens_ueur: Mapping[str, int], holders: Collection[str]) -> dict[str, int]:
    return {name: held for name, held in tokens_ueur.items() if name not in holders}
