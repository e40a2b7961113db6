"""Checks a result folder without trusting who made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cosim.errors import CosimError, EngineError, NodeError, UserError
from cosim.mechanisms.community_storage.checks import Debts, check_storage
from cosim.mechanisms.keys import key_ring
from cosim.mechanisms.local_market.checks import (
    check_clearing,
    check_orders,
    check_trades,
    clearings,
)
from cosim.mechanisms.local_market.settlement_checks import (
    check_flexibility,
    check_metering,
    check_schedules,
    check_settlement,
)
from cosim.mechanisms.supply_contract.checks import check_supply
from cosim.plugins.evm_engine import AUTO
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.recorded import Recorded
from cosim.replay.replay import engine_for, replay
from cosim.verify import grid
from cosim.verify.beside import check_certificates, check_names
from cosim.verify.blocks import check_blocks, check_reorganisations
from cosim.verify.files import check_bytes, check_files, check_manifest, check_tables
from cosim.verify.ledger import (
    check_events,
    check_receipts,
    check_state,
    replayed_tables,
)
from cosim.verify.population import People, check_devices
from cosim.verify.power_flows import delivered_cases, scheduled_cases, solve_cases
from cosim.verify.sending import check_gas_limits, check_intervals, check_sending
from cosim.verify.summary import check_conservation, check_indicators

PARTS = ("files", "ledger", "grid", "indicators")
"""What a verification consists of."""


@dataclass
class Verification:
    """Everything that was checked.

    Parameters
    ----------
    folder : Path
    engine : str
        On which the transactions were replayed.
    checks : list of Check
    """

    folder: Path
    engine: str
    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing differs anywhere."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> list[str]:
        """Names of the checks that found a difference."""
        return [check.name for check in self.checks if not check.passed]

    def run(self, name: str, method: str, work: Callable[[], Check]) -> None:
        """Run one check; what it cannot read is a difference, not an end."""
        try:
            self.checks.append(work())
        except NodeError:
            raise
        except EngineError as error:
            raise UserError(
                f"the transactions cannot be replayed on {self.engine}: {error}",
                field="--engine",
                remedy="give --url a fresh node that answers, or use revm",
            ) from error
        except Exception as error:  # whatever a forged file makes of it, the file is at fault
            check = Check(name, method)
            check.differ(
                "", "", "", "something to check", f"{type(error).__name__}: {_first_line(error)}"
            )
            self.checks.append(check)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def verify(
    folder: str | Path,
    engine: str = AUTO,
    url: str | None = None,
    *,
    every: int = 1,
    jobs: int = 1,
    parts: Sequence[str] = PARTS,
) -> Verification:
    """Check a result folder: files, ledger, markets, devices, grid, indicators.

    Parameters
    ----------
    folder : str or Path
        A result folder.
    engine : str
        ``auto`` or an engine's name, on which the transactions are replayed.
    url : str, optional
        Of a fresh node, for the engine ``rpc``.
    every : int
        Power flows are solved again for one interval in so many.
    jobs : int
        Processes that solve them.
    parts : sequence of str
        Which of :data:`PARTS` are checked.

    Returns
    -------
    Verification

    Raises
    ------
    UserError
        If the folder is no result folder, or the engine cannot be used.
    """
    recorded = Recorded(folder)
    done = Verification(recorded.folder, engine)
    if "files" in parts:
        done.run("files", "SHA-256", lambda: check_files(recorded))
        done.run("schemas", "types", lambda: check_tables(recorded))
        done.run("bytes", "written again", lambda: check_bytes(recorded))
        done.run("manifest", "scenario", lambda: check_manifest(recorded))
    if "ledger" in parts:
        _check_ledger(done, recorded, engine, url)
    if "grid" in parts:
        _check_grid(done, recorded, every, jobs)
    if "indicators" in parts:
        done.run("indicators", "tables", lambda: check_indicators(recorded))
    return done


def _check_ledger(done: Verification, recorded: Recorded, engine: str, url: str | None) -> None:
    """Replay the chain, and recompute from it what the tables say."""
    debts = Debts()
    try:
        keys = key_ring(recorded.scenario.seed, recorded.prosumers, recorded.meters)
    except (CosimError, LookupError, OSError, TypeError, ValueError):
        keys = {}  # the checks below say what is wrong with the folder
    try:
        machine = engine_for(engine, url, keys)
    except EngineError as error:
        raise UserError(
            str(error), field="--engine", remedy="use auto, or give --url a node"
        ) from error
    found: dict[str, Any] = {}

    def played() -> Check:
        check = Check("replay", f"recorded transactions on {engine}")
        found["done"] = replay(recorded, machine, debts.after_block)
        found["tables"] = replayed_tables(found["done"])
        found["history"] = History(recorded, found["done"], found["tables"]["events"])
        found["cleared"] = clearings(found["history"])
        check.compared = len(found["done"].included)
        return check

    done.run("replay", "", played)
    if "cleared" not in found:
        return
    chain, tables = found["done"], found["tables"]
    history, cleared = found["history"], found["cleared"]
    work: dict[str, Callable[[], Check]] = {
        "receipts": lambda: check_receipts(recorded, chain, tables),
        "events": lambda: check_events(recorded, chain, tables),
        "blocks": lambda: check_blocks(recorded, chain),
        "reorganisations": lambda: check_reorganisations(recorded),
        "state": lambda: check_state(recorded, chain),
        "sending": lambda: check_sending(recorded),
        "gas limits": lambda: check_gas_limits(history),
        "intervals": lambda: check_intervals(history),
        "clearing": lambda: check_clearing(history, cleared),
        "orders": lambda: check_orders(history, cleared),
        "trades": lambda: check_trades(history, cleared),
        "flexibility": lambda: check_flexibility(history),
        "schedules": lambda: check_schedules(history),
        "settlement": lambda: check_settlement(history),
        "metering": lambda: check_metering(history),
        "storage": lambda: check_storage(history, debts),
        "certificates": lambda: check_certificates(history),
        "supply": lambda: check_supply(history),
        "names": lambda: check_names(history),
        "conservation": lambda: check_conservation(history),
    }
    for name, check in work.items():
        done.run(name, "", check)


def _check_grid(done: Verification, recorded: Recorded, every: int, jobs: int) -> None:
    """Play the devices and solve the power flows again."""
    found: dict[str, Any] = {}

    def prepared() -> Check:
        people = found["people"] = People(recorded)
        return grid.check_network(recorded, people)

    def solved() -> Check:
        people = found["people"]
        delivered = delivered_cases(recorded, every)
        cases = delivered + scheduled_cases(recorded, people, every)
        states = solve_cases(recorded, cases, jobs)
        found["cases"], found["states"] = cases, states
        return grid.check_power_flows(recorded, delivered, states[: len(delivered)])

    done.run("network", "", prepared)
    if "people" not in found:
        return
    done.run("devices", "", lambda: check_devices(recorded, found["people"]))
    done.run("power flow", "", solved)
    if "states" in found:
        done.run(
            "grid checks",
            "",
            lambda: grid.check_grid_checks(
                recorded, found["people"], found["cases"], found["states"], every
            ),
        )
