"""Snapshots of an engine that are still remembered, and what it keeps for each."""

from __future__ import annotations

from typing import Generic, TypeVar

from cosim.errors import EngineError

T = TypeVar("T")


class Snapshots(Generic[T]):
    """Snapshots by id, oldest first; an id is never given twice.

    Going back forgets the later ones, discarding forgets the earlier ones, so that a window of
    snapshots can roll along with the chain.
    """

    def __init__(self) -> None:
        self._states: dict[int, T] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._states)

    def add(self, state: T) -> int:
        """Remember what an engine needs to go back to now; return the id."""
        self._states[self._next] = state
        self._next += 1
        return self._next - 1

    def oldest(self) -> T | None:
        """Return what is kept for the earliest snapshot; None if there is none."""
        return next(iter(self._states.values()), None)

    def pop(self, snapshot_id: int) -> T:
        """Return what was kept for a snapshot; forget it and every later one.

        Raises
        ------
        EngineError
            If the snapshot is unknown, was restored past, or was discarded.
        """
        self._check(snapshot_id)
        state = self._states[snapshot_id]
        self._states = {i: kept for i, kept in self._states.items() if i < snapshot_id}
        return state

    def discard(self, snapshot_id: int) -> None:
        """Forget a snapshot and every earlier one; raises like :meth:`pop`."""
        self._check(snapshot_id)
        self._states = {i: kept for i, kept in self._states.items() if i > snapshot_id}

    def _check(self, snapshot_id: int) -> None:
        if snapshot_id not in self._states:
            raise EngineError(f"no snapshot {snapshot_id}: it was restored already, or discarded")
