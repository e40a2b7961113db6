# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What the words of an interval promise
@license Apache-2.0
"""

import clearing_rules as rules
import prover

@internal
@pure
def _prove_same(written: rules.Clearing):
    read: rules.Clearing = rules._unpacked(rules._packed(written))
    prover._prove(read.n_orders == written.n_orders)
    prover._prove(read.cleared == written.cleared)
    prover._prove(read.committed == written.committed)
    prover._prove(read.sells_long == written.sells_long)
    prover._prove(read.two_priced == written.two_priced)
    prover._prove(read.price == written.price)
    prover._prove(read.marginal_bid == written.marginal_bid)
    prover._prove(read.marginal_ask == written.marginal_ask)
    prover._prove(read.volume == written.volume)
    prover._prove(read.offered == written.offered)
    prover._prove(read.extra_below == written.extra_below)


@internal
@pure
def _clearing(
    flags: uint8, price: uint32, marginal_bid: uint32, marginal_ask: uint32, volume: uint64
) -> rules.Clearing:
    clearing: rules.Clearing = empty(rules.Clearing)
    clearing.cleared = flags & 1 != 0
    clearing.committed = flags & 2 != 0
    clearing.sells_long = flags & 4 != 0
    clearing.two_priced = flags & 8 != 0
    clearing.price = convert(price, uint256) & rules.MASK_31
    clearing.marginal_bid = convert(marginal_bid, uint256) & rules.MASK_31
    clearing.marginal_ask = convert(marginal_ask, uint256) & rules.MASK_31
    clearing.volume = convert(volume, uint256) & rules.MASK_41
    return clearing


@external
@pure
def check_a_shared_clearing_is_read_as_written(
    flags: uint8,
    price: uint32,
    marginal_bid: uint32,
    marginal_ask: uint32,
    volume: uint64,
    n_orders: uint16,
    fill: uint64,
    offered: uint64,
    extra_below: uint16,
):
    written: rules.Clearing = self._clearing(flags, price, marginal_bid, marginal_ask, volume)
    written.n_orders = convert(n_orders, uint256) & rules.MASK_10
    written.fill_at_margin = convert(fill, uint256) & rules.MASK_41
    written.offered = convert(offered, uint256) & rules.MASK_41
    written.extra_below = convert(extra_below, uint256) & rules.MASK_10
    self._prove_same(written)
    prover._prove(rules._unpacked(rules._packed(written)).fill_at_margin == written.fill_at_margin)


@external
@pure
def check_a_cut_clearing_is_read_as_written(
    flags: uint8,
    price: uint32,
    marginal_bid: uint32,
    marginal_ask: uint32,
    volume: uint64,
    n_orders: uint16,
    bid_cut: uint16,
    ask_cut: uint16,
    offered: uint64,
    extra_below: uint16,
):
    """
    @notice McAfee's cuts share their bits with the fill at the margin, of which there is none then.
    """
    written: rules.Clearing = self._clearing(flags, price, marginal_bid, marginal_ask, volume)
    written.n_orders = convert(n_orders, uint256) & rules.MASK_10
    written.bid_cut = convert(bid_cut, uint256) & rules.MASK_10
    written.ask_cut = convert(ask_cut, uint256) & rules.MASK_10
    written.offered = convert(offered, uint256) & rules.MASK_41
    written.extra_below = convert(extra_below, uint256) & rules.MASK_10
    self._prove_same(written)
    read: rules.Clearing = rules._unpacked(rules._packed(written))
    prover._prove(read.bid_cut == written.bid_cut and read.ask_cut == written.ask_cut)
