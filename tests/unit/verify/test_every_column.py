"""No column of any table is free: a change of one cell is found by what recomputes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forgery import with_other_cell

from cosim.evm.engine import create_engine
from cosim.mechanisms.community_storage.checks import Debts, check_storage
from cosim.mechanisms.local_market import checks as orders
from cosim.mechanisms.local_market import settlement_checks as settlement
from cosim.mechanisms.supply_contract.checks import check_supply
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.recorded import Recorded
from cosim.replay.replay import replay
from cosim.results.schemas import TABLES
from cosim.verify import grid
from cosim.verify.beside import check_certificates, check_names
from cosim.verify.blocks import check_blocks
from cosim.verify.ledger import check_events, check_receipts, replayed_tables
from cosim.verify.population import People, check_devices
from cosim.verify.power_flows import delivered_cases, scheduled_cases, solve_cases
from cosim.verify.sending import check_gas_limits, check_intervals, check_sending

ON_CHAIN = ("transactions", "blocks")
ONLY_HASHED_BETWEEN = (("grid_checks", "value"), ("violations", "drivers"))
"""Columns that are not recomputed in relieved rounds before the last."""


class Verified:
    """A result whose chain was replayed and whose power flows were solved, once for all tests."""

    def __init__(self, folder: Path) -> None:
        self.recorded = Recorded(folder)
        self.debts = Debts()
        self.chain = replay(self.recorded, create_engine("revm"), self.debts.after_block)
        self.tables = replayed_tables(self.chain)
        self.history = History(self.recorded, self.chain, self.tables["events"])
        self.cleared = orders.clearings(self.history)
        self.people = People(self.recorded)
        self.delivered = delivered_cases(self.recorded, 1)
        self.cases = self.delivered + scheduled_cases(self.recorded, self.people, 1)
        self.states = solve_cases(self.recorded, self.cases, 1)

    def checks(self, table: str) -> list[Callable[[], Check]]:
        """What recomputes a table."""
        recorded, history = self.recorded, self.history
        n = len(self.delivered)
        of: dict[str, list[Callable[[], Check]]] = {
            "orders": [lambda: orders.check_orders(history, self.cleared)],
            "trades": [lambda: orders.check_trades(history, self.cleared)],
            "schedules": [
                lambda: settlement.check_schedules(history),
                lambda: check_devices(recorded, self.people),
            ],
            "grid_checks": [self._grid_checks],
            "violations": [self._grid_checks],
            "flexibility": [lambda: settlement.check_flexibility(history)],
            "settlement": [lambda: settlement.check_settlement(history)],
            "storage": [lambda: check_storage(history, self.debts)],
            "certificates": [lambda: check_certificates(history)],
            "supply": [lambda: check_supply(history)],
            "names": [lambda: check_names(history)],
            "prosumers": [lambda: check_devices(recorded, self.people)],
            "events": [lambda: check_events(recorded, self.chain, self.tables)],
        }
        power_flow = [lambda: grid.check_power_flows(recorded, self.delivered, self.states[:n])]
        return of.get(table, power_flow)

    def _grid_checks(self) -> Check:
        return grid.check_grid_checks(self.recorded, self.people, self.cases, self.states, 1)

    def replayed(self) -> list[Check]:
        """What a replay of forged transactions or blocks shows."""
        recorded = self.recorded
        chain = replay(recorded, create_engine("revm"))
        tables = replayed_tables(chain)
        history = History(recorded, chain, tables["events"])
        return [
            check_receipts(recorded, chain, tables),
            check_events(recorded, chain, tables),
            check_blocks(recorded, chain),
            check_sending(recorded),
            check_intervals(history),
            check_gas_limits(history),
        ]

    def forged(self, table: str, column: str, row: int) -> list[str]:
        """Names of the checks that find one changed cell; a check that breaks on it finds it."""
        frames = self.recorded._frames
        honest = frames[table]
        changed = Recorded(self.recorded.folder)
        read = with_other_cell(changed.arrow(table), column, row)
        changed.arrow = lambda name: read  # type: ignore[method-assign]
        frames[table] = changed.frame(table)
        try:
            found = self.replayed() if table in ON_CHAIN else [c() for c in self.checks(table)]
            return [check.name for check in found if not check.passed]
        except (LookupError, ValueError) as error:
            return [f"{type(error).__name__}"]
        finally:
            frames[table] = honest


@pytest.fixture(scope="module")
def verified(whole_result: Path) -> Verified:
    return Verified(whole_result)


def test_the_honest_tables_pass(verified: Verified) -> None:
    found = [check() for table in sorted(TABLES) for check in verified.checks(table)]
    assert [check.name for check in found + verified.replayed() if not check.passed] == []


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"reorganisations"}))
def test_every_column_is_recomputed(verified: Verified, table: str) -> None:
    n_rows = len(verified.recorded.frame(table))
    rng = np.random.default_rng(len(table))
    missed = []
    for column in TABLES[table].columns:
        # a later row than the deployments, whose gas limits have no like; and none of a relieved
        # round before the last
        row = int(rng.integers(n_rows // 2, n_rows))
        if (table, column.name) in ONLY_HASHED_BETWEEN:
            stages = verified.recorded.frame(table)["stage"]
            row = int(stages.index[stages == "scheduled"][-1])
        if not verified.forged(table, column.name, row):
            missed.append((column.name, row))
    assert missed == []
