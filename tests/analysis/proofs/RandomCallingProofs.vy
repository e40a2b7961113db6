# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What no call can do to a draw of who is called for flexibility, in whatever state it is
@license Apache-2.0
@notice A quarter of the sellers is called. Up to three intervals without a draw lie between two.
"""

import prover

interface Market:
    def requestOf(request: uint256) -> (uint256, bool, uint256, uint256, uint256, bool): view
    def offerOf(request: uint256, account: address) -> (uint256, uint256, int256, uint256, uint256, bool): view
    def isCalled(interval: uint256, account: address) -> bool: view
    def drawOf(interval: uint256) -> (uint256, bytes32, bytes32): view
    def lastLink() -> bytes32: view

DSO: constant(address) = 0x000000000000000000000000000000000000bEEF
market: Market


@external
def setUp():
    token: address = raw_create(prover._code("EuroToken"))
    local_market: address = raw_create(prover._code("AnyLocalMarket"))
    self.market = Market(
        raw_create(
            prover._code("FlexibilityMarket"),
            token,
            local_market,
            DSO,
            convert(600_000, uint256),
            False,
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(0, uint256),
            convert(250_000, uint256),
            convert(200_000, uint256),
            keccak256(b"last link"),
        )
    )
    prover._in_any_state(local_market)
    prover._in_any_state(token)
    prover._in_any_state(self.market.address)


@external
def check_nobody_but_the_dso_closes_offers(caller: address, interval: uint256, time: uint64):
    prover._at(time, time)
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(interval, method_id=method_id("closeOffers(uint256)")),
    )
    prover._prove(not done or caller == DSO)


@external
def check_nobody_but_the_dso_draws(caller: address, interval: uint256, link: bytes32, time: uint64):
    prover._at(time, time)
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(interval, link, method_id=method_id("drawCalls(uint256,bytes32)")),
    )
    prover._prove(not done or caller == DSO)


@external
def check_an_interval_is_drawn_once_after_its_offers(interval: uint256, link: bytes32, time: uint64):
    """
    @notice The seed is of the link that is shown and of the offers, in a later block than they closed.
    """
    prover._at(time, time)
    closed_at: uint256 = 0
    digest: bytes32 = empty(bytes32)
    before: bytes32 = empty(bytes32)
    closed_at, digest, before = staticcall self.market.drawOf(interval)
    done: bool = prover._call(
        DSO,
        self.market.address,
        abi_encode(interval, link, method_id=method_id("drawCalls(uint256,bytes32)")),
    )
    seed: bytes32 = (staticcall self.market.drawOf(interval))[2]
    if not done:
        prover._prove(seed == before)
        return
    prover._prove(before == empty(bytes32))
    prover._prove(closed_at != 0 and closed_at < convert(time, uint256))
    prover._prove(seed == keccak256(abi_encode(link, digest, interval)))
    prover._prove(staticcall self.market.lastLink() == link)


@external
def check_a_draw_shows_the_link_that_was_committed_to(
    interval: uint256, link: bytes32, time: uint64
):
    """
    @notice The link before is its hash, or for each interval without a draw the hash of that.
    """
    prover._at(time, time)
    before: bytes32 = staticcall self.market.lastLink()
    done: bool = prover._call(
        DSO,
        self.market.address,
        abi_encode(interval, link, method_id=method_id("drawCalls(uint256,bytes32)")),
    )
    once: bytes32 = keccak256(link)
    twice: bytes32 = keccak256(once)
    thrice: bytes32 = keccak256(twice)
    prover._prove(
        not done
        or before == once
        or before == twice
        or before == thrice
        or before == keccak256(thrice)
    )


@external
def check_no_offer_enters_what_is_closed(
    caller: address, request: uint256, energy_wh: uint256, price: uint256, baseline_wh: int256, time: uint64
):
    prover._at(time, time)
    interval: uint256 = (staticcall self.market.requestOf(request))[0]
    closed_at: uint256 = 0
    digest: bytes32 = empty(bytes32)
    seed: bytes32 = empty(bytes32)
    closed_at, digest, seed = staticcall self.market.drawOf(interval)
    if closed_at == 0:
        return
    energies_wh: DynArray[uint256, 4] = [energy_wh]
    prices: DynArray[uint256, 4] = [price]
    done: bool = prover._call(
        caller,
        self.market.address,
        abi_encode(
            request,
            baseline_wh,
            energies_wh,
            prices,
            method_id=method_id("offer(uint256,int256,uint256[],uint256[])"),
        ),
    )
    prover._prove(not done)
    prover._prove((staticcall self.market.drawOf(interval))[1] == digest)


@external
def check_who_is_not_called_is_not_awarded(
    request: uint256, account: address, energy_wh: uint256, time: uint64
):
    prover._at(time, time)
    interval: uint256 = (staticcall self.market.requestOf(request))[0]
    if staticcall self.market.isCalled(interval, account):
        return
    accounts: DynArray[address, 1] = [account]
    energies_wh: DynArray[uint256, 1] = [energy_wh]
    done: bool = prover._call(
        DSO,
        self.market.address,
        abi_encode(
            request,
            accounts,
            energies_wh,
            method_id=method_id("award(uint256,address[],uint256[])"),
        ),
    )
    prover._prove(not done)
