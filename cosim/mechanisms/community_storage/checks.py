"""The table of a shared battery, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict

import pandas as pd

from cosim.evm.abi import pack
from cosim.evm.contracts import compile_contract
from cosim.mechanisms.community_storage.settings import CommunityStorageSettings
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.recorded import rows_of
from cosim.replay.replay import Replayed, address
from cosim.units import fee_ueur

STORAGE = "CommunityStorage"
KEY = ["interval", "prosumer"]
NOT_INCLUDED = "not included before gate closure"


class Debts:
    """Reads, during the replay, what members of a shared battery owe after each settlement.

    No event tells it, but the contract does: it is asked after every block that settled.
    """

    def __init__(self) -> None:
        self.found: dict[tuple[int, bytes], int] = {}

    def after_block(self, number: int, done: Replayed) -> None:
        """Ask the contract for the debts of who was settled in a block."""
        storage = done.addresses.get(STORAGE)
        if storage is None:
            return
        ask = compile_contract(STORAGE).selectors["debtOf"]
        for one in reversed(done.included):
            if one.block != number:
                break
            call = done.call_of(0, one.transaction)
            accounts = call.arguments.get("members")
            if call.contract == STORAGE and call.method == "settle" and isinstance(accounts, list):
                for account in accounts:
                    output = done.engine.call(account, storage, ask + pack(account))
                    self.found[number, account] = int.from_bytes(output, "big")


def check_storage(history: History, debts: Debts) -> Check:
    """Nominations, accounts, losses, bills and debts of a shared battery."""
    check = Check("storage", "from the storage's events, calldata, and its contract's debts")
    recorded = history.recorded
    frame, settings = recorded.frame("storage"), recorded.scenario.section(CommunityStorageSettings)
    if settings is None:
        check.equal("storage", "", "number of rows", len(frame), 0)
        return check
    own = _rows(history, debts, settings.name)
    unsent = [row for row in rows_of(frame) if row.reason == NOT_INCLUDED]
    sent = {
        (one.call.arguments["interval"], recorded.prosumer_of.get(one.sender))
        for _, one in history.calls(STORAGE, "nominate")
    }
    for row in unsent:  # what was wanted is in no transaction
        if (row.interval, row.prosumer) not in sent:
            at = (own["interval"] == row.interval) & (own["prosumer"] == row.prosumer)
            own.loc[at, "nominated_wh"] = row.nominated_wh
            own.loc[at, "accepted"] = False
            own.loc[at, "reason"] = NOT_INCLUDED
    if unsent:
        check.note(f"not derivable from the chain: {len(unsent)} nominations that no block has")
    check.keyed("storage", KEY, frame, own, [name for name in frame.columns if name not in KEY])
    return check


def _rows(history: History, debts: Debts, battery: str) -> pd.DataFrame:
    recorded, names = history.recorded, history.recorded.prosumer_of
    shares: dict[str, int] = defaultdict(int)
    for event in history.of(STORAGE, "SharesTransferred"):
        said = event.arguments
        for account, sign in ((said["account"], -1), (said["to"], 1)):
            shares[names.get(account, account)] += sign * said["shares"]
    total = recorded.scenario.section(CommunityStorageSettings)
    assert total is not None
    shares[battery] = total.shares - sum(n for name, n in shares.items() if name != battery)
    wanted: dict[tuple[int, str], tuple[int, str | None]] = {}
    fees: dict[tuple[int, str], int] = defaultdict(int)
    for _, sent in history.calls(STORAGE, "nominate", "reportStorage"):
        interval = sent.call.arguments["interval"]
        assert isinstance(interval, int)
        if sent.call.method == "nominate":
            energy = sent.call.arguments["energy_wh"]
            assert isinstance(energy, int)
            name = names[sent.sender]
            wanted[interval, name] = (energy, sent.refused_with)
        else:
            name = battery
        fees[interval, name] += sent.included.fee_wei
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
    bills: dict[tuple[int, str], tuple[int, int, int]] = {}
    for event in history.of(STORAGE, "LossesSettled"):
        said, interval = event.arguments, history.settled_in(event.position)
        block = history.sent[event.position].included.block
        debt = debts.found.get((block, address(said["account"])), 0)
        bills[interval, names[said["account"]]] = (
            said["billed_ueur"],
            said["credited_ueur"],
            debt,
        )
    members = [name for name in recorded.prosumers if shares[name] and name != battery]
    eur_per_eth, stored = recorded.scenario.ledger.eur_per_eth, dict.fromkeys(members, 0)
    rows = []
    for interval in range(recorded.intervals_done):
        people = {*members, battery, *(name for k, name in wanted if k == interval)}
        total_wh = sum(wh for (k, _), wh in taken.items() if k == interval)
        stored |= {name: wh for (k, name), wh in account_wh.items() if k == interval}
        for name in recorded.prosumers:
            if name not in people:
                continue
            key, is_battery = (interval, name), name == battery
            sent_wh, reason = wanted.get(key, (0, None))
            own_wh = total_wh if is_battery else taken.get(key, 0)
            billed, credited, debt = bills.get(key, (0, 0, 0))
            rows.append(
                {
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
                    "fees_ueur": fee_ueur(fees[key], eur_per_eth),
                }
            )
    own = pd.DataFrame(rows, columns=list(recorded.frame("storage").columns))
    return own.astype({"loss_wh": object, "reason": object})
