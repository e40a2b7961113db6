# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
"""
@title Joined markets
@license Apache-2.0
@notice Several local markets as one: who asks of a member or of a reading is answered by the market
        that the account is enrolled with. A flexibility market for all of them asks here.
@dev Nobody owns it and it holds no money. Markets are those of the deployment, and an account stays
     with the first one that it was enrolled with, so that nobody can move it to another reading.
"""

import ILocalMarket

implements: ILocalMarket

MAX_MARKETS: constant(uint256) = 256
MAX_BATCH: constant(uint256) = 256

_markets: DynArray[address, MAX_MARKETS]
_market_of: HashMap[address, address]

event AccountEnrolled:
    account: indexed(address)
    market: indexed(address)


@deploy
def __init__(markets: DynArray[address, MAX_MARKETS]):
    """
    @param markets Local markets whose intervals begin, and are reported, at the same times
    """
    assert len(markets) > 0, "joined markets: no market"
    first: ILocalMarket = ILocalMarket(markets[0])
    starts_s: uint256 = staticcall first.deliveryStartOf(0)
    next_s: uint256 = staticcall first.deliveryStartOf(1)
    deadline_s: uint256 = staticcall first.reportDeadlineOf(0)
    for at: address in markets:
        market: ILocalMarket = ILocalMarket(at)
        assert (
            staticcall market.deliveryStartOf(0) == starts_s
            and staticcall market.deliveryStartOf(1) == next_s
            and staticcall market.reportDeadlineOf(0) == deadline_s
        ), "joined markets: times differ"
    self._markets = markets


@external
@nonreentrant
def enrol(market: uint256, accounts: DynArray[address, MAX_BATCH]):
    """
    @notice Note that members of a market are asked for there. Anybody may.
    @dev Accounts that are enrolled already, and those that are no members, are passed over: nobody
         can stop the others.
    @param market Its place in the deployment, from 0
    @param accounts Members
    """
    assert market < len(self._markets), "joined markets: unknown market"
    at: address = self._markets[market]
    for account: address in accounts:
        if self._market_of[account] == empty(address) and staticcall ILocalMarket(at).isMember(account):
            self._market_of[account] = at
            log AccountEnrolled(account=account, market=at)


@external
@view
def marketOf(account: address) -> address:
    """
    @return The market that the account is enrolled with, or the zero address
    """
    return self._market_of[account]


@external
@view
def isMember(account: address) -> bool:
    """
    @return Whether the account is enrolled, and joined its market with a meter that is valid now
    """
    market: address = self._market_of[account]
    return market != empty(address) and staticcall ILocalMarket(market).isMember(account)


@external
@view
def readingOf(interval: uint256, account: address) -> (bool, bool, int256):
    """
    @return Whether the interval is metered; whether by estimate; net injection
    @custom:units net injection in Wh
    """
    market: address = self._market_of[account]
    if market == empty(address):
        return False, False, 0
    return staticcall ILocalMarket(market).readingOf(interval, account)


@external
@view
def deliveryStartOf(interval: uint256) -> uint256:
    """
    @return Start of delivery as a Unix time
    @custom:units s
    """
    return staticcall ILocalMarket(self._markets[0]).deliveryStartOf(interval)


@external
@view
def reportDeadlineOf(interval: uint256) -> uint256:
    """
    @return Last second at which a meter may report the interval, as a Unix time
    @custom:units s
    """
    return staticcall ILocalMarket(self._markets[0]).reportDeadlineOf(interval)
