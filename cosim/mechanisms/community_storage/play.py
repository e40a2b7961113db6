"""A shared battery in a run: members nominate, the battery follows, losses are billed by share.

Nominations leave with the orders. What the ledger took decides the schedule of the battery's
connection point: its energy manager moves the battery to the sum of the members' accounts, with
whatever rounding left over before. After delivery the members' meters report to the local market
their net injection less what they charged, and the battery's meter its own plus the sum; then it
reports to the storage, which bills the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np

from cosim.chain.waiting import confirmed, refusal, wait_for
from cosim.clock import DeliveryClock
from cosim.errors import ReconciliationError
from cosim.mechanisms.community_storage.client import MAX_BATCH, CommunityStorage, settle_gas
from cosim.mechanisms.community_storage.model import PERMILLE, CommunityStorageModel
from cosim.mechanisms.community_storage.rows import StorageInterval
from cosim.mechanisms.community_storage.setup import StorageSetup, deploy_storage
from cosim.mechanisms.contract_play import ContractPlay
from cosim.mechanisms.debt_rows import DebtRows
from cosim.mechanisms.deployment import Deployment
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.play import Readings, Schedules, Statement
from cosim.mechanisms.reconciliation import check_equal
from cosim.messages import BidsMessage, Columns, Extras
from cosim.messages.extras import StorageAccounts, StorageNominations
from cosim.units import WH_PER_MWH, IntArray

SOC_TOLERANCE_WH = 2.0
"""Most difference between the battery's state of charge and the sum of the accounts. Schedules are
whole Wh at the connection point, at most 0.5 Wh off, which is less than 1 Wh inside the battery for
efficiencies above a half; the next schedule makes up for it."""


class CommunityStoragePlay(ContractPlay[CommunityStorage]):
    """The community storage of a run.

    Parameters
    ----------
    deployment, clock, client
        As of :class:`ContractPlay`; the members have bought their shares.
    setup : StorageSetup
    """

    def __init__(
        self,
        deployment: Deployment,
        clock: DeliveryClock,
        client: CommunityStorage,
        setup: StorageSetup,
    ) -> None:
        super().__init__(deployment, clock, client)
        self.setup = setup
        self.model = CommunityStorageModel(setup.terms)
        self._index = {account.address: i for i, account in enumerate(deployment.prosumers)}
        self._members = setup.members
        self._holders = {self._names[i]: self._address(i) for i in (*self._members, setup.point)}
        self._intervals: dict[int, StorageInterval] = {}
        self._debts = DebtRows()
        self._stored_wh = 0  # sum of the accounts after the latest interval
        self._expected_wh = 0.0  # the battery's, after the latest schedule
        fits = (self._chain.most_gas - settle_gas(0)) // (settle_gas(1) - settle_gas(0))
        self._batch = max(1, min(MAX_BATCH, fits))
        self.model.deposit(setup.terms.owner, setup.owner_deposit_ueur)
        for i in self._members:
            self.model.deposit(self._names[i], setup.needed_ueur(i))
            self.model.buy_shares(self._names[i], setup.shares[i])

    @classmethod
    def deploy(cls, deployment: Deployment, clock: DeliveryClock, setup: StorageSetup) -> Self:
        """Deploy the contract with its members; errors as of :func:`deploy_storage`."""
        return cls(deployment, clock, deploy_storage(deployment, clock, setup), setup)

    def submit(self, interval: int, bids: BidsMessage) -> None:
        """Send the nominations, each when its member's order leaves.

        Parameters
        ----------
        interval : int
        bids : BidsMessage
            Carries the nominations; without them there are none.
        """
        n = len(self._names)
        nominations = bids.extras.of(StorageNominations)
        wanted = np.zeros(n, dtype=np.int64) if nominations is None else nominations.energy_wh
        wanted = np.where(self._deployment.members, wanted, 0)
        opens = self._clock.window_opens_s(interval)
        # as for orders: who sends in the last two blocks cannot expect to be included
        window = self._clock.gate_closes_s(interval) - 2 * self._clock.block_time_s - opens
        handles = {
            i: self.client.nominate(
                self._address(i),
                interval,
                int(wanted[i]),
                sent_at_s=float(opens + bids.sent_fraction[i] * window),
            )
            for i in np.flatnonzero(wanted).tolist()
        }
        self._intervals[interval] = StorageInterval(
            handles, wanted, np.zeros(n, dtype=np.int64), {}, [0] * n, {}
        )

    def gate_closed(self, interval: int) -> None:
        """Read which nominations the ledger took, and take them in the same order.

        Raises
        ------
        ContractRevert
            If the model refuses what the contract took.
        """
        state = self._intervals[interval]
        taken = []
        for i, handle in state.handles.items():
            included = self._chain.included(handle)
            if included is None:
                self._chain.drop([handle])
                state.reasons[i] = "not included before gate closure"
                continue
            state.fees_wei[i] += included.fee_wei
            if included.receipt.status:
                taken.append((included.block, included.index, i))
            else:
                state.reasons[i] = refusal(self.client, handle)
        for _, _, i in sorted(taken):
            state.taken_wh[i] = state.wanted_wh[i]
            self.model.nominate(interval, self._names[i], int(state.wanted_wh[i]))
        nominated = self.model.nominated_of(interval)
        check_equal(
            interval,
            {"CommunityStorage": self.client.nominated_of(interval)},
            {"CommunityStorage": nominated},
            "nominations on the ledger [Wh]",
            "nominations of the model [Wh]",
        )
        self._stored_wh += nominated.stored_wh
        state.stored_wh = self._stored_wh
        state.accounts_wh = {
            i: self.model.account_of(self._names[i]).energy_wh for i in self._members
        }

    def schedule(self, interval: int, schedules: Schedules) -> Schedules:
        """Schedule the battery: towards the sum of the accounts, and standby."""
        setup, terms = self.setup, self.setup.terms
        state = self._intervals[interval]
        missing_wh = state.stored_wh - self._expected_wh
        if missing_wh > 0:
            drawn_wh = round(missing_wh * PERMILLE / terms.charge_permille)
        else:
            drawn_wh = round(missing_wh * terms.discharge_permille / PERMILLE)
        drawn_wh = min(max(drawn_wh, -terms.power_wh), terms.power_wh)
        if drawn_wh > 0:
            self._expected_wh += drawn_wh * terms.charge_permille / PERMILLE
        else:
            self._expected_wh += drawn_wh * PERMILLE / terms.discharge_permille
        state.expected_wh = self._expected_wh
        nominated_wh = schedules.nominated_wh.copy()
        nominated_wh[setup.point] = -setup.standby_wh - drawn_wh
        allocated_wh = self.reported_wh(interval, np.zeros_like(nominated_wh))
        return replace(schedules, nominated_wh=nominated_wh, allocated_wh=allocated_wh)

    def known(self) -> Extras:
        """Return the energy in the accounts, which the next nominations rely on. [Wh]"""
        energies = [self.model.account_of(name).energy_wh for name in self._names]
        return Extras(StorageAccounts(np.array(energies, dtype=np.int64)))

    def reported_wh(self, interval: int, metered_wh: IntArray) -> IntArray:
        """Move what members charged from their meters' readings to the battery's."""
        taken = self._intervals[interval].taken_wh
        reported: IntArray = metered_wh - taken
        reported[self.setup.point] += taken.sum()
        return reported

    def settle(
        self, interval: int, readings: Readings, statement: Statement
    ) -> Mapping[str, Columns]:
        """Let the battery's meter report, bill the loss, and reconcile.

        Returns
        -------
        dict of str to dict
            Rows of ``storage`` and ``storage_debts``.

        Raises
        ------
        ReconciliationError
            If contract and model differ, the local market holds anything but the loss for the
            battery, or its state of charge is not the sum of the accounts.
        """
        state = self._intervals.pop(interval)
        point = self.setup.point
        net_wh = int(readings.delivery.metered_wh[point])
        self._check_state_of_charge(
            interval, state, float(readings.delivery.soc_mwh[point]) * WH_PER_MWH
        )
        loss_wh = self._report(interval, net_wh, state)
        settled = self._settle_members(interval)
        self._check(interval, loss_wh)
        self.model.forget(interval)
        rows = state.rows(self._names, self.setup, self.model, loss_wh, settled)
        owed = self._debts.rows(interval, self.model.debts_of(self._holders))
        return {"storage": {"interval": interval, **rows}, "storage_debts": owed}

    # --- after delivery ---

    def _report(self, interval: int, net_wh: int, state: StorageInterval) -> int | None:
        """Report the battery's reading; return its loss, or None if it came too late. [Wh]"""
        meter = self._deployment.meters[self.setup.point].address
        handle = self.client.report_storage(meter, interval, net_wh)
        deadline_s = self._clock.delivery_start_s(interval + 1) + self._clock.metering_s
        two_blocks_s = 2 * self._chain.block_time_s
        included = wait_for(self._chain, handle, max(deadline_s, self._chain.now_s) + two_blocks_s)
        if included is None:
            return None
        state.fees_wei[self.setup.point] += included.fee_wei
        if refusal(self.client, handle) == "community storage: too late to report":
            return None
        self.client.check(handle)
        loss_wh = self.model.report(interval, net_wh)
        reading = self.client.reading_of(interval)
        check_equal(
            interval,
            {"loss": reading.loss_wh},
            {"loss": loss_wh},
            "loss on the ledger [Wh]",
            "loss of the model [Wh]",
        )
        return loss_wh

    def _settle_members(self, interval: int) -> dict[int, tuple[int, int]]:
        """Collect bills and pay credits; return both of all members with either. [µEUR]"""
        done: dict[int, tuple[int, int]] = {}
        operator = self._deployment.operator.address
        accounts = list(self._holders.values())
        for start in range(0, len(accounts), self._batch):
            batch = accounts[start : start + self._batch]
            handle = self.client.settle(operator, batch, interval=interval)
            for name, event in self.client.events(confirmed(self.client, handle)):
                if name == "LossesSettled":
                    i = self._index[event["account"]]
                    done[i] = (event["billed_ueur"], event["credited_ueur"])
        settled = self.model.settle(self._holders)
        check_equal(
            interval,
            {self._names[i]: amounts for i, amounts in done.items()},
            settled,
            "bill and credit on the ledger [µEUR]",
            "bill and credit of the model [µEUR]",
        )
        return done

    def _check_state_of_charge(self, interval: int, state: StorageInterval, soc_wh: float) -> None:
        if abs(soc_wh - state.stored_wh) > SOC_TOLERANCE_WH:
            raise ReconciliationError(
                interval,
                [self.setup.terms.owner],
                f"the battery holds {soc_wh:.3f} Wh, the accounts {state.stored_wh} Wh, more than "
                f"{SOC_TOLERANCE_WH:g} Wh apart",
            )
        # the schedules after this one were made without knowing how it ended
        self._expected_wh += soc_wh - state.expected_wh
        for later in self._intervals.values():
            later.expected_wh += soc_wh - state.expected_wh

    def _check(self, interval: int, loss_wh: int | None) -> None:
        """Require that contract and model agree on accounts, and the local market on the loss."""
        client, model, owner = self.client, self.model, self.setup.terms.owner
        market = self._deployment.client(LocalMarket)
        reading = market.reading_of(interval, self._address(self.setup.point))
        if loss_wh is not None and not reading.estimated:
            check_equal(
                interval,
                {owner: -reading.net_wh},
                {owner: loss_wh},
                "loss settled in the local market [Wh]",
                "loss reported to the storage [Wh]",
            )
        _check_accounts(interval, client, model, self._holders)
        self._check_tokens(interval, model.free_total_ueur() + model.set_aside_ueur)


def _check_accounts(
    interval: int,
    client: CommunityStorage,
    model: CommunityStorageModel,
    holders: Mapping[str, bytes],
) -> None:
    """Require that contract and model agree on accounts, by name and address."""
    on_chain, in_model = {}, {}
    for name, address in holders.items():
        money = (client.balance_of(address), client.debt_of(address))
        on_chain[name] = (client.account_of(address), *money)
        in_model[name] = (model.account_of(name), model.balance_of(name), model.debt_of(name))
    check_equal(
        interval,
        on_chain,
        in_model,
        "shares, energy [Wh], balance and debt [µEUR] on the ledger",
        "those of the model",
    )
    check_equal(
        interval,
        {model.terms.owner: client.owner_owes()},
        {model.terms.owner: model.owner_owes_ueur},
        "owed by the battery's owner on the ledger [µEUR]",
        "owed by it in the model [µEUR]",
    )
