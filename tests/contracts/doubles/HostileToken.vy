# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that does as it likes: calls whoever moves it, says no, or refuses one account
@dev It keeps no balances; tokens move when it says that they moved.
"""

MAX_CALLS: constant(uint256) = 32
MAX_BYTES: constant(uint256) = 324

says_no: bool
refused: address
armed: bool
aimed_at: address
calls: DynArray[Bytes[MAX_BYTES], MAX_CALLS]
# of each call whether it succeeded, and whether it returned anything
succeeded: DynArray[bool, MAX_CALLS]
answered: DynArray[bool, MAX_CALLS]


@external
def load(data: Bytes[MAX_BYTES]):
    """One more call."""
    self.calls.append(data)


@external
def arm():
    """Make the calls when tokens move next."""
    self.armed = True


@external
def aim(target: address):
    """Call this contract, not whoever moves tokens."""
    self.aimed_at = target


@external
def sayNo():
    self.says_no = True


@external
def refuse(account: address):
    self.refused = account


@external
def callNow(target: address):
    """Make the calls while no tokens move."""
    self._make_calls(target)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    return self._move(owner, to)


@external
def transfer(to: address, amount: uint256) -> bool:
    return self._move(msg.sender, to)


@external
@view
def made() -> uint256:
    return len(self.succeeded)


@external
@view
def outcome(index: uint256) -> (bool, bool):
    return self.succeeded[index], self.answered[index]


@internal
def _move(owner: address, to: address) -> bool:
    assert self.refused not in [owner, to], "hostile token: account refused"
    if self.armed:
        self.armed = False
        self._make_calls(msg.sender if self.aimed_at == empty(address) else self.aimed_at)
    return not self.says_no


@internal
def _make_calls(target: address):
    for data: Bytes[MAX_BYTES] in self.calls:
        success: bool = False
        answer: Bytes[32] = b""
        success, answer = raw_call(target, data, max_outsize=32, revert_on_failure=False)
        self.succeeded.append(success)
        self.answered.append(len(answer) != 0)
