# pragma version 0.4.3
"""
@title What the tests make EVM engines do: store, clear, call, create, pay, log, fail.
"""

interface Workbench:
    def store(key: uint256, amount: uint256): nonpayable
    def clear(first: uint256, count: uint256): nonpayable
    def refuse(reason: String[64]): view

struct Entry:
    a: uint256
    b: uint256

values: public(HashMap[uint256, uint256])
entries: HashMap[address, Entry]
total: public(uint256)
children: public(DynArray[address, 1024])
note: transient(uint256)

event Stored:
    key: indexed(uint256)
    who: indexed(address)
    amount: uint256
    is_new: bool

event Paid:
    to: indexed(address)
    amount: uint256

@deploy
@payable
def __init__(total: uint256):
    assert total != 666, "workbench: unlucky"
    self.total = total

@external
@payable
def __default__():
    log Paid(to=self, amount=msg.value)

@internal
def _store(key: uint256, amount: uint256):
    log Stored(key=key, who=msg.sender, amount=amount, is_new=self.values[key] == 0)
    self.values[key] = amount
    self.total += amount % 1000
    self.entries[msg.sender] = Entry(a=key, b=amount)

@external
def store(key: uint256, amount: uint256):
    self._store(key, amount)

@external
def store_many(keys: DynArray[uint256, 64], amount: uint256):
    for key: uint256 in keys:
        self._store(key, amount)

@external
def clear(first: uint256, count: uint256):
    for i: uint256 in range(count, bound=64):
        self.values[first + i] = 0

@external
def set_and_unset(key: uint256, amount: uint256):
    before: uint256 = self.values[key]
    self.values[key] = amount
    self.values[key] = 0
    self.values[key] = before
    self.note = amount
    self.values[key + 1] += self.note

@external
@view
def refuse(reason: String[64]):
    raise reason

@external
def forward(partner: address, key: uint256, amount: uint256):
    self.total += 1
    extcall Workbench(partner).store(key, amount)
    extcall Workbench(partner).clear(key + 1, 3)

@external
def forward_quietly(partner: address, amount: uint256):
    # the inner call fails and its effects are undone, the outer one goes on
    ok: bool = raw_call(
        partner,
        abi_encode(amount, amount, method_id=method_id("fail_late(uint256,uint256)")),
        revert_on_failure=False,
    )
    self.values[amount] = convert(ok, uint256) + 7

@external
def fail_late(key: uint256, amount: uint256):
    self.values[key] = amount
    log Stored(key=key, who=msg.sender, amount=amount, is_new=True)
    raise "workbench: too late"

@external
def pay(to: address, amount: uint256):
    send(to, amount)
    log Paid(to=to, amount=amount)

@external
def pay_all_gas(to: address, amount: uint256):
    raw_call(to, b"", value=amount)

@external
@payable
def create_child(salt: uint256) -> address:
    child: address = create_minimal_proxy_to(self)
    self.children.append(child)
    raw_call(child, b"", value=msg.value)
    extcall Workbench(child).store(salt, salt + 1)
    return child

@external
def create_copy(target: address) -> address:
    child: address = create_copy_of(target)
    self.children.append(child)
    return child

@external
def burn_gas(rounds: uint256):
    for i: uint256 in range(rounds, bound=100000):
        self.values[i % 7] += 1

@external
@view
def whereabouts() -> (uint256, uint256, address, bytes32, uint256, uint256, uint256):
    return (block.number, block.timestamp, block.coinbase, block.prevrandao, chain.id, block.gaslimit, self.balance)

@external
@view
def divide(a: uint256, b: uint256) -> uint256:
    return a // b
