# pragma version 0.4.3
"""
@title Order window
@license Apache-2.0
@notice Orders for an interval until its gate closes, open or sealed, and the reveal of sealed ones.
@dev A sealed order is the hash of (interval, account, is_sell, energy_wh, price_ueur_per_kwh, salt),
     as abi_encode gives them. It holds its place in the order of arrival; whoever does not reveal
     it in time loses the deposit to the supplier.
     Orders of a batch (Submissions.vy) are taken in its order; one that would be refused alone is
     passed over, and an event says why.
"""

import batches
import clearing_rules
import community
import credit_lines as credit
import escrow_accounts as accounts
import interval_books as books
import market_clock as clock
import order_book
import positions
import refusals
import supplier_dues as dues

uses: accounts
uses: books
uses: clock
uses: community
uses: credit
uses: dues

MASK_10: constant(uint256) = order_book.MASK_10
MAX_ORDERS: constant(uint256) = order_book.MAX_ORDERS

event OrderPlaced:
    interval: indexed(uint256)
    account: indexed(address)
    is_sell: bool
    energy_wh: uint256
    price_ueur_per_kwh: uint256

event OrderPassedOver:
    interval: indexed(uint256)
    account: indexed(address)
    cause: uint256

event OrderCommitted:
    interval: indexed(uint256)
    account: indexed(address)
    commitment: bytes32


@external
@nonreentrant
def placeOrder(interval: uint256, is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256):
    """
    @notice Offer or ask for energy of an interval. Locks the escrow until the interval is settled.
    @dev A buyer locks what it may have to pay; a seller what the supplier charges above its price
         for energy that it sells and does not deliver.
    """
    self._require_open(interval)
    self._refuse(self._place(interval, msg.sender, is_sell, energy_wh, price_ueur_per_kwh))


@external
@nonreentrant
def placeOrders(interval: uint256, orders: DynArray[uint256, batches.MAX_BATCH]):
    """
    @notice Place orders of several accounts, in this order. Submissions.vy only, which knows that
            the accounts want them.
    @param interval The interval
    @param orders Words as order_book.vy packs them, without arrival index
    """
    refusals._require(msg.sender == books.SUBMISSIONS, "not the submissions")
    self._require_open(interval)
    for order: uint256 in orders:
        account: address = order_book._owner(order)
        cause: uint256 = self._place(
            interval,
            account,
            (order >> order_book.SIDE_AT) & 1 == 1,
            order_book._energy_wh(order),
            order_book._price_ueur_per_kwh(order),
        )
        if cause != 0:
            log OrderPassedOver(interval=interval, account=account, cause=cause)


@external
@nonreentrant
def commitOrder(interval: uint256, commitment: bytes32):
    """
    @notice Commit to an order without showing it. Locks the deposit until it is revealed.
    """
    refusals._require(clock.REVEAL_S != 0, "orders are open")
    clock._require_order_window(interval)
    self._refuse(credit._refusal(msg.sender, books.SEALED_DEPOSIT_UEUR))
    word: uint256 = books._clearing_of[interval] + 1
    self._refuse(self._arrival_refusal(interval, msg.sender, word))
    credit._take(msg.sender, books.SEALED_DEPOSIT_UEUR)
    books._clearing_of[interval] = word
    self._keep(
        interval, word & MASK_10, msg.sender, convert(commitment, uint256) | order_book.SEALED
    )
    log OrderCommitted(interval=interval, account=msg.sender, commitment=commitment)


@external
@nonreentrant
def revealOrder(
    interval: uint256,
    is_sell: bool,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
    salt: bytes32,
):
    """
    @notice Show the order that one committed to. Gives the deposit back and locks the escrow.
    """
    clock._require_reveal_window(interval)
    place: uint256 = books._position(interval, msg.sender) & MASK_10
    refusals._require(place != 0, "no sealed order")
    kept: uint256 = books._orders[interval % clock.RING][place - 1]
    refusals._require(order_book._is_sealed(kept), "already revealed")
    commitment: bytes32 = keccak256(
        abi_encode(interval, msg.sender, is_sell, energy_wh, price_ueur_per_kwh, salt)
    )
    refusals._require(kept == convert(commitment, uint256) | order_book.SEALED, "not what was sealed")
    self._refuse(self._range_refusal(is_sell, energy_wh, price_ueur_per_kwh))
    accounts._credit(msg.sender, books.SEALED_DEPOSIT_UEUR)
    self._refuse(
        self._record(
            interval,
            books._clearing_of[interval],
            place,
            msg.sender,
            is_sell,
            energy_wh,
            price_ueur_per_kwh,
        )
    )
    dues._settle(msg.sender, 0)


@internal
@view
def _require_open(interval: uint256):
    refusals._require(clock.REVEAL_S == 0, "orders are sealed")
    clock._require_order_window(interval)


@internal
@pure
def _refuse(cause: uint256):
    """
    @dev Say why a single order is refused, if it is.
    """
    if cause == 0:
        return
    refusals._require(cause != batches.NOT_A_MEMBER, "not a member")
    refusals._require(cause != batches.ORDER_EXISTS, "order exists")
    refusals._require(cause != batches.SLOT_IN_USE, "slot is in use")
    refusals._require(cause != batches.BOOK_FULL, "book full")
    refusals._require(cause != batches.ENERGY_OUT_OF_RANGE, "energy out of range")
    refusals._require(cause != batches.PRICE_OUT_OF_RANGE, "price out of range")
    refusals._require(cause != batches.PRICE_IS_SET, "price is set by the rule")
    refusals._require(cause != batches.BALANCE_TOO_LOW, "balance too low")
    refusals._require(cause != batches.CREDIT_LIMIT_REACHED, "credit limit reached")
    refusals._require(cause != batches.SUPPLIER_CANNOT_LEND, "supplier cannot lend")


@internal
@view
def _range_refusal(is_sell: bool, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev Why nobody can place such an order (batch_batches.vy), or zero if somebody can.
    """
    if energy_wh == 0 or energy_wh > books.MAX_ENERGY_WH:
        return batches.ENERGY_OUT_OF_RANGE
    if price_ueur_per_kwh > books.MAX_PRICE_UEUR_PER_KWH:
        return batches.PRICE_OUT_OF_RANGE
    if books.RULE >= clearing_rules.MID_MARKET_RATE:
        # whoever trades by these rules takes the price, and says so by the limit that never binds
        taken: uint256 = 0 if is_sell else books.RETAIL_PRICE_UEUR_PER_KWH
        if price_ueur_per_kwh != taken:
            return batches.PRICE_IS_SET
    return 0


@internal
@view
def _arrival_refusal(interval: uint256, account: address, word: uint256) -> uint256:
    """
    @dev Why an account has no place in the order of arrival, or zero if it has.
    @param word The interval's word with one more arrival
    """
    if not community._is_member(account):
        return batches.NOT_A_MEMBER
    position: uint256 = books._position(interval, account)
    if position == positions.IN_USE:
        return batches.SLOT_IN_USE
    if position != 0:
        return batches.ORDER_EXISTS
    if word & MASK_10 > MAX_ORDERS:
        return batches.BOOK_FULL
    return 0


@internal
def _place(
    interval: uint256,
    account: address,
    is_sell: bool,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
) -> uint256:
    """
    @dev Take an order, or change nothing.
    @return Why it is refused, or zero
    """
    cause: uint256 = self._range_refusal(is_sell, energy_wh, price_ueur_per_kwh)
    if cause != 0:
        return cause
    word: uint256 = books._clearing_of[interval] + 1
    cause = self._arrival_refusal(interval, account, word)
    if cause != 0:
        return cause
    return self._record(
        interval, word, word & MASK_10, account, is_sell, energy_wh, price_ueur_per_kwh
    )


@internal
def _record(
    interval: uint256,
    word: uint256,
    place: uint256,
    account: address,
    is_sell: bool,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
) -> uint256:
    """
    @dev Lock the escrow of an account's order and keep it in its place, or change nothing.
    @return Why the account cannot lock it, or zero
    """
    escrow_ueur: uint256 = positions._escrow_ueur(
        is_sell, energy_wh, price_ueur_per_kwh, books.RETAIL_PRICE_UEUR_PER_KWH
    )
    cause: uint256 = credit._refusal(account, escrow_ueur)
    if cause != 0:
        return cause
    credit._take(account, escrow_ueur)
    books._clearing_of[interval] = books._with_order(word, is_sell, price_ueur_per_kwh)
    self._keep(
        interval,
        place,
        account,
        order_book._order(account, is_sell, energy_wh, price_ueur_per_kwh),
    )
    log OrderPlaced(
        interval=interval,
        account=account,
        is_sell=is_sell,
        energy_wh=energy_wh,
        price_ueur_per_kwh=price_ueur_per_kwh,
    )
    return 0


@internal
def _keep(interval: uint256, place: uint256, account: address, order: uint256):
    """
    @dev Keep an order in its place in the order of arrival, counted from 1, and in its account's
         position.
    """
    slot: uint256 = interval % clock.RING
    books._orders[slot][unsafe_sub(place, 1)] = order
    books._position_of[slot][account] = positions._placed(interval, place, order)
