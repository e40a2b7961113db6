# pragma version 0.4.3
"""
@title What proofs are made of
@license Apache-2.0
@notice A proof is a function whose name begins with check_. halmos executes it with a symbol for
        each argument and looks for values with which _prove fails; when it finds none, there are none.
@dev It speaks to halmos by calls to two reserved addresses. Contracts under proof are deployed by
     their own constructors, and then every storage slot of theirs becomes a symbol: what is proved
     holds in whatever state the contract is, also in ones that no sequence of calls leads to.
"""

from ethereum.ercs import IERC20

interface Cheats:
    def getCode(artifact: String[128]) -> Bytes[49_152]: nonpayable
    def prank(sender: address): nonpayable
    def roll(block_number: uint256): nonpayable
    def warp(timestamp_s: uint256): nonpayable

interface Symbols:
    def enableSymbolicStorage(target: address): nonpayable
    def createCalldata(contract: String[64]) -> Bytes[1_024]: nonpayable

CHEATS: constant(address) = 0x7109709ECfa91a80626fF3989D68f67F5b1DD12D
SYMBOLS: constant(address) = 0xF3993A62377BCd56AE39D773740A5390411E8BC9


@internal
@pure
def _prove(holds: bool):
    if not holds:
        raw_revert(abi_encode(convert(1, uint256), method_id=method_id("Panic(uint256)")))


@internal
def _code(name: String[40]) -> Bytes[49_152]:
    """
    @dev Init code of a contract.
    """
    return extcall Cheats(CHEATS).getCode(concat("out/", name, ".sol/", name, ".json"))


@internal
def _in_any_state(target: address):
    extcall Symbols(SYMBOLS).enableSymbolicStorage(target)


@internal
def _at(block_number: uint64, timestamp_s: uint64):
    """
    @dev The next calls run in this block.
    """
    extcall Cheats(CHEATS).roll(convert(block_number, uint256))
    extcall Cheats(CHEATS).warp(convert(timestamp_s, uint256))


@internal
def _call(caller: address, target: address, data: Bytes[1_024]) -> bool:
    """
    @return Whether the call succeeded
    """
    extcall Cheats(CHEATS).prank(caller)
    return raw_call(target, data, revert_on_failure=False)


@internal
def _any_call(caller: address, target: address, name: String[40]) -> bool:
    """
    @dev A call of any function that may change state, with any arguments; arrays of up to two
         elements. Other calldata, which our contracts refuse, is longer than what is taken here.
    @return Whether the call succeeded
    """
    return self._call(caller, target, extcall Symbols(SYMBOLS).createCalldata(name))
