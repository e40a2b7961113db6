# pragma version 0.4.3
"""
@title Storage book
@license Apache-2.0
@notice Pure arithmetic of the community storage: conversion of energy, and records of one storage
        slot each.
@dev Python model: cosim/mechanisms/community_storage/model.py.
@custom:units energy in Wh, efficiencies in permille
"""

MASK_32: constant(uint256) = 2**32 - 1
MASK_64: constant(uint256) = 2**64 - 1
SIGNED_OFFSET: constant(int256) = 2**32
PERMILLE: constant(uint256) = 1_000

struct Account:
    shares: uint256
    # stored energy at the end of the last interval that was nominated
    energy_wh: uint256
    # the last interval that was nominated, plus 1; 0 means none
    next_interval: uint256

# What all nominations of an interval add up to.
struct Nominated:
    # at the connection point
    charged_wh: uint256
    discharged_wh: uint256
    # in the accounts
    credited_wh: uint256
    debited_wh: uint256

struct Reading:
    known: bool
    net_wh: int256


@internal
@pure
def _credited_wh(charged_wh: uint256, charge_permille: uint256) -> uint256:
    """
    @dev What charging adds to an account: rounded down.
    """
    return charged_wh * charge_permille // PERMILLE


@internal
@pure
def _debited_wh(discharged_wh: uint256, discharge_permille: uint256) -> uint256:
    """
    @dev What discharging takes from an account: rounded up.
    """
    return (discharged_wh * PERMILLE + discharge_permille - 1) // discharge_permille


@internal
@pure
def _loss_wh(nominated: Nominated, net_wh: int256) -> int256:
    """
    @dev What the battery drew beyond the nominations; negative when it drew less.
    """
    return (
        convert(nominated.discharged_wh, int256) - convert(nominated.charged_wh, int256) - net_wh
    )


@internal
@pure
def _packed_account(account: Account) -> uint256:
    return account.shares | (account.energy_wh << 32) | (account.next_interval << 64)


@internal
@pure
def _account(word: uint256) -> Account:
    return Account(
        shares=word & MASK_32, energy_wh=(word >> 32) & MASK_32, next_interval=word >> 64
    )


@internal
@pure
def _packed_nominated(nominated: Nominated) -> uint256:
    word: uint256 = nominated.charged_wh | (nominated.discharged_wh << 64)
    return word | (nominated.credited_wh << 128) | (nominated.debited_wh << 192)


@internal
@pure
def _nominated(word: uint256) -> Nominated:
    return Nominated(
        charged_wh=word & MASK_64,
        discharged_wh=(word >> 64) & MASK_64,
        credited_wh=(word >> 128) & MASK_64,
        debited_wh=word >> 192,
    )


@internal
@pure
def _packed_reading(net_wh: int256) -> uint256:
    """
    @dev Never 0, which means that there is none.
    """
    return convert(net_wh + SIGNED_OFFSET, uint256)


@internal
@pure
def _reading(word: uint256) -> Reading:
    if word == 0:
        return empty(Reading)
    return Reading(known=True, net_wh=convert(word, int256) - SIGNED_OFFSET)
