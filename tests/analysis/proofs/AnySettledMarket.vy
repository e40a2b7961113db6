# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A market that tells its settlement whatever it likes
@license Apache-2.0
@notice Its answers are symbols, so that what is proved of the settlement holds with any market.
"""

import ISettledMarket

implements: ISettledMarket

SUPPLIER_ACCOUNT: constant(address) = 0x000000000000000000000000000000000000bEEF
SUBMISSIONS_CONTRACT: constant(address) = 0x00000000000000000000000000000000DeaDBeef

meters: address
rule: uint256
_records: HashMap[uint256, HashMap[address, uint256[5]]]
_root: HashMap[uint256, bytes32]
recorded: public(uint256)
passed: public(uint256)
_balance: uint256


@deploy
def __init__(meters: address):
    self.meters = meters


@external
@view
def SETTLEMENT() -> address:
    return msg.sender


@external
@view
def SUBMISSIONS() -> address:
    return SUBMISSIONS_CONTRACT


@external
@view
def METERS() -> address:
    return self.meters


@external
@view
def SUPPLIER() -> address:
    return SUPPLIER_ACCOUNT


@external
@view
def RULE() -> uint256:
    return self.rule


@external
@view
def FORM() -> uint256:
    return 0


@external
@view
def RETAIL_PRICE_UEUR_PER_KWH() -> uint256:
    return 300_000


@external
@view
def SEALED_DEPOSIT_UEUR() -> uint256:
    return 0


@external
@view
def FIRST_DELIVERY_S() -> uint256:
    return 1_700_000_000


@external
@view
def STEP_S() -> uint256:
    return 900


@external
@view
def ORDER_LEAD_S() -> uint256:
    return 600


@external
@view
def METERING_S() -> uint256:
    return 240


@external
@view
def CHALLENGE_S() -> uint256:
    return 0


@external
@view
def recordsOf(
    interval: uint256, account: address, with_membership: bool
) -> (uint256, uint256, uint256, uint256):
    words: uint256[5] = self._records[interval][account]
    return words[0], words[1], words[2], words[3]


@external
@view
def claimRecordsOf(
    interval: uint256, account: address
) -> (uint256, uint256, uint256, uint256, bytes32):
    words: uint256[5] = self._records[interval][account]
    return words[0], words[1], words[2], words[4], self._root[interval]


@external
def passOn(account: address, amount_ueur: uint256) -> uint256:
    self.recorded = unsafe_add(self.recorded, 1)
    paid_ueur: uint256 = min(amount_ueur, self._balance)
    self._balance = unsafe_sub(self._balance, paid_ueur)
    self.passed = unsafe_add(self.passed, paid_ueur)
    return paid_ueur


@external
def record(
    interval: uint256,
    account: address,
    noted: uint256,
    released_ueur: uint256,
    supplier_gains_ueur: uint256,
    due_ueur: int256,
):
    self.recorded = unsafe_add(self.recorded, 1)
