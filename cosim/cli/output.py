"""Standard output and error of the command line, whoever reads them and wherever they go.

Commands are used in pipes: what a reader that goes away (``| head -1``) no longer takes is dropped
without a word, and a command that writes files finishes them. Python's own way, an exception out of
whichever ``print`` comes next, would end a run that nothing is wrong with.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from cosim.errors import UserError

EXIT_UNREAD = 141
"""Exit code of a command whose output nobody read to its end: 128 + SIGPIPE, as in shells."""

_CANNOT = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Errors that are kept in mind: the reader is gone, the disk full, the terminal closed."""


class Unread(Exception):
    """Nobody reads what a command prints: it may stop, if it writes nothing else."""


class _Stream(io.FileIO):
    """A file descriptor that remembers the first write it could not make, and drops the rest."""

    trouble: OSError | None = None

    def write(self, data: Any, /) -> int:
        if self.trouble is None:
            try:
                return super().write(data)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                self.trouble = error
        return memoryview(data).nbytes


class Streams:
    """Standard output and error of this process, as long as a command runs.

    Streams that somebody has put in their place (a test, a notebook) are left alone.
    """

    def __init__(self) -> None:
        self._before = sys.stdout, sys.stderr
        self._ours: dict[str, _Stream] = {}

    def __enter__(self) -> Streams:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not getattr(sys, f"__{name}__") or not isinstance(
                stream, io.TextIOWrapper
            ):
                continue
            with suppress(OSError):
                stream.flush()
                self._ours[name] = raw = _Stream(stream.fileno(), "w", closefd=False)
                text = io.TextIOWrapper(
                    io.BufferedWriter(raw),
                    encoding=stream.encoding,
                    errors=stream.errors,
                    line_buffering=stream.line_buffering or stream.write_through,
                )
                setattr(sys, name, text)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        sys.stdout, sys.stderr = self._before

    def flush(self) -> None:
        """Write what is printed and not written yet."""
        for name in self._ours:
            with suppress(OSError, ValueError):
                getattr(sys, name).flush()

    @property
    def troubled(self) -> bool:
        """True if standard output could not be written to its end."""
        return self._trouble() is not None

    @property
    def unread(self) -> bool:
        """True once the reader of standard output is gone."""
        trouble = self._trouble()
        return trouble is not None and trouble.errno == errno.EPIPE

    def check(self) -> None:
        """Refuse a standard output that could not be written to, for other reasons.

        Raises
        ------
        UserError
        """
        trouble = self._trouble()
        if trouble is None or trouble.errno == errno.EPIPE:
            return
        raise UserError(
            f"standard output cannot be written to: {os.strerror(trouble.errno or 0)}",
            remedy="send it where there is space; files that the command writes are finished",
        )

    def _trouble(self) -> OSError | None:
        self.flush()
        return self._ours["stdout"].trouble if "stdout" in self._ours else None


_streams: list[Streams] = []


@contextmanager
def standard_streams() -> Iterator[Streams]:
    """Replace standard output and error by ones that no command fails of."""
    with Streams() as streams:
        _streams.append(streams)
        try:
            yield streams
        finally:
            _streams.pop()


def stop_if_unread() -> None:
    """End a command that only prints, once nobody reads it.

    Raises
    ------
    Unread
    """
    if any(streams.unread for streams in _streams):
        raise Unread
