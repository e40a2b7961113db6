# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A local market that says whatever it likes
@license Apache-2.0
@notice Its answers are symbols, so that what is proved of its callers holds beside any local market.
"""

import ILocalMarket

implements: ILocalMarket

_is_member: HashMap[address, bool]
_known: HashMap[uint256, HashMap[address, bool]]
_estimated: HashMap[uint256, HashMap[address, bool]]
_net_wh: HashMap[uint256, HashMap[address, int256]]
_delivery_start: HashMap[uint256, uint256]
_report_deadline: HashMap[uint256, uint256]


@external
@view
def isMember(account: address) -> bool:
    return self._is_member[account]


@external
@view
def readingOf(interval: uint256, account: address) -> (bool, bool, int256):
    return (
        self._known[interval][account],
        self._estimated[interval][account],
        self._net_wh[interval][account],
    )


@external
@view
def deliveryStartOf(interval: uint256) -> uint256:
    return self._delivery_start[interval]


@external
@view
def reportDeadlineOf(interval: uint256) -> uint256:
    return self._report_deadline[interval]
