"""Green certificates in a run: meters record, producers sell what they cannot use, buyers retire.

After each interval the meters of the members record their gross production and consumption. When
a delivery hour is over, every producer keeps what it can retire for its own consumption of the
hour and offers the rest at one price; who wants green power buys up to what its own consumption
lacks, who pays most first; all retire what they can, and what is not sold goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from cosim.clock import DeliveryClock
from cosim.mechanisms.contract_play import ContractPlay
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.funding import issue, mined
from cosim.mechanisms.green_certificates.client import GreenCertificates
from cosim.mechanisms.green_certificates.model import GreenCertificatesModel, Holding
from cosim.mechanisms.green_certificates.purchases import Buyer, plan_purchases
from cosim.mechanisms.green_certificates.terms import CertificateTerms
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH
from cosim.mechanisms.play import Readings, Statement
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import Columns
from cosim.results.power import power_mw
from cosim.units import energy_wh_from_mw, fee_ueur

_Key = TypeVar("_Key")


class _Hour:
    """Trade and fees of one delivery hour; arrays of shape (n,)."""

    def __init__(self, n: int) -> None:
        zeros = (np.zeros(n, dtype=np.int64) for _ in range(6))
        self.issued_wh, self.offered_wh, self.sold_wh, self.bought_wh, *money = zeros
        self.earned_ueur, self.paid_ueur = money
        self.consumed_wh = 0
        self.fees_wei = [0] * n

    def rows(
        self, names: Sequence[str], holdings: Mapping[int, Holding], terms: CertificateTerms
    ) -> Columns:
        """Return rows of ``certificates``: every member's part in the hour."""
        members = list(holdings)
        return {
            "prosumer": [names[i] for i in members],
            "issued_wh": self.issued_wh[members],
            "consumed_wh": [holding.consumed_wh for holding in holdings.values()],
            "offered_wh": self.offered_wh[members],
            "sold_wh": self.sold_wh[members],
            "bought_wh": self.bought_wh[members],
            "retired_wh": [holding.retired_wh for holding in holdings.values()],
            "held_wh": [holding.held_wh for holding in holdings.values()],
            "limit_ueur_per_kwh": [terms.limits_ueur_per_kwh[i] for i in members],
            "earned_ueur": self.earned_ueur[members],
            "paid_ueur": self.paid_ueur[members],
            "fees_ueur": [fee_ueur(self.fees_wei[i], terms.eur_per_eth) for i in members],
        }


class GreenCertificatesPlay(ContractPlay[GreenCertificates]):
    """The green certificates of a run.

    Parameters
    ----------
    deployment, clock, client
        As of :class:`ContractPlay`; the buyers' money is in the contract.
    terms : CertificateTerms
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        client: GreenCertificates,
        terms: CertificateTerms,
    ) -> None:
        super().__init__(deployment, clock, client)
        self.model = GreenCertificatesModel(clock.start_s, clock.step_s)
        self._terms = terms
        self._members = [i for i, joined in enumerate(deployment.members) if joined]
        self._index = {name: i for i, name in enumerate(self._names)}
        self._until_s = 0.0
        self._hour = _Hour(len(self._names))
        for i, limit in enumerate(terms.limits_ueur_per_kwh):
            if limit is not None:
                self.model.deposit(self._names[i], terms.deposit_ueur)

    @classmethod
    def deploy(cls, deployment: Deployment, clock: DeliveryClock, terms: CertificateTerms) -> Self:
        """Deploy the contract, and give money to those who buy, before the first order window.

        Raises
        ------
        ContractRevert
            If intervals do not each lie in one clock hour.
        EngineError
            If the set-up does not finish in time.
        """
        client = GreenCertificates.deploy(
            deployment.chain,
            deployment.operator.address,
            clock,
            token=deployment.token.address,
            meters=deployment.meter_registry.address,
            first_delivery_s=clock.start_s,
            metering_s=clock.step_s,
        )
        money = {
            account.address: terms.deposit_ueur
            for account, limit in zip(deployment.prosumers, terms.limits_ueur_per_kwh, strict=True)
            if limit is not None
        }
        opens_s = clock.window_opens_s(0)
        mined(client, issue(deployment, client, money), opens_s)
        mined(client, [client.deposit(*deposit) for deposit in money.items()], opens_s)
        return cls(deployment, clock, client, terms)

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Record an interval; at the end of an hour trade, retire and reconcile its certificates.

        Returns
        -------
        dict of str to dict
            Rows of ``certificates`` when an hour or the run ends, else none.

        Raises
        ------
        ReconciliationError
            If contract, model and meters differ by an integer.
        """
        # until the next order window opens, so that trade and orders do not meet
        ends_s = self._clock.delivery_start_s(interval + 1)
        self._until_s = ends_s + self._clock.step_s - self._clock.order_lead_s
        hour = self.model.hour_of(interval)
        self._record(interval, readings.delivery.parts)
        self._check_totals(interval, hour)
        is_last = interval + 1 == self._clock.n_intervals
        if self.model.hour_of(interval + 1) == hour and not is_last:
            return {}
        self._offer(interval, hour)
        self._buy(interval, hour)
        self._retire(interval, hour)
        self._check(interval, hour)
        rows = self._hour.rows(self._names, self._holdings(hour), self._terms)
        self._hour = _Hour(len(self._names))
        if not self.model.offers_of(hour):
            self.model.forget(hour)
        return {"certificates": {"interval": interval, "hour": hour, **rows}}

    # --- trade ---

    def _record(self, interval: int, parts: Mapping[str, Any]) -> None:
        """Let every meter record what its customer produced and consumed, gross.

        A battery does neither: what it stores was certified when it was produced.
        """
        step_s, hour = self._clock.step_s, self._hour
        produced_wh = energy_wh_from_mw(power_mw(parts, "generation"), step_s)
        consumed_wh = energy_wh_from_mw(power_mw(parts, "consumption"), step_s)
        meters = self._deployment.meters
        sent = {
            i: self.client.record(
                meters[i].address, interval, int(produced_wh[i]), int(consumed_wh[i])
            )
            for i in self._members
        }
        for i in self._mined(sent, lambda i: i):
            produced, consumed = int(produced_wh[i]), int(consumed_wh[i])
            self.model.record(interval, meters[i].name, self._names[i], produced, consumed)
            hour.issued_wh[i] += produced
            hour.consumed_wh += consumed

    def _offer(self, interval: int, hour: int) -> None:
        """Offer what producers cannot retire themselves.

        They ask the same, so the earliest offers are sold first: the turn passes on by one
        connection point with every hour.
        """
        price, n = self._terms.price_ueur_per_kwh, len(self._names)
        holdings = self._holdings(hour)
        in_turn = sorted(holdings, key=lambda i: (i - hour) % n)
        spare = {i: holdings[i].held_wh - holdings[i].retirable_wh for i in in_turn}
        offered = {i: min(wh, MAX_ENERGY_WH) for i, wh in spare.items() if wh}
        sent = {
            i: self.client.offer(self._address(i), hour, wh, price, interval=interval)
            for i, wh in offered.items()
        }
        for i in self._mined(sent, lambda i: i):
            self.model.offer(hour, self._names[i], offered[i], price)
            self._hour.offered_wh[i] += offered[i]

    def _buy(self, interval: int, hour: int) -> None:
        """Buy as planned; a purchase that no block takes is not made."""
        buyers = [
            Buyer(self._names[i], h.residual_wh - h.held_wh, limit, self._money(i))
            for i, h in self._holdings(hour).items()
            if (limit := self._terms.limits_ueur_per_kwh[i]) is not None
        ]
        sent = {}
        for purchase in plan_purchases(buyers, self.model.offers_of(hour), turn=hour):
            buyer = self._address(self._index[purchase.account])
            sent[purchase] = self.client.buy(
                buyer, purchase.offer, purchase.energy_wh, interval=interval
            )
        for purchase in self._mined(sent, lambda purchase: self._index[purchase.account]):
            offer = self.model.offer_of(purchase.offer)
            assert offer is not None
            i, seller = self._index[purchase.account], self._index[offer.seller]
            paid = self.model.buy(purchase.offer, purchase.account, purchase.energy_wh)
            self._hour.bought_wh[i] += purchase.energy_wh
            self._hour.paid_ueur[i] += paid
            self._hour.sold_wh[seller] += purchase.energy_wh
            self._hour.earned_ueur[seller] += paid

    def _retire(self, interval: int, hour: int) -> None:
        """Retire what covers consumption, and take back what was not sold."""
        retirable = {i: h.retirable_wh for i, h in self._holdings(hour).items() if h.retirable_wh}
        sent = {
            i: self.client.retire(self._address(i), hour, wh, interval=interval)
            for i, wh in retirable.items()
        }
        seller_of = {
            number: self._index[offer.seller]
            for number, offer in self.model.offers_of(hour).items()
        }
        cancelled = {
            number: self.client.cancel_offer(self._address(i), number, interval=interval)
            for number, i in seller_of.items()
        }
        for i in self._mined(sent, lambda i: i):
            self.model.retire(hour, self._names[i], retirable[i])
        for number in self._mined(cancelled, lambda number: seller_of[number]):
            self.model.cancel_offer(number, self._names[seller_of[number]])

    # --- inclusion and reconciliation ---

    def _mined(self, sent: Mapping[_Key, int], payer: Callable[[_Key], int]) -> Iterable[_Key]:
        """Wait until the next order window opens; return what a block took, and note its fee."""
        done = self._included(sent, self._until_s)
        for key, included in done.items():
            self._hour.fees_wei[payer(key)] += included.fee_wei
        return done

    def _check_totals(self, interval: int, hour: int) -> None:
        """Require that the hour's totals are those of the model, and what the meters counted."""
        model = self.model.totals_of(hour)
        check_equal(
            interval,
            {"GreenCertificates": self.client.totals_of(hour)},
            {"GreenCertificates": model},
            "totals of the contract [Wh]",
            "totals of the model [Wh]",
        )
        check_equal(
            interval,
            {"issued": model.issued_wh, "consumed": model.consumed_wh},
            {"issued": int(self._hour.issued_wh.sum()), "consumed": self._hour.consumed_wh},
            "energy on the ledger [Wh]",
            "energy that the meters counted [Wh]",
        )

    def _check(self, interval: int, hour: int) -> None:
        """Require that contract and model agree on every account, and that nothing is missing."""
        self._check_totals(interval, hour)
        client, model, members = self.client, self.model, self._members
        holdings = {}
        for i in members:
            state = client.consumption_of(hour, self._address(i))
            held = client.held_of(hour, self._address(i))
            holdings[self._names[i]] = Holding(held, state.consumed_wh, state.retired_wh)
        check_equal(
            interval,
            holdings,
            {self._names[i]: h for i, h in self._holdings(hour).items()},
            "certificates of the contract [Wh]",
            "certificates of the model [Wh]",
        )
        totals = model.totals_of(hour)
        found = model.held_total_wh(hour) + model.offered_total_wh(hour) + totals.retired_wh
        check_equal(
            interval,
            {"GreenCertificates": totals.issued_wh},
            {"GreenCertificates": found},
            "certificates issued [Wh]",
            "certificates held, offered and retired [Wh]",
        )
        check_equal(
            interval,
            {self._names[i]: client.balance_of(self._address(i)) for i in members},
            {self._names[i]: self._money(i) for i in members},
            "balance in GreenCertificates [µEUR]",
            "balance of the model [µEUR]",
        )
        self._check_tokens(interval, model.free_total_ueur())

    def _holdings(self, hour: int) -> dict[int, Holding]:
        """By the member's connection point."""
        return {i: self.model.holding_of(hour, self._names[i]) for i in self._members}

    def _money(self, i: int) -> int:
        return self.model.balance_of(self._names[i])
