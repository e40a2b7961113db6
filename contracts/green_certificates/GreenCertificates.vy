# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Green certificates
@license Apache-2.0
@notice Hourly guarantees of origin: a registered meter's renewable production of an interval
        becomes certificates of its delivery hour, once. They are given away, sold, and retired
        against metered consumption of the same hour.
@dev An interval k starts at first_delivery + k * step and lies in one clock hour; its meter records
     it in [start + step, start + step + metering]. A certificate is 1 Wh of an hour, and hours are
     numbered by Unix time / 3600. At every moment, for each hour,
       issued = sum of held over accounts + sum of offers + retired,
     no account retired more than its meters recorded as consumption of that hour, and
     token.balanceOf(this) is at least, and but for tokens sent here outside deposit() equal to,
     the sum of balanceOf over accounts. No call of one account can stop another's.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh; time in s
"""

import certificate_issue as issue
import escrow_accounts as accounts
import order_book

initializes: accounts
initializes: issue

exports: issue.__interface__

MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH

# an offer: seller 160 | energy 32 | price 31 | hour 33
ENERGY_AT: constant(uint256) = 160
PRICE_AT: constant(uint256) = 192
HOUR_AT: constant(uint256) = 223
MASK_31: constant(uint256) = 2**31 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_160: constant(uint256) = 2**160 - 1
MAX_HOUR: constant(uint256) = 2**33 - 1

TOKEN: public(immutable(address))

_n_offers: uint256
_offers: HashMap[uint256, uint256]

event CertificatesTransferred:
    hour: indexed(uint256)
    sender: indexed(address)
    receiver: indexed(address)
    energy_wh: uint256

event CertificatesOffered:
    offer: indexed(uint256)
    hour: indexed(uint256)
    account: indexed(address)
    energy_wh: uint256
    price_ueur_per_kwh: uint256

event CertificatesSold:
    offer: indexed(uint256)
    hour: indexed(uint256)
    buyer: indexed(address)
    seller: address
    energy_wh: uint256
    amount_ueur: uint256

event OfferCancelled:
    offer: indexed(uint256)
    hour: indexed(uint256)
    account: indexed(address)
    energy_wh: uint256

event CertificatesRetired:
    hour: indexed(uint256)
    account: indexed(address)
    energy_wh: uint256


@deploy
def __init__(
    token: address, meters: address, first_delivery_s: uint256, step_s: uint256, metering_s: uint256
):
    """
    @param token ERC-20 with 6 decimals
    @param meters Registry of smart meters
    @param first_delivery_s Start of interval 0, Unix time
    @param step_s Length of an interval
    @param metering_s How long after delivery meters may record
    """
    accounts.__init__(token)
    issue.__init__(meters, first_delivery_s, step_s, metering_s)
    TOKEN = token


# --- money ------------------------------------------------------------------------------------


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the contract, to buy certificates with.
    """
    assert accounts._deposit(msg.sender, amount_ueur), "green certificates: token transfer failed"


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the contract.
    """
    assert amount_ueur <= accounts._free(msg.sender), "green certificates: balance too low"
    assert accounts._withdraw(msg.sender, amount_ueur), "green certificates: token transfer failed"


# --- trade ------------------------------------------------------------------------------------


@external
@nonreentrant
def transfer(hour: uint256, to: address, energy_wh: uint256):
    """
    @notice Give own certificates of an hour away.
    """
    assert to != empty(address), "green certificates: to the zero address"
    holding: uint256 = issue._holding_with(hour, msg.sender, energy_wh)
    issue._holding_of[hour][msg.sender] = holding - energy_wh
    issue._holding_of[hour][to] += energy_wh
    log CertificatesTransferred(hour=hour, sender=msg.sender, receiver=to, energy_wh=energy_wh)


@external
@nonreentrant
def offer(hour: uint256, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @notice Offer own certificates of an hour for sale; they are held until sold or cancelled.
    @return Number of the offer, counted from 1
    """
    assert hour <= MAX_HOUR, "green certificates: hour out of range"
    assert energy_wh <= issue.MAX_ENERGY_WH, "green certificates: energy out of range"
    assert price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "green certificates: price out of range"
    holding: uint256 = issue._holding_with(hour, msg.sender, energy_wh)
    issue._holding_of[hour][msg.sender] = holding - energy_wh
    offer_id: uint256 = self._n_offers + 1
    self._n_offers = offer_id
    self._offers[offer_id] = (
        convert(msg.sender, uint256)
        | (energy_wh << ENERGY_AT)
        | (price_ueur_per_kwh << PRICE_AT)
        | (hour << HOUR_AT)
    )
    log CertificatesOffered(
        offer=offer_id,
        hour=hour,
        account=msg.sender,
        energy_wh=energy_wh,
        price_ueur_per_kwh=price_ueur_per_kwh,
    )
    return offer_id


@external
@nonreentrant
def buy(offer_id: uint256, energy_wh: uint256):
    """
    @notice Buy certificates of an offer, some or all, with the free balance. Anyone may call.
    @dev The price of the whole purchase is rounded up, and all of it is the seller's.
    """
    offered: uint256 = self._offers[offer_id]
    assert offered != 0, "green certificates: no such offer"
    assert energy_wh != 0, "green certificates: energy out of range"
    offered_wh: uint256 = (offered >> ENERGY_AT) & MASK_32
    assert energy_wh <= offered_wh, "green certificates: more than offered"
    amount_ueur: uint256 = order_book._due_ueur(energy_wh, (offered >> PRICE_AT) & MASK_31)
    assert amount_ueur <= accounts._free(msg.sender), "green certificates: balance too low"

    hour: uint256 = offered >> HOUR_AT
    seller: address = convert(offered & MASK_160, address)
    self._offers[offer_id] = 0 if energy_wh == offered_wh else offered - (energy_wh << ENERGY_AT)
    accounts._debit(msg.sender, amount_ueur)
    accounts._credit(seller, amount_ueur)
    issue._holding_of[hour][msg.sender] += energy_wh
    log CertificatesSold(
        offer=offer_id,
        hour=hour,
        buyer=msg.sender,
        seller=seller,
        energy_wh=energy_wh,
        amount_ueur=amount_ueur,
    )


@external
@nonreentrant
def cancelOffer(offer_id: uint256):
    """
    @notice Take back what of an offer is not sold. Seller only.
    """
    offered: uint256 = self._offers[offer_id]
    assert offered != 0, "green certificates: no such offer"
    assert convert(offered & MASK_160, address) == msg.sender, "green certificates: not your offer"
    hour: uint256 = offered >> HOUR_AT
    energy_wh: uint256 = (offered >> ENERGY_AT) & MASK_32
    self._offers[offer_id] = 0
    issue._holding_of[hour][msg.sender] += energy_wh
    log OfferCancelled(offer=offer_id, hour=hour, account=msg.sender, energy_wh=energy_wh)


# --- retirement -------------------------------------------------------------------------------


@external
@nonreentrant
def retire(hour: uint256, energy_wh: uint256):
    """
    @notice Use own certificates up, for good, as proof of what one's consumption of their hour
            came from.
    """
    holding: uint256 = issue._holding_with(hour, msg.sender, energy_wh)
    consumed_wh: uint256 = (holding >> issue.CONSUMED_AT) & issue.MASK_64
    retired_wh: uint256 = holding >> issue.RETIRED_AT
    assert energy_wh <= consumed_wh - retired_wh, "green certificates: more than consumed"
    issue._holding_of[hour][msg.sender] = holding - energy_wh + (energy_wh << issue.RETIRED_AT)
    issue._totals_of[hour] += energy_wh << issue.RETIRED_AT
    log CertificatesRetired(hour=hour, account=msg.sender, energy_wh=energy_wh)


# --- views ------------------------------------------------------------------------------------


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Free balance of money
    @custom:units µEUR
    """
    return accounts._free(account)


@external
@view
def offerCount() -> uint256:
    """
    @return How many offers were made; they are numbered from 1
    """
    return self._n_offers


@external
@view
def offerOf(offer_id: uint256) -> (address, uint256, uint256, uint256):
    """
    @return Seller, hour, energy not sold yet, and price; energy 0 means that there is none, or
            none any more
    @custom:units energy in Wh, price in µEUR/kWh
    """
    offered: uint256 = self._offers[offer_id]
    return (
        convert(offered & MASK_160, address),
        offered >> HOUR_AT,
        (offered >> ENERGY_AT) & MASK_32,
        (offered >> PRICE_AT) & MASK_31,
    )
