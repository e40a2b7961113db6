"""The tables of a shared battery, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cosim.evm.abi import pack
from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.replay.checks import Amounts, MechanismChecks, Recompute
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.replay.replay import Replayed, address
from cosim.results.reader import Results, rows_of

STORAGE = "CommunityStorage"
NOT_INCLUDED = "not included before gate closure"


class StorageChecks(MechanismChecks[CommunityStorageSettings]):
    """Checks of a shared battery.

    No event tells what members owe after a settlement, but the contract does: it is asked after
    every block that settled.

    Attributes
    ----------
    debts_ueur : dict of (int, bytes) to int
        By block and account. [µEUR]
    owner_owes_ueur : dict of int to int
        What the battery's owner owes the members, by block. [µEUR]
    """

    def __init__(self, settings: CommunityStorageSettings) -> None:
        super().__init__(settings)
        self.debts_ueur: dict[tuple[int, bytes], int] = {}
        self.owner_owes_ueur: dict[int, int] = {}

    def after_block(self, number: int, done: Replayed) -> None:
        """Ask the contract for the debts of who was settled in a block."""
        storage = done.addresses.get(STORAGE)
        if storage is None:
            return
        ask = done.artifacts[storage].selectors["debtOf"]
        ask_owner = done.artifacts[storage].selectors["ownerOwes"]
        for one in reversed(done.included):
            if one.block != number:
                break
            call = done.call_of(0, one.transaction)
            accounts = call.arguments.get("members")
            if call.contract == STORAGE and call.method == "settle" and isinstance(accounts, list):
                for account in accounts:
                    output = done.engine.call(account, storage, ask + pack(account))
                    self.debts_ueur[number, account] = int.from_bytes(output, "big")
                output = done.engine.call(one.transaction.sender, storage, ask_owner)
                self.owner_owes_ueur[number] = int.from_bytes(output, "big")

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the checks of the tables ``storage`` and ``storage_debts``."""
        owed = "from the storage's contract, after each settlement"
        return {
            "storage": lambda: self._storage(history),
            "storage_debts": lambda: history.compare(
                "storage_debts", ("interval", "prosumer"), owed, self._owed(history)
            ),
        }

    def compare_sums(self, check: Check, results: Results) -> None:
        """Compare what the battery gives to the readings of some with what it takes from others."""
        sums = results.table("storage").groupby("interval")["allocated_wh"].sum()
        check.equal("storage", "", "sums of allocated_wh", np.unique(sums).tolist() or [0], [0])

    def allocated_wh(self, history: History) -> Amounts:
        """Return what is added to the meters' readings. [Wh]"""
        rows = rows_of(history.results.table("storage"))
        return {(row.interval, row.prosumer): row.allocated_wh for row in rows}

    def _storage(self, history: History) -> Check:
        """Nominations, accounts, losses, bills and debts."""
        frame, prosumer_of = history.results.table("storage"), history.participants.prosumer_of
        sent = {
            (one.argument("interval"), prosumer_of.get(one.sender))
            for _, one in history.calls(STORAGE, "nominate")
        }
        unsent = {  # what was wanted is in no transaction
            (row.interval, row.prosumer): row.nominated_wh
            for row in rows_of(frame)
            if row.reason == NOT_INCLUDED and (row.interval, row.prosumer) not in sent
        }
        own = list(self._rows(history))
        for row in own:
            key = row["interval"], row["prosumer"]
            if key in unsent:
                row |= {"nominated_wh": unsent[key], "accepted": False, "reason": NOT_INCLUDED}
        method = "from the storage's events, calldata, and its contract's debts"
        check = history.compare("storage", ("interval", "prosumer"), method, own)
        if unsent:
            check.note(
                f"not derivable from the chain: {len(unsent)} nominations that no block has",
                detail=True,
            )
        return check

    def _owed(self, history: History) -> Iterator[dict[str, Any]]:
        """Yield the rows of ``storage_debts`` as the contract tells them."""
        names, changes, ends = history.participants.prosumer_of, [], {}
        for position, sent in history.calls(STORAGE, "settle"):
            block, accounts = sent.included.block, sent.call.arguments.get("members")
            if sent.refused_with is not None or not isinstance(accounts, list):
                continue
            after = {
                names.get("0x" + one.hex(), ""): self.debts_ueur[block, one] for one in accounts
            }
            after[self.settings.name] = self.owner_owes_ueur[block]
            changes += [
                Event(position, STORAGE, "", {"account": name, "debt_ueur": debt})
                for name, debt in after.items()
            ]
            ends[history.settled_in(position)] = position
        for settled, name, debt in history.balances_after(changes, "debt_ueur", ends):
            yield {"interval": settled, "prosumer": name, "debt_ueur": debt}

    def _rows(self, history: History) -> Iterator[dict[str, Any]]:
        battery, names = self.settings.name, history.participants.prosumer_of
        shares: dict[str, int] = defaultdict(int)
        for event in history.of(STORAGE, "SharesTransferred"):
            said = event.arguments
            for account, sign in ((said["account"], -1), (said["to"], 1)):
                shares[names.get(account, account)] += sign * said["shares"]
        shares[battery] = self.settings.shares - sum(
            n for name, n in shares.items() if name != battery
        )
        wanted: dict[tuple[int, str], tuple[int, str | None]] = {}
        fees: dict[tuple[int, str], int] = defaultdict(int)
        for _, sent in history.calls(STORAGE, "nominate", "reportStorage"):
            name = battery
            if sent.call.method == "nominate":
                name = names[sent.sender]
                wanted[sent.argument("interval"), name] = (
                    sent.argument("energy_wh"),
                    sent.refused_with,
                )
            fees[sent.argument("interval"), name] += sent.included.fee_wei
        taken: dict[tuple[int, str], int] = {}
        account_wh: dict[tuple[int, str], int] = {}
        for event in history.of(STORAGE, "EnergyNominated"):
            said = event.arguments
            key = (said["interval"], names[said["account"]])
            taken[key], account_wh[key] = said["energy_wh"], said["account_wh"]
        losses = {
            e.arguments["interval"]: e.arguments["loss_wh"]
            for e in history.of(STORAGE, "StorageReported")
        }
        bills = self._bills(history)
        members = [n for n in history.participants.prosumers if shares[n] and n != battery]
        stored = dict.fromkeys(members, 0)
        for interval in range(history.results.n_intervals):
            present = {*members, battery, *(name for k, name in wanted if k == interval)}
            total_wh = sum(wh for (k, _), wh in taken.items() if k == interval)
            stored |= {name: wh for (k, name), wh in account_wh.items() if k == interval}
            for name in history.participants.prosumers:
                if name not in present:
                    continue
                key, is_battery = (interval, name), name == battery
                sent_wh, reason = wanted.get(key, (0, None))
                own_wh = total_wh if is_battery else taken.get(key, 0)
                billed, credited, debt = bills.get(key, (0, 0, 0))
                yield {
                    "interval": interval,
                    "prosumer": name,
                    "shares": shares[name],
                    "nominated_wh": total_wh if is_battery else sent_wh,
                    "accepted": reason is None,
                    "reason": reason,
                    "allocated_wh": own_wh if is_battery else -own_wh,
                    "account_wh": sum(stored.values()) if is_battery else stored.get(name, 0),
                    "loss_wh": losses.get(interval) if is_battery else None,
                    "billed_ueur": billed,
                    "credited_ueur": credited,
                    "debt_ueur": debt,
                    "fees_ueur": history.fee_ueur(fees[key]),
                }

    def _bills(self, history: History) -> dict[tuple[int, str], tuple[int, int, int]]:
        """Bills, credits and debts by interval and member. [µEUR]"""
        bills = {}
        for event in history.of(STORAGE, "LossesSettled"):
            said, block = event.arguments, history.sent[event.position].included.block
            name = history.participants.prosumer_of[said["account"]]
            bills[history.settled_in(event.position), name] = (
                said["billed_ueur"],
                said["credited_ueur"],
                self.debts_ueur.get((block, address(said["account"])), 0),
            )
        return bills
