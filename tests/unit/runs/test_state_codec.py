"""State of a run as bytes: what it leaves out, what it shares, and what it never calls."""

from __future__ import annotations

import importlib
import io
import os
import pickle
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cosim.chain.blocks import Mempool, Transaction
from cosim.clock import DeliveryClock
from cosim.evm.mirror import StateMirror
from cosim.grid.catalogue import open_grid
from cosim.grid.fixed_point import FixedPointEngine
from cosim.runs.checkpoint.names import StateError
from cosim.runs.checkpoint.state import Parts, StateCodec
from cosim.timing import StageTimer

N = 500


class Forged:
    """Writes itself as a call of its choice."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


def codec(value: Any, **parts: Any) -> StateCodec:
    return StateCodec(Parts({"someone": value}, **parts))


def there_and_back(value: Any) -> Any:
    one = codec(value)
    return one.read(one.written({"someone": value}).state, [])["someone"]


def test_values_come_back() -> None:
    rng = np.random.default_rng(7)
    rng.random(3)
    value = {
        "numbers": (1, 2.5, None, True, 10**40, b"\x00", {3}, frozenset({4}), 1j),
        "array": np.arange(6.0).reshape(2, 3),
        "view": MappingProxyType({"a": 1}),
        "queue": deque([1, 2], maxlen=5),
        "generator": rng,
        "scalar": np.int64(4),
    }
    back = there_and_back(value)
    assert back["numbers"] == value["numbers"]
    assert np.array_equal(back["array"], value["array"])
    assert back["view"] == {"a": 1}
    assert isinstance(back["view"], MappingProxyType)
    assert back["queue"].maxlen == 5
    assert type(back["scalar"]) is np.int64
    assert back["generator"].random() == np.random.Generator(rng.bit_generator).random()


def test_what_two_share_stays_shared() -> None:
    pool = Mempool()
    pool.add(Transaction(0, 1.0, b"\x01" * 20, None, b"", 1, 1, 1))
    value = {"one": pool, "other": pool, "method": pool.drop}
    back = there_and_back(value)
    assert back["one"] is back["other"]
    back["method"]([0])
    assert len(back["one"]) == 0
    assert len(pool) == 1


def test_what_is_made_again_is_left_out() -> None:
    timer, series = StageTimer(), np.arange(float(N))
    value = {"timer": timer, "series": series, "short": np.arange(3.0)}
    one = codec(value, again={"timer": timer}, series_of=(value,), n_intervals=N)
    written = one.written({"someone": value})
    assert len(written.state) < series.nbytes
    timer_again, series_again = StageTimer(), np.arange(float(N))
    fresh = {"timer": timer_again, "series": series_again, "short": np.zeros(3)}
    other = codec(fresh, again={"timer": timer_again}, series_of=(fresh,), n_intervals=N)
    back = other.read(written.state, [])["someone"]
    assert back["timer"] is timer_again
    assert back["series"] is series_again
    assert back["short"].tolist() == [0.0, 1.0, 2.0]


def test_a_series_that_is_left_out_cannot_be_changed() -> None:
    series = np.zeros(N)
    codec(series, series_of=(series,), n_intervals=N)
    with pytest.raises(ValueError, match="read-only"):
        series[0] = 1.0


def test_storage_is_written_once_and_then_what_changed() -> None:
    mirror = StateMirror()
    mirror._put_slots([("", b"\x01" * 20, 5, 50)])
    mirror._put_slots([("", b"\x01" * 20, 6, 60)])
    one = codec(mirror)
    first = one.written({"someone": mirror})
    assert first.changes == [[(b"\x01" * 20, 5, 50), (b"\x01" * 20, 6, 60)]]
    mirror._put_slots([("", b"\x01" * 20, 6, 0)])
    mirror._put_slots([("", b"\x02" * 20, 1, 10)])
    second = one.written({"someone": mirror})
    assert second.changes == [[(b"\x01" * 20, 6, 0), (b"\x02" * 20, 1, 10)]]
    back = one.read(second.state, [{b"\x01" * 20: {5: 50}, b"\x02" * 20: {1: 10}}])["someone"]
    assert back.storage(b"\x01" * 20, 5) == 50
    assert back.storage_root(b"\x01" * 20) == mirror.storage_root(b"\x01" * 20)
    assert list(back.slots_since_asked()) == []


@pytest.mark.parametrize(
    "value", [lambda: 0, io.StringIO("x"), (n for n in ())], ids=["lambda", "file", "generator"]
)
def test_what_cannot_be_written_is_refused_with_its_owner(value: Any) -> None:
    with pytest.raises(StateError, match="state of someone cannot be written"):
        codec(value)


def test_a_class_of_nobodys_package_is_refused() -> None:
    with pytest.raises(StateError, match=r"names .*Forged"):
        codec({"kind": Forged})


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (os.system, ("echo caught > caught",)),
        (eval, ("open('caught', 'w')",)),
        (getattr, (DeliveryClock, "__init__")),
        (Mempool, ()),  # of ours, and still a call
    ],
)
def test_reading_calls_nothing(
    call: Callable[..., Any],
    arguments: tuple[Any, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    state = pickle.dumps({"someone": Forged(call, *arguments)}, 5)
    with pytest.raises(StateError):
        codec(0).read(state, [])
    assert list(tmp_path.iterdir()) == []


def named(module: str, name: str) -> bytes:
    """The bytes of a state that is what a name leads to."""
    texts = b"".join(b"\x8c" + bytes([len(t)]) + t for t in (module.encode(), name.encode()))
    return b"\x80\x05" + texts + b"\x93."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("cosim.evm.contracts", "functools.partial"),  # what a module has imported
        ("cosim.evm.contracts", "Path"),
        ("cosim.evm.rpc", "NodeEngine"),  # opens connections
        ("cosim.evm.journal", "JournalledEngine"),  # opens a file
        ("cosim.simulators.foreign", "ForeignStarter"),  # starts a program
        ("cosim.results.writer", "TableWriter"),  # makes and removes folders
        ("cosim.cli", "main"),
        ("cosim.chain.blocks", "next_base_fee_wei"),  # a function, which no run holds
        ("cosim.devices.battery", "Battery.__init__"),
    ],
)
def test_only_classes_that_a_run_has_objects_of_can_be_named(module: str, name: str) -> None:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)  # it is there, and refused for what it is
    with pytest.raises(StateError, match="no state of a run may hold"):
        codec(0).read(named(module, name), [])


def test_reading_changes_no_class() -> None:
    """BUILD on a class would set its attributes for the whole program."""
    target = named("cosim.chain.blocks", "Mempool").removesuffix(b".")
    with pytest.raises(StateError, match="changes"):
        codec(0).read(target + b"}\x8c\x03add\x4b\x01sb.", [])
    assert callable(Mempool.add)


def test_old_opcodes_that_call_are_refused() -> None:
    with pytest.raises(StateError, match="part of pickle"):
        codec(0).read(b"(S'echo caught'\nios\nsystem\n.", [])


def test_a_method_must_be_one_of_a_known_object() -> None:
    method_of = ("cosim.runs.checkpoint.state", "method_of")
    text = [part.encode() for part in method_of]
    name = b"\x8c\x08__init__"
    owner = b"\x8c\x01x"  # a text is of no known package
    state = b"\x80\x05" + b"".join(b"\x8c" + bytes([len(t)]) + t for t in text) + b"\x93"
    with pytest.raises(StateError):
        codec(0).read(state + owner + name + b"\x86R.", [])


def test_an_engine_with_sparse_factors_solves_the_same_after_it_comes_back() -> None:
    net = open_grid("1-LV-rural1--1-sw").net
    engine = FixedPointEngine(net, sparse=True)
    p_mw = np.linspace(-0.01, 0.01, len(net.sgen))
    state = engine.solve(p_mw, 0.1 * p_mw)
    back = there_and_back(engine).solve(p_mw, 0.1 * p_mw)
    np.testing.assert_array_equal(back.vm_pu, state.vm_pu)
    np.testing.assert_array_equal(back.line_loading_percent, state.line_loading_percent)
