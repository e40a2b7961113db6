"""Accounts of the local market, played again by the exact model from calldata alone.

Deposits, orders, clearings and readings of the replayed chain go through
:class:`cosim.mechanisms.local_market.model.LocalMarketModel` in the order of the chain: what every
account owes after each of them, whether money suffices for an order, and what each interval is
settled with, follows without asking the contract: from no event of it, and none of its views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pandas as pd

from cosim.chain.roles import ROLES
from cosim.errors import ContractRevert
from cosim.evm.abi import pack
from cosim.evm.accounts import accounts
from cosim.evm.hashing import keccak
from cosim.mechanisms.local_market.clearing_forms import BURNED
from cosim.mechanisms.local_market.event_money import EventMoney
from cosim.mechanisms.local_market.meter_checks import MemberMeters
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Order, Settlement
from cosim.mechanisms.local_market.pricing import ClearingForm
from cosim.mechanisms.local_market.submission.entries import entries
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.replay.findings import Check
from cosim.replay.history import History, Sent
from cosim.replay.replay import address

MARKET, SETTLEMENT = "LocalMarket", "MarketSettlement"
NOBODY = "0x" + "00" * 20
OF_MONEY = ("balance too low", "credit limit reached", "supplier cannot lend")
"""Refusals that only the accounts decide."""

KEY = ["interval", "prosumer"]
SETTLED: Mapping[str, Callable[[Settlement], int | bool]] = {
    "contracted_wh": lambda one: one.contracted_wh,
    "metered_wh": lambda one: one.metered_wh,
    "residual_wh": lambda one: one.metered_wh - one.contracted_wh,
    "traded_ueur": lambda one: one.trade_ueur,
    "supplier_ueur": lambda one: one.supplier_ueur,
    "estimated": lambda one: one.estimated,
}
"""Columns of the table that the model alone decides."""
CHARGED: Mapping[str, Callable[[Settlement], int]] = {
    "local_charge_ueur": lambda one: one.local_charge_ueur,
    "network_ueur": lambda one: one.network_ueur,
    "taxes_ueur": lambda one: one.taxes_ueur,
}

KEPT_INTERVALS = 96
"""Settled intervals that the model keeps: nothing is sent for earlier ones."""


def check_accounts(history: History) -> Check:
    """Compare dues after every transaction, refusals, settlements, credit and balances."""
    method = "calldata played again by the exact model, and money followed by events"
    check, played = Check("accounts", method), _Accounts(history)
    refusals = {f"{LocalMarketModel.subject}: {text}" for text in OF_MONEY}
    for position, sent in enumerate(history.sent):
        played.meters.take(sent)
        changed: dict[str, int] = {}
        for one in entries(history, position):
            refused = one.refused_with
            if one.call.contract not in (MARKET, SETTLEMENT) or (
                refused is not None and refused not in refusals
            ):
                continue
            row = f"transaction {position}, {one.call.method} of {one.sender}"
            check.equal("transactions", row, "refused with", refused, played.play(one))
            changed |= played.changed
        row = f"transaction {position}, {sent.call.method} of {sent.sender}"
        said = {
            played.name_of(event.arguments["account"]): event.arguments["dues_ueur"]
            for event in history.logged(position)
            if event.name == "DuesChanged" and event.contract in (MARKET, SETTLEMENT)
        }
        if said or changed:
            check.equal("events", row, "dues_ueur", said, changed)
    table = history.results.table("settlement")
    own = pd.DataFrame(list(played.settled()), columns=[*KEY, *SETTLED, *_charges(table)])
    check.keyed("settlement", KEY, table, own, list(own.columns.drop(KEY)))
    _check_credit(history, check)
    _check_money(history, check, played)
    return check


def _check_money(history: History, check: Check, played: _Accounts) -> None:
    """Compare what all accounts have in the end: by events alone, by the model, on the chain.

    Between them no movement of money lacks its event, and no event tells one that was not.
    """
    roles, terms = accounts(history.scenario.seed, ROLES), MarketTerms.of(history.scenario)
    supplier, dso, state = (roles[name].hex for name in ("supplier", "DSO", "state"))
    money = EventMoney(
        supplier, dso, state, NOBODY, terms.retail_price_ueur_per_kwh, terms.sealed_deposit_ueur
    )
    for position in range(len(history.sent)):
        money.take(
            (event.name, event.arguments)
            for event in history.logged(position)
            if event.contract in (MARKET, SETTLEMENT)
        )
    done = history.done
    market = done.addresses[MARKET]
    slot_of = done.artifacts[market].slot_of
    for account in sorted(money.free_ueur):
        row, free_ueur = f"account {account}", money.free_ueur[account]
        slot = slot_of("accounts._free_of", bytes.fromhex(account.removeprefix("0x")))
        on_chain = done.engine.storage(market, slot)
        check.equal("events", row, "free balance [µEUR]", on_chain, free_ueur)
        in_model = played.model.balance_of(BURNED if account == NOBODY else played.name_of(account))
        check.equal("events", row, "free balance of the model [µEUR]", in_model, free_ueur)


def _charges(table: pd.DataFrame) -> list[str]:
    """Return the columns of charges: only a retail price with parts has them."""
    return [name for name in CHARGED if name in table]


def _check_credit(history: History, check: Check) -> None:
    """Compare the credit lines that the supplier agreed to with the scenario's."""
    terms, names = MarketTerms.of(history.scenario), history.participants.prosumer_of
    said = {
        event.arguments["account"]: event.arguments["limit_ueur"]
        for event in history.of(MARKET, "CreditGranted")
    }
    for event in history.of(MARKET, "CreditGranted"):
        at_s = int(history.sent[event.position].included.included_at_s)
        row, own = f"transaction {event.position}, CreditGranted", _holds_from_s(history, at_s)
        if event.arguments["from_s"] != at_s:  # what is cut holds at once
            check.equal("events", row, "from_s", event.arguments["from_s"], own)
    joined = {event.arguments["account"] for event in history.of(MARKET, "MemberJoined")}
    due = joined & set(names) if terms.credit_limit_ueur is not None else set()
    for account in sorted({*said, *due}):
        limit = terms.credit_limit_ueur if account in due else None
        check.equal("events", f"account {account}", "limit_ueur", said.get(account), limit)


def _holds_from_s(history: History, at_s: int) -> int:
    """Return the time after which a raise of a limit holds that a block took at a time. [s]"""
    clock = history.scenario.clock()
    if at_s < clock.window_opens_s(0):
        return at_s
    ahead_s = clock.delivery_start_s(0) - clock.window_opens_s(0)
    return at_s + ahead_s + clock.step_s + clock.metering_s


class _Accounts:
    """The model with the chain's accounts, by connection point, or address where there is none.

    Attributes
    ----------
    changed : dict of str to int
        Dues that the last transaction changed. [µEUR]
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._names = history.participants.prosumer_of
        roles = accounts(history.scenario.seed, ROLES)
        self._dso, self._state = roles["DSO"].hex, roles["state"].hex
        terms = MarketTerms.of(history.scenario)
        self.model = LocalMarketModel(roles["supplier"].hex, terms)
        self.meters = MemberMeters(history.scenario.clock())
        self.changed: dict[str, int] = {}
        self._settlements: dict[tuple[int, str], Settlement] = {}
        self._latest = -1

    def settled(self) -> Iterator[dict[str, Any]]:
        """Yield what the model settled, as rows of the table ``settlement``."""
        for key, one in self._settlements.items():
            columns = {name: of(one) for name, of in {**SETTLED, **CHARGED}.items()}
            yield dict(zip(KEY, key, strict=True)) | columns

    def play(self, sent: Sent) -> str | None:
        """Play a transaction; return the text of its refusal, None if there is none."""
        played = _PLAYED.get(sent.call.method)
        account = self._account(sent)
        self.model.now_s = int(sent.included.included_at_s)
        before, self.changed = self.model.dues.get(account, 0), {}
        if played is None:
            return None
        if sent.call.method == "report" and sent.argument("interval") > self._latest:
            self._latest = sent.argument("interval")
            with suppress(ValueError):  # an interval that is not settled is kept
                self.model.forget(self._latest - KEPT_INTERVALS)
        if sent.call.contract == SETTLEMENT and self.model.form is ClearingForm.BILATERAL:
            self._match(sent)
        try:
            outcome = played(self, account, sent, sent.call.arguments)
        except ContractRevert as error:
            return error.text
        if isinstance(outcome, Settlement):
            self._settlements[sent.argument("interval"), account] = outcome
        if (dues := self.model.dues.get(account, 0)) != before:
            self.changed = {account: dues}
        return None

    def name_of(self, account: str) -> str:
        """Return the connection point of an address, or the address."""
        return self._names.get(account, account)

    def _match(self, sent: Sent) -> None:
        """Match the orders of an interval that is settled: until then matchings may improve."""
        interval = sent.call.arguments.get("interval")
        if isinstance(interval, int) and self.model.clearing(interval) is None:
            self.model.match(interval)

    def _account(self, sent: Sent) -> str:
        """Return whose accounts a transaction changes."""
        if sent.call.method == "report":
            return self._history.participants.metered_by.get(sent.sender, sent.sender)
        if sent.call.method in ("settleSilent", "claimFill"):
            return self._named(sent.call.arguments)
        if sent.call.method == "releaseBond":
            committed = self.model.committed_clearing(sent.argument("interval"))
            if committed is not None:
                return committed.committer
        return self.name_of(sent.sender)

    def _named(self, said: Mapping[str, Any]) -> str:
        """Return whom a transaction names."""
        return self.name_of("0x" + said["account"].hex())

    def order(self, account: str, said: Mapping[str, Any]) -> Order:
        """Order in a transaction."""
        price = said["price_ueur_per_kwh"]
        return Order(account, said["is_sell"], said["energy_wh"], price)

    def reveal(self, account: str, sent: Sent) -> None:
        """Reveal an order under the hash of what is shown."""
        said: Mapping[str, Any] = sent.call.arguments
        order = self.order(account, said)
        shown = (order.is_sell, order.energy_wh, order.price_ueur_per_kwh, said["salt"])
        commitment = keccak(pack(said["interval"], address(sent.sender), *shown))
        self.model.reveal_order(said["interval"], order, commitment)

    def commit(self, account: str, said: Mapping[str, Any]) -> None:
        """Commit to a clearing."""
        prices = (said["buy_price_ueur_per_kwh"], said["sell_price_ueur_per_kwh"])
        self.model.commit_clearing(
            said["interval"], account, said["root"], *prices, said["volume_wh"]
        )

    def claim(self, account: str, said: Mapping[str, Any]) -> Settlement | None:
        """Claim a fill."""
        return self.model.claim_fill(said["interval"], account, said["filled_wh"], said["proof"])

    def settle_silent(self, account: str, said: Mapping[str, Any]) -> Settlement:
        """Settle by estimate, where the meter has been the account's own."""
        interval = said["interval"]
        is_metered = self.meters.is_metered(interval, "0x" + said["account"].hex())
        return self.model.settle_silent(interval, account, is_metered)

    def pass_on(self) -> None:
        """Pass charges on."""
        self.model.pass_on_charges(self._dso, self._state)

    def grant(self, said: Mapping[str, Any]) -> None:
        """Agree to a credit line."""
        from_s = _holds_from_s(self._history, self.model.now_s)
        self.model.grant_credit(self._named(said), said["limit_ueur"], from_s)


_Play = Callable[[_Accounts, str, Sent, Mapping[str, Any]], object]

_PLAYED: Mapping[str, _Play] = {
    "deposit": lambda a, who, _, said: a.model.deposit(who, said["amount_ueur"]),
    "withdraw": lambda a, who, _, said: a.model.withdraw(who, said["amount_ueur"]),
    "collectClaim": lambda a, who, *_: a.model.collect_claim(who),
    "grantCredit": lambda a, _, __, said: a.grant(said),
    "placeOrder": lambda a, who, _, said: a.model.place_order(said["interval"], a.order(who, said)),
    "commitOrder": lambda a, who, _, said: a.model.commit_order(
        said["interval"], who, said["commitment"]
    ),
    "revealOrder": lambda a, who, sent, _: a.reveal(who, sent),
    "clear": lambda a, _, __, said: a.model.clear(said["interval"]),
    "clearVerified": lambda a, _, __, said: a.model.clear(said["interval"]),
    "commitClearing": lambda a, who, _, said: a.commit(who, said),
    "challengeClearing": lambda a, who, _, said: a.model.challenge_clearing(said["interval"], who),
    "releaseBond": lambda a, _, __, said: a.model.release_bond(said["interval"]),
    "claimFill": lambda a, who, _, said: a.claim(who, said),
    "report": lambda a, who, _, said: a.model.report(said["interval"], who, said["net_wh"]),
    "settleSilent": lambda a, who, _, said: a.settle_silent(who, said),
    "passOnCharges": lambda a, *_: a.pass_on(),
}
"""Methods by what they do in the model; others move no money."""
