# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the registry of meters can do, in whatever state it is
@license Apache-2.0
"""

import ISmartMeters
import prover

meters: address


@external
def setUp():
    self.meters = raw_create(prover._code("SmartMeters"))
    prover._in_any_state(self.meters)


@external
def check_nobody_but_the_operator_changes_a_meter(caller: address, meter: address):
    if caller == self:
        return
    before: address = staticcall ISmartMeters(self.meters).customerOf(meter)
    done: bool = prover._any_call(caller, self.meters, "SmartMeters")
    prover._prove(not done)
    prover._prove(staticcall ISmartMeters(self.meters).customerOf(meter) == before)


@external
def check_no_call_gives_a_valid_meter_to_another(meter: address):
    """
    @notice The operator too must unregister a meter before another customer gets it.
    """
    before: address = staticcall ISmartMeters(self.meters).customerOf(meter)
    prover._any_call(self, self.meters, "SmartMeters")
    after: address = staticcall ISmartMeters(self.meters).customerOf(meter)
    prover._prove(before == empty(address) or after == before or after == empty(address))
    prover._prove(staticcall ISmartMeters(self.meters).isValid(meter) == (after != empty(address)))


@external
def check_who_gets_a_meter_has_it_since_now(meter: address, time: uint64):
    """
    @notice Whatever the operator calls: a customer that stays has the meter since when it had it, and a new one
            not since before.
    """
    prover._at(time, time)
    before: address = empty(address)
    since_s: uint256 = 0
    before, since_s = staticcall ISmartMeters(self.meters).registrationOf(meter)
    prover._any_call(self, self.meters, "SmartMeters")
    after: address = empty(address)
    later_s: uint256 = 0
    after, later_s = staticcall ISmartMeters(self.meters).registrationOf(meter)
    prover._prove(after == staticcall ISmartMeters(self.meters).customerOf(meter))
    if after == empty(address):
        return
    prover._prove(
        (after == before and later_s == since_s)
        or (before == empty(address) and later_s == convert(time, uint256))
    )
