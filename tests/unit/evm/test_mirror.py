"""The state that Python holds of a machine: roots of storage are computed once."""

from __future__ import annotations

import pytest

from cosim.evm import mirror
from cosim.evm.mirror import StateMirror
from cosim.evm.trie import EMPTY_ROOT, storage_root

HERE, THERE = b"h" * 20, b"t" * 20


def test_a_root_is_computed_once_until_a_slot_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []

    def counted(slots: dict[int, int]) -> bytes:
        computed.append(dict(slots))
        return storage_root(slots)

    monkeypatch.setattr(mirror, "storage_root", counted)
    state = StateMirror()
    state._put_slots([("", HERE, 1, 7)])
    first = state.storage_root(HERE)
    assert [state.storage_root(HERE), state.storage_root(THERE)] == [first, EMPTY_ROOT]
    assert computed == [{1: 7}, {}]
    snapshot = state.snapshot()
    state._put_slots([("", HERE, 1, 8)])
    assert state.storage_root(HERE) == storage_root({1: 8}) != first
    state.restore(snapshot)
    assert state.storage_root(HERE) == first
    assert computed == [{1: 7}, {}, {1: 8}, {1: 7}]
