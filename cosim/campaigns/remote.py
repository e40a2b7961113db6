"""The part of a sweep that a worker of a cluster executes; it shares no disk with the sweep."""

from __future__ import annotations

import tempfile
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.campaigns.bundle import pack_result, travels_whole, unpack_inputs
from cosim.errors import UngovernedDrawsWarning
from cosim.runs.input_hash import code_identity, input_hash
from cosim.studies.failures import Failure

_one_at_a_time = threading.Lock()
"""Limits of the linear algebra's threads hold for a whole process."""


@dataclass(frozen=True)
class Order:
    """One run as a worker is told of it.

    Parameters
    ----------
    hash : str
        Of its inputs.
    fields : str
        The scenario as JSON.
    identity : dict
        Of the code that it must be played with, :func:`cosim.runs.input_hash.code_identity`.
    trust : bool
        Start the programs that the scenario names.
    """

    hash: str
    fields: str
    identity: dict[str, Any]
    trust: bool


@dataclass(frozen=True)
class Parcel:
    """Answer of a worker: a result folder, or why there is none."""

    packed: bytes = b""
    failure: Failure | None = None
    other_version: dict[str, Any] | None = None


def identity() -> dict[str, Any]:
    """Return the code that this worker has."""
    return code_identity()


def same(packed: bytes) -> bytes:
    """Return inputs as they are: a result that a cluster can make again where it is lost."""
    return packed


def play_order(packed: bytes, order: Order) -> Parcel:
    """Play a run in a temporary folder, and send its result back."""
    own = code_identity()
    if own != order.identity:
        return Parcel(other_version=own)
    # threads of the worker itself draw from the shared generators, which no run does
    warnings.simplefilter("ignore", UngovernedDrawsWarning)
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="cosim-") as place:
        try:
            return _played(packed, order, Path(place))
        except Exception as error:
            return Parcel(failure=Failure.of(error))


def _played(packed: bytes, order: Order, place: Path) -> Parcel:
    from cosim.runs.experiment import run_scenario

    inputs = place / "inputs"
    inputs.mkdir()
    scenario = unpack_inputs(packed, order.fields, inputs)
    if travels_whole(scenario) and input_hash(scenario) != order.hash:
        raise RuntimeError("the inputs that arrived are not those that were sent")
    result = run_scenario(
        scenario,
        inputs / "scenario.yaml",
        place / order.hash,
        progress=lambda interval, violated: _stop_if_cancelled(),
        report=False,
        trust=order.trust,
    )
    if not result.complete:
        return Parcel(failure=Failure("lost", "it was interrupted"))
    return Parcel(packed=pack_result(result.folder))


def _stop_if_cancelled() -> None:
    """End a run that nobody waits for any more: its sweep was interrupted."""
    from distributed import get_worker

    from cosim.simulators.recorder import RunInterrupted

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    if task is None or task.state == "cancelled":
        raise RunInterrupted("nobody waits for this run any more")
