"""No column of any table is free: a change of one cell is found by what recomputes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forgery import with_other_cell

from cosim.evm.engine import create_engine
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.replay import replay
from cosim.results.reader import Results
from cosim.results.schemas import tables_of
from cosim.verify import grid
from cosim.verify.blocks import check_blocks
from cosim.verify.ledger import check_events, check_receipts
from cosim.verify.mechanisms import checks_of, recompute
from cosim.verify.population import (
    RebuiltPopulation,
    check_devices,
    check_forecasts,
    check_storages,
)
from cosim.verify.power_flows import delivered_cases, scheduled_cases, solve_cases
from cosim.verify.relief import check_margins
from cosim.verify.sending import check_gas_limits, check_intervals, check_sending

TABLES = tables_of()

ON_CHAIN = ("transactions", "blocks")
ONLY_HASHED_BETWEEN = (("grid_checks", "value"), ("violations", "drivers"))
"""Columns that are not recomputed in relieved rounds before the last."""


class Verified:
    """A result whose chain was replayed and whose power flows were solved, once for all tests."""

    def __init__(self, folder: Path) -> None:
        self.results = Results(folder)
        mechanisms = checks_of(self.results.scenario)
        engine = create_engine("revm")
        self.chain = replay(self.results, engine, [each.after_block for each in mechanisms])
        self.history = History(self.results, self.chain, mechanisms)
        self.rebuilt = RebuiltPopulation(self.results)
        self.delivered = delivered_cases(self.rebuilt, 1)
        self.cases = self.delivered + scheduled_cases(self.rebuilt, 1)
        self.states = solve_cases(self.rebuilt, self.cases, 1)

    def checks(self, table: str) -> list[Callable[[], Check]]:
        """Return the checks that recompute a table."""
        of = dict(recompute(self.history))
        more: dict[str, list[Callable[[], Check]]] = {
            "schedules": [of["schedules"], self._devices],
            "grid_checks": [self._grid_checks],
            "violations": [self._grid_checks],
            "prosumers": [self._devices],
            "forecasts": [self._forecasts],
            "storages": [self._storages],
            "margins": [self._margins],
            "pivotal": [self._margins],
            "events": [self._events],
        }
        return more.get(table, [of[table]] if table in of else [self._power_flows])

    def _devices(self) -> Check:
        return check_devices(self.rebuilt)

    def _forecasts(self) -> Check:
        return check_forecasts(self.rebuilt)

    def _storages(self) -> Check:
        return check_storages(self.rebuilt)

    def _margins(self) -> Check:
        return check_margins(self.rebuilt, 1)

    def _events(self) -> Check:
        return check_events(self.results, self.chain)

    def _power_flows(self) -> Check:
        n = len(self.delivered)
        return grid.check_power_flows(self.rebuilt, self.delivered, self.states[:n])

    def _grid_checks(self) -> Check:
        return grid.check_grid_checks(self.rebuilt, self.cases, self.states, 1)

    def replayed(self) -> list[Check]:
        """Return what a replay of forged transactions or blocks shows."""
        chain = replay(self.results, create_engine("revm"))
        history = History(self.results, chain, checks_of(self.results.scenario))
        return [
            check_receipts(self.results, chain),
            check_events(self.results, chain),
            check_blocks(self.results, chain),
            check_sending(self.results),
            check_intervals(history),
            check_gas_limits(history),
        ]

    def forged(self, table: str, column: str, row: int) -> list[str]:
        """Names of the checks that find one changed cell; a check that breaks on it finds it."""
        tables = self.results._whole
        honest = tables[table]
        changed = Results(self.results.folder)
        read = with_other_cell(changed.arrow(table), column, row)
        changed.arrow = lambda name: read  # type: ignore[assignment, method-assign, misc]
        tables[table] = changed.table(table)
        try:
            found = self.replayed() if table in ON_CHAIN else [c() for c in self.checks(table)]
            return [check.name for check in found if not check.passed]
        except (LookupError, ValueError) as error:
            return [f"{type(error).__name__}"]
        finally:
            tables[table] = honest


@pytest.fixture(scope="module")
def verified(whole_result: Path) -> Verified:
    return Verified(whole_result)


def test_the_honest_tables_pass(verified: Verified) -> None:
    checks = {check: None for table in sorted(TABLES) for check in verified.checks(table)}
    found = [check() for check in checks]  # each once: some are of several tables
    assert len(found) > 20
    assert [check.name for check in found + verified.replayed() if not check.passed] == []


def _solved_again(verified: Verified) -> int:
    """Position of a row of margins in an interval without cuts between rounds."""
    rounds = verified.results.table("margins")["interval"]
    return int(rounds.index[~rounds.duplicated(keep=False)][-1])


def test_a_provider_that_is_not_pivotal_is_found(verified: Verified) -> None:
    # nobody is pivotal in this run
    tables = verified.results._whole
    honest, margins = (verified.results.table(name) for name in ("pivotal", "margins"))
    assert honest.empty
    row = margins.loc[_solved_again(verified), ["interval", "request"]]
    name = verified.results.table("prosumers")["prosumer"][0]
    forged = dict(row, prosumer=name, element="trafo", element_idx=1, quantity="loading_percent")
    try:
        tables["pivotal"] = pd.DataFrame([forged])[list(honest.columns)]
        assert not check_margins(verified.rebuilt, 1).passed
    finally:
        tables["pivotal"] = honest


def test_a_tap_of_a_network_without_controllers_is_found(verified: Verified) -> None:
    tables = verified.results._whole
    honest = verified.results.table("taps")
    assert honest.empty
    try:
        tables["taps"] = pd.DataFrame([{"interval": 0, "trafo": 1, "tap_pos": 1.0}])
        assert [check().passed for check in verified.checks("taps")] == [False]
    finally:
        tables["taps"] = honest


# tables that are empty in this run, with tests of their own: nobody owes anything
# (tests/unit/mechanisms/local_market/test_debts.py, tests/e2e/test_delivery_debts.py,
# tests/e2e/test_debts_of_contracts.py), no tap has a controller
# (tests/e2e/test_changing_network.py), and nothing is violated while consumption is caught up
# (tests/e2e/test_rebound.py), and no pairs clear (tests/e2e/test_bilateral.py)
EMPTY = {"debts", "flexibility_debts", "storage_debts", "supply_debts"}
EMPTY |= {"bilateral_trades", "pivotal", "rebounds", "reorganisations", "taps"}


@pytest.mark.parametrize("table", sorted(set(TABLES) - EMPTY))
def test_every_column_is_recomputed(verified: Verified, table: str) -> None:
    n_rows = len(verified.results.table(table))
    rng = np.random.default_rng(len(table))
    missed = []
    for column in TABLES[table].columns:
        # a later row than the deployments, whose gas limits have no like; and none of a relieved
        # round before the last
        row = int(rng.integers(n_rows // 2, n_rows))
        if (table, column.name) in ONLY_HASHED_BETWEEN:
            stages = verified.results.table(table)["stage"]
            row = int(stages.index[stages == "scheduled"][-1])
        if table == "margins":
            row = _solved_again(verified)
        if (table, column.name) == ("requests", "round"):
            # down, then up: of one round or of two, which look alike on the chain
            frame = verified.results.table(table)
            opened = (frame["direction"] == "down") & frame["request"].notna()
            row = int(frame.index[opened][-1])
        if not verified.forged(table, column.name, row):
            missed.append((column.name, row))
    assert missed == []
