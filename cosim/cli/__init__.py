"""The command line: parse, call one function, print where the result is."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cosim import __version__
from cosim.cli.inputs import add_inputs
from cosim.cli.inspection import add_inspect
from cosim.cli.ledger import add_ledger
from cosim.cli.options import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_UNCHECKED,
    EXIT_USER,
)
from cosim.cli.output import EXIT_UNREAD, Unread, standard_streams
from cosim.cli.results import add_results
from cosim.cli.running import add_run
from cosim.cli.sweeping import add_sweep
from cosim.errors import CheckError, CosimError, UserError, own_trouble
from cosim.plugins.blame import naming_plug_ins
from cosim.processes import sigterm_interrupts, terminated


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code.

    0, 1 (run failed, or a result differs), 2 (user error), 3 (a check could not be made), 4 (a
    result was not played again), 130 (interrupted), 141 (done, but its output was not read), 143
    (ended by SIGTERM).
    """
    with sigterm_interrupts(), standard_streams() as streams:
        try:
            code = _command(arguments)
        except SystemExit as end:  # of argparse: --help, --version, an option that is none
            if end.code or not streams.troubled:
                raise
            code = 0
        except Unread:
            code = EXIT_UNREAD
        try:
            streams.check()
        except UserError as error:
            print(f"cosim: {error}", file=sys.stderr)
            return code or EXIT_USER
        if code == EXIT_INTERRUPTED and terminated():
            return EXIT_TERMINATED
        return code or (EXIT_UNREAD if streams.unread else 0)


def _command(arguments: Sequence[str] | None) -> int:
    """Parse and run one command; return its exit code, its errors told."""
    options = None
    try:
        options = _parser().parse_args(arguments)  # asks the registries for names
        return _played(options)
    except UserError as error:
        print(f"cosim: {error}", file=sys.stderr)
        return EXIT_USER
    except OSError as error:
        place = error.filename or _place(options)
        if error.filename is None and own_trouble(error) is None:
            raise
        trouble = UserError(
            error.strerror or "cannot be used",
            file=os.fsdecode(place) if place is not None else None,
            remedy="check the path, its permissions and the space on the disk",
        )
        print(f"cosim: {trouble}", file=sys.stderr)
        return EXIT_USER
    except CheckError as error:
        print(f"cosim: not checked, which says nothing of the result: {error}", file=sys.stderr)
        return EXIT_UNCHECKED
    except CosimError as error:
        print(f"cosim: the run stopped: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt as stopped:
        said = str(stopped) or "nothing was written"
        print(f"cosim: interrupted; {said}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _place(options: argparse.Namespace | None) -> Path | None:
    """Return what a command writes to, or reads, for an error that does not say."""
    for name in ("out", "figure", "result"):
        if place := getattr(options, name, None):
            return Path(place)
    return None


def _played(options: argparse.Namespace) -> int:
    """Run the command; a plug-in that ends the program has not ended it well."""
    with naming_plug_ins():
        return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cosim", description="Co-simulate a distribution grid and a blockchain-settled market."
    )
    parser.add_argument("--version", action="version", version=f"cosim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (add_run, add_sweep, add_results, add_ledger, add_inspect, add_inputs):
        add(commands)
    return parser
