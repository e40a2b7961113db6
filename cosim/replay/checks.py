"""What a mechanism checks of its own tables, given the replayed chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.replay import Replayed


class MechanismChecks(ABC):
    """Checks of one mechanism in one verification; made anew for each."""

    def after_block(self, number: int, done: Replayed) -> None:
        """Read from the contracts what no event tells, after a block was replayed."""

    @abstractmethod
    def run(self, history: History) -> Sequence[Check]:
        """Recompute the mechanism's tables from the replayed chain and compare.

        Parameters
        ----------
        history : History
            Of a run in whose scenario the mechanism may be missing: its tables must be empty then.
        """
