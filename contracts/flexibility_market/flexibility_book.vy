# pragma version 0.4.3
"""
@title Flexibility book
@license Apache-2.0
@notice Pure arithmetic of the flexibility market: records of one storage slot each, and delivery.
@dev Python model: cosim/mechanisms/flexibility_market/model.py.
     The blocks of an offer beyond its first are a word of their own, from the lowest bit: for each
     block the energy of those before it 32 | price 31.
@custom:units energy in Wh, prices in µEUR/kWh, amounts in µEUR
"""

import order_book

MAX_BATCH: constant(uint256) = 256
MAX_BLOCKS: constant(uint256) = 4
BLOCK_BITS: constant(uint256) = 63
MASK_1: constant(uint256) = 1
MASK_31: constant(uint256) = 2**31 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_34: constant(uint256) = 2**34 - 1
MASK_64: constant(uint256) = 2**64 - 1
SIGNED_OFFSET: constant(int256) = 2**32

struct Request:
    interval: uint256
    # raise net injection, or lower it
    is_up: bool
    closed: bool
    quantity_wh: uint256
    price_cap_ueur_per_kwh: uint256
    awarded_wh: uint256
    # what awards hold of the escrow: their energy at their price
    awarded_ueur: uint256

struct Offer:
    # of all blocks; 0: there is no offer
    energy_wh: uint256
    # of the first block
    price_ueur_per_kwh: uint256
    baseline_wh: int256
    awarded_wh: uint256
    # awarded to the account for this interval by earlier requests: delivered first
    earlier_wh: uint256
    settled: bool
    # whether there are blocks beyond the first, and the word of them
    is_curve: bool
    further: uint256

# What an account was awarded for an interval, over all requests.
struct Position:
    awarded_wh: uint256
    is_up: bool
    baseline_wh: int256


@internal
@pure
def _delivered_wh(offer: Offer, is_up: bool, net_wh: int256) -> uint256:
    """
    @dev The change against the baseline in the direction of the request, less what earlier
         requests bought of it, at most what was awarded.
    """
    change_wh: int256 = net_wh - offer.baseline_wh if is_up else offer.baseline_wh - net_wh
    change_wh -= convert(offer.earlier_wh, int256)
    if change_wh <= 0:
        return 0
    return min(convert(change_wh, uint256), offer.awarded_wh)


@internal
@pure
def _wrong_way_wh(offer: Offer, is_up: bool, net_wh: int256) -> uint256:
    """
    @dev The change against the baseline the other way; once an account, by its first award.
    """
    change_wh: int256 = net_wh - offer.baseline_wh if is_up else offer.baseline_wh - net_wh
    if offer.earlier_wh != 0 or change_wh >= 0:
        return 0
    return convert(-change_wh, uint256)


@internal
@pure
def _uncalled_wh(offer: Offer, is_up: bool, net_wh: int256) -> uint256:
    """
    @dev What would have counted as delivered, had all of an offer been awarded that nobody called.
    """
    change_wh: int256 = net_wh - offer.baseline_wh if is_up else offer.baseline_wh - net_wh
    if change_wh <= 0:
        return 0
    return min(convert(change_wh, uint256), offer.energy_wh)


@internal
@pure
def _earned_ueur(offer: Offer, energy_wh: uint256) -> uint256:
    """
    @dev What energy of an offer earns, from its cheapest block up, rounded down once.
    """
    price: uint256 = offer.price_ueur_per_kwh
    earned: uint256 = energy_wh * price
    further: uint256 = offer.further
    for _: uint256 in range(MAX_BLOCKS - 1):
        before_wh: uint256 = further & MASK_32
        if further == 0 or energy_wh <= before_wh:
            break
        dearer: uint256 = (further >> 32) & MASK_31
        earned += (energy_wh - before_wh) * (dearer - price)
        price = dearer
        further >>= BLOCK_BITS
    return earned // order_book.WH_PER_KWH


@internal
@pure
def _packed_block(k: uint256, before_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @dev Its bits in the word of further blocks; k counts from 1.
    """
    return (before_wh | (price_ueur_per_kwh << 32)) << (BLOCK_BITS * (k - 1))


@internal
@pure
def _block(offer: Offer, k: uint256) -> (uint256, uint256):
    """
    @dev Energy and price of a block, counted from 0; energy 0 if there is none.
    """
    before_wh: uint256 = 0
    price: uint256 = offer.price_ueur_per_kwh
    if k != 0:
        word: uint256 = offer.further >> (BLOCK_BITS * (k - 1))
        before_wh = word & MASK_32
        price = (word >> 32) & MASK_31
        if before_wh == 0:
            return 0, 0
    after_wh: uint256 = 0
    if k != MAX_BLOCKS - 1:
        after_wh = (offer.further >> (BLOCK_BITS * k)) & MASK_32
    if after_wh == 0:
        after_wh = offer.energy_wh
    return after_wh - before_wh, price


@internal
@pure
def _packed_request(request: Request) -> uint256:
    word: uint256 = request.interval
    word |= convert(request.is_up, uint256) << 64
    word |= convert(request.closed, uint256) << 65
    word |= request.quantity_wh << 66
    word |= request.price_cap_ueur_per_kwh << 98
    word |= request.awarded_wh << 129
    return word | (request.awarded_ueur << 161)


@internal
@pure
def _request(word: uint256) -> Request:
    return Request(
        interval=word & MASK_64,
        is_up=(word >> 64) & MASK_1 == 1,
        closed=(word >> 65) & MASK_1 == 1,
        quantity_wh=(word >> 66) & MASK_32,
        price_cap_ueur_per_kwh=(word >> 98) & MASK_31,
        awarded_wh=(word >> 129) & MASK_32,
        awarded_ueur=word >> 161,
    )


@internal
@pure
def _packed_offer(offer: Offer) -> uint256:
    word: uint256 = offer.energy_wh
    word |= offer.price_ueur_per_kwh << 32
    word |= convert(offer.baseline_wh + SIGNED_OFFSET, uint256) << 63
    word |= offer.awarded_wh << 97
    word |= offer.earlier_wh << 129
    word |= convert(offer.settled, uint256) << 193
    return word | (convert(offer.is_curve, uint256) << 194)


@internal
@pure
def _offer(word: uint256) -> Offer:
    if word == 0:
        return empty(Offer)
    return Offer(
        energy_wh=word & MASK_32,
        price_ueur_per_kwh=(word >> 32) & MASK_31,
        baseline_wh=convert((word >> 63) & MASK_34, int256) - SIGNED_OFFSET,
        awarded_wh=(word >> 97) & MASK_32,
        earlier_wh=(word >> 129) & MASK_64,
        settled=(word >> 193) & MASK_1 == 1,
        is_curve=(word >> 194) & MASK_1 == 1,
        further=0,
    )


@internal
@pure
def _packed_position(position: Position) -> uint256:
    word: uint256 = position.awarded_wh
    word |= convert(position.is_up, uint256) << 64
    return word | (convert(position.baseline_wh + SIGNED_OFFSET, uint256) << 65)


@internal
@pure
def _position(word: uint256) -> Position:
    if word == 0:
        return empty(Position)
    return Position(
        awarded_wh=word & MASK_64,
        is_up=(word >> 64) & MASK_1 == 1,
        baseline_wh=convert((word >> 65) & MASK_34, int256) - SIGNED_OFFSET,
    )
