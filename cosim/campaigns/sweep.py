"""A sweep: plays the runs of a campaign that are missing, and writes its tables and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.campaigns import sensitivity
from cosim.campaigns.campaign import load_campaign
from cosim.campaigns.declaration import Campaign, CampaignRun
from cosim.campaigns.execution import Answer, Executor, Task
from cosim.campaigns.folder import CampaignFolder, opened, write_campaign_manifest
from cosim.campaigns.report import write_campaign_report
from cosim.campaigns.sensitivity import sensitivities
from cosim.campaigns.table import (
    CSV,
    DONE,
    FAILED,
    TABLE,
    campaign_table,
    statuses,
    write_table,
)
from cosim.campaigns.worker_processes import Processes
from cosim.report.report import REPORT
from cosim.results.storage import writing_to
from cosim.scenario.loading import STUDY, find_scenario
from cosim.scenario.trust import require_trust
from cosim.studies.runner import cores


@dataclass(frozen=True)
class State:
    """Progress of a sweep.

    Parameters
    ----------
    intervals, intervals_total : int
        Delivery intervals done and to be done by this sweep.
    runs, runs_total : int
        Runs finished by this sweep, failed ones among them, and to be played by it.
    failed : int
    """

    intervals: int
    intervals_total: int
    runs: int
    runs_total: int
    failed: int


Progress = Callable[[State], None]


@dataclass(frozen=True)
class SweepResult:
    """Folder of a campaign, and what came of its runs.

    Parameters
    ----------
    folder : Path
    campaign : Campaign
    played : int
        Runs that this sweep played to their end.
    status : dict
        ``done``, ``failed`` or ``missing`` by hash.
    table : DataFrame
        As :func:`cosim.campaigns.table.campaign_table`.
    sensitivities : DataFrame
        As :func:`cosim.campaigns.sensitivity.sensitivities`; empty where the design allows none.
    interrupted : bool
        True if the user stopped it; what is finished is kept.
    """

    folder: Path
    campaign: Campaign
    played: int
    status: Mapping[str, str]
    table: pd.DataFrame
    sensitivities: pd.DataFrame
    interrupted: bool = False

    @property
    def parquet(self) -> Path:
        """The table as a file."""
        return self.folder / TABLE

    @property
    def report(self) -> Path:
        """The report, a page that works offline."""
        return self.folder / REPORT

    @property
    def complete(self) -> bool:
        """True if every run is done."""
        return all(state == DONE for state in self.status.values())

    def count(self, state: str) -> int:
        """Return how many runs are ``done``, ``failed`` or ``missing``."""
        return sum(own == state for own in self.status.values())

    @property
    def errors(self) -> dict[str, str]:
        """Error of each failed run, in one line, by hash."""
        failed = self.table[self.table["status"] == FAILED]
        return dict(zip(failed["hash"], failed["error"], strict=True))


def sweep(
    campaign: Campaign | str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    dask: str | None = None,
    retry: bool = False,
    part: tuple[int, int] | None = None,
    progress: Progress | None = None,
    trust: bool = False,
    overrides: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
) -> SweepResult:
    """Play the runs of a campaign that are missing in its folder.

    Parameters
    ----------
    campaign : Campaign or str or Path
        A campaign, a file with a section ``campaign`` or ``study``, or the name of one that comes
        with cosim.
    out : str or Path, optional
        Folder of the campaign; default: ``results/<name>`` in the working directory, of a study
        ``results/<name>.sweep``.
    jobs : int, optional
        How many runs are played at once; default: one per core.
    dask : str, optional
        Address of a Dask scheduler, ``local``, ``slurm`` or ``pbs``; default: processes here.
    retry : bool
        Also play runs again that failed before.
    part : (int, int), optional
        Play the k-th of n parts alone, counted from 1, and write no table: of an array job.
    progress : callable, optional
        Told of the :class:`State`.
    trust : bool
        Start the programs, and import the modules, that its scenarios name.
    overrides : mapping, optional
        Put into every run, by dotted path; of a campaign that is read from a file.
    executor : Executor, optional
        Somebody else who plays runs.

    Returns
    -------
    SweepResult
        Also of an interrupted sweep: Ctrl-C and SIGTERM end it, and what is finished is kept.

    Raises
    ------
    UserError
        For anything that the caller can mend, before anything is played; later only if the disk is
        full, or a cluster is gone: what is finished is kept.
    """
    if not isinstance(campaign, Campaign):
        campaign = load_campaign(find_scenario(campaign), overrides)
    for run in campaign.runs:
        require_trust(run.scenario, campaign.file, trust)
    at_once = cores() if jobs is None else jobs
    target = Path(out) if out is not None else default_folder(campaign)
    player = executor or _executor(dask, at_once)
    with closing(player):
        player.check()
        with opened(target, campaign, shared=part is not None) as folder:
            return _swept(folder, campaign, player, retry, part, progress, trust)


def default_folder(campaign: Campaign) -> Path:
    """Return where a campaign's folder is if nothing else is said."""
    suffix = ".sweep" if campaign.design == STUDY else ""
    return Path("results") / f"{campaign.name}{suffix}"


def missing_runs(
    folder: CampaignFolder, campaign: Campaign, retry: bool, part: tuple[int, int] | None
) -> list[CampaignRun]:
    """Return the runs that are to be played, in the order of the design."""
    runs = list(campaign.distinct.values())
    if part is not None:
        number, n = part
        runs = runs[number - 1 :: n]
    return [
        run
        for run in runs
        if not folder.has(run.hash) and (retry or folder.failure(run.hash) is None)
    ]


def _executor(dask: str | None, jobs: int) -> Executor:
    if dask is None:
        return Processes(jobs)
    from cosim.campaigns.cluster import Cluster

    return Cluster(dask, jobs)


def _swept(
    folder: CampaignFolder,
    campaign: Campaign,
    executor: Executor,
    retry: bool,
    part: tuple[int, int] | None,
    progress: Progress | None,
    trust: bool,
) -> SweepResult:
    """Play what is missing in an open folder, and write what there is, whatever happens."""
    begin = time.monotonic()
    runs = missing_runs(folder, campaign, retry, part)
    tally = _Tally(runs, progress)
    tasks = [
        Task(run.hash, run.scenario, campaign.file, folder.target(run.hash), trust) for run in runs
    ]
    interrupted = False
    try:
        with closing(executor.play(tasks, tally.tell)) as answers:
            for answer in answers:
                _take(folder, campaign, answer)
                tally.done(answer)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        spent = {
            "executor": executor.name,
            "runs": tally.runs,
            "seconds": round(time.monotonic() - begin, 6),
        }
        status = statuses(folder, campaign)
        table = campaign_table(folder, campaign, status)
        found = sensitivities(campaign, table)
        if part is None:
            with writing_to(folder.root):
                _write(folder, campaign, status, table, found, spent)
    played = tally.runs - tally.failed
    return SweepResult(folder.root, campaign, played, status, table, found, interrupted)


def _take(folder: CampaignFolder, campaign: Campaign, answer: Answer) -> None:
    """Write down what came of a run.

    Raises
    ------
    UserError
        If nothing more can be written: no run after it would come to anything else.
    """
    failure = answer.failure
    if failure is None:
        folder.forgive(answer.hash)
        return
    if failure.kind in ("disk", "cluster"):
        raise failure.error(answer.hash)
    if failure.kind != "busy":  # else another part plays it
        folder.record(campaign.distinct[answer.hash], failure)


class _Tally:
    """Counts of a sweep, told whenever they change."""

    def __init__(self, runs: Sequence[CampaignRun], progress: Progress | None) -> None:
        self._intervals = {run.hash: run.scenario.time.intervals for run in runs}
        self._done = dict.fromkeys(self._intervals, 0)
        self._progress = progress
        self.runs = self.failed = 0
        self._told()

    def tell(self, run_hash: str, intervals: int) -> None:
        self._done[run_hash] = intervals
        self._told()

    def done(self, answer: Answer) -> None:
        self._done[answer.hash] = self._intervals[answer.hash]
        self.runs += 1
        self.failed += answer.failure is not None
        self._told()

    def _told(self) -> None:
        if self._progress is not None:
            total = sum(self._intervals.values())
            done = sum(self._done.values())
            self._progress(State(done, total, self.runs, len(self._intervals), self.failed))


def _write(
    folder: CampaignFolder,
    campaign: Campaign,
    status: dict[str, str],
    table: pd.DataFrame,
    found: pd.DataFrame,
    spent: dict[str, Any],
) -> None:
    """Write tables, manifest and report of what is there."""
    write_table(folder.root, table, TABLE, CSV)
    for name in (sensitivity.TABLE, sensitivity.CSV):
        (folder.root / name).unlink(missing_ok=True)
    if len(found):
        write_table(folder.root, found, sensitivity.TABLE, sensitivity.CSV)
    names = (TABLE, CSV, sensitivity.TABLE, sensitivity.CSV)
    write_campaign_manifest(folder, campaign, status, names, spent)
    write_campaign_report(folder.root)
