"""Clearing of an interval in three forms: on chain, verified, and committed with claims."""

from __future__ import annotations

from collections.abc import Sequence

from cosim.mechanisms.local_market.bilateral.matching import Matching
from cosim.mechanisms.local_market.clearing import Clearing, crosses
from cosim.mechanisms.local_market.committed import CommittedClearing
from cosim.mechanisms.local_market.fill_tree import FillTree, root_of_proof
from cosim.mechanisms.local_market.interval_orders import Interval, IntervalOrders
from cosim.mechanisms.local_market.orders import MAX_PRICE_UEUR_PER_KWH, MAX_VOLUME_WH, Order
from cosim.mechanisms.local_market.pricing import ClearingForm

BURNED = "burned"
"""Account of what is nobody's; in the contract the zero address."""

_FORM_TEXTS = {
    ClearingForm.ON_CHAIN: "clearing is on chain",
    ClearingForm.VERIFIED: "clearing is verified",
    ClearingForm.COMMITTED: "clearing is committed",
    ClearingForm.BILATERAL: "clearing is bilateral",
}


class ClearedIntervals(IntervalOrders):
    """Orders of every interval and their clearing.

    *On chain* and *verified* have one result and are one function here. *Committed* takes a root
    and prices on trust until the challenge window is over; a challenge puts the true clearing in
    their place. *Bilateral* takes pairs; what buyers pay beyond what sellers earn is the supplier's
    when a buyer is settled. Times are the contract's to check.
    """

    @property
    def form(self) -> ClearingForm:
        """Form of clearing."""
        return self.terms.form

    def clearing(self, interval: int) -> Clearing | None:
        """Clearing of an interval by the contract itself, if it happened."""
        return self._interval(interval).clearing

    def committed_clearing(self, interval: int) -> CommittedClearing | None:
        """Committed clearing of an interval, if there is one and it was not overturned."""
        return self._interval(interval).committed

    def fill_tree(self, interval: int) -> FillTree:
        """Tree of the fills that clearing the interval's book gives."""
        return FillTree(self.clear_book(interval).fills_wh)

    def filled_wh_of(self, interval: int, account: str) -> int:
        """Fill of an account's order: 0 before clearing, or before it is claimed. [Wh]"""
        state = self._interval(interval)
        index = state.index_of.get(account)
        return 0 if index is None else self._filled_wh(state, index)

    def root_of(self, interval: int) -> bytes:
        """Committed root; zero without one, or once it was overturned."""
        committed = self._interval(interval).committed
        return bytes(32) if committed is None else committed.root

    def pot_of(self, interval: int) -> int:
        """Amount that buyers paid in by claims and sellers have not yet taken out. [µEUR]"""
        committed = self._interval(interval).committed
        return 0 if committed is None else committed.pot_ueur

    def bond_of(self, interval: int) -> int:
        """Bond held for a committed clearing. [µEUR]"""
        committed = self._interval(interval).committed
        return 0 if committed is None else committed.bond_ueur or 0

    def clear(self, interval: int) -> Clearing:
        """Clear an interval, on chain or verified; the supplier gets the surplus.

        Raises
        ------
        ContractRevert
            If the form is another, or the interval cleared already.
        """
        is_own = self.form in (ClearingForm.ON_CHAIN, ClearingForm.VERIFIED)
        self._require(is_own, _FORM_TEXTS[self.form])
        state = self._interval(interval)
        self._require(state.clearing is None, "already cleared")
        return self._clear(interval)

    def match(self, interval: int) -> Matching:
        """Take the matching of an interval's orders that gains most.

        Raises
        ------
        ValueError
            If the market has no trading graph.
        """
        matching = self.clear_book(interval)
        if not isinstance(matching, Matching):
            raise ValueError("the market has no trading graph")
        self._interval(interval).clearing = matching
        return matching

    def commit_clearing(
        self,
        interval: int,
        committer: str,
        root: bytes,
        buy_price_ueur_per_kwh: int,
        sell_price_ueur_per_kwh: int,
        volume_wh: int,
    ) -> None:
        """Take a root of fills and what it is said to stand for, and lock the committer's bond.

        An order book that does not cross needs neither: its clearing is final at once.

        Raises
        ------
        ContractRevert
            If the form is another, the interval cleared already, the book does not cross and yet
            trades, a number is out of range, the committer is the supplier, or its free balance is
            too low.
        """
        self._require_committed_form()
        state = self._interval(interval)
        self._require(state.committed is None and state.clearing is None, "already cleared")
        prices = (buy_price_ueur_per_kwh, sell_price_ueur_per_kwh)
        if not crosses(state.book):
            self._require(not any((*prices, volume_wh)), "not the clearing")
            self._clear(interval)
            return
        self._require(max(prices) <= MAX_PRICE_UEUR_PER_KWH, "price out of range")
        self._require(volume_wh <= MAX_VOLUME_WH, "energy out of range")
        self._require(committer != self.supplier, "supplier cannot commit")
        self._take(committer, self.terms.clearing_bond_ueur)
        state.committed = CommittedClearing(
            committer,
            root,
            *prices,
            volume_wh,
            self.terms.rule,
            self.terms.clearing_bond_ueur,
            len(self.orders(interval)),
        )

    def challenge_clearing(self, interval: int, challenger: str) -> Clearing:
        """Put the true clearing in the place of a wrong one; the challenger gets half of the bond.

        The other half is nobody's, so that who challenges its own wrong clearing loses.

        Raises
        ------
        ContractRevert
            If there is no committed clearing, or nothing is wrong with it.
        """
        self._require_committed_form()
        state = self._interval(interval)
        self._require(state.committed is not None, "no committed clearing")
        committed = state.committed
        assert committed is not None
        true = self.clear_book(interval)
        is_right = (
            committed.root,
            committed.buy_price_ueur_per_kwh,
            committed.sell_price_ueur_per_kwh,
            committed.volume_wh,
        ) == (self.fill_tree(interval).root, *true.outcome)
        self._require(not is_right, "clearing is right")
        reward_ueur = (committed.bond_ueur or 0) // 2
        self._receive(challenger, reward_ueur)
        self._add(BURNED, (committed.bond_ueur or 0) - reward_ueur)
        state.committed = None
        return self._clear(interval)

    def _claim_fill(
        self, interval: int, account: str, filled_wh: int, proof: Sequence[bytes]
    ) -> None:
        """Prove the fill of an account's order: a buyer pays into the pot, a seller is paid of it.

        Raises
        ------
        ContractRevert
            If there is no committed clearing or no order, the fill was claimed or settled, is not
            what the root stands for, is more than was ordered or beyond the order's price, or the
            pot is too low for a seller as long as buyers have not claimed theirs.
        """
        self._require_committed_form()
        state = self._interval(interval)
        committed, order = state.committed, state.order_of(account)
        self._require(committed is not None, "no committed clearing")
        self._require(order is not None, "no order")
        assert committed is not None
        assert order is not None
        index = state.index_of[account]
        self._require(index not in committed.filled_wh, "already claimed")
        self._require(account not in state.settled, "already reported")
        is_proven = root_of_proof(index, filled_wh, proof) == committed.root
        self._require(is_proven, "not in the root")
        self._require(filled_wh <= order.energy_wh, "fill above the order")
        self._require(filled_wh == 0 or committed.fits(order), "price beyond the order")
        earned_ueur = committed.amount_ueur(order, filled_wh)
        self._require(earned_ueur <= committed.pot_ueur, "buyers have not paid in")
        self._add(self.supplier, committed.claim(index, order, filled_wh))

    def release_bond(self, interval: int) -> None:
        """Give a committer its bond back after the challenge window.

        Raises
        ------
        ContractRevert
            If no bond is held.
        """
        self._require_committed_form()
        committed = self._interval(interval).committed
        self._require(committed is not None and committed.bond_ueur is not None, "no bond")
        assert committed is not None
        self._receive(committed.committer, committed.bond_ueur or 0)
        committed.bond_ueur = None

    def _clear(self, interval: int) -> Clearing:
        clearing = self.clear_book(interval)
        self._interval(interval).clearing = clearing
        self._add(self.supplier, clearing.surplus_ueur)
        return clearing

    def _require_committed_form(self) -> None:
        self._require(self.form is ClearingForm.COMMITTED, _FORM_TEXTS[self.form])

    def _filled_wh(self, state: Interval, index: int) -> int:
        """Fill that the order at an index is known to have. [Wh]"""
        if state.clearing is not None:
            return state.clearing.fills_wh[index]
        if state.committed is not None:
            return state.committed.filled_wh.get(index, 0)
        return 0

    def _price_ueur_per_kwh(self, state: Interval, order: Order) -> int:
        """Price at which an order trades, 0 before clearing. [µEUR/kWh]"""
        outcome = state.clearing or state.committed
        return 0 if outcome is None else outcome.price_of(order)

    def _proceeds_ueur(self, state: Interval, order: Order) -> int:
        """Proceeds of an order's fill as far as it is known, negative for a buyer. [µEUR]"""
        if isinstance(state.clearing, Matching):
            return state.clearing.account(order.account).proceeds_ueur
        filled_wh = self._filled_wh(state, state.index_of[order.account])
        return order.proceeds_ueur(filled_wh, self._price_ueur_per_kwh(state, order))

    def _kept_ueur(self, state: Interval, account: str) -> int:
        """Part of what a buyer of bilateral trades pays that no seller earns. [µEUR]"""
        if isinstance(state.clearing, Matching):
            return state.clearing.account(account).kept_ueur
        return 0
