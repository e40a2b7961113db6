# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that calls the name registry back while the registry moves tokens
@dev It owns a name and is the registry's beneficiary, so that each call back would succeed alone.
"""

interface Registry:
    def commitName(commitment: bytes32): nonpayable
    def registerName(name: bytes32, new_value: bytes32, secret: bytes32): nonpayable
    def collectFees(): nonpayable

armed: public(bool)
calls: public(uint256)
successes: public(uint256)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self._call_back()
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._call_back()
    return True


@external
def arm():
    self.armed = True


@external
def commitName(registry: address, commitment: bytes32):
    extcall Registry(registry).commitName(commitment)


@external
def registerName(registry: address, name: bytes32):
    extcall Registry(registry).registerName(name, name, empty(bytes32))


@external
def collectFees(registry: address):
    extcall Registry(registry).collectFees()


@internal
def _call_back():
    if not self.armed:
        return
    free: bytes32 = 0x6672656500000000000000000000000000000000000000000000000000000000
    mine: bytes32 = 0x6d696e6500000000000000000000000000000000000000000000000000000000
    self._count(
        raw_call(
            msg.sender, method_id("collectFees()"), revert_on_failure=False
        )
    )
    self._count(
        raw_call(
            msg.sender,
            abi_encode(
                free,
                free,
                empty(bytes32),
                method_id=method_id("registerName(bytes32,bytes32,bytes32)"),
            ),
            revert_on_failure=False,
        )
    )
    self._count(
        raw_call(
            msg.sender,
            abi_encode(mine, method_id=method_id("releaseName(bytes32)")),
            revert_on_failure=False,
        )
    )


@internal
def _count(success: bool):
    self.calls += 1
    if success:
        self.successes += 1
