# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call to the name registry can do, in whatever state it is
@license Apache-2.0
"""

import prover

interface Registry:
    def ownerOf(name: bytes32) -> address: view
    def successorOf(name: bytes32) -> address: view
    def resolve(name: bytes32) -> bytes32: view
    def feesDue() -> uint256: view
    def commitmentOf(account: address, name: bytes32, new_value: bytes32, secret: bytes32) -> bytes32: view
    def committedAt(account: address, commitment: bytes32) -> uint256: view

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
def check_nobody_takes_anothers_name(caller: address, name: bytes32):
    """
    @notice A name that has an owner changes hands only to the one it is offered to, and a value
            only by its owner.
    """
    owner: address = staticcall self.registry.ownerOf(name)
    successor: address = staticcall self.registry.successorOf(name)
    resolved: bytes32 = staticcall self.registry.resolve(name)
    if owner == empty(address) or caller == owner or caller == successor:
        return
    prover._any_call(caller, self.registry.address, "NameRegistry")
    prover._prove(staticcall self.registry.ownerOf(name) == owner)
    prover._prove(staticcall self.registry.successorOf(name) == successor)
    prover._prove(staticcall self.registry.resolve(name) == resolved)


@external
def check_fees_are_collected_by_the_beneficiary_only(caller: address):
    if caller == BENEFICIARY:
        return
    before: uint256 = staticcall self.registry.feesDue()
    prover._any_call(caller, self.registry.address, "NameRegistry")
    after: uint256 = staticcall self.registry.feesDue()
    prover._prove(after >= before and after - before <= REGISTRATION_FEE)


@external
def check_nobody_registers_without_an_own_commitment_of_age(
    caller: address, name: bytes32, entry: bytes32, secret: bytes32, time: uint64
):
    """
    @notice Names of one letter; the commitment is used up.
    """
    if convert(name, uint256) << 8 != 0:
        return
    prover._at(time, time)
    commitment: bytes32 = staticcall self.registry.commitmentOf(caller, name, entry, secret)
    committed_at_s: uint256 = staticcall self.registry.committedAt(caller, commitment)
    done: bool = prover._call(
        caller,
        self.registry.address,
        abi_encode(name, entry, secret, method_id=method_id("registerName(bytes32,bytes32,bytes32)")),
    )
    if not done:
        return
    now_s: uint256 = convert(time, uint256)
    prover._prove(committed_at_s != 0 and committed_at_s <= now_s)
    prover._prove(now_s - committed_at_s >= MIN_AGE_S and now_s - committed_at_s <= MAX_AGE_S)
    prover._prove(staticcall self.registry.committedAt(caller, commitment) == 0)


@external
def check_nobody_makes_anothers_commitment(caller: address, account: address, commitment: bytes32, time: uint64):
    prover._at(time, time)
    if caller == account:
        return
    before: uint256 = staticcall self.registry.committedAt(account, commitment)
    prover._any_call(caller, self.registry.address, "NameRegistry")
    prover._prove(staticcall self.registry.committedAt(account, commitment) == before)
