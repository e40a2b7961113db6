"""The Python interface: play a scenario, open a result."""

from __future__ import annotations

import difflib
import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from cosim.errors import Interrupted, ResultFolderError, SlowEngineWarning, UserError
from cosim.evm.options import NodeSettings, node_settings
from cosim.plugins.evm_engine import AUTO
from cosim.results.damage import guarded
from cosim.results.manifest import MANIFEST, is_complete, read_manifest
from cosim.results.parts import require_nothing_to_go_on_from, tables_in, unfinished
from cosim.results.reader import Results
from cosim.results.schemas import all_tables
from cosim.runs.event_loop import with_a_loop_of_its_own
from cosim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd

    from cosim.runs.experiment import RunResult
    from cosim.runs.playing import Progress
    from cosim.verify.verification import Verification

T = TypeVar("T")


def run(
    scenario: Scenario | str | Path,
    out: str | Path | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    node: NodeSettings | str | None = None,
    resume: bool = False,
    checkpoint: int | None = None,
    trust: bool = False,
) -> Result:
    """Play a scenario and write its result folder.

    Works in a script, in a notebook, in a thread and in a worker process. Where the thread that
    calls has a running event loop, as in a notebook, the run is played in a thread of its own.

    Parameters
    ----------
    scenario : Scenario or str or Path
        A scenario, or what :func:`cosim.load_scenario` takes.
    out : str or Path, optional
        Result folder to be; default: ``results/<name>`` in the working directory.
    force : bool
        Replace an earlier result there, once this run is finished; begin anew where one stopped.
    progress : callable, optional
        Told of every interval that is recorded, and whether its schedules violated a limit:
        ``progress(interval, violated)``.
    node : NodeSettings or str, optional
        The node, or its URL, if the scenario's engine is ``rpc``.
    resume : bool
        Go on where a run to the same place stopped, at its last checkpoint. A complete result of
        the same scenario is returned as it is.
    checkpoint : int, optional
        Intervals between two checkpoints, 0 for none; default: a day. Runs on a node have a
        journal instead; runs with simulators of others have none.
    trust : bool
        Start the programs, and import the modules, that the scenario names (``simulators``).

    Returns
    -------
    Result

    Raises
    ------
    UserError
        For anything that the caller can mend (file, field, remedy); nothing is left behind.
    RunError
        If the run's numbers cannot be trusted; nothing is left behind.
    Interrupted
        A ``KeyboardInterrupt``: the intervals until then are in its ``folder``.
    Terminated
        A ``KeyboardInterrupt``, after SIGTERM: ``resume`` goes on from the last checkpoint.
    KeyboardInterrupt
        Before the first interval was settled; nothing is left behind.

    Warns
    -----
    NotResumableWarning
        If a plug-in keeps what no checkpoint can hold: the run has none.
    SlowEngineWarning
        If the engine is ``auto`` and the fastest is not installed: what that costs, and the remedy.

    Examples
    --------
    >>> result = cosim.run(cosim.load_scenario("quickstart"))  # doctest: +SKIP
    """
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    folder = Path("results") / scenario.name if out is None else Path(out)
    settings = node_settings(scenario.ledger.engine, node)
    if not (resume or force):
        require_nothing_to_go_on_from(folder)
    if scenario.ledger.engine == AUTO:
        from cosim.evm.engine import slow_engine_note

        if note := slow_engine_note():
            warnings.warn(note, SlowEngineWarning, stacklevel=2)
    stop = threading.Event()

    if resume and not force and is_complete(folder):
        from cosim.runs.complete import require_result_of

        require_result_of(scenario, folder)
        return Result(folder)

    def play() -> RunResult:
        # imported once the arguments are known to be sound: pandapower takes seconds
        from cosim.runs.experiment import run_scenario
        from cosim.simulators.recorder import RunInterrupted

        def tell(interval: int, violated: bool) -> None:
            if progress is not None:
                progress(interval, violated)
            if stop.is_set():
                raise RunInterrupted(f"stopped after interval {interval}")

        return run_scenario(
            scenario,
            scenario.file or NO_FILE,
            folder,
            force=force,
            progress=tell,
            node=settings,
            resume=resume,
            checkpoint=checkpoint,
            trust=trust,
        )

    try:
        done = with_a_loop_of_its_own(play, stop)
    except UserError as error:
        if error.file != str(NO_FILE):
            raise
        raise type(error)(error.problem, field=error.field, remedy=error.remedy) from error
    if stop.is_set() or not done.complete:
        raise Interrupted(done.intervals_done, done.folder)
    return Result(done.folder)


def open_result(folder: str | Path) -> Result:
    """Open the result folder of a run, or what a run has done that is not finished.

    Parameters
    ----------
    folder : str or Path
        As :func:`cosim.run` and ``cosim run`` name it. While there is none, the last checkpoint
        of the run that is to become it: tables and indicators so far, ``complete`` is false.

    Returns
    -------
    Result

    Raises
    ------
    ResultFolderError
        If it is no result folder, or that of a study.
    """
    folder = Path(folder)
    checkpoint = None if (folder / MANIFEST).is_file() else unfinished(folder)
    return Result(folder if checkpoint is None else checkpoint)


class Result:
    """The result folder of a run; each part is read when it is first asked for.

    Parameters
    ----------
    folder : str or Path

    Attributes
    ----------
    folder : Path
    manifest : dict
        How the folder came to be: versions, hashes, contracts, timing (docs/results.md).

    Raises
    ------
    ResultFolderError
        If it is no result folder, or that of a study.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        if runs := self.manifest.get("runs"):
            raise ResultFolderError(
                f"is the result of a {self.manifest.get('kind', 'study')} of {len(runs)} runs, not "
                "of one",
                file=self.folder,
                remedy=f"open one of its runs, e.g. {self.folder / 'runs' / runs[0]['name']}",
            )
        self._results = Results(self.folder)

    def __repr__(self) -> str:
        return f"Result({str(self.folder)!r})"

    @guarded
    def _repr_html_(self) -> str:
        """Show what the run was and its first numbers, in a notebook."""
        rows = {
            "scenario": self.scenario.description or self.scenario.name,
            "start": f"{self.scenario.time.start}",
            "intervals": f"{self.manifest['intervals_done']} of {self.manifest['intervals']}, "
            f"{self.scenario.time.step_s} s each",
        }
        rows |= {
            name: f"{value:,.6g}"
            for name, value in self.indicators.items()
            if isinstance(value, int | float) and name in _SHOWN
        }
        rows["report"] = str(self.report)
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in rows.items()
        )
        return f"<strong>{escape(self.name)}</strong><table>{cells}</table>"

    @property
    @guarded
    def name(self) -> str:
        """Name of the scenario."""
        return str(self.manifest["name"])

    @property
    def complete(self) -> bool:
        """True if every interval was run, false if the run was interrupted."""
        return bool(self.manifest["complete"])

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as run, every default written out.

        Raises
        ------
        ScenarioError
            If this version of cosim, or of a plug-in, does not know its fields.
        """
        return load_scenario(self.folder / "scenario.yaml")

    @property
    def network(self) -> Any:
        """The pandapower network; its ``sgen`` are the connection points, idle (docs/grids.md)."""
        return self._results.network

    @property
    @guarded
    def times(self) -> pd.DatetimeIndex:
        """Start of each interval, in the profiles' time."""
        return self._results.times

    @property
    def report(self) -> Path:
        """The report, a page that works offline."""
        return self.folder / "report.html"

    @property
    @guarded
    def indicators(self) -> Mapping[str, Any]:
        """Indicators by name (docs/results.md)."""
        return MappingProxyType(self._indicators)

    @property
    def _is_finished(self) -> bool:
        """False for the checkpoint of a run."""
        return "indicators" in self.manifest

    @cached_property
    def _indicators(self) -> dict[str, Any]:
        if self._is_finished:
            return dict(self.manifest["indicators"])
        from cosim.report.indicators import compute_indicators

        return dict(compute_indicators(self._results).as_dict())  # of a run that is not finished

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, in the order of docs/results.md."""
        there = tables_in(self.folder)
        return tuple(name for name in all_tables() if name in there)

    @guarded
    def frame(
        self, table: str, columns: Sequence[str] | None = None, *, time: bool = False
    ) -> pd.DataFrame:
        """Return a table; rows of intervals that an interruption left unsettled are left out.

        Parameters
        ----------
        table : str
            One of :attr:`tables`.
        columns : sequence of str, optional
            Columns to read; default: all. Units and signs: docs/results.md.
        time : bool
            Add a column ``time``, in the profiles' time: after ``interval`` its start (of the
            set-up, interval -1: one step before the first), or else the Unix time of the row.

        Returns
        -------
        DataFrame
            The caller's own. Text comes as categories.

        Raises
        ------
        ResultFolderError
            If there is no such table or column; names the nearest.
        UserError
            If a time is asked of a table that has none.
        """
        if table not in self.tables:
            raise self._unknown("table", table, self.tables)
        known = [column.name for column in self._results.schema(table).columns]
        wanted = known if columns is None else list(columns)
        for column in wanted:
            if column not in known:
                raise self._unknown(f"column in the table {table}", column, known)
        return self._results.frame(table, wanted, time=time).copy()

    def _unknown(self, what: str, given: str, known: Sequence[str]) -> ResultFolderError:
        near = difflib.get_close_matches(given, known, n=1)
        return ResultFolderError(
            f"there is no {what} named {given!r}",
            file=self.folder,
            remedy=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}",
        )

    def verify(self, **options: Any) -> Verification:
        """Check the folder without trusting who made it (docs/verify.md).

        Parameters
        ----------
        **options
            As :func:`cosim.verify.verification.verify` takes them: ``engine``, ``url``, ``every``,
            ``jobs``, ``parts``, ``trust``, ``timeout_s``.

        Returns
        -------
        Verification
            ``passed``, and every check with its differences.

        Raises
        ------
        UserError
            If the engine cannot be used, or the run is not finished.
        CheckError
            If a check could not be made on this machine.
        """
        if not self._is_finished:
            raise ResultFolderError(
                "is what a run has done so far",
                file=self.folder,
                remedy="verify the result when the run is finished",
            )
        from cosim.verify.verification import verify

        return verify(self.folder, **options)


NO_FILE = Path("(no file)")
"""Stands for the file of a scenario that was made in Python."""

_SHOWN = (
    "prosumers",
    "traded_kwh",
    "mean_price_eur_per_kwh",
    "self_sufficiency",
    "cost_eur",
    "welfare_eur",
    "running_gas",
)
"""Indicators in the short view of a result."""
