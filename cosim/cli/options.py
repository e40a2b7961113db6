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


def tell_slow_engine(*names: str) -> None:
    """Say once on stderr what ``auto`` among engines costs, where a faster one is missing."""
    from cosim.evm.engine import slow_engine_note

    note = slow_engine_note() if AUTO in names else None
    if note is not None:
        print(f"cosim: {note}", file=sys.stderr)


positive.__name__ = "whole number"  # argparse names it in its message
