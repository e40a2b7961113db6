"""Balances of contracts rebuilt from their events alone, transaction by transaction.

An event says its amount, or what the contract's page says that it follows from: energy, price and
rounding. Whoever reads a contract's events alone knows what it holds, and whose it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from market_world import Contract, address

from cosim.mechanisms.flexibility_market.curves import Block, earned_ueur
from cosim.units import amount_due_ueur, amount_earned_ueur

Events = list[tuple[str, dict[str, Any]]]


class Told:
    """What a contract's events have told so far.

    Parameters
    ----------
    contract : Contract
    """

    def __init__(self, contract: Contract) -> None:
        self.contract, self.seen, self.held = contract, 0, 0
        self.free: Counter[bytes] = Counter()

    def read(self) -> None:
        """Read on."""
        for events in self.contract.told[self.seen :]:
            for name, said in events:
                getattr(self, name, self.nothing)(said)
            self.end(events)
        self.seen = len(self.contract.told)

    def nothing(self, said: dict[str, Any]) -> None:
        """An event that moves no money."""

    def end(self, events: Events) -> None:
        """The transaction is over."""

    def Deposited(self, said: dict[str, Any]) -> None:
        self.held += said["amount_ueur"]
        self.free[said["account"]] += said["amount_ueur"]

    def Withdrawn(self, said: dict[str, Any]) -> None:
        self.held -= said["amount_ueur"]
        self.free[said["account"]] -= said["amount_ueur"]

    def pay(self, payer: bytes, payee: bytes, amount_ueur: int) -> None:
        """Move money from one free balance to another."""
        self.free[payer] -= amount_ueur
        self.free[payee] += amount_ueur


class NamesTold(Told):
    """Fees of the name registry; what it holds are the fees due."""

    def NameRegistered(self, said: dict[str, Any]) -> None:
        self.held += said["fee_ueur"]
        self.free[said["owner"]] -= said["fee_ueur"]

    ValueUpdated = NameRegistered

    def FeesCollected(self, said: dict[str, Any]) -> None:
        self.held -= said["amount_ueur"]


class SupplyTold(Told):
    """Deposits and debts of subscriptions, and what the supply contract holds."""

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self.deposits: Counter[tuple[bytes, bytes]] = Counter()
        self.debts: Counter[tuple[bytes, bytes]] = Counter()

    def SubscriptionChanged(self, said: dict[str, Any]) -> None:
        key = said["customer"], said["meter"]
        # what was paid in raised the deposit or lowered the debt
        self.held += said["deposit_ueur"] - self.deposits[key]
        self.held += self.debts[key] - said["debt_ueur"]
        self.deposits[key], self.debts[key] = said["deposit_ueur"], said["debt_ueur"]

    def PeriodPaid(self, said: dict[str, Any]) -> None:
        key = said["customer"], said["meter"]
        self.deposits[key] -= said["paid_ueur"]
        self.debts[key] += said["bill_ueur"] - said["paid_ueur"]

    def ProceedsWithdrawn(self, said: dict[str, Any]) -> None:
        self.held -= said["amount_ueur"]


class CertificatesTold(Told):
    """Free balances of the market of certificates."""

    def CertificatesSold(self, said: dict[str, Any]) -> None:
        self.pay(said["buyer"], said["seller"], said["amount_ueur"])


class StorageTold(Told):
    """Free balances and debts of the shared battery, what its owner owes, and what it has set aside
    for the members; at one price for less than no loss."""

    def __init__(self, contract: Contract, owner: str, feed_in: int) -> None:
        super().__init__(contract)
        self.owner, self.set_aside, self.feed_in, self.owes = address(owner), 0, feed_in, 0
        self.debts: Counter[bytes] = Counter()
        self.billed: Counter[bytes] = Counter()
        self.now: dict[bytes, int] = {}

    def SharesTransferred(self, said: dict[str, Any]) -> None:
        self.pay(said["to"], said["account"], said["price_ueur"])

    def MembersCredited(self, said: dict[str, Any]) -> None:
        self.free[self.owner] -= said["paid_ueur"]
        self.owes -= said["paid_ueur"]
        self.set_aside += said["paid_ueur"]

    def StorageReported(self, said: dict[str, Any]) -> None:
        self.owes += amount_earned_ueur(max(-said["loss_wh"], 0), self.feed_in)

    def LossesSettled(self, said: dict[str, Any]) -> None:
        self.set_aside -= said["credited_ueur"]
        self.free[said["account"]] += said["credited_ueur"]
        self.billed[said["account"]] += said["billed_ueur"]

    def DuesChanged(self, said: dict[str, Any]) -> None:
        self.now[said["account"]] = said["dues_ueur"]

    def end(self, events: Events) -> None:
        """What an account owed and owes no more, it paid."""
        for account in {*self.billed, *self.now}:
            left = self.now.get(account, self.debts[account])
            self.pay(account, self.owner, self.debts[account] + self.billed[account] - left)
            self.debts[account] = left
        self.billed.clear()
        self.now.clear()


class FlexibilityTold(Told):
    """Free balances and debts of the flexibility market; escrow and bonds are what is left."""

    def __init__(self, contract: Contract, dso: str, bond: int, is_uncapped: bool) -> None:
        super().__init__(contract)
        self.dso, self.bond, self.is_uncapped = address(dso), bond, is_uncapped
        self.blocks: dict[tuple[int, bytes], list[Block]] = defaultdict(list)
        self.awarded: Counter[tuple[int, bytes]] = Counter()
        self.debts: Counter[bytes] = Counter()
        self.before: dict[bytes, int] = {}

    def RequestOpened(self, said: dict[str, Any]) -> None:
        escrow = amount_due_ueur(said["quantity_wh"], said["price_cap_ueur_per_kwh"])
        self.free[self.dso] -= escrow

    def bond_of(self, key: tuple[int, bytes]) -> int:
        return amount_due_ueur(sum(block.energy_wh for block in self.blocks[key]), self.bond)

    def OfferPlaced(self, said: dict[str, Any]) -> None:
        key = said["request"], said["account"]
        before = self.bond_of(key)
        self.blocks[key].append(Block(said["energy_wh"], said["price_ueur_per_kwh"]))
        self.free[said["account"]] -= self.bond_of(key) - before

    def OfferAwarded(self, said: dict[str, Any]) -> None:
        self.awarded[said["request"], said["account"]] += said["energy_wh"]

    def DebtChanged(self, said: dict[str, Any]) -> None:
        self.before.setdefault(said["account"], self.debts[said["account"]])
        self.debts[said["account"]] = said["debt_ueur"]

    def OfferSettled(self, said: dict[str, Any]) -> None:
        key = said["request"], said["account"]
        account, penalty, paid = said["account"], said["penalty_ueur"], said["paid_ueur"]
        promised = earned_ueur(tuple(self.blocks[key]), self.awarded[key])
        self.free[self.dso] += promised - paid
        self.free[account] += self.bond_of(key) + paid
        self.before.setdefault(account, self.debts[account])
        # the penalty is added to what was owed; what is not owed afterwards was paid
        self.pay(account, self.dso, self.before.pop(account) + penalty - self.debts[account])

    def RequestClosed(self, said: dict[str, Any]) -> None:
        self.free[self.dso] += said["returned_ueur"]

    def end(self, events: Events) -> None:
        """What is repaid out of a deposit."""
        for account, before in self.before.items():
            self.pay(account, self.dso, before - self.debts[account])
        self.before.clear()
