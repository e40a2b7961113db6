# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Smart meters
@license Apache-2.0
@notice Registry of metering: the metering operator binds a meter's account to one customer.
@dev One storage slot per meter: its customer and since when, or zero when the meter is not valid.
"""

OPERATOR: public(immutable(address))

MASK_160: constant(uint256) = 2**160 - 1
SINCE_AT: constant(uint256) = 160

# customer 160 | Unix time of the registration
_registration_of: HashMap[address, uint256]

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
    self._require(meter != empty(address) and customer != empty(address), "smart meters: zero address")
    self._require(self._registration_of[meter] == 0, "smart meters: already registered")
    self._registration_of[meter] = convert(customer, uint256) | (block.timestamp << SINCE_AT)
    log MeterRegistered(meter=meter, customer=customer)


@external
def unregisterMeter(meter: address):
    """
    @notice Make a meter invalid; it may be registered again, for any customer. Operator only.
    @param meter A registered meter
    """
    self._only_operator()
    customer: address = self._customer(meter)
    self._require(customer != empty(address), "smart meters: not registered")
    self._registration_of[meter] = 0
    log MeterUnregistered(meter=meter, customer=customer)


@external
@view
def isValid(meter: address) -> bool:
    """
    @return Whether the meter is registered now
    """
    return self._customer(meter) != empty(address)


@external
@view
def customerOf(meter: address) -> address:
    """
    @return The meter's customer, or the zero address when it is not registered
    """
    return self._customer(meter)


@external
@view
def registrationOf(meter: address) -> (address, uint256):
    """
    @return The meter's customer, and since when it is, without a break, as a Unix time; zero when it
            is not registered
    @custom:units s
    """
    registration: uint256 = self._registration_of[meter]
    return convert(registration & MASK_160, address), registration >> SINCE_AT


@internal
@view
def _customer(meter: address) -> address:
    return convert(self._registration_of[meter] & MASK_160, address)


@internal
@view
def _only_operator():
    self._require(msg.sender == OPERATOR, "smart meters: not the operator")


@internal
@pure
def _require(condition: bool, cause: String[36]):
    """
    @dev Spelt out at every check, a refusal would take twice the code.
    """
    if not condition:
        raise cause
