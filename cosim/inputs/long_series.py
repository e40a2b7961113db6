"""Long time series, kept in a file of the system's temporary folder instead of in memory.

A run of a year has some twenty series of every interval and prosumer, and looks at a few rows of
each at a time. From :data:`LEAST_BYTES` on a series is written to a file without a name, which the
system removes when the series is no longer used, and mapped into memory: the system reads what is
looked at. :func:`let_go` gives back what was read.
"""

from __future__ import annotations

import ctypes
import mmap
import tempfile
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cosim.units import FloatArray

LEAST_BYTES = 4 * 2**20
"""A smaller series stays in memory."""

_maps: weakref.WeakValueDictionary[int, mmap.mmap] = weakref.WeakValueDictionary()


def kept_outside(values: FloatArray) -> FloatArray:
    """Return a contiguous array that cannot be written to, of a long series outside of memory.

    Raises
    ------
    OSError
        If the temporary folder (``TMPDIR``) has no place for it.
    """
    array = np.ascontiguousarray(values)
    if array.nbytes >= LEAST_BYTES and not _is_outside(array):
        array = _mapped(array)
    array.setflags(write=False)
    return array


def _mapped(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    with tempfile.TemporaryFile(prefix="cosim-") as file:
        array.tofile(file)
        file.flush()
        held = mmap.mmap(file.fileno(), array.nbytes, access=mmap.ACCESS_READ)
    _maps[id(held)] = held
    return np.frombuffer(held, dtype=array.dtype).reshape(array.shape)


def _is_outside(array: Any) -> bool:
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return isinstance(array, memoryview | mmap.mmap)


def let_go() -> None:
    """Give back the memory of what was read of long series, and of what was freed."""
    for held in list(_maps.values()):
        with suppress(ValueError, OSError, AttributeError):  # closed, or a system without it
            held.madvise(mmap.MADV_DONTNEED)
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
