"""Checks that a mechanism makes of its own tables, given the replayed chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from cosim.replay.findings import Check
from cosim.replay.replay import Replayed
from cosim.results.reader import Results
from cosim.settings import Model

if TYPE_CHECKING:
    from cosim.replay.history import History

Amounts = Mapping[tuple[int, str], int]
"""Energy or money by delivery interval and connection point."""

S = TypeVar("S", bound=Model)

Recompute = Callable[[], Check]


class MechanismChecks(ABC, Generic[S]):
    """Checks of one mechanism in one verification; made anew for each.

    Every table of the mechanism needs a check of its name: without one, ``cosim verify`` says that
    the table was not recomputed. The tables of a mechanism that a scenario lacks must be empty,
    which needs no check.

    Parameters
    ----------
    settings : Model
        Section of the mechanism.

    Attributes
    ----------
    varying_gas : tuple of str
        Methods of its contracts whose gas limit depends on more than the calldata and the number
        of orders.
    """

    varying_gas: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: S) -> None:
        self.settings = settings

    def after_block(self, number: int, done: Replayed) -> None:
        """Read from the contracts what no event tells, after a block was replayed."""

    @abstractmethod
    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the checks by name; each recomputes something and compares.

        They are run one by one: what breaks on a forged file is a difference of that check.
        """

    def intervals(self, history: History) -> Mapping[int, int]:
        """Return the interval that transactions serve, by their positions on the chain.

        Of those only that neither name it in an argument nor serve the interval that is settled
        when they are included.
        """
        return {}

    def compare_sums(self, check: Check, results: Results) -> None:
        """Compare sums of energy that must be equal whatever was agreed."""

    # --- what it adds to the tables ``schedules`` and ``settlement`` ---

    def activated_wh(self, history: History) -> Amounts:
        """Return by how much it changed schedules for the DSO, up positive. [Wh]"""
        return {}

    def allocated_wh(self, history: History) -> Amounts:
        """Return what it adds to the readings of meters before they are settled. [Wh]"""
        return {}

    def flexibility_ueur(self, history: History) -> Amounts:
        """Return what prosumers received from the DSO, less penalties. [µEUR]"""
        return {}

    def fees_wei(self, history: History) -> Amounts:
        """Return the transaction fees that count in the settlement of an interval. [wei]"""
        return {}


def total(
    history: History, amounts_of: Callable[[MechanismChecks[Any]], Amounts]
) -> defaultdict[tuple[int, str], int]:
    """Add up what every mechanism of a run says; 0 where none says anything."""
    found: defaultdict[tuple[int, str], int] = defaultdict(int)
    for mechanism in history.mechanisms:
        for key, amount in amounts_of(mechanism).items():
            found[key] += amount
    return found
