# pragma version 0.4.3
# pragma evm-version cancun
"""
@title What the storage book promises, for every record
@license Apache-2.0
"""

import prover
import storage_book as book

LARGEST: constant(int256) = 2**32 - 1


@external
@pure
def check_an_account_is_read_as_written(shares: uint32, energy_wh: uint32, next_interval: uint128):
    read: book.Account = book._account(
        book._packed_account(
            book.Account(
                shares=convert(shares, uint256),
                energy_wh=convert(energy_wh, uint256),
                next_interval=convert(next_interval, uint256),
            )
        )
    )
    prover._prove(read.shares == convert(shares, uint256))
    prover._prove(read.energy_wh == convert(energy_wh, uint256))
    prover._prove(read.next_interval == convert(next_interval, uint256))


@external
@pure
def check_nominations_are_read_as_written(
    charged_wh: uint64, discharged_wh: uint64, credited_wh: uint64, debited_wh: uint64
):
    read: book.Nominated = book._nominated(
        book._packed_nominated(
            book.Nominated(
                charged_wh=convert(charged_wh, uint256),
                discharged_wh=convert(discharged_wh, uint256),
                credited_wh=convert(credited_wh, uint256),
                debited_wh=convert(debited_wh, uint256),
            )
        )
    )
    prover._prove(read.charged_wh == convert(charged_wh, uint256))
    prover._prove(read.discharged_wh == convert(discharged_wh, uint256))
    prover._prove(read.credited_wh == convert(credited_wh, uint256))
    prover._prove(read.debited_wh == convert(debited_wh, uint256))


@external
@pure
def check_a_reading_is_read_as_written(net_wh: int256):
    if net_wh > LARGEST or net_wh < -LARGEST:
        return
    read: book.Reading = book._reading(book._packed_reading(net_wh))
    prover._prove(read.known and read.net_wh == net_wh)


@external
@pure
def check_charging_makes_no_energy(charged_wh: uint32):
    """
    @notice At the efficiency of the examples; no account gains more than was charged.
    """
    charged: uint256 = convert(charged_wh, uint256)
    prover._prove(book._credited_wh(charged, 960) <= charged)
    prover._prove(book._credited_wh(charged, book.PERMILLE) == charged)


@external
@pure
def check_discharging_makes_no_energy(discharged_wh: uint32):
    """
    @notice At the efficiency of the examples; no account loses less than was discharged.
    """
    discharged: uint256 = convert(discharged_wh, uint256)
    prover._prove(book._debited_wh(discharged, 960) >= discharged)
    prover._prove(book._debited_wh(discharged, book.PERMILLE) == discharged)


@external
@pure
def check_discharging_is_rounded_up_by_less_than_one(discharged_wh: uint32):
    """
    @notice At an efficiency that leaves every rest; for rests of 1 as well.
    """
    wanted: uint256 = convert(discharged_wh, uint256) * book.PERMILLE
    debited: uint256 = book._debited_wh(convert(discharged_wh, uint256), 997)
    prover._prove(debited * 997 >= wanted)
    prover._prove(debited * 997 < wanted + 997)
