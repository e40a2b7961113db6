# pragma version 0.4.3
"""
@title Records of requests and offers
@license Apache-2.0
@notice Requests of the DSO, offers to them and what accounts were awarded, and their views.
@dev Written by the flexibility market: requests, offers and awards before delivery starts,
     settlements from then on.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh; time in s
"""

import ILocalMarket
import flexibility_book as book
import order_book

LOCAL_MARKET: public(immutable(address))
DSO: public(immutable(address))
PENALTY_UEUR_PER_KWH: public(immutable(uint256))
BOND_UEUR_PER_KWH: public(immutable(uint256))

_n_requests: uint256
_requests: HashMap[uint256, uint256]
_offers: HashMap[uint256, HashMap[address, uint256]]
_further_blocks: HashMap[uint256, HashMap[address, uint256]]
_positions: HashMap[uint256, HashMap[address, uint256]]


@deploy
def __init__(
    local_market: address,
    dso: address,
    penalty_ueur_per_kwh: uint256,
    uncalled_penalty_ueur_per_kwh: uint256,
):
    """
    @param local_market Keeps the times of delivery
    @param dso Opens requests and awards offers
    @param penalty_ueur_per_kwh What awarded but undelivered energy costs
    @param uncalled_penalty_ueur_per_kwh What offered energy may cost who is not called
    """
    assert (
        penalty_ueur_per_kwh <= order_book.MAX_PRICE_UEUR_PER_KWH
    ), "flexibility market: price out of range"
    LOCAL_MARKET = local_market
    DSO = dso
    PENALTY_UEUR_PER_KWH = penalty_ueur_per_kwh
    BOND_UEUR_PER_KWH = max(penalty_ueur_per_kwh, uncalled_penalty_ueur_per_kwh)


@external
@view
def requestCount() -> uint256:
    """
    @return How many requests were opened; they are numbered from 1
    """
    return self._n_requests


@external
@view
def requestOf(request_id: uint256) -> (uint256, bool, uint256, uint256, uint256, bool):
    """
    @return Interval, whether upward, quantity, price cap, awarded energy, whether closed;
            quantity 0 means that there is none
    @custom:units energy in Wh, price in µEUR/kWh
    """
    request: book.Request = book._request(self._requests[request_id])
    return (
        request.interval,
        request.is_up,
        request.quantity_wh,
        request.price_cap_ueur_per_kwh,
        request.awarded_wh,
        request.closed,
    )


@external
@view
def offerOf(
    request_id: uint256, account: address
) -> (uint256, uint256, int256, uint256, uint256, bool):
    """
    @return Energy of all blocks, price of the cheapest, baseline, awarded energy, energy awarded by
            earlier requests for the same interval, whether settled; energy 0 means that there is
            none
    @custom:units energy in Wh, price in µEUR/kWh
    """
    offer: book.Offer = self._offer_of(request_id, account)
    return (
        offer.energy_wh,
        offer.price_ueur_per_kwh,
        offer.baseline_wh,
        offer.awarded_wh,
        offer.earlier_wh,
        offer.settled,
    )


@external
@view
def blockOf(request_id: uint256, account: address, k: uint256) -> (uint256, uint256):
    """
    @return Energy and price of a block of an offer, the cheapest is 0; energy 0 means that there is
            none
    @custom:units energy in Wh, price in µEUR/kWh
    """
    if k >= book.MAX_BLOCKS:
        return 0, 0
    return book._block(self._offer_of(request_id, account), k)


@external
@view
def escrowOf(request_id: uint256) -> uint256:
    """
    @return The DSO's escrow that no award holds, until the request is closed
    @custom:units µEUR
    """
    request: book.Request = book._request(self._requests[request_id])
    if request.closed:
        return 0
    return self._unawarded_ueur(request)


@external
@view
def lockedOf(request_id: uint256, account: address) -> uint256:
    """
    @return An offer's bond, and the escrow that its award holds, until it is settled
    @custom:units µEUR
    """
    offer: book.Offer = self._offer_of(request_id, account)
    if offer.settled:
        return 0
    bond_ueur: uint256 = order_book._due_ueur(offer.energy_wh, BOND_UEUR_PER_KWH)
    return bond_ueur + book._earned_ueur(offer, offer.awarded_wh)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _existing_request(request_id: uint256) -> book.Request:
    request: book.Request = book._request(self._requests[request_id])
    assert request.quantity_wh != 0, "flexibility market: no such request"
    return request


@internal
@view
def _check_before_delivery(interval: uint256):
    assert (
        block.timestamp < staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(interval)
    ), "flexibility market: delivery has started"


@internal
@view
def _check_delivery_started(interval: uint256):
    assert (
        block.timestamp >= staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(interval)
    ), "flexibility market: delivery has not started"


@internal
@view
def _offer_of(request_id: uint256, account: address) -> book.Offer:
    offer: book.Offer = book._offer(self._offers[request_id][account])
    if offer.is_curve:
        offer.further = self._further_blocks[request_id][account]
    return offer


@internal
@pure
def _unawarded_ueur(request: book.Request) -> uint256:
    return (
        order_book._due_ueur(request.quantity_wh, request.price_cap_ueur_per_kwh)
        - request.awarded_ueur
    )
