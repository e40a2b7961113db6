# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A local market whose readings the tests set, with intervals of any length
"""

import ILocalMarket

implements: ILocalMarket

FIRST_DELIVERY_S: immutable(uint256)
STEP_S: immutable(uint256)
METERING_S: immutable(uint256)

known: HashMap[uint256, HashMap[address, bool]]
estimated: HashMap[uint256, HashMap[address, bool]]
net_wh: HashMap[uint256, HashMap[address, int256]]


@deploy
def __init__(first_delivery_s: uint256, step_s: uint256, metering_s: uint256):
    FIRST_DELIVERY_S = first_delivery_s
    STEP_S = step_s
    METERING_S = metering_s


@external
def read(interval: uint256, account: address, estimated: bool, net_wh: int256):
    """Note a reading."""
    self.known[interval][account] = True
    self.estimated[interval][account] = estimated
    self.net_wh[interval][account] = net_wh


@external
@view
def isMember(account: address) -> bool:
    return True


@external
@view
def readingOf(interval: uint256, account: address) -> (bool, bool, int256):
    return (
        self.known[interval][account],
        self.estimated[interval][account],
        self.net_wh[interval][account],
    )


@external
@view
def deliveryStartOf(interval: uint256) -> uint256:
    return FIRST_DELIVERY_S + interval * STEP_S


@external
@view
def reportDeadlineOf(interval: uint256) -> uint256:
    return FIRST_DELIVERY_S + (interval + 1) * STEP_S + METERING_S
