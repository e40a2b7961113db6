"""Declaration of a study: its section in a scenario file, its runs, and what it compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from cosim.scenario import Scenario
from cosim.settings import Model
from cosim.studies.expectations import Expectation

Overrides = dict[str, Any]

CENTRAL_OPTIMUM = "central_optimum"
"""Name in ``study.compare`` of the yardstick, which is computed and not played."""

AS_GIVEN = "as_given"
"""Variant of the runs that counterfactuals are compared with, where a study names none."""


class StudySettings(Model):
    """Variations of a scenario, and what is expected of them."""

    expectation: str = Field("", description="what is expected, in one line for the report")
    expect: tuple[str, ...] = Field((), description="comparisons of indicators that are checked")
    variants: dict[str, Overrides | None] = Field({}, description="overrides by name")
    axes: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(
        {}, description="values by field; every combination is run"
    )
    skip_impossible: bool = Field(
        False, description="leave out combinations that are no scenario, and list them"
    )
    seeds: int = Field(
        1,
        ge=1,
        le=1000,
        strict=True,
        description="every run is played with so many seeds; the first is the scenario's own",
    )
    compare: tuple[Literal["no_market", "no_flexibility", "no_relief", "central_optimum"], ...] = (
        Field(
            (),
            description="counterfactuals that every run is compared with, and that are played; the "
            "central optimum is computed",
        )
    )
    compare_variants: tuple[str, ...] = Field(
        (), description="variants that are compared with counterfactuals [every one]"
    )

    def compares(self, variant: str) -> bool:
        """Return True for a variant whose runs are compared with counterfactuals."""
        return not self.compare_variants or variant in self.compare_variants


@dataclass(frozen=True)
class Replication:
    """Place of a run among those that differ in nothing but the seed.

    Parameters
    ----------
    point : str
        Their common name: of a variant at its place on the axes.
    number : int
        Counts from 1, which has the scenario's own seed.
    seed : int
    """

    point: str
    number: int
    seed: int


@dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Parameters
    ----------
    name : str
        Unique in the study; names its folder.
    variant : str
        Empty in a study without variants.
    values : dict
        Value on each axis, by field.
    scenario : Scenario
    replication : Replication or None
        None in a study with one seed.
    """

    name: str
    variant: str
    values: dict[str, Any]
    scenario: Scenario
    replication: Replication | None = None

    @property
    def point(self) -> str:
        """Name that it shares with runs of other seeds; its own with one seed."""
        return self.replication.point if self.replication else self.name


@dataclass(frozen=True)
class Compared:
    """A run, and a counterfactual of it.

    Parameters
    ----------
    run, against : str
        Names of runs of the study.
    counterfactual : str
        Of ``run``; ``against`` plays it.
    """

    run: str
    counterfactual: str
    against: str


@dataclass(frozen=True)
class ImpossibleRun:
    """A combination that is no scenario, and why."""

    name: str
    variant: str
    values: dict[str, Any]
    reason: str


@dataclass(frozen=True)
class Study:
    """A study: its runs in the order of the file, and what is expected of them.

    Parameters
    ----------
    name, description : str
        Of the scenario that is varied.
    file : Path
        Where it was read from; named in errors.
    text : str
        The study as it was given.
    settings : StudySettings
    runs : tuple of StudyRun
        Variants outermost, then the axes in their order; the last axis changes fastest. Last the
        counterfactuals. With several seeds, each of them as often, one after the other.
    impossible : tuple of ImpossibleRun
        Left out; empty unless ``skip_impossible``.
    expectations : tuple of Expectation
    comparisons : tuple of Compared
        By run, then in the order of ``study.compare``.
    measured : tuple of StudyRun
        Runs that are measured by the central optimum: none, or all but counterfactuals.
    """

    name: str
    description: str
    file: Path
    text: str
    settings: StudySettings
    runs: tuple[StudyRun, ...]
    impossible: tuple[ImpossibleRun, ...]
    expectations: tuple[Expectation, ...]
    comparisons: tuple[Compared, ...]
    measured: tuple[StudyRun, ...]
