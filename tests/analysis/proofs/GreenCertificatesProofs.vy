# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the certificates can do, in whatever state they are
@license Apache-2.0
"""

import prover

interface Certificates:
    def balanceOf(account: address) -> uint256: view
    def heldOf(hour: uint256, account: address) -> uint256: view
    def isRecorded(interval: uint256, meter: address) -> bool: view

FIRST_DELIVERY_S: constant(uint256) = 1_700_000_100
STEP_S: constant(uint256) = 900
METERING_S: constant(uint256) = 600
token: address
meters: address
certificates: Certificates


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.meters = raw_create(prover._code("SmartMeters"))
    self.certificates = Certificates(
        raw_create(
            prover._code("GreenCertificates"),
            self.token,
            self.meters,
            FIRST_DELIVERY_S,
            STEP_S,
            METERING_S,
        )
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.meters)
    prover._in_any_state(self.certificates.address)


@external
def check_nobody_takes_anothers_money(caller: address, holder: address, time: uint64):
    prover._at(time, time)
    if caller == holder:
        return
    before: uint256 = staticcall self.certificates.balanceOf(holder)
    prover._any_call(caller, self.certificates.address, "GreenCertificates")
    prover._prove(staticcall self.certificates.balanceOf(holder) >= before)


@external
def check_energy_is_recorded_once(
    meter: address, interval: uint256, produced_wh: uint256, consumed_wh: uint256, time: uint64
):
    prover._at(time, time)
    recorded: bool = staticcall self.certificates.isRecorded(interval, meter)
    done: bool = prover._call(
        meter,
        self.certificates.address,
        abi_encode(
            interval,
            produced_wh,
            consumed_wh,
            method_id=method_id("record(uint256,uint256,uint256)"),
        ),
    )
    prover._prove(not (recorded and done))
    prover._prove(staticcall self.certificates.isRecorded(interval, meter) == (recorded or done))


@external
def check_what_is_recorded_stays_recorded(caller: address, meter: address, interval: uint256, time: uint64):
    prover._at(time, time)
    if not staticcall self.certificates.isRecorded(interval, meter):
        return
    prover._any_call(caller, self.certificates.address, "GreenCertificates")
    prover._prove(staticcall self.certificates.isRecorded(interval, meter))
