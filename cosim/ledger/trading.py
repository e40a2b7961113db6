"""Orders of a delivery interval: sent, sealed and revealed, cleared in one of three forms.

On chain, the contract sorts and clears. Verified, the market operator submits what it cleared and
the contract checks it. Committed, only the Merkle root of the fills goes on chain; when nobody
challenged it, every fill is claimed with a proof before the meters report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cosim.clock import DeliveryClock
from cosim.errors import EngineError
from cosim.ledger.blocks import Included
from cosim.ledger.deployment import Deployment
from cosim.ledger.hashing import keccak
from cosim.ledger.outcomes import OffChainClearing, OrderBook
from cosim.ledger.waiting import confirmed, refusal
from cosim.market.fill_tree import FillTree
from cosim.units import BoolArray, FloatArray, IntArray

ClearOffChain = Callable[[Sequence[int], Sequence[bool]], OffChainClearing]
"""Clears the orders of prosumers given in the order of arrival, of which some are revealed."""

LATE = ("local market: gate closed", "local market: not in the reveal window")


@dataclass
class _Book:
    """What became of each prosumer's order so far; arrays of shape (n,)."""

    status: npt.NDArray[np.object_]
    reason: npt.NDArray[np.object_]
    sent_at_s: FloatArray
    block: IntArray
    arrived: tuple[int, ...] = ()
    revealed: tuple[bool, ...] = ()
    commitments: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class _Claims:
    """Fills of a committed clearing, their tree, and arrival index and prosumer of each claim."""

    fills_wh: tuple[int, ...]
    tree: FillTree
    claimants: tuple[tuple[int, int], ...]


class Trading:
    """Sends and clears the orders of one interval after the other.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    form : {"on_chain", "verified", "committed"}
        Of clearing.
    reveal_s : int
        How long after gate closure sealed orders are revealed; 0 when orders are open. [s]
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        form: str = "on_chain",
        reveal_s: int = 0,
    ) -> None:
        self.chain = deployment.chain
        self.market = deployment.local_market
        self.operator = deployment.operator.address
        self.accounts = tuple(account.address for account in deployment.prosumers)
        self.n = len(self.accounts)
        self.clock = clock
        self.form = form
        self.reveal_s = reveal_s
        self._keys = tuple(account.private_key for account in deployment.prosumers)
        self._index = {address: i for i, address in enumerate(self.accounts)}
        self._claims: dict[int, _Claims] = {}

    def trade(
        self,
        interval: int,
        is_sell: BoolArray,
        energy_wh: IntArray,
        price_ueur_per_kwh: IntArray,
        sent_fraction: FloatArray,
        fees_wei: list[int],
        clear_off_chain: ClearOffChain | None,
    ) -> OrderBook:
        """Send the orders of an interval, wait for gate closure, and have it cleared.

        Parameters
        ----------
        fees_wei : list of int
            Fees by prosumer, to which those of the orders are added. [wei]
        clear_off_chain : callable, optional
            What the market operator clears; the forms verified and committed need it.

        Raises
        ------
        EngineError
            If the clearing finds no room in a block, or nothing clears off chain.
        """
        fields = (is_sell, energy_wh, price_ueur_per_kwh)
        book = self._collect(interval, fields, sent_fraction, fees_wei)
        filled_wh = np.zeros(self.n, dtype=np.int64)
        off_chain = tree = None
        if self.form != "on_chain":
            if clear_off_chain is None:
                raise EngineError(f"clearing in the form {self.form} needs what clears off chain")
            off_chain = clear_off_chain(book.arrived, book.revealed)
            if self.form == "committed":
                tree = FillTree(off_chain.fills_wh, keccak)
        included = self._clear(interval, len(book.arrived), off_chain, tree)
        buy_price = sell_price = volume_wh = 0
        for name, arguments in self.market.events(included):
            if name == "OrderFilled":
                filled_wh[self._index[arguments["account"]]] = arguments["energy_wh"]
            elif name in ("IntervalCleared", "ClearingCommitted"):
                buy_price = arguments["buy_price_ueur_per_kwh"]
                sell_price = arguments["sell_price_ueur_per_kwh"]
                volume_wh = arguments["volume_wh"]
            if name == "ClearingCommitted" and off_chain is not None and tree is not None:
                filled_wh[list(book.arrived)] = off_chain.fills_wh
                buyers_first = sorted(
                    (bool(is_sell[i]), k, i) for k, i in enumerate(book.arrived) if book.revealed[k]
                )
                self._claims[interval] = _Claims(
                    off_chain.fills_wh,
                    tree,
                    tuple((k, i) for _, k, i in buyers_first),
                )
        book.status[(filled_wh > 0) & (filled_wh < energy_wh)] = "partial"
        book.status[(filled_wh > 0) & (filled_wh == energy_wh)] = "cleared"
        return OrderBook(
            status=book.status,
            reason=book.reason,
            sent_at_s=book.sent_at_s,
            block=book.block,
            filled_wh=filled_wh,
            contracted_wh=np.where(is_sell, filled_wh, -filled_wh),
            buy_price_ueur_per_kwh=buy_price,
            sell_price_ueur_per_kwh=sell_price,
            volume_wh=volume_wh,
            arrived=book.arrived,
            revealed=book.revealed,
            commitments=book.commitments,
        )

    def claim(self, interval: int) -> tuple[int, ...]:
        """Claim every fill of a committed clearing, and give the bond back.

        Buyers come first: sellers are paid out of what buyers paid in. Nobody can challenge the
        clearing any more when the interval has ended.

        Returns
        -------
        tuple of int
            Prosumers in the order of their claims; none where nothing was committed.

        Raises
        ------
        ContractRevert
            If the contract refused a claim.
        """
        pending = self._claims.pop(interval, None)
        if pending is None:
            return ()
        market, fills_wh = self.market, pending.fills_wh
        # less than a block apart, so that they are included in this order
        stagger_s = self.clock.block_time_s / (len(pending.claimants) + 1)
        handles = [
            market.claim_fill(
                self.operator,
                interval,
                self.accounts[i],
                fills_wh[k],
                pending.tree.proof(k),
                sent_at_s=self.chain.now_s + place * stagger_s,
            )
            for place, (k, i) in enumerate(pending.claimants)
        ]
        for handle in handles:
            confirmed(market, handle)
        confirmed(market, market.release_bond(self.operator, interval))
        return tuple(i for _, i in pending.claimants)

    def _collect(
        self,
        interval: int,
        fields: tuple[BoolArray, IntArray, IntArray],
        sent_fraction: FloatArray,
        fees_wei: list[int],
    ) -> _Book:
        """Send the orders and note what the chain included before gate closure."""
        chain = self.chain
        is_sell, energy_wh, price = fields
        opens, closes = self.clock.window_opens_s(interval), self.clock.gate_closes_s(interval)
        window = closes - 2 * self.clock.block_time_s - opens
        book = _Book(
            status=np.full(self.n, "", dtype=object),
            reason=np.full(self.n, None, dtype=object),
            sent_at_s=np.full(self.n, np.nan),
            block=np.full(self.n, -1, dtype=np.int64),
        )
        handles: dict[int, int] = {}
        commitments: dict[int, bytes] = {}
        for i in np.flatnonzero(energy_wh).tolist():
            book.sent_at_s[i] = sent_at_s = opens + sent_fraction[i] * window
            order = (interval, bool(is_sell[i]), int(energy_wh[i]), int(price[i]))
            if self.reveal_s:
                commitments[i] = self.market.sealed(
                    self.accounts[i], *order, self._salt(interval, i)
                )
                handles[i] = self.market.commit_order(
                    self.accounts[i], interval, commitments[i], sent_at_s=float(sent_at_s)
                )
            else:
                handles[i] = self.market.place_order(
                    self.accounts[i], *order, sent_at_s=float(sent_at_s)
                )
        chain.mine_until(closes)
        places = []
        for i, included in self._included(
            handles, book, fees_wei, "not included before gate closure"
        ):
            book.block[i] = included.block
            if book.status[i] == "unmatched":
                places.append((included.block, included.index, i))
        book.arrived = tuple(i for _, _, i in sorted(places))
        if self.reveal_s:
            book.commitments = tuple(commitments[i] for i in book.arrived)
            self._reveal(interval, fields, book, fees_wei)
        book.revealed = tuple(book.status[i] == "unmatched" for i in book.arrived)
        return book

    def _reveal(
        self,
        interval: int,
        fields: tuple[BoolArray, IntArray, IntArray],
        book: _Book,
        fees_wei: list[int],
    ) -> None:
        """Reveal the sealed orders; who is not included in time forfeits its deposit."""
        is_sell, energy_wh, price = fields
        closes = self.clock.gate_closes_s(interval)
        handles = {
            i: self.market.reveal_order(
                self.accounts[i],
                interval,
                bool(is_sell[i]),
                int(energy_wh[i]),
                int(price[i]),
                self._salt(interval, i),
                sent_at_s=float(closes),
            )
            for i in book.arrived
        }
        self.chain.mine_until(closes + self.reveal_s)
        for i, _ in self._included(handles, book, fees_wei, "not revealed in time"):
            if book.status[i] == "rejected":
                book.status[i] = "unrevealed"
        for i in book.arrived:
            if book.status[i] == "late":
                book.status[i] = "unrevealed"

    def _included(
        self, handles: dict[int, int], book: _Book, fees_wei: list[int], if_missing: str
    ) -> list[tuple[int, Included]]:
        """Note status and fee of every transaction; return those that a block includes."""
        chain = self.chain
        chain.drop([handle for handle in handles.values() if chain.included(handle) is None])
        found = []
        for i, handle in handles.items():
            included = chain.included(handle)
            if included is None:
                book.status[i], book.reason[i] = "late", if_missing
                continue
            fees_wei[i] += included.fee_wei
            if included.receipt.status:
                book.status[i] = "unmatched"
            else:
                book.reason[i] = refusal(self.market, handle)
                book.status[i] = "late" if book.reason[i] in LATE else "rejected"
            found.append((i, included))
        return found

    def _clear(
        self,
        interval: int,
        n_orders: int,
        off_chain: OffChainClearing | None,
        tree: FillTree | None,
    ) -> Included:
        """Have the interval cleared, after the last order was revealed."""
        market, operator = self.market, self.operator
        if off_chain is None:
            return confirmed(market, market.clear(operator, interval, n_orders))
        prices = (off_chain.buy_price_ueur_per_kwh, off_chain.sell_price_ueur_per_kwh)
        if tree is None:
            handle = market.clear_verified(
                operator, interval, off_chain.ranking, *prices, off_chain.volume_wh
            )
        else:
            handle = market.commit_clearing(
                operator,
                interval,
                tree.root,
                *prices,
                off_chain.volume_wh,
            )
        return confirmed(market, handle)

    def _salt(self, interval: int, i: int) -> bytes:
        """Secret of a sealed order, derived from its sender's key: nobody else can guess it."""
        return keccak(self._keys[i] + interval.to_bytes(32, "big"))
