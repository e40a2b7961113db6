"""Foreign simulators in a scenario: how they start and what they are connected to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Role = Literal["bidders", "market", "dso", "devices", "grid"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Feed(_Model):
    """One output of a foreign simulator into one of ours."""

    attribute: str = Field(description="the foreign attribute")
    entity: str | None = Field(
        None, description="child of the foreign entity, if it is not its own"
    )
    to_simulator: Literal["devices"] = "devices"
    to_entity: str = Field(description="name of the connection point")
    to_attribute: Literal["P_load[MW]", "P_gen[MW]"] = Field(
        description="its consumption or its generation, as in mosaik-pandapower-2"
    )


class Reading(_Model):
    """One output of ours into a foreign simulator."""

    from_simulator: Role
    from_entity: str = Field(
        description="e.g. Bus-4, Line-2, Trafo-0, ExternalGrid-0, a connection point, or population"
    )
    from_attribute: str = Field(
        description="e.g. 'Vm[pu]', as in mosaik-pandapower-2; of a population, a message"
    )
    attribute: str = Field(description="the foreign attribute")
    entity: str | None = Field(
        None, description="child of the foreign entity, if it is not its own"
    )
    time_shifted: bool = Field(
        False, description="what the interval before gave: for one that also feeds"
    )
    initial: Any = Field(None, description="read in the first interval, if time_shifted")

    @model_validator(mode="after")
    def _initial_where_shifted(self) -> Reading:
        if self.time_shifted != (self.initial is not None):
            raise ValueError("give time_shifted and initial together, or neither")
        return self


class ForeignSimulator(_Model):
    """A mosaik simulator of somebody else, joined to the run or put in the place of one of ours.

    Exactly one of ``python``, ``cmd`` and ``connect`` says how it starts, as in mosaik's own
    simulator configuration.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    python: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$", description="module:Class, run in this process"
    )
    cmd: str | None = Field(None, description="command; %(python)s and %(addr)s are filled in")
    connect: str | None = Field(
        None, pattern=r"^[^\s:]+:\d+$", description="host:port of a simulator that runs already"
    )
    replaces: Role | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="arguments of its init")
    model: str = Field(description="model to create one entity of")
    model_params: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(
        300,
        gt=0,
        le=86_400 * 7,
        description="longest wait for its connection and for each answer",
    )
    feeds: tuple[Feed, ...] = ()
    reads: tuple[Reading, ...] = ()

    @model_validator(mode="after")
    def _one_start(self) -> ForeignSimulator:
        given = [key for key in ("python", "cmd", "connect") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of python, cmd, connect")
        if self.replaces and (self.feeds or self.reads):
            raise ValueError("a simulator that replaces one of ours is wired as that one is")
        if not self.replaces and not (self.feeds or self.reads):
            raise ValueError("give replaces, feeds or reads: it is connected to nothing")
        return self


def simulators_distinct(simulators: Sequence[ForeignSimulator]) -> None:
    """Refuse two simulators of one name or in one place, and a name that is taken.

    Raises
    ------
    ValueError
        Names it.
    """
    names = [simulator.name for simulator in simulators]
    roles = [simulator.replaces for simulator in simulators if simulator.replaces]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"simulators: the name {name!r} is given twice")
        if name in (*get_args(Role), "recorder"):
            raise ValueError(f"simulators: the name {name!r} is that of one of ours")
    for role in roles:
        if roles.count(role) > 1:
            raise ValueError(f"simulators: {role} is replaced twice")
