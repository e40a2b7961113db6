"""Transactions and events of a replayed chain, in a form that tables are recomputed from."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pandas as pd

from cosim.chain.blocks import Included
from cosim.evm.abi import revert_text
from cosim.replay.checks import MechanismChecks
from cosim.replay.findings import Check
from cosim.replay.participants import Participants
from cosim.replay.replay import Call, Replayed
from cosim.results.area import AreaResults
from cosim.results.reader import Results, rows_of
from cosim.units import fee_ueur

K = TypeVar("K")


@dataclass(frozen=True)
class Event:
    """An event of the replay.

    Parameters
    ----------
    position : int
        Of its transaction among those that were included, from 0.
    contract, name : str
    arguments : dict
        By name; bytes as 0x hex.
    instance : str
        Tells contracts of one name apart; empty where there is one.
    """

    position: int
    contract: str
    name: str
    arguments: dict[str, Any]
    instance: str = ""


@dataclass(frozen=True)
class Sent:
    """A transaction of the replay, decoded.

    Parameters
    ----------
    included : Included
    call : Call
    sender : str
        Address as 0x hex.
    """

    included: Included
    call: Call
    sender: str

    @property
    def refused_with(self) -> str | None:
        """Revert text; None if it succeeded."""
        receipt = self.included.receipt
        return None if receipt.status else revert_text(receipt.output)

    def argument(self, name: str) -> int:
        """Return an argument that is a whole number.

        Raises
        ------
        LookupError
            If the call has none of that name.
        """
        value = self.call.arguments[name]
        assert isinstance(value, int)
        return value


class History:
    """Transactions and events of a replay.

    Parameters
    ----------
    results : Results
        Tables as recorded.
    done : Replayed
    mechanisms : sequence of MechanismChecks
        Checks of the run's mechanisms, which saw every block of the replay.
    """

    def __init__(
        self,
        results: Results,
        done: Replayed,
        mechanisms: Sequence[MechanismChecks[Any]] = (),
    ) -> None:
        self.results = results
        self.scenario = results.scenario
        self.participants = Participants(results)
        self.done = done
        self.mechanisms = tuple(mechanisms)
        self.sent = [
            Sent(
                one,
                done.call_of(position, one.transaction),
                "0x" + one.transaction.sender.hex(),
            )
            for position, one in enumerate(done.included)
        ]
        place = {(one.block, one.index): i for i, one in enumerate(done.included)}
        self.events: dict[tuple[str, str], list[Event]] = defaultdict(list)
        self._logged: dict[int, list[Event]] = defaultdict(list)
        for row in rows_of(done.tables["events"]):
            position = place[row.block, row.index]
            contract, _, instance = row.contract.partition("/")
            event = Event(position, contract, row.event, json.loads(row.arguments), instance)
            self.events[contract, row.event].append(event)
            self._logged[position].append(event)

    def instances(self, contract: str) -> list[str]:
        """Names of the instances of a contract, in the order of the deployment; [""] of one."""
        found = [name.partition("/") for name in self.done.addresses]
        return [instance for name, _, instance in found if name == contract]

    def part(self, instance: str) -> History:
        """Return the same as one of several instances of contracts sees it.

        Transactions and events of other instances are to unknown contracts, tables have the rows of
        its area alone, without that column; positions stay.
        """
        part, own = copy.copy(self), ("", instance)
        part.results = AreaResults(self.results, instance)
        part.sent = [
            one if one.call.instance in own else replace(one, call=replace(one.call, contract=""))
            for one in self.sent
        ]
        part.events = defaultdict(list, _of_instances(self.events, own))
        part._logged = defaultdict(list, _of_instances(self._logged, own))
        addresses = {
            name.removesuffix(f"/{instance}"): address
            for name, address in self.done.addresses.items()
            if "/" not in name or name.endswith(f"/{instance}")
        }
        part.done = replace(self.done, addresses=addresses)
        return part

    def balances_after(
        self, changes: Sequence[Event], field: str, ends: Mapping[int, int]
    ) -> Iterator[tuple[int, str, int]]:
        """Yield balances that changed in each recorded interval, as they were when it was settled.

        Parameters
        ----------
        changes : sequence of Event
            Each with ``account`` and its new balance, in the order of the chain.
        field : str
            Argument that is the balance.
        ends : mapping of int to int
            Position of the last event of each interval's settlement.

        Yields
        ------
        int, str, int
            Interval, address and balance.
        """
        recorded, k = self.results.table("settlement")["interval"], 0
        last = int(recorded.max()) if len(recorded) else -1
        before: dict[str, int] = {}
        for settled in sorted(ends):
            now = dict(before)
            while k < len(changes) and changes[k].position <= ends[settled]:
                said = changes[k].arguments
                now[said["account"]] = said[field]
                k += 1
            if settled > last:
                break  # an interruption left it unrecorded
            for address, balance in now.items():
                if balance != before.get(address, 0):
                    yield settled, address, balance
            before = now

    def of(self, contract: str, *names: str) -> list[Event]:
        """Events of a contract by name, in the order of the chain."""
        found = [event for name in names for event in self.events.get((contract, name), [])]
        return found if len(names) == 1 else sorted(found, key=lambda event: event.position)

    def logged(self, position: int) -> Sequence[Event]:
        """Events of one transaction."""
        return self._logged.get(position, [])

    def calls(self, contract: str, *methods: str) -> Iterator[tuple[int, Sent]]:
        """Transactions that call a contract, with their positions; of some methods or of all."""
        for position, sent in enumerate(self.sent):
            if sent.call.contract == contract and (not methods or sent.call.method in methods):
                yield position, sent

    def settled_in(self, position: int) -> int:
        """Interval that was being settled when a transaction was included; -1 before the first."""
        clock = self.scenario.clock()
        after = self.sent[position].included.included_at_s - clock.start_s
        return max(min(after // clock.step_s - 1, self.scenario.time.intervals - 1), -1)

    def compare(
        self,
        table: str,
        key: Sequence[str],
        method: str,
        rows: Iterable[Mapping[str, Any]],
        recorded: pd.DataFrame | None = None,
    ) -> Check:
        """Return the check of a table against rows that were recomputed.

        Parameters
        ----------
        table : str
            Name of the table, and of the check.
        key : sequence of str
            Columns that name a row.
        method : str
            Says how the rows were recomputed.
        rows : iterable of mapping
            Values by column; None where one is missing.
        recorded : DataFrame, optional
            Rows that are compared; default: all of the table.
        """
        check = Check(table, method)
        recorded = self.results.table(table) if recorded is None else recorded
        columns = list(recorded.columns)
        own = pd.DataFrame(list(rows), columns=columns, dtype=object)
        check.keyed(table, key, recorded, own, [name for name in columns if name not in key])
        return check

    def fee_ueur(self, fee_wei: int) -> int:
        """Fee in the money of the scenario. [µEUR]"""
        return fee_ueur(fee_wei, self.scenario.ledger.eur_per_eth)


def _of_instances(events: Mapping[K, list[Event]], own: Collection[str]) -> dict[K, list[Event]]:
    """Return the events of some instances."""
    return {key: [one for one in known if one.instance in own] for key, known in events.items()}
