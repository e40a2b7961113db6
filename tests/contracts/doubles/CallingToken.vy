# pragma version 0.4.3
# pragma evm-version cancun
"""
@title A token that calls whoever moves it, as an account of that contract
@dev A call is a selector and three words, of which the callee reads as many as it takes.
"""

called_back: public(bool)
succeeded: public(bool)
selector: uint256
words: bytes32[3]


@external
def arm(selector: uint256, first: bytes32, second: bytes32, third: bytes32):
    """Call this back when tokens move next; selector 0: nothing."""
    self.selector = selector
    self.words = [first, second, third]


@external
def act(target: address, selector: uint256, first: bytes32, second: bytes32, third: bytes32):
    """Call a contract as its customer."""
    assert raw_call(
        target,
        concat(slice(convert(selector << 224, bytes32), 0, 4), first, second, third),
        revert_on_failure=False,
    )


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self._call_back()
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._call_back()
    return True


@internal
def _call_back():
    selector: uint256 = self.selector
    if selector != 0:
        self.selector = 0
        self.called_back = True
        self.succeeded = raw_call(
            msg.sender,
            concat(
                slice(convert(selector << 224, bytes32), 0, 4),
                self.words[0],
                self.words[1],
                self.words[2],
            ),
            revert_on_failure=False,
        )


