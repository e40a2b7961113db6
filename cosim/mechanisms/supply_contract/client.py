"""Client of ``Supplier.vy``: the electricity supply contract between a supplier and customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from cosim.chain.chain import Chain
from cosim.chain.client import ContractClient
from cosim.mechanisms.supply_contract.terms import SupplyTerms

# gas limits: what the methods use at most (docs/contracts/supplier.md), and room for other states
SUBSCRIBE_GAS = 170_000
TOP_UP_GAS = 110_000
UNSUBSCRIBE_GAS = 60_000
WITHDRAW_GAS = 110_000
DECLARE_GAS = 70_000
PAYMENT_GAS = 80_000
FINALIZE_GAS = 60_000
SET_PRICE_GAS = 80_000
GAS_PER_PERIOD_BEHIND = 30_000

_MASK_24, _MASK_32, _MASK_40 = 2**24 - 1, 2**32 - 1, 2**40 - 1
_MASK_64, _MASK_80 = 2**64 - 1, 2**80 - 1


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription on the ledger; ended when ``next_period`` is ``end_period``.

    Parameters
    ----------
    deposit_ueur, debt_ueur : int
        [µEUR]
    next_period, end_period : int
        First period that is not billed, and the one after the last.
    declared_wh : int or None
        Declared for ``next_period``, if it was. [Wh]
    """

    deposit_ueur: int
    debt_ueur: int
    next_period: int
    end_period: int
    declared_wh: int | None

    @classmethod
    def unpacked(cls, word: int) -> Self:
        """Read the packed word that the contract keeps."""
        declared = word >> 192
        return cls(
            word & _MASK_64,
            (word >> 64) & _MASK_80,
            (word >> 144) & _MASK_24,
            (word >> 168) & _MASK_24,
            declared - 1 if declared else None,
        )


@dataclass(frozen=True, slots=True)
class SupplierAccounts:
    """What the supplier can withdraw, what was paid for the open period, and which that is."""

    proceeds_ueur: int
    takings_ueur: int
    open_period: int


class Supplier(ContractClient):
    """The supply contract. Energy in Wh, money in µEUR, prices in µEUR/kWh, 20-byte accounts.

    Functions that change state take the time of sending as Unix time, or send right after the
    latest block, and return a handle.
    """

    contract: ClassVar[str] = "Supplier"

    @classmethod
    def deploy(
        cls, chain: Chain, supplier: bytes, *, token: bytes, meters: bytes, terms: SupplyTerms
    ) -> Self:
        """Deploy in the next block; the deploying account becomes the supplier."""
        return cls._deployed(
            chain,
            supplier,
            token,
            meters,
            terms.first_block,
            terms.period_blocks,
            terms.subscription_blocks,
            terms.declaration_blocks,
            terms.payment_blocks,
            terms.price_ueur_per_kwh,
            terms.price_cap_ueur_per_kwh,
            terms.silent_estimate_wh,
            terms.least_deposit_ueur,
        )

    def subscribe_user(
        self,
        customer: bytes,
        meter: bytes,
        n_periods: int,
        deposit_ueur: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Subscribe from the next period on with approved tokens; ``n_periods`` 0 is rolling."""
        data = self.calldata("subscribeUser", meter, n_periods, deposit_ueur)
        return self._send(customer, data, sent_at_s, SUBSCRIBE_GAS)

    def top_up(
        self, customer: bytes, meter: bytes, amount_ueur: int, sent_at_s: float | None = None
    ) -> int:
        """Add approved tokens to a deposit; a debt is repaid first."""
        data = self.calldata("topUp", meter, amount_ueur)
        return self._send(customer, data, sent_at_s, TOP_UP_GAS)

    def unsubscribe_user(
        self, customer: bytes, meter: bytes, sent_at_s: float | None = None
    ) -> int:
        """End a subscription with the present period; before its first one, at once."""
        data = self.calldata("unsubscribeUser", meter)
        return self._send(customer, data, sent_at_s, UNSUBSCRIBE_GAS)

    def withdraw(self, customer: bytes, meter: bytes, sent_at_s: float | None = None) -> int:
        """Take out what the last bill left of a deposit."""
        return self._send(customer, self.calldata("withdraw", meter), sent_at_s, WITHDRAW_GAS)

    def declare_period(
        self,
        meter: bytes,
        period: int,
        energy_wh: int,
        sent_at_s: float | None = None,
        *,
        periods_behind: int = 0,
        interval: int = -1,
    ) -> int:
        """Declare the consumption of a period. Sent by the meter.

        ``periods_behind`` earlier periods, which nobody paid for, need gas of their own.
        """
        data = self.calldata("declarePeriod", period, energy_wh)
        gas_limit = DECLARE_GAS + GAS_PER_PERIOD_BEHIND * periods_behind
        return self._send(meter, data, sent_at_s, gas_limit, interval)

    def payment_period(
        self,
        sender: bytes,
        period: int,
        customer: bytes,
        meter: bytes,
        sent_at_s: float | None = None,
        *,
        interval: int = -1,
    ) -> int:
        """Pay the bill of a period out of the deposit."""
        data = self.calldata("paymentPeriod", period, customer, meter)
        return self._send(sender, data, sent_at_s, PAYMENT_GAS, interval)

    def finalize(
        self, sender: bytes, period: int, sent_at_s: float | None = None, *, interval: int = -1
    ) -> int:
        """Credit the supplier with what was paid for a period."""
        data = self.calldata("finalize", period)
        return self._send(sender, data, sent_at_s, FINALIZE_GAS, interval)

    def set_price(
        self,
        supplier: bytes,
        period: int,
        price_ueur_per_kwh: int,
        sent_at_s: float | None = None,
    ) -> int:
        """Set the price from a period on. Supplier only."""
        data = self.calldata("setPrice", period, price_ueur_per_kwh)
        return self._send(supplier, data, sent_at_s, SET_PRICE_GAS)

    def withdraw_proceeds(
        self, sender: bytes, sent_at_s: float | None = None, *, interval: int = -1
    ) -> int:
        """Send the supplier what it was credited."""
        data = self.calldata("withdrawProceeds")
        return self._send(sender, data, sent_at_s, WITHDRAW_GAS, interval)

    def subscription_of(self, customer: bytes, meter: bytes) -> SubscriptionState:
        """Subscription of a customer with a meter."""
        return SubscriptionState.unpacked(int(self._view("subscriptionOf", customer, meter)[0]))

    def accounts_of(self) -> SupplierAccounts:
        """The supplier's side of the books."""
        return SupplierAccounts(*self._view("accountsOf"))

    def price_of(self, period: int) -> int:
        """Price of a period, by what is set so far. [µEUR/kWh]"""
        return int(self._view("priceOf", period)[0])

    def terms(self) -> tuple[bytes, bytes, bytes, SupplyTerms]:
        """Token, registry of meters, supplier, and what else the contract was deployed with.

        The price is the one of period 0.
        """
        token, meters, supplier, times, terms = self._view("terms")
        opens, starts, declaration, payment, over = (
            (times >> at) & _MASK_40 for at in (0, 40, 80, 120, 160)
        )
        return (
            bytes(token),
            bytes(meters),
            bytes(supplier),
            SupplyTerms(
                first_block=starts,
                period_blocks=times >> 200,
                subscription_blocks=starts - opens,
                declaration_blocks=payment - declaration,
                payment_blocks=over - payment,
                price_ueur_per_kwh=self.price_of(0),
                price_cap_ueur_per_kwh=terms & _MASK_32,
                silent_estimate_wh=(terms >> 32) & _MASK_32,
                least_deposit_ueur=terms >> 64,
            ),
        )
