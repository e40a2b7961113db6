"""Terms of sending orders, or readings: each its own, or somebody for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from cosim.settings import Authority, Submission


class SubmissionFields(Protocol):
    """Fields of a section that say who sends."""

    @property
    def submission(self) -> Submission:
        """Everybody sends, or somebody for many."""

    @property
    def batch_size(self) -> int:
        """Most entries of a batch."""

    @property
    def batch_authority(self) -> Authority:
        """A role or a signature makes an entry its owner's."""


@dataclass(frozen=True)
class SubmissionTerms:
    """Terms of sending.

    Parameters
    ----------
    batched : bool
    size : int
        Most entries of a batch.
    signed : bool
        Every entry comes with its owner's signature; else the sender has a role.
    """

    batched: bool = False
    size: int = 1
    signed: bool = False

    @classmethod
    def of(cls, section: SubmissionFields) -> Self:
        """Return the terms of a section of a scenario."""
        batched = section.submission == "batched"
        signed = batched and section.batch_authority == "signatures"
        return cls(batched, section.batch_size if batched else 1, signed)


EACH = SubmissionTerms()
"""Everybody sends its own."""
