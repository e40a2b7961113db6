"""The supplier in a run: prices announced before they hold, charges passed on to DSO and state."""

from __future__ import annotations

from cosim.chain.waiting import confirmed
from cosim.clock import DeliveryClock
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.settlement_client import MarketSettlement
from cosim.mechanisms.local_market.terms import INTERVALS_AHEAD, MarketTerms
from cosim.mechanisms.reconciliation import check_equal

DAY_S = 86_400


class Retailing:
    """Prices and charges of the supplier on the ledger.

    Parameters
    ----------
    deployment : Deployment
    clock : DeliveryClock
    terms : MarketTerms
    """

    def __init__(self, deployment: Deployment, clock: DeliveryClock, terms: MarketTerms) -> None:
        self._settlement = deployment.client(MarketSettlement)
        self._supplier = deployment.supplier.address
        self._operator = deployment.operator.address
        self._names = (deployment.dso.name, deployment.state.name)
        self._clock = clock
        self._terms = terms
        self._changes = list(terms.tariffs.changes) if terms.tariffs is not None else []
        self._pending: list[int] = []

    def announce(self, interval: int) -> list[int]:
        """Announce price changes up to some intervals after this one; return the handles.

        Raises
        ------
        ContractRevert
            If the contract refused an earlier one.
        EngineError
            If an earlier one found no space in a block.
        """
        for handle in self._pending:
            confirmed(self._settlement, handle)
        self._pending = []
        while self._changes and self._changes[0] <= interval + INTERVALS_AHEAD:
            self._pending.append(self._send(self._changes.pop(0), interval))
        return self._pending

    def _send(self, first: int, interval: int) -> int:
        prices = self._terms.at(first)
        return self._settlement.announce_prices(
            self._supplier,
            first,
            prices.retail_price_ueur_per_kwh,
            prices.feed_in_price_ueur_per_kwh,
            prices.network_ueur_per_kwh,
            prices.taxes_ueur_per_kwh,
            interval=interval,
        )

    def send_charges(self, interval: int, model: LocalMarketModel) -> int | None:
        """Have the charges of a day passed on when it is settled, and those of the run at its end.

        Returns
        -------
        int or None
            Handle of the transaction; None where nothing is due.
        """
        ends_day = (interval + 1) * self._clock.step_s % DAY_S == 0
        if not ends_day and interval + 1 != self._clock.n_intervals:
            return None
        if not model.covered_ueur:
            return None
        return self._settlement.pass_on_charges(self._operator, interval=interval)

    def pass_on(self, interval: int, model: LocalMarketModel, handle: int | None) -> None:
        """Wait until charges are passed on, and pass them on in the model.

        Raises
        ------
        ReconciliationError
            If contract and model pay other amounts.
        """
        if handle is None:
            return
        included = confirmed(self._settlement, handle)
        on_ledger = {
            key: value
            for name, said in self._settlement.events(included)
            if name == "ChargesPassedOn"
            for key, value in said.items()
        }
        network_ueur, taxes_ueur = model.pass_on_charges(*self._names)
        in_model = {"network_ueur": network_ueur, "taxes_ueur": taxes_ueur}
        check_equal(
            interval, on_ledger, in_model, "charges passed on [µEUR]", "those of the model [µEUR]"
        )
