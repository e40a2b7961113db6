# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Community storage
@license Apache-2.0
@notice Members of the local market own shares of one battery. In each interval a member nominates
        what it charges or discharges, within its share; conversion losses are borne in kind, and
        what the battery's meter shows beyond the nominations is billed by share.
@dev A charged Wh counts as consumed, and a discharged one as produced, behind the member's meter: the
     member's meter reports its net injection less what was charged plus what was discharged, and
     the battery's meter its own plus the sum. So the battery's account in the local market
     holds nothing but losses, which its owner pays there and gets back here at the same prices.
     Shares carry those losses; therefore nobody gets shares without asking for them. Bills and
     credits accrue by share: a call works on the accounts that it names, never on all members.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside
     deposit() equal to, the sum of balanceOf over accounts and setAside().
@custom:units energy in Wh, net injection positive, charging positive; money in µEUR; prices in
              µEUR/kWh; efficiencies in permille; time in s
"""

import ILocalMarket
import ISmartMeters
import escrow_accounts as accounts
import order_book
import storage_book as book
import storage_losses as losses
import storage_shares as shares
import storage_terms as agreed
import supplier_dues as dues

initializes: accounts
initializes: agreed
initializes: dues[accounts := accounts]
initializes: losses[accounts := accounts, agreed := agreed, dues := dues]
initializes: shares[accounts := accounts, agreed := agreed, dues := dues, losses := losses]

exports: (
    agreed.__interface__,
    losses.__interface__,
    shares.__interface__,
)

MAX_INTERVAL: constant(uint256) = 2**64  # any later one is as far away

_nomination_of: HashMap[uint256, HashMap[address, int256]]
_nominated: HashMap[uint256, uint256]
_reading_of: HashMap[uint256, uint256]

event EnergyNominated:
    interval: indexed(uint256)
    account: indexed(address)
    energy_wh: int256
    account_wh: uint256

event StorageReported:
    interval: indexed(uint256)
    net_wh: int256
    loss_wh: int256
    billed_ueur_per_share: uint256


@deploy
def __init__(
    token: address,
    local_market: address,
    meters: address,
    owner: address,
    meter: address,
    total_shares: uint256,
    share_price_ueur: uint256,
    capacity_wh: uint256,
    power_wh: uint256,
    charge_permille: uint256,
    discharge_permille: uint256,
    loss_limit_wh: uint256,
    retail_price_ueur_per_kwh: uint256,
    feed_in_price_ueur_per_kwh: uint256,
    prices: address,
    order_lead_s: uint256,
    gate_closure_s: uint256,
):
    """
    @param token ERC-20 with 6 decimals
    @param local_market Keeps members and the times of delivery
    @param meters Registry of smart meters
    @param owner Account of the battery: sells the shares, pays for losses in the local market
    @param meter The battery's meter
    @param total_shares How many shares there are; the owner starts with all of them
    @param share_price_ueur What the owner sells one for
    @param capacity_wh What the accounts can hold together
    @param power_wh What can be charged, or discharged, in one interval
    @param charge_permille Part of the charged energy that reaches the account
    @param discharge_permille Part of the energy taken from the account that is discharged
    @param loss_limit_wh Most loss of one interval that is billed; the owner bears the rest
    @param retail_price_ueur_per_kwh What the supplier is paid for losses
    @param feed_in_price_ueur_per_kwh What the supplier pays for less than no loss
    @param prices Settlement that knows both prices of every interval; zero where they never change
    @param order_lead_s How long before delivery nominations open
    @param gate_closure_s How long before delivery they close
    """
    accounts.__init__(token)
    dues.__init__(owner)
    agreed.__init__(
        token,
        local_market,
        meters,
        owner,
        meter,
        total_shares,
        share_price_ueur,
        capacity_wh,
        power_wh,
        charge_permille,
        discharge_permille,
        loss_limit_wh,
        retail_price_ueur_per_kwh,
        feed_in_price_ueur_per_kwh,
        prices,
        order_lead_s,
        gate_closure_s,
    )
    losses.__init__()


# --- money ------------------------------------------------------------------------------------


@external
@nonreentrant
def deposit(amount_ueur: uint256):
    """
    @notice Move approved tokens into the storage; a debt to the owner is repaid out of them.
    """
    assert accounts._deposit(msg.sender, amount_ueur), "community storage: token transfer failed"
    losses._settle(msg.sender)


@external
@nonreentrant
def withdraw(amount_ueur: uint256):
    """
    @notice Move tokens of the free balance out of the storage. Bills up to now are settled first,
            and the owner pays what it owes the members.
    """
    losses._settle(msg.sender)
    if msg.sender == agreed.OWNER:
        losses._credit_members()
    assert amount_ueur <= accounts._free(msg.sender), "community storage: balance too low"
    assert accounts._withdraw(msg.sender, amount_ueur), "community storage: token transfer failed"


# --- nominations ------------------------------------------------------------------------------


@external
@nonreentrant
def nominate(interval: uint256, energy_wh: int256):
    """
    @notice Charge (positive) or discharge the caller's account in an interval. Final. Members of the
            local market only, one interval after the other.
    @param interval Delivery interval in whose order window it is
    @param energy_wh Energy at the connection point
    """
    start_s: uint256 = staticcall ILocalMarket(agreed.LOCAL_MARKET).deliveryStartOf(interval)
    assert block.timestamp + agreed.ORDER_LEAD_S >= start_s, "community storage: window not open"
    assert block.timestamp + agreed.GATE_CLOSURE_S < start_s, "community storage: gate closed"
    assert msg.sender != agreed.OWNER, "community storage: owner stores nothing"
    assert staticcall ILocalMarket(agreed.LOCAL_MARKET).isMember(msg.sender), "community storage: not a member"
    account: book.Account = book._account(losses._account_of[msg.sender])
    assert account.next_interval != interval + 1, "community storage: nomination exists"
    assert account.next_interval <= interval, "community storage: later interval nominated"
    energy: uint256 = convert(abs(energy_wh), uint256)
    assert 0 < energy and energy <= agreed.MAX_ENERGY_WH, "community storage: energy out of range"
    assert energy <= agreed._share_of(agreed.POWER_WH, account.shares), "community storage: above share of power"

    nominated: book.Nominated = book._nominated(self._nominated[interval])
    if energy_wh > 0:
        assert dues._debt(msg.sender) == 0, "community storage: debt unpaid"
        credited_wh: uint256 = book._credited_wh(energy, agreed.CHARGE_PERMILLE)
        account.energy_wh += credited_wh
        assert (
            account.energy_wh <= agreed._share_of(agreed.CAPACITY_WH, account.shares)
        ), "community storage: above share of capacity"
        nominated.charged_wh += energy
        nominated.credited_wh += credited_wh
    else:
        debited_wh: uint256 = book._debited_wh(energy, agreed.DISCHARGE_PERMILLE)
        assert debited_wh <= account.energy_wh, "community storage: account too low"
        account.energy_wh -= debited_wh
        nominated.discharged_wh += energy
        nominated.debited_wh += debited_wh
    account.next_interval = interval + 1
    losses._account_of[msg.sender] = book._packed_account(account)
    self._nominated[interval] = book._packed_nominated(nominated)
    self._nomination_of[interval][msg.sender] = energy_wh
    log EnergyNominated(
        interval=interval, account=msg.sender, energy_wh=energy_wh, account_wh=account.energy_wh
    )


# --- metering ---------------------------------------------------------------------------------


@external
@nonreentrant
def reportStorage(interval: uint256, net_wh: int256):
    """
    @notice Report the metered energy of the battery, once per interval. Called by its meter.
    @dev A loss is billed at the retail price of the interval, up to the limit; its opposite is paid
         by the owner at the feed-in price. A meter that stays silent harms only the owner: nothing is billed.
    @param interval An interval that was delivered
    @param net_wh Net injection: positive feeds the grid
    """
    assert msg.sender == agreed.METER, "community storage: not the battery's meter"
    assert staticcall ISmartMeters(agreed.METERS).customerOf(agreed.METER) == agreed.OWNER, "community storage: meter not registered"
    assert (
        block.timestamp >= staticcall ILocalMarket(agreed.LOCAL_MARKET).deliveryStartOf(
            min(interval, MAX_INTERVAL) + 1
        )
    ), "community storage: not yet delivered"
    assert (
        block.timestamp <= staticcall ILocalMarket(agreed.LOCAL_MARKET).reportDeadlineOf(interval)
    ), "community storage: too late to report"
    assert self._reading_of[interval] == 0, "community storage: already reported"
    assert convert(abs(net_wh), uint256) <= agreed.MAX_ENERGY_WH, "community storage: energy out of range"
    self._reading_of[interval] = book._packed_reading(net_wh)
    loss_wh: int256 = book._loss_wh(book._nominated(self._nominated[interval]), net_wh)
    billed: uint256 = 0
    if loss_wh > 0:
        billed = losses._bill_members(
            min(convert(loss_wh, uint256), agreed.LOSS_LIMIT_WH), agreed._prices_at(interval)[0]
        )
    elif loss_wh < 0:
        losses._owner_owes_ueur += order_book._earned_ueur(
            convert(-loss_wh, uint256), agreed._prices_at(interval)[1]
        )
    log StorageReported(
        interval=interval, net_wh=net_wh, loss_wh=loss_wh, billed_ueur_per_share=billed
    )
    losses._credit_members()


# --- views ------------------------------------------------------------------------------------


@external
@view
def balanceOf(account: address) -> uint256:
    """
    @return Free balance
    @custom:units µEUR
    """
    return accounts._free(account)


@external
@view
def debtOf(account: address) -> uint256:
    """
    @return What the account owes the owner; repaid first out of whatever it deposits
    @custom:units µEUR
    """
    return dues._debt(account)


@external
@view
def nominationOf(interval: uint256, account: address) -> int256:
    """
    @return What the account charges (positive) or discharges; 0 means no nomination
    @custom:units Wh
    """
    return self._nomination_of[interval][account]


@external
@view
def nominatedOf(interval: uint256) -> (uint256, uint256, uint256, uint256):
    """
    @return What all accounts charge, and discharge; what that adds to accounts, and takes from them
    @custom:units Wh
    """
    nominated: book.Nominated = book._nominated(self._nominated[interval])
    return (
        nominated.charged_wh,
        nominated.discharged_wh,
        nominated.credited_wh,
        nominated.debited_wh,
    )


@external
@view
def readingOf(interval: uint256) -> (bool, int256, int256):
    """
    @return Whether the battery's meter reported, its net injection, and the loss
    @custom:units Wh
    """
    reading: book.Reading = book._reading(self._reading_of[interval])
    if not reading.known:
        return False, 0, 0
    nominated: book.Nominated = book._nominated(self._nominated[interval])
    return True, reading.net_wh, book._loss_wh(nominated, reading.net_wh)
