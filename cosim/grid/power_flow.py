"""AC power flow: states of the grid, and the engines that solve it.

An engine takes the active and reactive power injected at the connection points (positive feeds the
grid) and gives a :class:`GridState`. It keeps the network as it was when the engine was made; after
a change of taps or switches, make a new engine. Engines are registered under ``cosim.power_flow``.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from cosim.grid.network_model import NetworkModel, Topology, build_network_model
from cosim.grid.sensitivities import Phasors, Sensitivities, row_phasors, row_sensitivities
from cosim.plugins import POWER_FLOW
from cosim.units import BoolArray, FloatArray


@dataclass(frozen=True)
class GridState:
    """Result of one power flow, or of a batch with a leading axis.

    A state that did not converge has ``converged`` False and NaN everywhere else. Arrays by element
    have a last axis of phases when the engine has several: ``(..., n, n_phases)``, in the order of
    its ``phases``. A balanced engine gives ``(..., n)``.

    Attributes
    ----------
    converged : (...) bool
    vm_pu, va_degree : (..., n_bus) or (..., n_bus, n_phases) float
        NaN at buses that are out of service or not supplied.
    line_loading_percent, trafo_loading_percent : (..., n) or (..., n, n_phases) float
        As pandapower defines them: by current, the larger of both ends; 0 when out of service.
    p_slack_mw, q_slack_mvar : (...) float
        Import from the external grid, over all phases.
    losses_mw : (...) float
        Import plus injections, which is what lines, transformers and shunts consume.
    """

    converged: BoolArray
    vm_pu: FloatArray
    va_degree: FloatArray
    line_loading_percent: FloatArray
    trafo_loading_percent: FloatArray
    p_slack_mw: FloatArray
    q_slack_mvar: FloatArray
    losses_mw: FloatArray

    def at(self, i: int) -> Self:
        """Return one state of a batch."""
        return type(self)(*(np.asarray(getattr(self, field.name)[i]) for field in fields(self)))


class PowerFlow(ABC):
    """An engine that solves the network for injections at its connection points.

    Injections are always given per connection point, over all its phases; an engine with several
    phases divides them as the network says. Limits, checks, requests and awards ask nothing of an
    engine but what is here, so that they need not know how many phases it has.

    Attributes
    ----------
    name : str
        That of its entry point.
    phases : tuple of str
        What it solves: ``("abc",)`` balanced, ``("a", "b", "c")`` phase by phase; also those of
        its topology.
    reference : str
        Engine of the same phases with which a sample of the states of a run is compared.
    """

    name: ClassVar[str]
    phases: ClassVar[tuple[str, ...]] = ("abc",)
    reference: ClassVar[str] = "pandapower"

    @classmethod
    @abstractmethod
    def make(cls, net: Any) -> Self:
        """Return the engine of a network.

        Parameters
        ----------
        net : pandapowerNet
            One ``sgen`` per connection point, in the order in which injections will be given; not
            changed.

        Raises
        ------
        GridDataError
            If the network cannot be used.
        """

    @property
    @abstractmethod
    def topology(self) -> Topology:
        """Elements in the order of the result arrays, and the phases of each."""

    def begin(self, interval: int) -> None:  # noqa: B027 - most engines have nothing to do
        """Take what an interval changes in the network; nothing in one that stays as it is."""

    def settle(self, state: GridState) -> None:  # noqa: B027
        """Take what a delivered state leaves behind in the network, such as taps."""

    def restart(self) -> None:  # noqa: B027
        """Put back what delivered states left behind: the network is as it was made."""

    def require_rest(self, state: GridState) -> None:  # noqa: B027
        """Refuse a state in which what acts in the network does not come to rest."""

    def solve_again(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve what could have been delivered instead: from the start of the same interval."""
        return self.solve(p_inject_mw, q_inject_mvar)

    def under(self, interval: int, state: GridState) -> PowerFlow:
        """Return the engine of the network as it was in a state of an interval."""
        return self

    @abstractmethod
    def solve(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve one state; (n_points,) each. [MW, Mvar]"""

    @abstractmethod
    def solve_batch(self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike) -> GridState:
        """Solve many states; (t, n_points) each. [MW, Mvar]"""

    @abstractmethod
    def sensitivities(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Sensitivities:
        """Return how chosen rows of a grid check move with the injections.

        Parameters
        ----------
        state : GridState
            Single converged state of these injections.
        p_inject_mw, q_inject_mvar : (n_points,) float
            [MW, Mvar]
        rows : (k,) bool
            Over all rows of the check, of every phase; that of the grid itself is ignored.

        Returns
        -------
        Sensitivities
            In the order of the rows.
        """

    @abstractmethod
    def phasors(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Phasors:
        """Return the voltages and currents behind chosen rows, and how they move.

        Parameters
        ----------
        state, p_inject_mw, q_inject_mvar, rows
            As of :meth:`sensitivities`.
        """


class BalancedEngine(PowerFlow):
    """A balanced engine on the network as its connection points see it.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order.
    sparse : bool, optional
        As of :func:`~cosim.grid.network_model.build_network_model`.
    """

    def __init__(self, net: Any, sparse: bool | None = None) -> None:
        self.model: NetworkModel = build_network_model(net, sparse)

    @classmethod
    def make(cls, net: Any) -> Self:
        """Return the engine of a network, with its own tolerances."""
        return cls(net)

    def with_slack_scaled(self, factor: float) -> Self:
        """Return the engine with the voltages of all external grids times a factor.

        Without injections, voltages and currents are linear in them.
        """
        other = copy.copy(self)
        other.model = self.model.with_slack_scaled(factor)
        return other

    @property
    def topology(self) -> Topology:
        """Elements in the order of the result arrays."""
        return self.model.topology

    def sensitivities(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Sensitivities:
        """Return exact derivatives of chosen rows of a grid check."""
        return row_sensitivities(self.model, state, p_inject_mw, q_inject_mvar, rows)

    def phasors(
        self, state: GridState, p_inject_mw: FloatArray, q_inject_mvar: FloatArray, rows: BoolArray
    ) -> Phasors:
        """Return exact phasors of chosen rows of a grid check."""
        return row_phasors(self.model, state, p_inject_mw, q_inject_mvar, rows)

    def _checked(
        self, p_inject_mw: npt.ArrayLike, q_inject_mvar: npt.ArrayLike, n_axes: int
    ) -> tuple[FloatArray, FloatArray]:
        p_mw = np.asarray(p_inject_mw, dtype=np.float64)
        q_mvar = np.asarray(q_inject_mvar, dtype=np.float64)
        if (
            p_mw.ndim != n_axes
            or p_mw.shape != q_mvar.shape
            or p_mw.shape[-1] != self.model.n_points
        ):
            raise ValueError(
                f"expected p and q with {n_axes} axes, the last of length {self.model.n_points} "
                f"(connection points); got {p_mw.shape} and {q_mvar.shape}"
            )
        return p_mw, q_mvar


def make_power_flow(name: str, net: Any) -> PowerFlow:
    """Return an engine by its name in a scenario.

    Parameters
    ----------
    name : str
        Entry point in the group ``cosim.power_flow``.
    net : pandapowerNet
        One ``sgen`` per connection point, in the order in which injections will be given.

    Raises
    ------
    ValueError
        If there is no such engine.
    PluginError
        If it cannot be used.
    GridDataError
        If the network cannot be used.
    """
    if name not in POWER_FLOW.names:
        raise ValueError(f"no power-flow engine {name!r}; there are {', '.join(POWER_FLOW.names)}")
    return POWER_FLOW.load(name).make(net)


def no_state(topology: Topology, shape: tuple[int, ...] = ()) -> GridState:
    """Return states of which nothing is known, as after a power flow that did not converge.

    Parameters
    ----------
    topology : Topology
    shape : tuple of int
        Leading axes of a batch.
    """

    def unknown(size: int) -> FloatArray:
        return np.full((*shape, size, *topology.phase_axis), np.nan)

    return GridState(
        converged=np.zeros(shape, dtype=np.bool_),
        vm_pu=unknown(topology.bus_idx.size),
        va_degree=unknown(topology.bus_idx.size),
        line_loading_percent=unknown(topology.line_idx.size),
        trafo_loading_percent=unknown(topology.trafo_idx.size),
        p_slack_mw=np.full(shape, np.nan),
        q_slack_mvar=np.full(shape, np.nan),
        losses_mw=np.full(shape, np.nan),
    )
