# pragma version 0.4.3
"""
@title Committed clearing
@license Apache-2.0
@notice Clears an interval by the root of a tree of fills. For a while anyone can challenge it, then
        each order claims its fill with a proof: at the settlement, see MarketSettlement.vy.
@dev Half of the bond of a wrong clearing is the challenger's. The other half is nobody's: it is
     credited to the zero address, which cannot withdraw, so that who commits to a wrong clearing
     and challenges it itself, or pays its supplier, loses all the same.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh
"""

import clearing_forms as forms
import clearing_rules
import commitments
import escrow_accounts as accounts
import fill_tree
import interval_books as books
import market_clock as clock
import order_book
import positions
import refusals
import supplier_dues as dues

uses: accounts
uses: books
uses: clock
uses: dues
uses: forms

MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS
MAX_WORDS: constant(uint256) = forms.MAX_WORDS
MASK_10: constant(uint256) = order_book.MASK_10
MASK_41: constant(uint256) = order_book.MASK_41
MASK_160: constant(uint256) = order_book.MASK_160

CLEARING_BOND_UEUR: public(immutable(uint256))

_root_of: HashMap[uint256, bytes32]
_commitment_of: HashMap[uint256, uint256]

event ClearingCommitted:
    interval: indexed(uint256)
    committer: indexed(address)
    root: bytes32
    buy_price_ueur_per_kwh: uint256
    sell_price_ueur_per_kwh: uint256
    volume_wh: uint256
    n_orders: uint256
    bond_ueur: uint256

event ClearingOverturned:
    interval: indexed(uint256)
    challenger: indexed(address)
    committer: indexed(address)
    reward_ueur: uint256
    burned_ueur: uint256

event BondReleased:
    interval: indexed(uint256)
    committer: indexed(address)
    amount_ueur: uint256


@deploy
def __init__(clearing_bond_ueur: uint256):
    assert (
        books.FORM != books.COMMITTED or clock.CHALLENGE_S != 0
    ), "local market: no challenge window"
    assert books.FORM != books.COMMITTED or clearing_bond_ueur != 0, "local market: no clearing bond"
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
    @notice Clear an interval, once, when its orders are known and so early that the challenge window
            is over before delivery ends, by the root of the tree of fills. Anyone may call but the
            supplier, whose money leaves by notice; locks a bond that is lost, half of it to whoever
            shows that the clearing is wrong.
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
    # whose bond goes to a challenger that it knows, it would withdraw without notice
    refusals._require(msg.sender != dues.SUPPLIER, "supplier cannot commit")
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
        | (block.timestamp << commitments.TIME_AT)
        | commitments.BOND_HELD
        | (books._revealed(word) << commitments.KNOWN_AT)
    )
    log ClearingCommitted(
        interval=interval,
        committer=msg.sender,
        root=root,
        buy_price_ueur_per_kwh=buy_price_ueur_per_kwh,
        sell_price_ueur_per_kwh=sell_price_ueur_per_kwh,
        volume_wh=volume_wh,
        n_orders=clearing.n_orders,
        bond_ueur=CLEARING_BOND_UEUR,
    )


@external
@nonreentrant
def challengeClearing(interval: uint256, ranking: DynArray[uint256, MAX_WORDS]):
    """
    @notice Show that a committed clearing is wrong in root, price or volume, and get half of its bond.
            The right clearing takes its place at once. Anyone may call, in the challenge window.
    @param interval The interval
    @param ranking As in clearVerified
    """
    committed: clearing_rules.Clearing = self._committed(interval)
    record: uint256 = self._commitment_of[interval]
    refusals._require(not commitments._is_final(record, clock.CHALLENGE_S), "too late to challenge")
    n: uint256 = record >> commitments.KNOWN_AT
    book: uint256[MAX_ORDERS] = empty(uint256[MAX_ORDERS])
    n_bids: uint256 = 0
    book, n_bids = forms._ranked(interval, committed.n_orders, n, ranking)
    clearing: clearing_rules.Clearing = clearing_rules._cleared(
        book, n_bids, n, committed.n_orders, books._terms(interval)
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
    reward_ueur: uint256 = unsafe_div(CLEARING_BOND_UEUR, 2)
    burned_ueur: uint256 = unsafe_sub(CLEARING_BOND_UEUR, reward_ueur)
    dues._receive(msg.sender, reward_ueur)
    accounts._credit(empty(address), burned_ueur)
    log ClearingOverturned(
        interval=interval,
        challenger=msg.sender,
        committer=convert(record & MASK_160, address),
        reward_ueur=reward_ueur,
        burned_ueur=burned_ueur,
    )
    forms._conclude(interval, book, n, clearing)


@external
@nonreentrant
def releaseBond(interval: uint256):
    """
    @notice Give a committer its bond back, after the challenge window. Anyone may call.
    """
    record: uint256 = self._commitment_of[interval]
    refusals._require(record & commitments.BOND_HELD != 0, "no bond")
    refusals._require(commitments._is_final(record, clock.CHALLENGE_S), "clearing may still be challenged")
    self._commitment_of[interval] = record ^ commitments.BOND_HELD
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
    return convert(record & MASK_160, address), commitments._time_s(record)


@external
@view
def claimRecordsOf(
    interval: uint256, account: address
) -> (uint256, uint256, uint256, uint256, bytes32):
    """
    @return Position, order, clearing and commitment, each the word that is kept (positions.vy,
            order_book.vy, clearing_rules.vy, commitments.vy), and the root
    """
    position: uint256 = books._position(interval, account)
    return (
        position,
        positions._order(position, account),
        books._clearing_of[interval],
        self._commitment_of[interval],
        self._root_of[interval],
    )


@external
@view
def bondOf(interval: uint256) -> uint256:
    """
    @return Bond that is held for a committed clearing
    @custom:units µEUR
    """
    return CLEARING_BOND_UEUR if self._commitment_of[interval] & commitments.BOND_HELD != 0 else 0


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _committed(interval: uint256) -> clearing_rules.Clearing:
    clearing: clearing_rules.Clearing = books._clearing(interval)
    refusals._require(clearing.committed, "no committed clearing")
    return clearing
