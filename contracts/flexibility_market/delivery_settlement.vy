# pragma version 0.4.3
"""
@title Settlement of flexibility
@license Apache-2.0
@notice Pays for what meters show of awards, collects penalties, releases bonds and escrow.
@dev Who offered and was not called owes for whatever would have counted as delivered, up to what it
     offered: so that the gain of a nomination that is made up, when called, is lost otherwise. A
     meter that stays silent counts against its owner: all that was offered.
@custom:units energy in Wh, net injection positive; money in µEUR; prices in µEUR/kWh
"""

import ILocalMarket
import baselines
import delivery_debts as debts
import escrow_accounts as escrow
import flexibility_book as book
import offer_records as records
import order_book
import random_calling as calling

uses: baselines
uses: calling
uses: debts
uses: escrow
uses: records

MAX_BATCH: constant(uint256) = book.MAX_BATCH

# whether the penalty is as in USEF: of the whole deviation, not only of what was awarded
IS_UNCAPPED: public(immutable(bool))

event OfferSettled:
    request: indexed(uint256)
    account: indexed(address)
    delivered_wh: uint256
    paid_ueur: uint256
    penalty_ueur: uint256

event RequestClosed:
    request: indexed(uint256)
    returned_ueur: uint256


@deploy
def __init__(is_uncapped: bool):
    """
    @param is_uncapped What changes the other way is fined as well; beyond the bond it is a debt
    """
    IS_UNCAPPED = is_uncapped


@external
@nonreentrant
def settle(request_id: uint256, accounts: DynArray[address, MAX_BATCH]):
    """
    @notice Pay what was delivered, collect the penalty for what was not, release the bonds.
            Anyone may call, in any portions.
    @dev Accounts without an offer, settled ones, and ones whose meter matters and may still report
         are passed over, so that no account can block a batch.
    @param request_id A request whose delivery has started
    @param accounts Whose offers
    """
    request: book.Request = records._existing_request(request_id)
    records._check_delivery_started(request.interval)
    is_final: bool = (
        block.timestamp
        > staticcall ILocalMarket(records.LOCAL_MARKET).reportDeadlineOf(request.interval)
    )
    is_measured: bool = baselines._is_measured()
    is_uncapped: bool = IS_UNCAPPED
    seed: bytes32 = empty(bytes32)
    if calling._is_random():
        seed = calling._seed_of(request.interval)
    to_dso_ueur: uint256 = 0
    for account: address in accounts:
        offer: book.Offer = records._offer_of(request_id, account)
        if offer.energy_wh == 0 or offer.settled:
            continue
        delivered_wh: uint256 = 0
        missing_wh: uint256 = offer.awarded_wh
        penalty_ueur_per_kwh: uint256 = records.PENALTY_UEUR_PER_KWH
        is_uncalled: bool = seed != empty(bytes32) and not calling._is_called(seed, account)
        if is_uncalled:
            # nobody could award it
            missing_wh = offer.energy_wh
            penalty_ueur_per_kwh = calling.UNCALLED_PENALTY_UEUR_PER_KWH
        if missing_wh != 0:
            known: bool = False
            estimated: bool = False
            net_wh: int256 = 0
            known, estimated, net_wh = staticcall ILocalMarket(records.LOCAL_MARKET).readingOf(
                request.interval, account
            )
            if not known and not is_final:
                continue
            if is_measured and known and not estimated:
                known, offer.baseline_wh = baselines._measured(
                    request.interval, account, request.is_up
                )
                if known:
                    log baselines.BaselineMeasured(
                        request=request_id, account=account, baseline_wh=offer.baseline_wh
                    )
            if is_uncalled:
                if known and not estimated:
                    net_wh += calling._obeyed_wh(request.interval, account, request.is_up)
                    missing_wh = book._uncalled_wh(offer, request.is_up, net_wh)
            elif known and not estimated:
                delivered_wh = book._delivered_wh(offer, request.is_up, net_wh)
                missing_wh -= delivered_wh
                if is_uncapped:
                    missing_wh += book._wrong_way_wh(offer, request.is_up, net_wh)
        paid_ueur: uint256 = book._earned_ueur(offer, delivered_wh)
        penalty_ueur: uint256 = order_book._due_ueur(missing_wh, penalty_ueur_per_kwh)
        bond_ueur: uint256 = order_book._due_ueur(offer.energy_wh, records.BOND_UEUR_PER_KWH)
        to_dso_ueur += book._earned_ueur(offer, offer.awarded_wh) - paid_ueur
        offer.settled = True
        records._offers[request_id][account] = book._packed_offer(offer)
        if is_uncapped:
            # the rest is paid out of the balance, or owed
            collected_ueur: uint256 = min(penalty_ueur, bond_ueur + paid_ueur)
            to_dso_ueur += collected_ueur
            escrow._credit(account, bond_ueur + paid_ueur - collected_ueur)
            debts._charge(account, records.DSO, penalty_ueur - collected_ueur)
        else:
            to_dso_ueur += penalty_ueur
            escrow._credit(account, bond_ueur - penalty_ueur + paid_ueur)
        log OfferSettled(
            request=request_id,
            account=account,
            delivered_wh=delivered_wh,
            paid_ueur=paid_ueur,
            penalty_ueur=penalty_ueur,
        )
    escrow._credit(records.DSO, to_dso_ueur)


@external
@nonreentrant
def closeRequest(request_id: uint256):
    """
    @notice Return to the DSO the escrow that no award holds. Anyone may call, once.
    @param request_id A request whose delivery has started
    """
    request: book.Request = records._existing_request(request_id)
    records._check_delivery_started(request.interval)
    assert not request.closed, "flexibility market: already closed"
    returned_ueur: uint256 = records._unawarded_ueur(request)
    request.closed = True
    records._requests[request_id] = book._packed_request(request)
    escrow._credit(records.DSO, returned_ueur)
    log RequestClosed(request=request_id, returned_ueur=returned_ueur)
