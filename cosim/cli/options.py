"""Exit codes, and options that several commands have."""

from __future__ import annotations

import argparse

EXIT_FAILED = 1
EXIT_USER = 2
EXIT_INTERRUPTED = 130


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


positive.__name__ = "whole number"  # argparse names it in its message
