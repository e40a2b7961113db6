# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What calls to the name registry can do, which shows that its proofs are about something
@license Apache-2.0
"""

import prover

interface Registry:
    def isCanonical(name: bytes32) -> bool: view

REGISTRATION_FEE: constant(uint256) = 5_000_000
UPDATE_FEE: constant(uint256) = 100_000
MIN_AGE_S: constant(uint256) = 60
MAX_AGE_S: constant(uint256) = 86_400
BENEFICIARY: constant(address) = 0x000000000000000000000000000000000000bEEF
token: address
registry: Registry


@external
def setUp():
    self.token = raw_create(prover._code("EuroToken"))
    self.registry = Registry(
        raw_create(
            prover._code("NameRegistry"),
            self.token,
            BENEFICIARY,
            REGISTRATION_FEE,
            UPDATE_FEE,
            MIN_AGE_S,
            MAX_AGE_S,
        )
    )
    prover._in_any_state(self.token)
    prover._in_any_state(self.registry.address)


@external
def check_nothing_is_registered(caller: address, name: bytes32, entry: bytes32, secret: bytes32, time: uint64):
    if convert(name, uint256) << 8 != 0:
        return
    prover._at(time, time)
    done: bool = prover._call(
        caller,
        self.registry.address,
        abi_encode(name, entry, secret, method_id=method_id("registerName(bytes32,bytes32,bytes32)")),
    )
    prover._prove(not done)
