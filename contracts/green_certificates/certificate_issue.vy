# pragma version 0.4.3
"""
@title Issue of green certificates
@license Apache-2.0
@notice What meters recorded of each interval, and who holds the certificates of which hour.
@custom:units energy in Wh, time in s
"""

import ISmartMeters
import order_book

HOUR_S: constant(uint256) = 3_600
MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away
MAX_ENERGY_WH: public(constant(uint256)) = order_book.MAX_ENERGY_WH

# two words, one per hour and account, one per hour, each of three sums of 64 bits. To overflow one,
# an hour would need 2**32 records of the largest energy within the metering window.
#   holding: held | consumed | retired      totals: issued | consumed | retired
CONSUMED_AT: constant(uint256) = 64
RETIRED_AT: constant(uint256) = 128
MASK_64: constant(uint256) = 2**64 - 1

METERS: public(immutable(address))
FIRST_DELIVERY_S: public(immutable(uint256))
STEP_S: public(immutable(uint256))
METERING_S: public(immutable(uint256))

# of a meter, one bit per interval, 256 to a word
_recorded_by: HashMap[address, HashMap[uint256, uint256]]
_holding_of: HashMap[uint256, HashMap[address, uint256]]
_totals_of: HashMap[uint256, uint256]

event EnergyRecorded:
    interval: indexed(uint256)
    meter: indexed(address)
    account: indexed(address)
    hour: uint256
    produced_wh: uint256
    consumed_wh: uint256


@deploy
def __init__(meters: address, first_delivery_s: uint256, step_s: uint256, metering_s: uint256):
    assert (
        step_s != 0 and HOUR_S % step_s == 0
    ), "green certificates: step does not divide the hour"
    assert (
        first_delivery_s % step_s == 0
    ), "green certificates: first delivery not at a whole step"
    METERS = meters
    FIRST_DELIVERY_S = first_delivery_s
    STEP_S = step_s
    METERING_S = metering_s


@external
@nonreentrant
def record(interval: uint256, produced_wh: uint256, consumed_wh: uint256):
    """
    @notice Record what was produced from renewable sources and what was consumed in an interval,
            once. Called by the meter; who has had it since before the interval gets the
            certificates.
    @dev A meter has recorded an interval for good, whoever its customer is later. What it counted of
         an interval in which it changed hands is nobody's.
    @param interval A delivered interval
    @param produced_wh Renewable production, before own consumption
    @param consumed_wh Consumption, from whatever source
    """
    customer: address = empty(address)
    since_s: uint256 = 0
    customer, since_s = staticcall ISmartMeters(METERS).registrationOf(msg.sender)
    assert customer != empty(address), "green certificates: unknown meter"
    start_s: uint256 = self._delivery_start_s(interval)
    assert block.timestamp >= start_s + STEP_S, "green certificates: not yet delivered"
    assert block.timestamp <= start_s + STEP_S + METERING_S, "green certificates: too late to record"
    assert since_s <= start_s, "green certificates: meter changed hands"
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


# --- views ------------------------------------------------------------------------------------


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
