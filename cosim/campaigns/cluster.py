"""Runs on a Dask cluster: an address, processes of this machine, SLURM or PBS.

Inputs travel with each run and results come back, so workers need the same cosim and no shared
disk. A worker that is lost loses the run that it plays, which the scheduler gives to another.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import signal
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cosim.campaigns.bundle import land, pack_inputs, ready_to_travel
from cosim.campaigns.execution import Answer, Task, Tell
from cosim.campaigns.remote import Order, Parcel, identity, play_order, same
from cosim.errors import ClusterError, UserError
from cosim.processes import without_the_working_folder
from cosim.runs.input_hash import code_identity
from cosim.studies.failures import Failure

LOCAL, SLURM, PBS = "local", "slurm", "pbs"
_SUBMIT = {SLURM: "sbatch", PBS: "qsub"}
"""Command that submits a job."""
_ADDRESS = re.compile(r"(\w+://)?[^\s/:]+:\d+|(\w+://)?\[[0-9a-fA-F:.]+\]:\d+")
CONNECT_S = 10.0
"""A scheduler, and the first worker of one that is there, must answer within."""
START_S = 600.0
"""The first job of a batch system must have begun within."""


class Cluster:
    """Executor on a Dask cluster.

    Parameters
    ----------
    where : str
        Address of a scheduler, or ``local``, ``slurm`` or ``pbs``, which start one.
    jobs : int
        Workers of a cluster that is started here.
    connect_s : float
        How long a scheduler may take to answer. [s]
    """

    name = "dask"

    def __init__(self, where: str, jobs: int, connect_s: float = CONNECT_S) -> None:
        self.where = where
        self.jobs = jobs
        self._connect_s = connect_s
        self._client: Any = None
        self._cluster: Any = None

    def check(self) -> None:
        """Connect, and compare the code of every worker with ours.

        Raises
        ------
        ClusterError
            If Dask is not installed, the scheduler cannot be reached or has no workers, or a
            worker has other code.
        """
        try:
            import distributed
        except ModuleNotFoundError as error:
            raise ClusterError(
                f"Dask is not installed here ({error.name} is missing)",
                field="--dask",
                remedy="pip install 'cosim[campaign]', or leave --dask out",
            ) from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        _require_usable(self.where)
        try:
            self._connect(distributed)
            self._wait_for_a_worker()
            answers = self._client.run(identity, on_error="return")
            _require_same(answers)
        except BaseException:
            self.close()
            raise

    def play(self, tasks: Sequence[Task], tell: Tell) -> Generator[Answer, None, None]:
        """Play runs, as :meth:`cosim.campaigns.execution.Executor.play`.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or a worker that came later has other code.
        """
        from distributed import as_completed

        sweep, own = uuid.uuid4().hex[:8], code_identity()
        targets = {task.hash: task.target for task in tasks}
        inputs: dict[str, Any] = {}
        futures: dict[Any, str] = {}
        try:
            for task in tasks:
                scenario = ready_to_travel(task.scenario)
                packed = pack_inputs(task.scenario)
                digest = hashlib.sha256(packed).hexdigest()
                if digest not in inputs:
                    inputs[digest] = self._client.submit(same, packed, key=f"cosim-in-{digest}")
                order = Order(task.hash, scenario.model_dump_json(), own, task.trust)
                key = f"cosim-{task.hash}-{sweep}"
                future = self._client.submit(play_order, inputs[digest], order, key=key)
                futures[future] = task.hash
            waiting = dict(futures)
            done = as_completed(
                list(futures), loop=self._client.loop, with_results=True, raise_errors=False
            )
            for future, parcel in done:
                run_hash = waiting.pop(future)
                yield self._answer(future, run_hash, parcel, targets[run_hash])
                future.release()
        finally:
            with suppress(Exception):
                self._client.cancel([*futures, *inputs.values()], force=True)

    def close(self) -> None:
        """Leave the scheduler, and end the cluster that was started here."""
        for each in (self._client, self._cluster):
            if each is not None:
                with suppress(Exception):
                    each.close(timeout=5)
        self._client = self._cluster = None

    def _connect(self, distributed: Any) -> None:
        try:
            if self.where in (LOCAL, SLURM, PBS):
                with without_the_working_folder():
                    self._cluster = self._started(distributed)
            address = self._cluster or self.where
            self._client = distributed.Client(
                address, timeout=self._connect_s, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise ClusterError(
                f"no scheduler can be reached at {self.where}: {said}"
                if self._cluster is None and self.where not in (LOCAL, SLURM, PBS)
                else f"no cluster could be started ({self.where}): {said}",
                field="--dask",
                remedy="give its address as 'dask scheduler' prints it, e.g. tcp://host:8786, "
                "or local, slurm or pbs",
            ) from error

    def _started(self, distributed: Any) -> Any:
        if self.where == LOCAL:
            return distributed.LocalCluster(
                n_workers=self.jobs,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        with _handlers_kept():  # its import takes SIGTERM
            import dask_jobqueue

        kind = dask_jobqueue.SLURMCluster if self.where == SLURM else dask_jobqueue.PBSCluster
        cluster = kind(scheduler_options={"dashboard": False}, **_job_options(self.where))
        cluster.scale(jobs=self.jobs)
        return cluster

    def _wait_for_a_worker(self) -> None:
        patience = START_S if self.where in (SLURM, PBS) else self._connect_s
        if self.where == LOCAL:
            patience = max(patience, 60.0)
        try:
            self._client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {self.where} has no workers after {patience:g} s",
                field="--dask",
                remedy="start some: dask worker ADDRESS --nthreads 1 --nworkers 4",
            ) from error

    def _answer(self, future: Any, run_hash: str, parcel: Any, target: Any) -> Answer:
        if isinstance(parcel, Parcel):
            if parcel.other_version is not None:
                raise _other_version("a worker that came later", parcel.other_version)
            if parcel.failure is not None:
                return Answer(run_hash, parcel.failure)
            try:
                land(parcel.packed, target)
            except UserError as error:
                return Answer(run_hash, Failure.of(error))
            return Answer(run_hash)
        if future.status == "cancelled" or self._client.status != "running":
            raise ClusterError(
                f"the scheduler at {self.where} is gone; what is finished is kept",
                field="--dask",
                remedy="start it again and sweep again: only what is missing is played",
            )
        lost = parcel[1] if isinstance(parcel, tuple) and len(parcel) > 1 else parcel
        said = (str(lost).splitlines() or [repr(lost)])[0]
        return Answer(run_hash, Failure("lost", f"its workers were lost: {said}"))


def _require_usable(where: str) -> None:
    """Refuse what is neither an address nor a cluster that can be started here.

    Raises
    ------
    ClusterError
    """
    if where == LOCAL:
        return
    if where in _SUBMIT:
        if shutil.which(_SUBMIT[where]) is None:
            raise ClusterError(
                f"there is no {_SUBMIT[where]} on this machine, so no job can be submitted",
                field="--dask",
                remedy=f"sweep where {where} is, or write a script there with --write-slurm",
            )
        return
    if not _ADDRESS.fullmatch(where):
        raise ClusterError(
            f"{where!r} is no address of a scheduler",
            field="--dask",
            remedy="give it as 'dask scheduler' prints it, e.g. tcp://host:8786, or local, slurm "
            "or pbs",
        )


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handlers of signals that an import changes."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        with suppress(ValueError):  # not the main thread, where none is changed
            for number, handler in kept.items():
                signal.signal(number, handler)


def _job_options(kind: str) -> dict[str, Any]:
    """Return options of a job that the user's configuration of dask-jobqueue does not have."""
    import dask

    defaults = {"cores": 1, "processes": 1, "memory": "4GB"}
    return {
        name: value
        for name, value in defaults.items()
        if dask.config.get(f"jobqueue.{kind}.{name}", None) is None
    }


def _require_same(answers: Mapping[str, Any]) -> None:
    """Refuse workers whose code is not ours, naming the first and what differs."""
    own = code_identity()
    for address, theirs in sorted(answers.items()):
        if isinstance(theirs, BaseException):
            raise ClusterError(
                f"worker {address} cannot play runs: {(str(theirs).splitlines() or ['?'])[0]}",
                field="--dask",
                remedy=f"install cosim {own['versions']['cosim']} there, and start it again",
            )
        if theirs != own:
            raise _other_version(f"worker {address}", theirs)


def _other_version(worker: str, theirs: Mapping[str, Any]) -> ClusterError:
    own = code_identity()
    differs = [
        f"{name} {theirs['versions'].get(name)}, here {version}"
        for name, version in own["versions"].items()
        if theirs["versions"].get(name) != version
    ]
    if theirs["code"] != own["code"]:
        differs.append(f"code {theirs['code'][:8]}, here {own['code'][:8]}")
    if theirs["plug_ins"] != own["plug_ins"]:
        differs.append("other plug-ins")
    return ClusterError(
        f"{worker} is another version: {'; '.join(differs)}",
        field="--dask",
        remedy="install there what is installed here (requirements.lock), and start it again",
    )
