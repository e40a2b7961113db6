"""Names that the state of a run may hold, and those that reading it may call.

Objects of a run are of the folders of cosim that play it, and of packages with plug-ins. Nothing
else can be named: no other module, nothing that a module has imported, no function but those that
encode for contracts.
"""

from __future__ import annotations

import enum
import functools
import types
from typing import Any

from cosim.errors import CosimError
from cosim.results.environment import foreign_plug_ins

_CALLED = {
    ("cosim.runs.checkpoint.state", "method_of"),
    ("cosim.runs.checkpoint.state", "read_only"),
    ("_codecs", "encode"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
    ("builtins", "frozenset"),
    ("builtins", "range"),
    ("builtins", "set"),
    ("builtins", "slice"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("copyreg", "__newobj__"),
    ("copyreg", "_reconstructor"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("numpy", "dtype"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__generator_ctor"),
    ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
}
"""Callables, by module and name, with which values are made."""

_NAMED = {
    ("builtins", "dict"),
    ("builtins", "list"),
    ("builtins", "object"),
    ("numpy", "ndarray"),
    ("numpy.random._mt19937", "MT19937"),
    ("numpy.random._pcg64", "PCG64"),
    ("numpy.random._pcg64", "PCG64DXSM"),
    ("numpy.random._philox", "Philox"),
    ("numpy.random._sfc64", "SFC64"),
    ("numpy.random.bit_generator", "SeedSequence"),
    ("scipy.sparse._csc", "csc_array"),
    ("scipy.sparse._csc", "csc_matrix"),
    ("scipy.sparse._csr", "csr_array"),
    ("scipy.sparse._csr", "csr_matrix"),
}
"""Other names that a state may have."""

_FOLDERS = frozenset(
    (
        "attacks", "chain", "clock", "devices", "dso", "evm", "grid", "mechanisms", "messages",
        "prosumers", "scenario", "settings", "simulators",
    )
)  # fmt: skip
"""Folders and modules of cosim whose classes a run has objects of."""

_FILES_AND_PROGRAMS = frozenset(
    (
        "cosim.evm.journal",
        "cosim.evm.node",
        "cosim.evm.node_chain",
        "cosim.evm.rpc",
        "cosim.evm.timed_node",
        "cosim.simulators.foreign",
    )
)
"""Modules in them whose objects open files or connections, or start programs."""

_FUNCTIONS = frozenset(("cosim.evm.abi",))
"""Modules of cosim of which a run holds functions."""


class StateError(CosimError):
    """State that cannot be written, or is not read."""


def require_name(module: str, name: str) -> None:
    """Refuse a name that no state of a run needs.

    Raises
    ------
    StateError
    """
    if (module, name) not in _CALLED and (module, name) not in _NAMED and not _is_of_a_run(module):
        raise StateError(f"it names {module}.{name}, which no state of a run may hold")


def require_known(module: str, name: str, found: Any) -> None:
    """Refuse what a name leads to, unless it is a class or function that was made under it.

    Raises
    ------
    StateError
        Also of what a module has only imported.
    """
    require_name(module, name)
    if (module, name) in _CALLED or (module, name) in _NAMED:
        return
    own = getattr(found, "__module__", None) == module
    own = own and getattr(found, "__qualname__", None) == name
    is_function = isinstance(found, types.FunctionType)
    allowed = isinstance(found, type) or (is_function and _may_hold_functions(module))
    if not (own and allowed):
        raise StateError(f"it names {module}.{name}, which no state of a run may hold")


def may_be_called(module: str, name: str, found: Any) -> bool:
    """Tell if reading may call what a name leads to: it makes a value."""
    return (module, name) in _CALLED or (isinstance(found, type) and issubclass(found, enum.Enum))


def _is_of_a_run(module: str) -> bool:
    package, _, rest = module.partition(".")
    if package != "cosim":
        return package in plug_in_packages()
    is_played = rest.partition(".")[0] in _FOLDERS and module not in _FILES_AND_PROGRAMS
    return is_played or module in _FUNCTIONS


def _may_hold_functions(module: str) -> bool:
    return module in _FUNCTIONS or module.partition(".")[0] in plug_in_packages()


@functools.cache
def plug_in_packages() -> frozenset[str]:
    """Return the packages of plug-ins that are installed."""
    values = (str(each["value"]) for each in foreign_plug_ins())
    return frozenset(value.partition(":")[0].partition(".")[0] for value in values)
