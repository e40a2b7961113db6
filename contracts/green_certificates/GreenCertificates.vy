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

import ISmartMeters
import escrow_accounts as accounts
import order_book

initializes: accounts

HOUR_S: constant(uint256) = 3_600
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH
MAX_PRICE_UEUR_PER_KWH: public(constant(uint256)) = order_book.MAX_PRICE_UEUR_PER_KWH

# two words, one per hour and account, one per hour, each of three sums of 64 bits. To overflow one,
# an hour would need 2**32 records of the largest energy within the metering window.
#   holding: held | consumed | retired      totals: issued | consumed | retired
CONSUMED_AT: constant(uint256) = 64
RETIRED_AT: constant(uint256) = 128
MASK_64: constant(uint256) = 2**64 - 1

# an offer: seller 160 | energy 32 | price 31 | hour 33
ENERGY_AT: constant(uint256) = 160
PRICE_AT: constant(uint256) = 192
HOUR_AT: constant(uint256) = 223
MASK_31: constant(uint256) = 2**31 - 1
MASK_32: constant(uint256) = 2**32 - 1
MASK_160: constant(uint256) = 2**160 - 1
MAX_HOUR: constant(uint256) = 2**33 - 1

TOKEN: public(immutable(address))
METERS: public(immutable(address))
FIRST_DELIVERY_S: public(immutable(uint256))
STEP_S: public(immutable(uint256))
METERING_S: public(immutable(uint256))

# of a meter, one bit per interval, 256 to a word
_recorded_by: HashMap[address, HashMap[uint256, uint256]]
_holding_of: HashMap[uint256, HashMap[address, uint256]]
_totals_of: HashMap[uint256, uint256]
_n_offers: uint256
_offers: HashMap[uint256, uint256]

event EnergyRecorded:
    interval: indexed(uint256)
    meter: indexed(address)
    account: indexed(address)
    hour: uint256
    produced_wh: uint256
    consumed_wh: uint256

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
    assert (
        step_s != 0 and HOUR_S % step_s == 0
    ), "green certificates: step does not divide the hour"
    assert (
        first_delivery_s % step_s == 0
    ), "green certificates: first delivery not at a whole step"
    accounts.__init__(token)
    TOKEN = token
    METERS = meters
    FIRST_DELIVERY_S = first_delivery_s
    STEP_S = step_s
    METERING_S = metering_s


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


# --- issue ------------------------------------------------------------------------------------


@external
@nonreentrant
def record(interval: uint256, produced_wh: uint256, consumed_wh: uint256):
    """
    @notice Record what was produced from renewable sources and what was consumed in an interval,
            once. Called by the meter; its customer gets the certificates.
    @dev A meter has recorded an interval for good, whoever its customer is later.
    @param interval A delivered interval
    @param produced_wh Renewable production, before own consumption
    @param consumed_wh Consumption, from whatever source
    """
    customer: address = staticcall ISmartMeters(METERS).customerOf(msg.sender)
    assert customer != empty(address), "green certificates: unknown meter"
    start_s: uint256 = self._delivery_start_s(interval)
    assert block.timestamp >= start_s + STEP_S, "green certificates: not yet delivered"
    assert block.timestamp <= start_s + STEP_S + METERING_S, "green certificates: too late to record"
    assert max(produced_wh, consumed_wh) <= MAX_ENERGY_WH, "green certificates: energy out of range"
    recorded: uint256 = self._recorded_by[msg.sender][interval >> 8]
    bit: uint256 = 1 << (interval & 255)
    assert recorded & bit == 0, "green certificates: already recorded"

    hour: uint256 = start_s // HOUR_S
    energies: uint256 = produced_wh | (consumed_wh << CONSUMED_AT)
    self._recorded_by[msg.sender][interval >> 8] = recorded | bit
    self._holding_of[hour][customer] += energies
    self._totals_of[hour] += energies
    log EnergyRecorded(
        interval=interval,
        meter=msg.sender,
        account=customer,
        hour=hour,
        produced_wh=produced_wh,
        consumed_wh=consumed_wh,
    )


# --- trade ------------------------------------------------------------------------------------


@external
@nonreentrant
def transfer(hour: uint256, to: address, energy_wh: uint256):
    """
    @notice Give own certificates of an hour away.
    """
    assert to != empty(address), "green certificates: to the zero address"
    holding: uint256 = self._holding_with(hour, msg.sender, energy_wh)
    self._holding_of[hour][msg.sender] = holding - energy_wh
    self._holding_of[hour][to] += energy_wh
    log CertificatesTransferred(hour=hour, sender=msg.sender, receiver=to, energy_wh=energy_wh)


@external
@nonreentrant
def offer(hour: uint256, energy_wh: uint256, price_ueur_per_kwh: uint256) -> uint256:
    """
    @notice Offer own certificates of an hour for sale; they are held until sold or cancelled.
    @return Number of the offer, counted from 1
    """
    assert hour <= MAX_HOUR, "green certificates: hour out of range"
    assert energy_wh <= MAX_ENERGY_WH, "green certificates: energy out of range"
    assert price_ueur_per_kwh <= MAX_PRICE_UEUR_PER_KWH, "green certificates: price out of range"
    holding: uint256 = self._holding_with(hour, msg.sender, energy_wh)
    self._holding_of[hour][msg.sender] = holding - energy_wh
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
    self._holding_of[hour][msg.sender] += energy_wh
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
    self._holding_of[hour][msg.sender] += energy_wh
    log OfferCancelled(offer=offer_id, hour=hour, account=msg.sender, energy_wh=energy_wh)


# --- retirement -------------------------------------------------------------------------------


@external
@nonreentrant
def retire(hour: uint256, energy_wh: uint256):
    """
    @notice Use own certificates up, for good, as proof of what one's consumption of their hour
            came from.
    """
    holding: uint256 = self._holding_with(hour, msg.sender, energy_wh)
    consumed_wh: uint256 = (holding >> CONSUMED_AT) & MASK_64
    retired_wh: uint256 = holding >> RETIRED_AT
    assert energy_wh <= consumed_wh - retired_wh, "green certificates: more than consumed"
    self._holding_of[hour][msg.sender] = holding - energy_wh + (energy_wh << RETIRED_AT)
    self._totals_of[hour] += energy_wh << RETIRED_AT
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
def heldOf(hour: uint256, account: address) -> uint256:
    """
    @return Certificates that the account holds: neither offered nor retired
    @custom:units Wh
    """
    return self._holding_of[hour][account] & MASK_64


@external
@view
def consumptionOf(hour: uint256, account: address) -> (uint256, uint256, uint256):
    """
    @return Recorded consumption of the hour; how much of it certificates were retired for; and
            the residual, of no proven origin
    @custom:units Wh
    """
    holding: uint256 = self._holding_of[hour][account]
    consumed_wh: uint256 = (holding >> CONSUMED_AT) & MASK_64
    retired_wh: uint256 = holding >> RETIRED_AT
    return consumed_wh, retired_wh, consumed_wh - retired_wh


@external
@view
def totalsOf(hour: uint256) -> (uint256, uint256, uint256):
    """
    @return Over all accounts: certificates issued, consumption recorded, certificates retired
    @custom:units Wh
    """
    totals: uint256 = self._totals_of[hour]
    return totals & MASK_64, (totals >> CONSUMED_AT) & MASK_64, totals >> RETIRED_AT


@external
@view
def isRecorded(interval: uint256, meter: address) -> bool:
    """
    @return Whether the meter recorded the interval
    """
    return self._recorded_by[meter][interval >> 8] & (1 << (interval & 255)) != 0


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


@external
@view
def hourOf(interval: uint256) -> uint256:
    """
    @return Hour that an interval lies in, by Unix time
    @custom:units h
    """
    return self._delivery_start_s(interval) // HOUR_S


@external
@view
def recordDeadlineOf(interval: uint256) -> uint256:
    """
    @return Last second at which a meter may record the interval, as a Unix time
    @custom:units s
    """
    return self._delivery_start_s(interval) + STEP_S + METERING_S


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _holding_with(hour: uint256, account: address, energy_wh: uint256) -> uint256:
    """
    @dev The word of an account that holds so much. What is held is its lowest field: certificates
         are added to and taken from the word as a whole.
    """
    assert energy_wh != 0, "green certificates: energy out of range"
    holding: uint256 = self._holding_of[hour][account]
    assert energy_wh <= holding & MASK_64, "green certificates: too few certificates"
    return holding


@internal
@view
def _delivery_start_s(interval: uint256) -> uint256:
    return FIRST_DELIVERY_S + min(interval, MAX_INTERVAL) * STEP_S
