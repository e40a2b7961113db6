"""Checks of a result folder that do not trust who made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cosim.errors import (
    CheckError,
    CosimError,
    EngineError,
    MissingDeviceError,
    NodeError,
    OutOfTime,
    ResultFolderError,
    UserError,
    in_one_line,
    own_trouble,
)
from cosim.evm.engine import choose_engine, create_engine
from cosim.evm.options import EngineOptions, NodeSettings
from cosim.plugins.blame import blamed
from cosim.plugins.evm_engine import AUTO
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.participants import Participants
from cosim.replay.replay import replay
from cosim.report.report import REPORT
from cosim.results.manifest import read_manifest
from cosim.results.reader import Results
from cosim.scenario.time import TimeSettings
from cosim.verify import grid
from cosim.verify.blocks import check_blocks, check_reorganisations
from cosim.verify.files import check_bytes, check_files, check_manifest, check_tables
from cosim.verify.grid_stretches import GridOfRun, made
from cosim.verify.inputs import check_inputs, check_report
from cosim.verify.ledger import check_events, check_receipts, check_state
from cosim.verify.markets import check_markets
from cosim.verify.mechanisms import checks_of, recompute
from cosim.verify.population import RebuiltPopulation, check_storages
from cosim.verify.power_flows import solving_processes
from cosim.verify.rerun import Rerun
from cosim.verify.sending import check_gas_limits, check_intervals, check_sending
from cosim.verify.signature import check_signature
from cosim.verify.summary import check_conservation, check_indicators

T = TypeVar("T")

CHECKED = ("files", "ledger", "grid", "indicators", "report")
"""Parts of a verification that need no run."""

PARTS = (*CHECKED, "rerun")
"""Parts of a verification."""

QUESTIONS = {
    "rerun": ("rerun",),
    "replay": ("files", "ledger"),
    "recompute": ("files", "grid", "indicators", "report"),
}
"""Questions of ``cosim verify``, and the parts that answer each."""


def parts_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts that questions, or parts by their own names, ask for."""
    return tuple(dict.fromkeys(part for name in names for part in QUESTIONS.get(name, (name,))))


@dataclass
class Verification:
    """Everything that was checked.

    Parameters
    ----------
    folder : Path
    engine : str
        On which the transactions were replayed.
    checks : list of Check
    limits : str
        What was asked for, where it is not everything: parts, and how many power flows.
    clock : TimeSettings, optional
        When its intervals are, as the scenario says.
    """

    folder: Path
    engine: str
    checks: list[Check] = field(default_factory=list)
    limits: str = ""
    clock: TimeSettings | None = None

    @property
    def passed(self) -> bool:
        """True if nothing differs anywhere, and no check was left out."""
        return all(check.passed and not check.left_out for check in self.checks)

    @property
    def failed(self) -> list[str]:
        """Names of the checks that found a difference."""
        return [check.name for check in self.checks if not check.passed]

    @property
    def left_out(self) -> list[str]:
        """Names of the checks that were asked for and not made."""
        return [check.name for check in self.checks if check.left_out]

    def run(self, name: str, work: Callable[..., Check], *given: Any) -> None:
        """Run one check; what it cannot read is a difference, not an end."""
        self.prepare(name, lambda: (work(*given), None))

    def prepare(self, name: str, work: Callable[[], tuple[Check, T]]) -> T | None:
        """Run a check that prepares what others need, and return that; None if it broke."""
        try:
            check, prepared = work()
        except NodeError:
            raise
        except EngineError as error:
            raise UserError(
                f"the transactions cannot be replayed on {self.engine}: {error}",
                field="--engine",
                remedy="give --url a fresh node that answers, or use revm",
            ) from error
        except CheckError as error:
            if not self.failed:
                raise
            # what was found before is told, whatever else this machine cannot check
            check, prepared = Check(name, ""), None
            check.leave_out(f"it could not be made on this machine: {error}")
        except (SystemExit, OutOfTime) as error:  # of a plug-in
            said = blamed(error) or in_one_line(error)
            raise CheckError(f"{name} could not be checked: {said}") from error
        except Exception as error:  # whatever a forged file makes of it, the file is at fault
            if (trouble := own_trouble(error)) is not None:
                raise CheckError(f"{name} could not be checked: {in_one_line(trouble)}") from error
            check, prepared = Check(name, ""), None
            first_line = (str(error).splitlines() or [""])[0]
            found = f"{type(error).__name__}: {first_line}"
            check.differ("", "", "", "something to check", found)
        self.checks.append(check)
        return prepared


def _limits(parts: Sequence[str], every: int) -> str:
    """Say what a verification leaves out by what was asked for."""
    asked = [] if {*PARTS} <= {*parts} else [", ".join(parts)]
    if every > 1 and "grid" in parts:
        asked.append(f"power flows of one interval in {every}")
    return "; ".join(asked)


def verify(
    folder: str | Path,
    engine: str = AUTO,
    url: str | None = None,
    *,
    every: int = 1,
    jobs: int = 1,
    parts: Sequence[str] = PARTS,
    trust: bool = False,
    anchor_url: str | None = None,
    timeout_s: float | None = None,
    may_lack_report: bool = False,
) -> Verification:
    """Check a result folder: play it again; files, ledger, markets, devices, grid, indicators.

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
    trust : bool
        Let the scenario start the programs, and import the modules, that it names; without it, a
        run that needs them is not played again.
    anchor_url : str, optional
        Of a node of the chain that holds the digest of a signed result.
    timeout_s : float, optional
        Time for the run to be played again; default: 30 times what its manifest says it took, but
        at least half an hour. [s]

    Returns
    -------
    Verification

    Raises
    ------
    UserError
        If the folder is no result folder, its devices are not installed, or the engine cannot be
        used.
    CheckError
        If this machine cannot make a check: its disk is full, say.
    """
    read_manifest(folder)  # says what is wrong if it is no result folder
    results = Results(folder)
    try:
        results.schema("prosumers")
    except MissingDeviceError:
        raise  # nothing of it could be recomputed
    except ResultFolderError:
        pass  # the checks below say it
    engine = choose_engine(engine)
    done = Verification(results.folder, engine, limits=_limits(parts, every))
    with suppress(CosimError, LookupError, OSError, TypeError, ValueError):  # checks will say it
        done.clock = results.scenario.time
    with ExitStack() as stack:
        # it plays on another core while the rest is checked
        again = stack.enter_context(Rerun(results, trust, timeout_s)) if "rerun" in parts else None
        if "files" in parts:
            done.run("files", check_files, results)
            done.run("schemas", check_tables, results)
            done.run("bytes", check_bytes, results)
            done.run("manifest", check_manifest, results)
            done.run("inputs", check_inputs, results)
            done.run("signature", check_signature, folder, anchor_url)
        # what one part has read and made is given back before the next
        results.forget_tables()
        if "ledger" in parts:
            _check_ledger(done, results, engine, url)
            results.forget_tables()
        if "grid" in parts:
            _check_grid(done, results, every, jobs)
            results.forget_tables()
        if "indicators" in parts:
            done.run("indicators", check_indicators, results)
        if "report" in parts and not (may_lack_report and not (results.folder / REPORT).exists()):
            done.run("report", check_report, results)
        if again is not None:
            done.run("rerun", again.check)
    return done


def _check_ledger(done: Verification, results: Results, engine: str, url: str | None) -> None:
    """Replay the chain, and recompute from it what the tables say."""
    try:
        keys = Participants(results).keys
    except (CosimError, LookupError, OSError, TypeError, ValueError):
        keys = {}  # the checks below say what is wrong with the folder
    try:
        machine = create_engine(engine, EngineOptions(keys, NodeSettings(url) if url else None))
    except EngineError as error:
        raise UserError(
            str(error), field="--engine", remedy="use auto, or give --url a node"
        ) from error

    def replayed() -> tuple[Check, History]:
        mechanisms = checks_of(results.scenario)
        chain = replay(results, machine, [each.after_block for each in mechanisms])
        check = Check("replay", f"recorded transactions on {engine}", len(chain.included))
        return check, History(results, chain, mechanisms)

    history = done.prepare("replay", replayed)
    if history is None:
        return
    done.run("receipts", check_receipts, results, history.done)
    done.run("events", check_events, results, history.done)
    done.run("blocks", check_blocks, results, history.done)
    done.run("reorganisations", check_reorganisations, results)
    done.run("state", check_state, results, history.done)
    done.run("sending", check_sending, results)
    done.run("gas limits", check_gas_limits, history)
    done.run("intervals", check_intervals, history)
    if results.scenario.market.areas is not None:
        done.run("markets", check_markets, history)
    for name, check in recompute(history):
        done.run(name, check)
    done.run("conservation", check_conservation, history)


def _check_grid(done: Verification, results: Results, every: int, jobs: int) -> None:
    """Play the devices and solve the power flows again."""

    def rebuild() -> tuple[Check, RebuiltPopulation]:
        rebuilt = RebuiltPopulation(results)
        return grid.check_network(rebuilt), rebuilt

    rebuilt = done.prepare("network", rebuild)
    if rebuilt is None:
        return

    with solving_processes(jobs if results.is_long else 1) as pool:
        of_run = GridOfRun(rebuilt, every, jobs, pool)
        done.run("forecasts", of_run.forecasts)
        done.run("devices", of_run.devices)
        done.run("storages", check_storages, rebuilt)
        limits = done.prepare("power flow", of_run.power_flows)
        if limits is not None:
            done.run("grid checks", lambda: made(limits))
            done.run("rebounds", of_run.rebounds)
        done.run("margins", of_run.margins)
