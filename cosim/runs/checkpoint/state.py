"""State of a run as bytes, and back.

A run is a graph of Python objects. It is written whole, with pickle, so that nothing can be
forgotten and what two objects share stays shared; four things are left out and put in again:

- what the set-up of the same scenario makes again (:attr:`Parts.again`, such as the stage timer),
- networks, compiled contracts, and long time series of devices and forecasts, which it makes again,
- machines that are no Python objects, which their engines build from their own state,
- storage of contracts (:class:`~cosim.evm.mirror.StateMirror`), of which only changes are written.

Reading a pickle can call what it names. Here only listed names are taken, which is a second line:
that nobody else's state is read is what :mod:`cosim.runs.checkpoint.seal` sees to.
"""

from __future__ import annotations

import io
import pickle
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pandapower.auxiliary import pandapowerNet

from cosim.errors import in_one_line
from cosim.evm.contracts import Artifact
from cosim.evm.mirror import StateMirror
from cosim.runs.checkpoint.names import StateError, may_be_called, require_known, require_name

PROTOCOL = 5

Series = np.ndarray[Any, Any]
"""A time series; intervals are its first dimension."""

Storage = dict[bytes, dict[int, int]]
"""Slots that are not zero, by account."""

_CONSTANTS = frozenset((pandapowerNet, Artifact))
"""Types whose objects the set-up makes, and nothing changes."""

_LEAST_BYTES = 1024
"""Shorter series are written like everything else."""


@dataclass
class Parts:
    """Objects of a run whose state is written, and what stays out of it.

    Parameters
    ----------
    by_role : mapping of str to object
        The state, by whose it is.
    again : mapping of str to object
        Objects that the set-up makes again, by a name.
    series_of : sequence of object
        Objects whose time series the set-up makes again.
    n_intervals : int
        Rows that a time series has at least.
    """

    by_role: Mapping[str, Any]
    again: Mapping[str, Any] = field(default_factory=dict)
    series_of: tuple[Any, ...] = ()
    n_intervals: int = 0


@dataclass
class Written:
    """State as bytes.

    Parameters
    ----------
    state : bytes
    changes : list of list
        Of each state of a chain, in the order in which they appear: address, slot and value of
        what changed in its storage, which is not in the bytes.
    constants : list of object
        Networks and compiled contracts that are not in it.
    """

    state: bytes
    changes: list[list[tuple[bytes, int, int]]]
    constants: list[Any]


class StateCodec:
    """Writes the state of a run, and reads it in a process that has set up the same run.

    Parameters
    ----------
    parts : Parts
        As the set-up leaves them.

    Raises
    ------
    StateError
        If one of them holds what cannot be written; says whose it is.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._series: list[Series] = []
        if parts.series_of:
            _SeriesCensus(self._found, parts.n_intervals).dump(parts.series_of)
        self._places: dict[int, tuple[str, Any]] = {
            id(series): ("series", k) for k, series in enumerate(self._series)
        }
        self._places |= {id(value): ("again", name) for name, value in parts.again.items()}
        self._constants: list[Any] = []
        for role, part in parts.by_role.items():
            try:
                constants = self._pickled(part, counts=False).constants
            except StateError as error:
                raise StateError(f"the state of {role} cannot be written: {error}") from error
            except Exception as error:
                raise StateError(
                    f"the state of {role} cannot be written: {in_one_line(error)}"
                ) from error
            for constant in constants:
                self._places[id(constant)] = "constant", len(self._constants)
                self._constants.append(constant)

    def _found(self, series: Series) -> None:
        # whoever changed it would lose the change when the run goes on from a checkpoint
        series.flags.writeable = False
        self._series.append(series)

    def _pickled(self, value: Any, *, counts: bool) -> Written:
        file = io.BytesIO()
        pickler = _StatePickler(file, self._places, counts)
        pickler.dump(value)
        return Written(file.getvalue(), pickler.changes, pickler.constants)

    def written(self, by_role: Mapping[str, Any]) -> Written:
        """Return a state of the run, and what changed in storage since the last call.

        Parameters
        ----------
        by_role : mapping of str to object
            As in the parts.

        Raises
        ------
        StateError
            If something that came into it during the run cannot be written.
        """
        try:
            written = self._pickled(dict(by_role), counts=True)
        except StateError:
            raise
        except Exception as error:
            raise StateError(f"the state cannot be written: {in_one_line(error)}") from error
        if written.constants:
            raise StateError("the state holds a network or contract that the set-up did not make")
        return written

    def read(self, state: bytes, storages: list[Storage]) -> dict[str, Any]:
        """Return the objects by role.

        Parameters
        ----------
        state : bytes
        storages : list
            Storage of each mirror by address and slot.

        Raises
        ------
        StateError
            If the bytes name anything that no state of a run holds.
        """
        left_out = {
            "again": self._parts.again,
            "series": self._series,
            "constant": self._constants,
            "storage": storages,
        }
        reader = _StateReader(io.BytesIO(state), left_out)
        try:
            found: dict[str, Any] = reader.load()
        except StateError:
            raise
        except Exception as error:
            raise StateError(f"the state cannot be read: {in_one_line(error)}") from error
        return found


class _SeriesCensus(pickle.Pickler):
    """Goes through objects, and tells of long time series in them."""

    def __init__(self, tell: Callable[[Series], None], n_intervals: int) -> None:
        super().__init__(_Nowhere(), PROTOCOL)
        self._tell = tell
        self._n_intervals = n_intervals
        self._seen: set[int] = set()

    def persistent_id(self, value: Any) -> Any:
        """Tell of a series once; nothing of it is written."""
        if type(value) is not np.ndarray or not value.ndim or value.nbytes < _LEAST_BYTES:
            return None
        if value.shape[0] < self._n_intervals:
            return None
        if id(value) not in self._seen:
            self._seen.add(id(value))
            self._tell(value)
        return 0

    def reducer_override(self, value: Any) -> Any:
        """Write what pickle alone does not."""
        return _reduced(value)


class _Nowhere:
    """A file that forgets."""

    def write(self, data: Any) -> int:
        """Forget the data."""
        return len(data)


class _StatePickler(pickle.Pickler):
    """Writes objects of known classes, leaving out what is made again."""

    def __init__(self, file: Any, places: Mapping[int, tuple[str, Any]], counts: bool) -> None:
        super().__init__(file, PROTOCOL)
        self._places = dict(places)
        self._counts = counts
        self.changes: list[list[tuple[bytes, int, int]]] = []
        self.constants: list[Any] = []

    def persistent_id(self, value: Any) -> Any:
        """Return what stands for an object that is left out."""
        if (place := self._places.get(id(value))) is not None:
            return place
        if type(value) in _CONSTANTS:
            self._places[id(value)] = place = "constant", len(self.constants)
            self.constants.append(value)
            return place
        return None

    def reducer_override(self, value: Any) -> Any:
        """Look what is written, and write what pickle alone does not."""
        if isinstance(value, StateMirror):
            self._places[id(value.every_slot)] = "storage", len(self.changes)
            # before its attributes are written: they say that these were asked for
            self.changes.append(list(value.slots_since_asked()) if self._counts else [])
        elif isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            require_known(value.__module__, value.__qualname__, value)
        return _reduced(value)


_PythonUnpickler: Any = pickle._Unpickler


class _StateReader(_PythonUnpickler):  # type: ignore[misc]
    """Reads what :class:`_StatePickler` wrote, in Python, so that no opcode can call at will."""

    def __init__(self, file: Any, left_out: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._left_out = left_out
        self._callable: set[int] = set()

    def persistent_load(self, pid: Any) -> Any:
        """Return an object that was left out."""
        kind, key = pid
        return self._left_out[kind][key]

    def find_class(self, module: str, name: str) -> Any:
        """Return what the bytes name, if a state may name it."""
        require_name(module, name)
        found = super().find_class(module, name)
        require_known(module, name, found)
        if may_be_called(module, name, found):
            self._callable.add(id(found))
        return found

    def load_reduce(self) -> None:
        """Call, if it is one of those that make a value."""
        if id(self.stack[-2]) not in self._callable:
            raise StateError(f"it calls {self.stack[-2]!r}")
        super().load_reduce()

    def load_build(self) -> None:
        """Give an object its attributes; a class or a function keeps its own."""
        if isinstance(self.stack[-2], type | types.FunctionType | types.ModuleType):
            raise StateError(f"it changes {self.stack[-2]!r}")
        super().load_build()

    def refuse(self) -> None:
        """Refuse what no state of a run needs."""
        raise StateError("it uses a part of pickle that no state of a run needs")

    dispatch: ClassVar[dict[int, Any]] = dict(_PythonUnpickler.dispatch)
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    for _opcode in (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_opcode[0]] = refuse
    del _opcode


def read_only(mapping: dict[Any, Any]) -> Mapping[Any, Any]:
    """Return a view of a mapping that cannot be changed."""
    return types.MappingProxyType(mapping)


def method_of(owner: Any, name: str) -> Any:
    """Return a method of an object of a known package.

    Raises
    ------
    StateError
        If it is none.
    """
    kind = type(owner)
    require_known(kind.__module__, kind.__qualname__, kind)
    if name.startswith("__") or not isinstance(getattr(kind, name, None), types.FunctionType):
        raise StateError(f"{kind.__qualname__} has no method {name}")
    return getattr(owner, name)


def _reduced(value: Any) -> Any:
    """Write views of mappings, which pickle does not know, and methods, which it looks up."""
    if isinstance(value, types.MappingProxyType):
        return read_only, (dict(value),)
    if isinstance(value, types.MethodType) and not isinstance(value.__self__, type):
        return method_of, (value.__self__, value.__func__.__name__)
    return NotImplemented
