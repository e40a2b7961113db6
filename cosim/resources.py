"""Location of the data files that come with cosim: grids, contracts, scenarios."""

from __future__ import annotations

from pathlib import Path

from cosim.errors import UserError

KINDS = ("grids", "contracts", "scenarios")


def folder(kind: str) -> Path:
    """Folder of the data files of one kind.

    Parameters
    ----------
    kind : str
        ``grids``, ``contracts`` or ``scenarios``.

    Returns
    -------
    Path
        Inside the package when cosim was installed as a wheel, next to it in a checkout.

    Raises
    ------
    ValueError
        If the kind is not known.
    UserError
        If the installation has no such folder.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of data file {kind!r}: one of {', '.join(KINDS)}")
    package = Path(__file__).resolve().parent
    for candidate in (package / kind, package.parent / kind):
        if candidate.is_dir():
            return candidate
    raise UserError(
        f"this installation of cosim has no folder of {kind}",
        file=package / kind,
        remedy="install cosim again, or run it from a checkout",
    )
