"""Batches of a replayed chain: who sent each, by which authority, of which entries, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

import pandas as pd

from cosim.chain.roles import AGGREGATOR, ROLES
from cosim.evm.accounts import accounts
from cosim.mechanisms.local_market.client import CREDIT_GAS
from cosim.mechanisms.local_market.submission.client import (
    order_batch_gas,
    order_of_word,
    reading_batch_gas,
    reading_of_word,
    signed_order_batch_gas,
    signed_reading_batch_gas,
)
from cosim.mechanisms.local_market.submission.entries import SUBMISSIONS
from cosim.mechanisms.local_market.submission.partition import batches, most_entries
from cosim.mechanisms.local_market.submission.terms import SubmissionTerms
from cosim.mechanisms.local_market.terms import MarketTerms
from cosim.replay.findings import Check
from cosim.replay.history import History, Sent
from cosim.results.reader import rows_of

HEAD_END = "metering operator"
ORDERS = ("sendOrders", "sendSignedOrders")
READINGS = ("sendReadings", "sendSignedReadings")

Batch = tuple[float, tuple[int, ...]]
"""Leaving time of a batch, and the positions of those whose entries it holds. [s]"""


def check_batches(history: History) -> Check:
    """Compare every batch with the one that the scenario's sender makes of what it got.

    Orders go by when they were handed over, as the table of orders says. Readings come in one after
    the other, the first when a block was mined.
    """
    check = Check("batches", "sender, authority, entries and leaving time of every batch")
    checks = BatchChecks(history, check)
    checks.check_orders()
    checks.check_readings()
    return check


class BatchChecks:
    """Batches of orders and of readings, each compared with what the scenario asks for.

    Parameters
    ----------
    history : History
    check : Check
        Takes the differences.
    """

    def __init__(self, history: History, check: Check) -> None:
        self.history, self.check = history, check
        scenario, participants = history.scenario, history.participants
        self.clock, self.ledger = scenario.clock(), scenario.ledger
        self.terms = MarketTerms.of(scenario)
        self.roles = accounts(scenario.seed, (*ROLES, AGGREGATOR))
        self.names = participants.prosumers
        self.position = {name: i for i, name in enumerate(self.names)}

    def check_orders(self) -> None:
        """Compare batches of orders."""
        made = self._batches_of_orders()
        sent = self._sent(ORDERS)
        for interval in sorted(made.keys() | sent.keys()):
            row = f"interval {interval}, orders"
            stated, wanted = sent.get(interval, []), made.get(interval, [])
            self.check.equal("transactions", row, "number of batches", len(stated), len(wanted))
            for one, batch in zip_longest(stated, wanted):
                if one is None or batch is None:
                    continue
                self._compare(row, one, self.terms.sends_orders, ORDERS, AGGREGATOR)
                leaves_s, who = batch
                self._compare_entries(row, self._accounts(one), who)
                left_s = one.included.transaction.sent_at_s
                self.check.equal("transactions", row, "sent_at_s", left_s, leaves_s)

    def check_readings(self) -> None:
        """Compare batches of readings."""
        terms, sent = self.terms.sends_readings, self._sent(READINGS)
        size = self._size(terms, signed_reading_batch_gas if terms.signed else reading_batch_gas)
        for interval, stated in sorted(sent.items()):
            row = f"interval {interval}, readings"
            if not terms.batched:
                self.check.equal("transactions", row, "number of batches", len(stated), 0)
                continue
            entries = [self._meters(one) for one in stated]
            told = [i for each in entries for i in each]
            wanted = batches(((0.0, i) for i in set(told) if i >= 0), size, 0.0)
            self.check.equal("transactions", row, "number of batches", len(stated), len(wanted))
            for one, own, (_, who) in zip(stated, entries, wanted, strict=False):
                self._compare(row, one, terms, READINGS, HEAD_END)
                self._compare_entries(row, own, who)
            self._compare_leaving(row, stated, entries)

    def _batches_of_orders(self) -> dict[int, list[Batch]]:
        """Return the batches that blocks include, by interval, of the orders of the table."""
        terms = self.terms.sends_orders
        if not terms.batched:
            return {}
        lends = self.terms.credit_limit_ueur is not None
        gas, spare = signed_order_batch_gas if terms.signed else order_batch_gas, CREDIT_GAS * lends
        size = self._size(terms, lambda n: gas(n, spare))
        handed: dict[int, list[tuple[float, int]]] = defaultdict(list)
        included: set[tuple[int, int]] = set()
        for row in rows_of(self.history.results.table("orders")):
            i = self.position[row.prosumer]
            handed[row.interval].append((float(row.sent_at_s), i))
            if not pd.isna(row.block):
                included.add((row.interval, i))
        return {
            interval: [
                batch
                for batch in batches(entries, size, self._last_s(interval))
                if any((interval, i) in included for i in batch[1])
            ]
            for interval, entries in handed.items()
        }

    def _last_s(self, interval: int) -> float:
        """Return the last moment at which orders are sent. [s]"""
        return float(self.clock.gate_closes_s(interval) - 2 * self.clock.block_time_s)

    def _size(self, terms: SubmissionTerms, gas_of: Callable[[int], int]) -> int:
        """Return how many entries a full batch has."""
        block, cap = self.ledger.block_gas_limit, self.ledger.transaction_gas_limit
        most_gas = block if cap is None else min(block, cap)
        return most_entries(block, most_gas, terms.size, gas_of)

    def _sent(self, methods: Sequence[str]) -> Mapping[int, list[Sent]]:
        """Return batches by interval, in the order in which they left."""
        found: dict[int, list[Sent]] = defaultdict(list)
        for _, sent in self.history.calls(SUBMISSIONS, *methods):
            found[sent.argument("interval")].append(sent)
        for stated in found.values():
            stated.sort(key=lambda one: one.included.transaction.sent_at_s)
        return found

    def _compare(
        self, row: str, sent: Sent, terms: SubmissionTerms, methods: Sequence[str], role: str
    ) -> None:
        """Compare who sent a batch, and by which authority."""
        self.check.equal("transactions", row, "sender", sent.sender, self.roles[role].hex)
        self.check.equal(
            "transactions", row, "method", sent.call.method, methods[int(terms.signed)]
        )

    def _compare_entries(self, row: str, stated: Sequence[int], wanted: Sequence[int]) -> None:
        """Compare whose entries a batch holds, in their order."""
        names = [
            ", ".join(self.names[i] if i >= 0 else "a stranger" for i in each)
            for each in (stated, wanted)
        ]
        self.check.equal("transactions", row, "entries", *names)

    def _compare_leaving(
        self, row: str, stated: Sequence[Sent], entries: Sequence[Sequence[int]]
    ) -> None:
        """Compare when batches left: with their last reading, the readings since some block."""
        stagger_s = self.clock.block_time_s / len(self.names)
        blocks_s = [float(s) for s in self.history.results.table("blocks")["timestamp_s"]]
        began = [
            {
                begin_s
                for begin_s in blocks_s
                if begin_s + own[-1] * stagger_s == one.included.transaction.sent_at_s
            }
            for one, own in zip(stated, entries, strict=True)
            if own
        ]
        if began and not set.intersection(*began):
            left_s = [one.included.transaction.sent_at_s for one in stated]
            wanted = "with the last reading of each"
            self.check.differ("transactions", row, "sent_at_s", left_s, wanted)

    def _accounts(self, sent: Sent) -> list[int]:
        return list(self._positions(sent, "orders", self.history.participants.prosumer_of))

    def _meters(self, sent: Sent) -> list[int]:
        return list(self._positions(sent, "readings", self.history.participants.metered_by))

    def _positions(self, sent: Sent, argument: str, names: Mapping[str, str]) -> Iterator[int]:
        """Yield whose the entries are, by position; -1 for a stranger."""
        read = order_of_word if argument == "orders" else reading_of_word
        words: Sequence[int] = sent.call.arguments[argument]  # type: ignore[assignment]
        for word in words:
            name = names.get("0x" + read(word)[0].hex())
            yield -1 if name is None else self.position[name]
