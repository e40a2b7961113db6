# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Smart meters
@license Apache-2.0
@notice Registry of metering: the metering operator binds a meter's account to one customer.
@dev One storage slot per meter: its customer, or zero when the meter is not valid.
"""

OPERATOR: public(immutable(address))

_customer_of: HashMap[address, address]

event MeterRegistered:
    meter: indexed(address)
    customer: indexed(address)

event MeterUnregistered:
    meter: indexed(address)
    customer: indexed(address)


@deploy
def __init__():
    """
    @notice The deployer becomes the metering operator, for good.
    """
    OPERATOR = msg.sender


@external
def registerMeter(meter: address, customer: address):
    """
    @notice Make a meter valid and bind it to a customer. Operator only.
    @param meter Account that the meter signs its readings with
    @param customer Account that its readings are settled with
    """
    self._only_operator()
    assert meter != empty(address) and customer != empty(address), "smart meters: zero address"
    assert self._customer_of[meter] == empty(address), "smart meters: already registered"
    self._customer_of[meter] = customer
    log MeterRegistered(meter=meter, customer=customer)


@external
def unregisterMeter(meter: address):
    """
    @notice Make a meter invalid; it may be registered again, for any customer. Operator only.
    @param meter A registered meter
    """
    self._only_operator()
    customer: address = self._customer_of[meter]
    assert customer != empty(address), "smart meters: not registered"
    self._customer_of[meter] = empty(address)
    log MeterUnregistered(meter=meter, customer=customer)


@external
@view
def isValid(meter: address) -> bool:
    """
    @return Whether the meter is registered now
    """
    return self._customer_of[meter] != empty(address)


@external
@view
def customerOf(meter: address) -> address:
    """
    @return The meter's customer, or the zero address when it is not registered
    """
    return self._customer_of[meter]


@internal
@view
def _only_operator():
    assert msg.sender == OPERATOR, "smart meters: not the operator"
