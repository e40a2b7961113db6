# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A registry of meters that says whatever it likes
@license Apache-2.0
@notice Its answers are symbols, so that what is proved of the market holds with any registry.
"""

import ISmartMeters

implements: ISmartMeters

_customer_of: HashMap[address, address]
_since_of: HashMap[address, uint256]


@external
@view
def isValid(meter: address) -> bool:
    return self._customer_of[meter] != empty(address)


@external
@view
def customerOf(meter: address) -> address:
    return self._customer_of[meter]


@external
@view
def registrationOf(meter: address) -> (address, uint256):
    return self._customer_of[meter], self._since_of[meter]
