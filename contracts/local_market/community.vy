# pragma version 0.4.3
"""
@title Energy community
@license Apache-2.0
@notice Who takes part in the local market, with which meter, and since when.
"""

import ISmartMeters
import community_records as records
import market_clock as clock
import refusals
import supplier_dues as dues

uses: clock
uses: dues

METERS: public(immutable(address))

_membership_of: HashMap[address, uint256]

event MemberJoined:
    account: indexed(address)
    meter: indexed(address)
    from_interval: uint256


@deploy
def __init__(meters: address):
    METERS = meters


@external
@nonreentrant
def join(meter: address):
    """
    @notice Take part with a meter of one's own, from the next delivery on.
    @dev Again only after the meter that one joined with became invalid.
    @param meter A valid meter whose customer is the caller
    """
    refusals._require(msg.sender != dues.SUPPLIER, "supplier cannot join")
    refusals._require(self._registered_to(meter) == msg.sender, "not your meter")
    refusals._require(not self._is_member(msg.sender), "already a member")
    from_interval: uint256 = 0
    if block.timestamp > clock.FIRST_DELIVERY_S:
        from_interval = (block.timestamp - clock.FIRST_DELIVERY_S + clock.STEP_S - 1) // clock.STEP_S
    self._membership_of[msg.sender] = records._membership(meter, from_interval)
    log MemberJoined(account=msg.sender, meter=meter, from_interval=from_interval)


@external
@view
def isMember(account: address) -> bool:
    """
    @return Whether the account joined with a meter that is valid now
    """
    return self._is_member(account)


@external
@view
def membershipOf(account: address) -> (address, uint256):
    """
    @return The meter that the account last joined with, and the first interval of that membership
    """
    membership: uint256 = self._membership_of[account]
    return records._meter(membership), records._from_interval(membership)


@internal
@view
def _registered_to(meter: address) -> address:
    return staticcall ISmartMeters(METERS).customerOf(meter)


@internal
@view
def _is_member(account: address) -> bool:
    meter: address = records._meter(self._membership_of[account])
    if meter == empty(address):
        return False
    return self._registered_to(meter) == account
