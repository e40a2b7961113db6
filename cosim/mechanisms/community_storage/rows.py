"""Nominations of one interval, and the rows of ``storage`` that they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosim.mechanisms.community_storage.model import CommunityStorageModel
from cosim.mechanisms.community_storage.setup import StorageSetup
from cosim.messages import Columns
from cosim.units import IntArray, fee_ueur


@dataclass
class StorageInterval:
    """Nominations of one interval, sent and taken, by connection point.

    Parameters
    ----------
    handles : dict of int to int
        Transactions.
    wanted_wh, taken_wh : (n,) int64
        Nominated, and taken by the ledger; charging positive. [Wh]
    reasons : dict of int to str
        Of nominations that were not taken.
    fees_wei : list of int
        [wei]
    accounts_wh : dict of int to int
        Members' accounts at the end of the interval. [Wh]
    stored_wh : int
        Sum of the accounts. [Wh]
    expected_wh : float
        Energy in the battery by its schedules. [Wh]
    """

    handles: dict[int, int]
    wanted_wh: IntArray
    taken_wh: IntArray
    reasons: dict[int, str]
    fees_wei: list[int]
    accounts_wh: dict[int, int]
    stored_wh: int = 0
    expected_wh: float = 0.0

    def rows(
        self,
        names: Sequence[str],
        setup: StorageSetup,
        model: CommunityStorageModel,
        loss_wh: int | None,
        settled: Mapping[int, tuple[int, int]],
    ) -> Columns:
        """Return rows of every member, of others who nominated, and of the battery.

        Parameters
        ----------
        names : sequence of str
            Connection points.
        setup : StorageSetup
        model : CommunityStorageModel
            After the settlement.
        loss_wh : int or None
            Of the battery. [Wh]
        settled : mapping of int to (int, int)
            Billed and credited. [µEUR]
        """
        battery = setup.point
        points = sorted({*self.accounts_wh, battery, *self.handles})
        total_wh = int(self.taken_wh.sum())
        accounts = self.accounts_wh | {battery: self.stored_wh}
        nominated = {i: int(self.wanted_wh[i]) for i in points} | {battery: total_wh}
        allocated = {i: -int(self.taken_wh[i]) for i in points} | {battery: total_wh}
        return {
            "prosumer": [names[i] for i in points],
            "shares": [model.account_of(names[i]).shares for i in points],
            "nominated_wh": [nominated[i] for i in points],
            "accepted": [i not in self.reasons for i in points],
            "reason": [self.reasons.get(i) for i in points],
            "allocated_wh": [allocated[i] for i in points],
            "account_wh": [accounts.get(i, 0) for i in points],
            "loss_wh": [loss_wh if i == battery else None for i in points],
            "billed_ueur": [settled.get(i, (0, 0))[0] for i in points],
            "credited_ueur": [settled.get(i, (0, 0))[1] for i in points],
            "debt_ueur": [model.debt_of(names[i]) for i in points],
            "fees_ueur": [fee_ueur(self.fees_wei[i], setup.eur_per_eth) for i in points],
        }
