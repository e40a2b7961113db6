"""Exit codes, and options that several commands have."""

from __future__ import annotations

import argparse
import sys

from cosim.plugins.evm_engine import AUTO

EXIT_FAILED = 1
EXIT_USER = 2
EXIT_UNCHECKED = 3
EXIT_NOT_RERUN = 4
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def not_negative(text: str) -> int:
    """A whole number from 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def seconds(text: str) -> float:
    """A time above 0, and no infinite one."""
    time_s = float(text)
    if not 0 < time_s < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no time above 0")
    return time_s


def tell_slow_engine(*names: str) -> None:
    """Say once on stderr what ``auto`` among engines costs, where a faster one is missing."""
    from cosim.evm.engine import slow_engine_note

    note = slow_engine_note() if AUTO in names else None
    if note is not None:
        print(f"cosim: {note}", file=sys.stderr)


positive.__name__ = not_negative.__name__ = "whole number"  # argparse names it in its message
seconds.__name__ = "number of seconds"
