"""Checkpoints on the disk: each lands whole or not at all, and is what it was when it is read.

::

    <result>.partial/checkpoint/
        scenario.yaml, network.json     so that what is done can be read while the run goes on
        00000/                          the first chunk of intervals
            chunk.json                  what the run is, intervals done, SHA-256 of every file
            tables/*.parquet            rows that came in this chunk
            storage-0.parquet           storage of contracts that changed in it
        00001/
            state.pickle                of the last chunk only: the state at its end

A chunk is written under another name, brought to the disk, and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosim.errors import ResultFolderError
from cosim.inputs.json_file import parse_json
from cosim.inputs.kept import sha256
from cosim.results.manifest import TABLES_FOLDER
from cosim.results.parts import CHECKPOINT
from cosim.results.storage import to_disk
from cosim.runs.checkpoint.identity import Identity, differing
from cosim.scenario.comparison import differing_fields, named_fields

CHUNK = "chunk.json"
SCENARIO = "scenario.yaml"
STATE = "state.pickle"
STORAGE = "storage-{}.parquet"

_LANDING = ".landing"
_ANEW = "run it from the start, without --resume"


class CheckpointFolder:
    """The chunks of a run in the folder that is being written.

    Parameters
    ----------
    partial : Path
        That folder.
    identity : Identity
        Of the run.
    scenario : str
        Of the run, as YAML with every default written out; where a checkpoint is of another one,
        the fields that differ are named.
    """

    def __init__(self, partial: Path, identity: Identity, scenario: str) -> None:
        self.path = partial / CHECKPOINT
        self._identity = identity
        self.scenario = scenario
        self.chunks: list[Path] = []

    def land(self, intervals_done: int, write: Callable[[Path], None]) -> None:
        """Write the next chunk.

        Parameters
        ----------
        intervals_done : int
            Intervals that are done at its end.
        write : callable
            Writes the files into a folder that has the subfolder ``tables``.
        """
        landing = self.path / _LANDING
        shutil.rmtree(landing, ignore_errors=True)
        (landing / TABLES_FOLDER).mkdir(parents=True)
        write(landing)
        files = {
            str(path.relative_to(landing)): sha256(path)
            for path in sorted(landing.rglob("*"))
            if path.is_file()
        }
        chunk = {
            "intervals_done": intervals_done,
            "identity": self._identity,
            "previous": sha256(self.chunks[-1] / CHUNK) if self.chunks else None,
            "files": files,
        }
        (landing / CHUNK).write_text(json.dumps(chunk, indent=1) + "\n", encoding="utf-8")
        for path in (*landing.rglob("*"), landing):
            to_disk(path)
        place = self.path / f"{len(self.chunks):05d}"
        os.rename(landing, place)
        to_disk(self.path)
        if self.chunks:
            (self.chunks[-1] / STATE).unlink(missing_ok=True)
        self.chunks.append(place)

    def read(self) -> int:
        """Find the chunks of an earlier process, and check them; return the intervals done.

        Raises
        ------
        ResultFolderError
            If one was changed, or they are of another run or another version.
        """
        self.chunks = []
        previous, chunk = None, None
        for number, place in enumerate(sorted(self.path.glob("[0-9]*"))):
            if place.name != f"{number:05d}":
                raise _refusal("is not the next chunk", place)
            chunk = self._checked(place, previous)
            previous = sha256(place / CHUNK)
            self.chunks.append(place)
        if chunk is None:
            return 0
        if not (self.chunks[-1] / STATE).is_file():
            raise _refusal(f"lacks {STATE}", self.chunks[-1])
        return int(chunk["intervals_done"])

    def _checked(self, place: Path, previous: str | None) -> dict[str, Any]:
        file = place / CHUNK
        try:
            chunk = parse_json(file.read_text(encoding="utf-8"))
            identity, files = dict(chunk["identity"]), dict(chunk["files"])
            int(chunk["intervals_done"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _refusal("cannot be read", file) from error
        if others := differing(identity, self._identity):
            raise ResultFolderError(
                f"belongs to another run: not the same {', '.join(others)}{self._fields(others)}",
                file=self.path,
                remedy="go on with the scenario, the files and the version that it was begun "
                "with, or " + _ANEW,
            )
        if chunk.get("previous") != previous:
            raise _refusal("does not follow the chunk before it", file)
        found = {
            str(path.relative_to(place))
            for path in place.rglob("*")
            if not path.is_dir() and path.name != CHUNK
        }
        # the state of a chunk goes when the next has landed
        if found - files.keys() or files.keys() - found - {STATE}:
            raise _refusal("has other files than it was written with", place)
        for name in sorted(found):
            if (place / name).is_symlink() or sha256(place / name) != files[name]:
                raise _refusal("was changed after it was written", place / name)
        return dict(chunk)

    def _fields(self, others: list[str]) -> str:
        """Return the fields of the scenario that differ, in words; nothing where none does."""
        file = self.path / SCENARIO
        if "scenario" not in others or not file.is_file():
            return ""
        fields = differing_fields(file.read_text(encoding="utf-8"), self.scenario)
        return f" (of the scenario: {named_fields(fields)})" if fields else ""


def _refusal(problem: str, file: Path) -> ResultFolderError:
    return ResultFolderError(f"checkpoint {problem}", file=file, remedy=_ANEW)
