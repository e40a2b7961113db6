"""Settlements of the local market once more in the model, as the ledger has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap

import numpy as np

from cosim.chain.blocks import Included
from cosim.mechanisms.escrow_play import EscrowPlay
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.model import LocalMarketModel
from cosim.mechanisms.local_market.orders import Reading, Settlement
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, read_settlements
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.mechanisms.play import Charges, Statement
from cosim.mechanisms.reconciliation import check_equal, check_metering
from cosim.units import IntArray


class MemberReadings(ABC):
    """Local markets of a run, which know what their members' meters reported.

    Attributes
    ----------
    address : bytes
        Of the contract that other contracts ask for members and readings, 20 bytes.
    """

    address: bytes

    @abstractmethod
    def reading_of(self, interval: int, name: str) -> Reading | None:
        """Return the reading that a prosumer's interval was settled with, if it was."""


class MirroredMarket(EscrowPlay[LocalMarket, LocalMarketModel], MemberReadings):
    """Local market whose model is told what the contracts were."""

    free_of = "accounts._free_of"

    terms: MarketTerms
    settlement: MarketSettlement
    _index: Mapping[bytes, int]

    def reading_of(self, interval: int, name: str) -> Reading | None:
        """Return the reading that a prosumer's interval was settled with, if it was."""
        return self.model.reading_of(interval, name)

    def _locked_ueur(self) -> int:
        return self.model.held_total_ueur() - self.model.free_total_ueur()

    def _read_settlements(
        self, interval: int, settling: Iterable[Included], statement: Statement
    ) -> None:
        if self.terms.has_parts:
            statement.charges = Charges.empty(len(self._names), self.terms.at(interval))
        read_settlements(self.settlement, settling, self._index, statement)

    def _settle_model(self, interval: int, delivered_wh: IntArray, statement: Statement) -> None:
        """Settle once more in the model, by readings that must be what was delivered."""
        names, members = self._names, self._members
        known = members & ~statement.estimated
        check_metering(
            interval, names[known].tolist(), statement.metered_wh[known], delivered_wh[known]
        )
        on_ledger, in_model = {}, {}
        places, metered_wh = np.flatnonzero(members).tolist(), statement.metered_wh.tolist()
        for i, stated in zip(places, _stated(statement, places), strict=True):
            name = names[i]
            on_ledger[name] = stated
            if known[i]:
                in_model[name] = self.model.report(interval, name, metered_wh[i])
            else:
                in_model[name] = self.model.settle_silent(interval, name)
        check_equal(
            interval,
            on_ledger,
            in_model,
            "settlement of the contract",
            "settlement of the model",
        )


def _stated(statement: Statement, places: Sequence[int]) -> Iterator[Settlement]:
    """Yield what the contract settled with members, by their positions."""
    columns = [
        statement.contracted_wh,
        statement.metered_wh,
        statement.traded_ueur,
        statement.supplier_ueur,
        statement.estimated,
    ]
    if (charges := statement.charges) is not None:
        columns += [charges.local_ueur, charges.network_ueur, charges.taxes_ueur]
    return starmap(Settlement, zip(*(column[places].tolist() for column in columns), strict=True))
