# pragma version 0.4.3
"""
@title Random calling
@license Apache-2.0
@notice Draws, interval by interval, who of those that offer may be awarded. Who may not has to keep
        its nomination: see delivery_settlement.vy.
@dev Seed of an interval: its link of a chain of hashes, whose last one came with the deployment, and
     the digest of all its offers. The DSO cannot foresee it before the last seller has committed,
     nor take another link: each interval has one of its own, whether the ones before it are drawn
     or not; sellers do not know the link. It is shown only in a block
     after the one that closed the offers: whoever reads it in a transaction that waits can no
     longer offer. Without a draw nobody can be awarded anything, and nobody owes anything for not
     having been called: who holds a link back buys nothing.
@custom:units energy in Wh; money in µEUR; prices in µEUR/kWh
"""

import flexibility_book as book
import offer_records as records
import order_book

uses: records

MAX_BATCH: constant(uint256) = book.MAX_BATCH
MILLION: constant(uint256) = 1_000_000
# intervals between two draws: so many hashes fit into a transaction
MAX_SKIPPED: constant(uint256) = 65_536

# 0: whoever offers may be awarded, nothing is drawn
CALLING_PPM: public(immutable(uint256))
UNCALLED_PENALTY_UEUR_PER_KWH: public(immutable(uint256))

# the last link that is known, and the interval after its own
_link: bytes32
_following: uint256
_digests: HashMap[uint256, bytes32]
# block that closed the offers
_closed_at: HashMap[uint256, uint256]
_seeds: HashMap[uint256, bytes32]
# what the DSO ordered accounts to cut, of injection positive
_cuts: HashMap[uint256, HashMap[address, int256]]

event OffersClosed:
    interval: indexed(uint256)
    digest: bytes32

event CallsDrawn:
    interval: indexed(uint256)
    link: bytes32
    seed: bytes32

event CutOrdered:
    interval: indexed(uint256)
    account: indexed(address)
    cut_wh: int256


@deploy
def __init__(calling_ppm: uint256, uncalled_penalty_ueur_per_kwh: uint256, last_link: bytes32):
    """
    @param calling_ppm Probability of being called, in millionths; 0: nothing is drawn
    @param uncalled_penalty_ueur_per_kwh What leaving the nomination costs who is not called
    @param last_link End of the chain of hashes: the hash of the link of interval 0
    """
    assert calling_ppm < MILLION, "flexibility market: probability out of range"
    assert (
        uncalled_penalty_ueur_per_kwh <= order_book.MAX_PRICE_UEUR_PER_KWH
    ), "flexibility market: price out of range"
    CALLING_PPM = calling_ppm
    UNCALLED_PENALTY_UEUR_PER_KWH = uncalled_penalty_ueur_per_kwh
    self._link = last_link


@external
@nonreentrant
def closeOffers(interval: uint256):
    """
    @notice Take no further offers for an interval. DSO only, before delivery, if calls are drawn.
    """
    self._check_drawable(interval)
    assert self._closed_at[interval] == 0, "flexibility market: offers are closed"
    self._closed_at[interval] = block.number
    log OffersClosed(interval=interval, digest=self._digests[interval])


@external
@nonreentrant
def drawCalls(interval: uint256, link: bytes32):
    """
    @notice Draw who of an interval's sellers may be awarded. DSO only, in a later block than what
            closed its offers, once, and not after a later interval.
    @param interval Delivery interval
    @param link The interval's own; hashed once for each interval since the last draw it is that one's
    """
    self._check_drawable(interval)
    closed_at: uint256 = self._closed_at[interval]
    assert closed_at != 0, "flexibility market: offers are open"
    assert closed_at < block.number, "flexibility market: offers closed in this block"
    assert self._seeds[interval] == empty(bytes32), "flexibility market: already drawn"
    following: uint256 = self._following
    assert interval >= following, "flexibility market: a later interval is drawn"
    assert interval - following < MAX_SKIPPED, "flexibility market: too many intervals without a draw"
    shown: bytes32 = keccak256(link)
    for _: uint256 in range(interval - following, bound=MAX_SKIPPED):
        shown = keccak256(shown)
    assert shown == self._link, "flexibility market: not the interval's link"
    self._following = interval + 1
    seed: bytes32 = keccak256(abi_encode(link, self._digests[interval], interval))
    self._link = link
    self._seeds[interval] = seed
    log CallsDrawn(interval=interval, link=link, seed=seed)


@external
@nonreentrant
def orderCuts(
    interval: uint256,
    accounts: DynArray[address, MAX_BATCH],
    cuts_wh: DynArray[int256, MAX_BATCH],
):
    """
    @notice Note what the DSO orders accounts to cut, in place of what was noted before: whoever obeys
            without having been called does not leave its nomination. DSO only, before delivery.
    @param interval Delivery interval
    @param accounts Whom it orders
    @param cuts_wh Of injection positive, of consumption negative
    """
    self._check_drawable(interval)
    assert len(accounts) == len(cuts_wh), "flexibility market: lists differ in length"
    for k: uint256 in range(len(accounts), bound=MAX_BATCH):
        assert (
            convert(abs(cuts_wh[k]), uint256) <= order_book.MAX_ENERGY_WH
        ), "flexibility market: energy out of range"
        self._cuts[interval][accounts[k]] = cuts_wh[k]
        log CutOrdered(interval=interval, account=accounts[k], cut_wh=cuts_wh[k])


@external
@view
def lastLink() -> bytes32:
    """
    @return Last link of the chain of hashes that is known
    """
    return self._link


@external
@view
def drawOf(interval: uint256) -> (uint256, bytes32, bytes32):
    """
    @return Block that closed the offers, digest of the offers, seed; 0 where there is none yet
    """
    return self._closed_at[interval], self._digests[interval], self._seeds[interval]


@external
@view
def cutOf(interval: uint256, account: address) -> int256:
    """
    @return What the DSO ordered the account to cut, of injection positive
    @custom:units Wh
    """
    return self._cuts[interval][account]


@external
@view
def isCalled(interval: uint256, account: address) -> bool:
    """
    @return Whether the interval's draw lets the account be awarded; False before it
    """
    seed: bytes32 = self._seeds[interval]
    return seed != empty(bytes32) and self._is_called(seed, account)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _is_random() -> bool:
    """
    @return Whether calls are drawn at all
    """
    return CALLING_PPM != 0


@internal
def _enter(
    interval: uint256,
    request_id: uint256,
    account: address,
    energy_wh: uint256,
    price_ueur_per_kwh: uint256,
    baseline_wh: int256,
    further: uint256,
):
    """
    @dev Mix an offer into the digest of its interval.
    """
    assert self._closed_at[interval] == 0, "flexibility market: offers are closed"
    self._digests[interval] = keccak256(
        abi_encode(
            self._digests[interval],
            request_id,
            account,
            energy_wh,
            price_ueur_per_kwh,
            baseline_wh,
            further,
        )
    )


@internal
@view
def _seed_of(interval: uint256) -> bytes32:
    """
    @return Seed of the interval's draw; empty without one
    """
    return self._seeds[interval]


@internal
@view
def _is_called(seed: bytes32, account: address) -> bool:
    word: bytes32 = keccak256(abi_encode(seed, account))
    return convert(word, uint256) % MILLION < CALLING_PPM


@internal
@view
def _obeyed_wh(interval: uint256, account: address, is_up: bool) -> int256:
    """
    @return By how much a reading is moved back for what the DSO ordered in the direction of the
            request; an order the other way demands nothing
    """
    cut_wh: int256 = self._cuts[interval][account]
    return min(cut_wh, 0) if is_up else max(cut_wh, 0)


@internal
@view
def _check_drawable(interval: uint256):
    assert CALLING_PPM != 0, "flexibility market: nothing is drawn"
    assert msg.sender == records.DSO, "flexibility market: not the DSO"
    records._check_before_delivery(interval)
