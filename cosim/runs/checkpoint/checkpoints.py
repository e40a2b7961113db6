"""A run that lands in chunks, and goes on from the last one."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pandapower
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.errors import (
    NotResumableWarning,
    ResultFolderError,
    ScenarioError,
    UserError,
)
from cosim.inputs.kept import ReadFiles
from cosim.results.manifest import MANIFEST, TABLES_FOLDER
from cosim.results.storage import replace_text
from cosim.results.writer import TableWriter
from cosim.runs.checkpoint.folder import SCENARIO, STATE, STORAGE, CheckpointFolder
from cosim.runs.checkpoint.identity import Identity, identity_of
from cosim.runs.checkpoint.names import StateError
from cosim.runs.checkpoint.seal import opened, sealed
from cosim.runs.checkpoint.state import Parts, StateCodec, Storage
from cosim.runs.simulation import Domain, Simulation
from cosim.scenario import Scenario

SECONDS_PER_DAY = 86_400
_MISFITS = (ValueError, TypeError, LookupError, AttributeError)
"""Errors of a state that is one of something else."""
WORD = 32
"""Bytes of a slot and of its value."""


def intervals_of_chunk(
    scenario: Scenario, scenario_file: Path, asked: int | None, *, on_node: bool
) -> int:
    """Return the intervals between two checkpoints; 0 for none.

    Parameters
    ----------
    scenario : Scenario
    scenario_file : Path
        Named in errors.
    asked : int, optional
        By the user; default: a day where there can be checkpoints.
    on_node : bool
        Whether a node plays the chain: it keeps the state, and a journal of what it was asked.

    Raises
    ------
    UserError
        If the user asked for checkpoints, and there can be none.
    """
    if not asked:
        has_none = asked == 0 or on_node or scenario.simulators
        every = 0 if has_none else max(1, SECONDS_PER_DAY // scenario.time.step_s)
        return every if every < scenario.time.intervals else 0
    if on_node:
        raise UserError(
            "a run on a node has no checkpoints: the node keeps the state, and a journal what it "
            "was asked",
            remedy="leave out --checkpoint; --resume goes on with the journal",
        )
    if scenario.simulators:
        names = ", ".join(repr(each.name) for each in scenario.simulators)
        raise ScenarioError(
            f"has the simulators {names} of others, whose state a checkpoint does not hold",
            file=scenario_file,
            field="simulators",
            remedy="run it without --checkpoint, or without these simulators",
        )
    return asked


def begin_checkpoints(
    simulation: Simulation, writer: TableWriter, read: ReadFiles, every: int, *, is_wanted: bool
) -> Checkpoints | None:
    """Return the checkpoints of a run that is set up; None if it cannot have any.

    Parameters
    ----------
    simulation : Simulation
        At its beginning.
    writer : TableWriter
    read : ReadFiles
        Files that the set-up read.
    every : int
        Intervals of a chunk; 0 for none after those that are there.
    is_wanted : bool
        Whether the user asked for them.

    Raises
    ------
    UserError
        If the user asked for them and something in the run cannot be written.

    Warns
    -----
    NotResumableWarning
        If something in the run cannot be written and the user did not ask.
    """
    identity = identity_of(simulation.prepared.scenario, read)
    try:
        checkpoints = Checkpoints(simulation, writer, identity, every)
    except StateError as error:
        if is_wanted:
            raise UserError(
                f"the run can have no checkpoint: {error}",
                remedy="let the plug-in keep what pickle can write, or leave out --checkpoint",
            ) from error
        warnings.warn(f"the run has no checkpoints: {error}", NotResumableWarning, stacklevel=2)
        writer.stop_parts()
        return None
    return checkpoints


class Checkpoints:
    """Chunks of one run.

    Parameters
    ----------
    simulation : Simulation
        At its beginning.
    writer : TableWriter
        Of its tables; it keeps parts.
    identity : Identity
        Of the run.
    every : int
        Intervals of a chunk; 0 for none after those that are there.

    Attributes
    ----------
    intervals_done : int
        Intervals that the chunks hold.

    Raises
    ------
    StateError
        If something in the run cannot be written.
    """

    def __init__(
        self, simulation: Simulation, writer: TableWriter, identity: Identity, every: int
    ) -> None:
        self._simulation = simulation
        self._writer = writer
        self._every = every
        self.intervals_done = 0
        self._folder = CheckpointFolder(
            writer.folder, identity, simulation.prepared.scenario.to_yaml()
        )
        prepared = simulation.prepared
        self._codec = StateCodec(
            Parts(
                by_role=_by_role(simulation.domain),
                again={"timer": simulation.hooks.timer},
                series_of=(prepared.population, prepared.bidders.forecasts),
                n_intervals=prepared.scenario.time.intervals,
            )
        )

    def boundary(self, interval: int) -> int:
        """Return the first interval of the next chunk; a number beyond every run if none is."""
        if not self._every:
            return sys.maxsize
        return (interval // self._every + 1) * self._every

    @property
    def landed(self) -> bool:
        """True if there is a chunk to go on from."""
        return bool(self._folder.chunks)

    def begin(self) -> None:
        """Write what it takes to read the chunks while the run goes on."""
        prepared, path = self._simulation.prepared, self._folder.path
        path.mkdir(exist_ok=True)
        (path / SCENARIO).write_text(self._folder.scenario, encoding="utf-8")
        pandapower.to_json(prepared.grid.net, str(path / "network.json"))

    def _tell(self, settled: int) -> None:
        """Write a manifest of what is done so far."""
        scenario = self._simulation.prepared.scenario
        so_far = {
            "name": scenario.name,
            "complete": False,
            "intervals": scenario.time.intervals,
            "intervals_done": settled,
        }
        replace_text(self._folder.path / MANIFEST, json.dumps(so_far, indent=1) + "\n")

    def land(self) -> None:
        """Write the chunk that ends here.

        Warns
        -----
        NotResumableWarning
            If something came into the run that cannot be written: it has no more checkpoints.
        """
        domain = self._simulation.domain
        state = _by_role(domain) | {"spent": dict(self._simulation.hooks.timer.seconds)}
        try:
            written = self._codec.written(state)
        except StateError as error:
            at = domain.state.intervals_done
            warnings.warn(
                f"the run has no more checkpoints from interval {at} on: {error}",
                NotResumableWarning,
                stacklevel=2,
            )
            self._every = 0
            self._writer.stop_parts()
            return

        def write(folder: Path) -> None:
            (folder / STATE).write_bytes(sealed(written.state))
            for number, changes in enumerate(written.changes):
                _write_storage(folder / STORAGE.format(number), changes)
            self._writer.write_parts(folder / TABLES_FOLDER)

        self._folder.land(domain.state.intervals_done, write)
        self.intervals_done = domain.state.intervals_done
        self._tell(domain.state.intervals_settled)

    def go_on(self, *, trust: bool) -> None:
        """Take the simulation and its tables to the end of the last chunk.

        Parameters
        ----------
        trust : bool
            Whether the user trusts a checkpoint whoever wrote it.

        Raises
        ------
        ResultFolderError
            If a chunk is not what it was when it was written, or of another run or user.

        Warns
        -----
        NotResumableWarning
            If there is no chunk: the run begins at its start.
        """
        self._folder.read()
        chunks = self._folder.chunks
        if not chunks:
            warnings.warn(
                "there is no checkpoint to go on from: the run begins at its start",
                NotResumableWarning,
                stacklevel=2,
            )
            return
        try:
            for chunk in chunks:
                self._writer.read_parts(chunk / TABLES_FOLDER)
            state = opened((chunks[-1] / STATE).read_bytes(), trust=trust)
            found = self._codec.read(state, _read_storages(chunks))
            self._simulation.domain = _domain(found)
            for stage, spent in found["spent"].items():
                seconds = self._simulation.hooks.timer.seconds
                seconds[stage] = seconds.get(stage, 0.0) + float(spent)
            self.intervals_done = self._simulation.domain.state.intervals_done
        except (StateError, *_MISFITS, pa.ArrowException) as error:
            raise ResultFolderError(
                f"checkpoint cannot be read: {error}",
                file=chunks[-1],
                remedy="run it from the start, without --resume",
            ) from error


def _by_role(domain: Domain) -> dict[str, Any]:
    """Return the state by the simulators that change it."""
    return {
        "bidders": (domain.bidders, domain.deviation),
        "market": domain.session,
        "dso": domain.operator,
        "devices": domain.devices,
        "grid": (domain.engine, domain.dso_engine, domain.reference_check),
        "recorder": domain.state,
    }


def _domain(by_role: dict[str, Any]) -> Domain:
    bidders, deviation = by_role["bidders"]
    engine, dso_engine, reference_check = by_role["grid"]
    return Domain(
        bidders=bidders,
        deviation=deviation,
        session=by_role["market"],
        operator=by_role["dso"],
        devices=by_role["devices"],
        engine=engine,
        dso_engine=dso_engine,
        reference_check=reference_check,
        state=by_role["recorder"],
    )


def _write_storage(path: Path, changes: list[tuple[bytes, int, int]]) -> None:
    columns = {
        "address": [address for address, _, _ in changes],
        "slot": [slot.to_bytes(WORD, "big") for _, slot, _ in changes],
        "value": [value.to_bytes(WORD, "big") for _, _, value in changes],
    }
    schema = pa.schema([(name, pa.binary()) for name in columns])
    pq.write_table(pa.table(columns, schema=schema), path, compression="lz4")


def _read_storages(chunks: list[Path]) -> list[Storage]:
    """Return the storage of each mirror after all chunks."""
    storages: list[Storage] = []
    while (chunks[0] / STORAGE.format(len(storages))).is_file():
        storages.append({})
    for chunk in chunks:
        for number, storage in enumerate(storages):
            rows = pq.read_table(chunk / STORAGE.format(number)).to_pydict()
            for address, slot, value in zip(
                rows["address"], rows["slot"], rows["value"], strict=True
            ):
                number_of_slot, word = int.from_bytes(slot, "big"), int.from_bytes(value, "big")
                slots = storage.setdefault(address, {})
                if word:
                    slots[number_of_slot] = word
                else:
                    slots.pop(number_of_slot, None)
    return storages
