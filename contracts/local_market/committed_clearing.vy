# pragma version 0.4.3
"""
@title Committed clearing
@license Apache-2.0
@notice Clears an interval by the root of a tree of fills. For a while anyone can challenge it, then
        each order claims its fill with a proof.
@dev A claim moves what a buyer pays into the interval's pot, and what a seller earns out of it, so
     that a wrong root that nobody challenges takes at most the escrow of its own interval. What is
     left when all have claimed goes to the supplier. An order that nobody claims in time is settled
     as not filled, so that nothing stays locked.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh
"""

import clearing_forms as forms
import clearing_rules
import escrow_accounts as accounts
import fill_tree
import interval_books as books
import market_clock as clock
import order_book
import refusals
import supplier_dues as dues

uses: accounts
uses: books
uses: clock
uses: dues
uses: forms

MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS
MAX_WORDS: constant(uint256) = forms.MAX_WORDS
MAX_DEPTH: constant(uint256) = fill_tree.MAX_DEPTH
MASK_10: constant(uint256) = order_book.MASK_10
MASK_41: constant(uint256) = order_book.MASK_41
MASK_64: constant(uint256) = order_book.MASK_64
MASK_160: constant(uint256) = order_book.MASK_160

# a commitment: committer 160 | time 64 | bond held | known orders 10
TIME_AT: constant(uint256) = 160
BOND_HELD: constant(uint256) = 1 << 224
KNOWN_AT: constant(uint256) = 225

# a tally of claims: pot 64 | bought 41 | sold 41 | orders claimed or given up 10
BOUGHT_AT: constant(uint256) = 64
SOLD_AT: constant(uint256) = 105
DONE_AT: constant(uint256) = 146

CLEARING_BOND_UEUR: public(immutable(uint256))

_root_of: HashMap[uint256, bytes32]
_commitment_of: HashMap[uint256, uint256]
_tally_of: HashMap[uint256, uint256]

event ClearingCommitted:
    interval: indexed(uint256)
    committer: indexed(address)
    root: bytes32
    buy_price_ueur_per_kwh: uint256
    sell_price_ueur_per_kwh: uint256
    volume_wh: uint256
    n_orders: uint256

event FillClaimed:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256

event ClearingOverturned:
    interval: indexed(uint256)
    challenger: indexed(address)

event BondReleased:
    interval: indexed(uint256)
    committer: indexed(address)
    amount_ueur: uint256


@deploy
def __init__(clearing_bond_ueur: uint256):
    assert (
        books.FORM != books.COMMITTED or clock.CHALLENGE_S != 0
    ), "local market: no challenge window"
    CLEARING_BOND_UEUR = clearing_bond_ueur


@external
@nonreentrant
def commitClearing(
    interval: uint256,
    root: bytes32,
    buy_price_ueur_per_kwh: uint256,
    sell_price_ueur_per_kwh: uint256,
    volume_wh: uint256,
):
    """
    @notice Clear an interval, once, when its orders are known, by the root of the tree of fills.
            Anyone may call; locks a bond that is lost to whoever shows that the clearing is wrong.
    @dev A book that does not cross is cleared at once, without bond, root and claims.
    """
    forms._require_clearable(interval, books.COMMITTED)
    word: uint256 = forms._open_word(interval)
    if word & books.CROSSED == 0:
        forms._conclude_uncrossed(
            interval, buy_price_ueur_per_kwh | sell_price_ueur_per_kwh | volume_wh
        )
        return
    refusals._require(
        max(buy_price_ueur_per_kwh, sell_price_ueur_per_kwh) <= books.MAX_PRICE_UEUR_PER_KWH,
        "price out of range",
    )
    refusals._require(volume_wh <= MASK_41, "energy out of range")
    dues._lock(msg.sender, CLEARING_BOND_UEUR)
    clearing: clearing_rules.Clearing = clearing_rules._uncrossed(word & MASK_10)
    clearing.committed = True
    clearing.two_priced = True
    clearing.marginal_bid = buy_price_ueur_per_kwh
    clearing.marginal_ask = sell_price_ueur_per_kwh
    clearing.volume = volume_wh
    books._clearing_of[interval] = clearing_rules._packed(clearing)
    self._root_of[interval] = root
    self._commitment_of[interval] = (
        convert(msg.sender, uint256)
        | (block.timestamp << TIME_AT)
        | BOND_HELD
        | (books._revealed(word) << KNOWN_AT)
    )
    log ClearingCommitted(
        interval=interval,
        committer=msg.sender,
        root=root,
        buy_price_ueur_per_kwh=buy_price_ueur_per_kwh,
        sell_price_ueur_per_kwh=sell_price_ueur_per_kwh,
        volume_wh=volume_wh,
        n_orders=clearing.n_orders,
    )


@external
@nonreentrant
def challengeClearing(interval: uint256, ranking: DynArray[uint256, MAX_WORDS]):
    """
    @notice Show that a committed clearing is wrong in root, price or volume, and get its bond. The
            right clearing takes its place at once. Anyone may call, in the challenge window.
    @param interval The interval
    @param ranking As in clearVerified
    """
    committed: clearing_rules.Clearing = self._committed(interval)
    record: uint256 = self._commitment_of[interval]
    refusals._require(not self._is_final(record), "too late to challenge")
    n: uint256 = record >> KNOWN_AT
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n_bids: uint256 = 0
    book, n_bids = forms._ranked(interval, committed.n_orders, n, ranking)
    clearing: clearing_rules.Clearing = clearing_rules._cleared(
        book, n_bids, n, committed.n_orders, books._terms()
    )
    if forms._is_clearing(
        clearing, committed.marginal_bid, committed.marginal_ask, committed.volume
    ):
        fills_wh: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
        for k: uint256 in range(n, bound=MAX_ORDERS):
            fills_wh[order_book._index(book[k])] = clearing_rules._filled_wh_of_key(
                book[k], clearing, books.RULE
            )
        refusals._require(
            fill_tree._root(fills_wh, committed.n_orders) != self._root_of[interval],
            "clearing is right",
        )
    self._root_of[interval] = empty(bytes32)
    self._commitment_of[interval] = 0
    dues._receive(msg.sender, CLEARING_BOND_UEUR)
    log ClearingOverturned(interval=interval, challenger=msg.sender)
    forms._conclude(interval, book, n, clearing)


@external
@nonreentrant
def claimFill(
    interval: uint256, account: address, filled_wh: uint256, proof: DynArray[bytes32, MAX_DEPTH]
):
    """
    @notice Prove what was filled of an account's order, once, after the challenge window. Anyone may
            call for anyone.
    @param interval The interval
    @param account Whose order it is
    @param filled_wh What was filled of it, also if that is nothing
    @param proof Nodes of the tree beside the way from the order's leaf to the root, from the leaf up
    """
    clearing: clearing_rules.Clearing = self._committed(interval)
    record: uint256 = self._commitment_of[interval]
    refusals._require(self._is_final(record), "clearing may still be challenged")
    position: uint256 = books._position_of[interval][account]
    order: uint256 = books._order_at(interval, position)
    refusals._require(order != 0 and not order_book._is_sealed(order), "no order")
    refusals._require(position & books.CLAIMED == 0, "already claimed")
    refusals._require(position & books.KNOWN == 0, "already reported")
    refusals._require(
        fill_tree._root_of_proof((position & MASK_10) - 1, filled_wh, proof) == self._root_of[interval],
        "not in the root",
    )
    refusals._require(filled_wh <= order_book._energy_wh(order), "fill above the order")
    price: uint256 = clearing_rules._price_of(order, clearing, books.RULE)
    limit: uint256 = order_book._price_ueur_per_kwh(order)
    is_sell: bool = order_book._is_sell(order)
    refusals._require(
        filled_wh == 0 or price == limit or (price > limit) == is_sell, "price beyond the order"
    )

    # no sum leaves its field, even if the root is wrong: every order is claimed once, within limits
    tally: uint256 = self._tally_of[interval]
    trade_ueur: uint256 = books._trade_ueur(order, filled_wh, clearing)
    if is_sell:
        refusals._require(trade_ueur <= tally & MASK_64, "buyers have not paid in")
        tally = unsafe_add(unsafe_sub(tally, trade_ueur), filled_wh << SOLD_AT)
    else:
        tally = unsafe_add(tally, trade_ueur | (filled_wh << BOUGHT_AT))
    books._position_of[interval][account] = position | books.CLAIMED | (filled_wh << books.CLAIM_AT)
    self._count(interval, tally, clearing.volume, record)
    log FillClaimed(interval=interval, account=account, is_sell=is_sell, energy_wh=filled_wh)


@external
@nonreentrant
def releaseBond(interval: uint256):
    """
    @notice Give a committer its bond back, after the challenge window. Anyone may call.
    """
    record: uint256 = self._commitment_of[interval]
    refusals._require(record & BOND_HELD != 0, "no bond")
    refusals._require(self._is_final(record), "clearing may still be challenged")
    self._commitment_of[interval] = record ^ BOND_HELD
    committer: address = convert(record & MASK_160, address)
    dues._receive(committer, CLEARING_BOND_UEUR)
    log BondReleased(interval=interval, committer=committer, amount_ueur=CLEARING_BOND_UEUR)


# --- views ------------------------------------------------------------------------------------


@external
@view
def rootOf(interval: uint256) -> bytes32:
    """
    @return Root that an interval was cleared by; zero if it was not, or was overturned
    """
    return self._root_of[interval]


@external
@view
def commitmentOf(interval: uint256) -> (address, uint256):
    """
    @return Who committed to a clearing, and when, as a Unix time; zero if nobody did, or it was
            overturned
    """
    record: uint256 = self._commitment_of[interval]
    return convert(record & MASK_160, address), (record >> TIME_AT) & MASK_64


@external
@view
def bondOf(interval: uint256) -> uint256:
    """
    @return Bond that is held for a committed clearing
    @custom:units µEUR
    """
    return CLEARING_BOND_UEUR if self._commitment_of[interval] & BOND_HELD != 0 else 0


@external
@view
def potOf(interval: uint256) -> uint256:
    """
    @return What buyers' claims paid in and sellers' claims have not taken out
    @custom:units µEUR
    """
    return self._tally_of[interval] & MASK_64


@external
@view
def isClaimed(interval: uint256, account: address) -> bool:
    """
    @return Whether an order's fill of a committed clearing was claimed
    """
    return books._position_of[interval][account] & books.CLAIMED != 0


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _committed(interval: uint256) -> clearing_rules.Clearing:
    clearing: clearing_rules.Clearing = books._clearing(interval)
    refusals._require(clearing.committed, "no committed clearing")
    return clearing


@internal
@view
def _is_final(record: uint256) -> bool:
    return block.timestamp > ((record >> TIME_AT) & MASK_64) + clock.CHALLENGE_S


@internal
def _give_up(interval: uint256, volume_wh: uint256):
    """
    @dev Let an order that nobody claimed go unfilled, once claims had as long as meters have.
    """
    record: uint256 = self._commitment_of[interval]
    committed_at_s: uint256 = (record >> TIME_AT) & MASK_64
    refusals._require(
        block.timestamp > committed_at_s + clock.CHALLENGE_S + clock.METERING_S,
        "fill not claimed",
    )
    self._count(interval, self._tally_of[interval], volume_wh, record)


@internal
def _count(interval: uint256, tally: uint256, volume_wh: uint256, record: uint256):
    """
    @dev Count one more order, and give the supplier the pot when nobody can claim out of it: all
         that was traded is claimed, or all orders are done.
    """
    counted: uint256 = unsafe_add(tally, 1 << DONE_AT)
    traded: bool = (
        (tally >> BOUGHT_AT) & MASK_41 == volume_wh and (tally >> SOLD_AT) & MASK_41 == volume_wh
    )
    if traded or counted >> DONE_AT == record >> KNOWN_AT:
        accounts._credit(dues.SUPPLIER, counted & MASK_64)
        counted = (counted >> BOUGHT_AT) << BOUGHT_AT
    self._tally_of[interval] = counted
