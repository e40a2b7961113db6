# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Network charges
@license Apache-2.0
@notice The DSO announces a network charge for every delivery interval before delivery starts; what
        an account's meter shows as drawn from the grid is charged at it and paid to the DSO.
@dev An account that cannot pay owes the rest; the debt is paid with the next charge that its free
     balance covers, and stops nobody. At every moment token.balanceOf(this) is at least, and but
     for tokens sent here outside deposit() equal to, the sum of balanceOf over accounts.
@custom:units energy in Wh, net injection positive; money in µEUR; charges in µEUR/kWh
"""

import ILocalMarket
import escrow_accounts as accounts

initializes: accounts

MAX_BATCH: public(constant(uint256)) = 128
MAX_CHARGE_UEUR_PER_KWH: public(constant(uint256)) = 2**31 - 1

TOKEN: public(immutable(address))
LOCAL_MARKET: public(immutable(address))
DSO: public(immutable(address))

# announced charge plus one; zero: none
_announced: HashMap[uint256, uint256]
_is_charged: HashMap[uint256, HashMap[address, bool]]
_debt_of: HashMap[address, uint256]

event ChargeAnnounced:
    interval: indexed(uint256)
    charge_ueur_per_kwh: uint256

event AccountCharged:
    interval: indexed(uint256)
    account: indexed(address)
    drawn_wh: uint256
    charged_ueur: uint256
    paid_ueur: uint256


@deploy
def __init__(token: address, local_market: address, dso: address):
    """
    @param token ERC-20 with 6 decimals
    @param local_market Keeps readings and the times of delivery
    @param dso Announces the charges, and is paid
    """
    accounts.__init__(token)
    TOKEN = token
    LOCAL_MARKET = local_market
    DSO = dso


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the sender's free balance.
    """
    assert accounts._deposit(msg.sender, amount_ueur), "network charges: transfer failed"


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the sender's free balance out.
    """
    assert amount_ueur <= accounts._free(msg.sender), "network charges: balance too low"
    assert accounts._withdraw(msg.sender, amount_ueur), "network charges: transfer failed"


@external
@nonreentrant
def announce(interval: uint256, charge_ueur_per_kwh: uint256):
    """
    @notice Set the charge of an interval, once, before its delivery starts.
    """
    assert msg.sender == DSO, "network charges: not the DSO"
    assert charge_ueur_per_kwh <= MAX_CHARGE_UEUR_PER_KWH, "network charges: charge too high"
    assert self._announced[interval] == 0, "network charges: announced already"
    starts: uint256 = staticcall ILocalMarket(LOCAL_MARKET).deliveryStartOf(interval)
    assert block.timestamp < starts, "network charges: delivery has started"
    self._announced[interval] = charge_ueur_per_kwh + 1
    log ChargeAnnounced(interval=interval, charge_ueur_per_kwh=charge_ueur_per_kwh)


@external
@nonreentrant
def charge(interval: uint256, members: DynArray[address, MAX_BATCH]):
    """
    @notice Charge accounts for what they drew in a metered interval; anybody may call it.
    """
    announced: uint256 = self._announced[interval]
    assert announced != 0, "network charges: no charge announced"
    for account: address in members:
        known: bool = False
        estimated: bool = False
        net_wh: int256 = 0
        known, estimated, net_wh = staticcall ILocalMarket(LOCAL_MARKET).readingOf(
            interval, account
        )
        assert known, "network charges: not metered yet"
        assert not self._is_charged[interval][account], "network charges: charged already"
        self._is_charged[interval][account] = True
        drawn_wh: uint256 = convert(max(-net_wh, 0), uint256)
        charged_ueur: uint256 = (drawn_wh * (announced - 1) + 999) // 1_000
        due_ueur: uint256 = charged_ueur + self._debt_of[account]
        paid_ueur: uint256 = min(due_ueur, accounts._free(account))
        accounts._debit(account, paid_ueur)
        accounts._credit(DSO, paid_ueur)
        self._debt_of[account] = due_ueur - paid_ueur
        log AccountCharged(
            interval=interval,
            account=account,
            drawn_wh=drawn_wh,
            charged_ueur=charged_ueur,
            paid_ueur=paid_ueur,
        )


@external
@view
def chargeOf(interval: uint256) -> (bool, uint256):
    """
    @return Whether a charge is announced; the charge
    """
    announced: uint256 = self._announced[interval]
    return announced != 0, max(announced, 1) - 1


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Free balance
    """
    return accounts._free(account)


@external
@view
def debtOf(account: address) -> uint256:
    """
    @return What the account still owes the DSO
    """
    return self._debt_of[account]
