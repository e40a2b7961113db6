"""Section ``campaign`` of a scenario file: which fields are swept, over which design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from cosim.campaigns.factors import FACTORS, Factor, Values
from cosim.errors import ScenarioError
from cosim.scenario import Scenario
from cosim.scenario.explaining import explained
from cosim.scenario.loading import CAMPAIGN
from cosim.settings import Model
from cosim.studies.declaration import ImpossibleRun

Design = Literal["grid", "list", "latin_hypercube", "sobol", "monte_carlo"]

_MOST_POINTS = 2**20


class CampaignSettings(Model):
    """Design of a campaign, and the fields of a scenario that it sweeps."""

    design: Design = Field("grid", description="how points are laid out")
    vary: dict[str, Any] = Field({}, description="fields by dotted path, or choices by a name")
    rows: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] | None = Field(
        None, description="points of the design list: values by dotted path"
    )
    samples: int | None = Field(
        None,
        ge=1,
        le=_MOST_POINTS,
        strict=True,
        description="points of latin_hypercube and monte_carlo; base samples of sobol",
    )
    design_seed: int = Field(0, ge=0, lt=2**63, description="of draws of the design")
    seeds: int = Field(
        1, ge=1, le=1000, strict=True, description="with how many seeds every point is played"
    )
    skip_impossible: bool = Field(
        False, description="leave out points that are no scenario, and list them"
    )
    indicators: tuple[str, ...] = Field(
        (), description="indicators that report and terminal show first"
    )

    @model_validator(mode="after")
    def _whole(self) -> CampaignSettings:
        if self.design == "list":
            if self.rows is None:
                raise ValueError("the design list needs its points in campaign.rows")
            if self.vary:
                raise ValueError("the design list has its values in campaign.rows, none in vary")
        else:
            if self.rows is not None:
                raise ValueError(f"campaign.rows is for the design list, and it is {self.design}")
            if not self.vary and (self.design != "grid" or self.seeds == 1):
                raise ValueError("names no field to sweep in campaign.vary")
        sampled = self.design in ("latin_hypercube", "sobol", "monte_carlo")
        if sampled and self.samples is None:
            raise ValueError(f"the design {self.design} needs campaign.samples")
        if not sampled and self.samples is not None:
            raise ValueError(f"the design {self.design} takes no campaign.samples")
        if self.design == "sobol" and self.samples is not None and self.samples < 2:
            raise ValueError("the design sobol needs at least two base samples")
        return self


class _File(Model):
    """The part of a file that is no scenario; only its errors are looked at."""

    campaign: CampaignSettings


@dataclass(frozen=True)
class Point:
    """A place in a design.

    Parameters
    ----------
    index : int
        Counts from 0 in the order of the design; a larger design of the same kind begins with the
        points of a smaller one, but for a Latin hypercube.
    values : dict
        Value of each factor, by name, as the table has it.
    overrides : tuple of (str, dict)
        Fields of a scenario by dotted path, and the part of the file that asks for them.
    """

    index: int
    values: dict[str, Any]
    overrides: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True)
class CampaignRun:
    """One run of a campaign.

    Parameters
    ----------
    hash : str
        Of its inputs; names its folder. Runs of two points have one hash if nothing tells them
        apart, and are played once.
    point : int
        Index of its point.
    values : dict
        Value of each factor, by name.
    number : int
        Of its seed; counts from 1, which has the scenario's own.
    scenario : Scenario
    """

    hash: str
    point: int
    values: dict[str, Any]
    number: int
    scenario: Scenario


@dataclass(frozen=True)
class Campaign:
    """A campaign: its runs in the order of its design.

    Parameters
    ----------
    name, description : str
    file : Path
        Where it was read from; named in errors.
    text : str
        The campaign as it was given.
    design : str
        As in the file; ``study`` for the runs of a section ``study``.
    factors : tuple of Factor
        Empty for a study and for the design list.
    seeds : int
    indicators : tuple of str
        Shown first.
    runs : tuple of CampaignRun
        By point, then by seed.
    impossible : tuple of ImpossibleRun
        Points left out.
    """

    name: str
    description: str
    file: Path
    text: str
    design: str
    factors: tuple[Factor, ...]
    seeds: int
    indicators: tuple[str, ...]
    runs: tuple[CampaignRun, ...]
    impossible: tuple[ImpossibleRun, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what differs between points, in the order of the file."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.values))

    @property
    def distinct(self) -> dict[str, CampaignRun]:
        """Runs by hash, each once."""
        found: dict[str, CampaignRun] = {}
        for run in self.runs:
            found.setdefault(run.hash, run)
        return found


def settings_of(data: Any, file: Path) -> CampaignSettings:
    """Return the section of a file.

    Raises
    ------
    ScenarioError
        If it cannot be used; names the field.
    """
    try:
        return _File.model_validate({CAMPAIGN: data}).campaign
    except ValidationError as error:
        raise explained(error, file, _File) from error


def factors_of(settings: CampaignSettings, file: Path) -> tuple[Factor, ...]:
    """Return what a campaign varies, in the order of the file.

    Raises
    ------
    ScenarioError
        If a range is empty, a factor cannot be used, or two set the same; names the field.
    """
    factors = tuple(_factor(name, given, file) for name, given in settings.vary.items())
    setting: dict[str, str] = {}
    for factor in factors:
        for path in sorted(factor.fields()):
            for other, owner in setting.items():
                if owner != factor.name and _overlap(path, other):
                    raise ScenarioError(
                        f"sets {path}, and {owner!r} sets {other}: runs would not be what the "
                        "table says",
                        file=file,
                        field=f"{CAMPAIGN}.vary.{factor.name}",
                        remedy="let one of the two set it",
                    )
            setting[path] = factor.name
    return factors


def _overlap(one: str, other: str) -> bool:
    """Tell if two dotted paths are the same, or one is within the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _factor(name: str, given: Any, file: Path) -> Factor:
    field = f"{CAMPAIGN}.vary.{name}"
    if isinstance(given, list | tuple):
        if not given:
            raise ScenarioError(
                "has no values", file=file, field=field, remedy="give some: [1, 2, 3]"
            )
        return Values(name=name, values=tuple(given))
    kind = None
    if isinstance(given, Mapping):
        kind = next((own for key, own in FACTORS.items() if key in given), None)
    if kind is None:
        raise ScenarioError(
            f"is {given!r}, no list of values and no range",
            file=file,
            field=field,
            remedy="write [1, 2], {low: 1, high: 2}, {mean: 1, deviation: 0.1} or "
            "{choices: {one: {field: value}}}",
        )
    try:
        return kind.model_validate({"name": name, **given})
    except ValidationError as error:
        told = explained(error, file, kind)
        inner = f".{told.field}" if told.field and told.field != "(top level)" else ""
        raise ScenarioError(
            told.problem, file=file, field=field + inner, remedy=told.remedy
        ) from error
