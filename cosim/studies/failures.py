"""An error of a run, as one process tells another of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from cosim.errors import BusyFolderError, CosimError, RunError, StorageError, UserError


@dataclass(frozen=True)
class Failure:
    """An error that can be carried from one process to another whatever it is.

    Parameters
    ----------
    kind : str
        ``user`` (the user can mend it), ``busy`` (another run writes there), ``disk``, ``run`` (not
        to be trusted), ``lost`` (its process ended without a word) or ``bug``.
    text : str
        The problem, or a traceback.
    field, remedy, file : str, optional
        Of an error that the user can mend.
    """

    kind: str
    text: str
    field: str | None = None
    remedy: str | None = None
    file: str | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return what is told of an error."""
        if isinstance(error, UserError):
            kind = "disk" if isinstance(error, StorageError) else "user"
            if isinstance(error, BusyFolderError):
                kind = "busy"
            return cls(kind, error.problem, error.field, error.remedy, error.file)
        if isinstance(error, CosimError):
            return cls("run", str(error))
        return cls("bug", traceback.format_exc())

    def error(self, name: str) -> Exception:
        """Return the error, naming the run."""
        if self.kind in ("user", "disk", "busy"):
            return (StorageError if self.kind == "disk" else UserError)(
                f"run {name!r}: {self.text}", file=self.file, field=self.field, remedy=self.remedy
            )
        text = f"run {name!r}: {self.text}"
        return RuntimeError(text) if self.kind == "bug" else RunError(text)
