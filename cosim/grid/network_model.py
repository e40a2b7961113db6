"""A network seen from its connection points, made once from pandapower's own matrices.

Every quantity of interest is affine in the currents injected at the connection points: with the
bus admittance matrix split into slack (r) and remaining (p) buses,
``V_p = Y_pp^-1 (I_p - Y_pr V_r)``, and branch currents are ``Y_f V`` and ``Y_t V``. What is not
linear is only ``I = conj(S / V)`` at the connection points themselves. The matrices are those that
``pandapower.runpp`` builds (``net._ppc["internal"]``), so that open switches, fused buses, taps and
elements out of service mean exactly what they mean there. A small network is condensed to dense
matrices, a large one keeps its sparse ones (:mod:`cosim.grid.response`).
"""

from __future__ import annotations

import copy
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandapower as pp
import pandas as pd
from scipy.sparse import csc_array, csc_matrix, csr_array, vstack
from scipy.sparse.linalg import splu

from cosim.errors import GridDataError
from cosim.grid.element_tables import check_tables
from cosim.grid.outputs import ComplexArray, LiveRows, Output, outputs_of
from cosim.grid.response import LARGEST_DENSE, DenseResponse, Response, SparseResponse
from cosim.units import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class OwnLimits:
    """Limits that a network states for its own elements; infinite where it states none.

    Attributes
    ----------
    vm_min_pu, vm_max_pu : (n_bus,) float
        ``min_vm_pu`` and ``max_vm_pu`` of a bus; none at the external grids, which hold their
        voltage whatever happens here. [pu]
    line_percent, trafo_percent : (n,) float
        ``max_loading_percent``. [%]
    """

    vm_min_pu: FloatArray
    vm_max_pu: FloatArray
    line_percent: FloatArray
    trafo_percent: FloatArray


@dataclass(frozen=True)
class Topology:
    """Elements of a power-flow result, in pandapower's index order.

    Attributes
    ----------
    bus_idx, line_idx, trafo_idx : (n,) int64
        pandapower indices.
    bus_live, line_live, trafo_live : (n,) bool
        Whether the element is in service and supplied. A dead bus has no voltage (NaN) and a dead
        branch no loading (0); neither is checked against limits.
    own_limits : OwnLimits
        Stated by the network.
    phases : tuple of str
        Of the engine: ``("abc",)`` balanced.
    """

    bus_idx: IntArray
    line_idx: IntArray
    trafo_idx: IntArray
    bus_live: BoolArray
    line_live: BoolArray
    trafo_live: BoolArray
    own_limits: OwnLimits
    phases: tuple[str, ...] = ("abc",)

    @property
    def phase_axis(self) -> tuple[int, ...]:
        """Last axis of a state's arrays by element: none for a balanced engine."""
        return () if len(self.phases) == 1 else (len(self.phases),)

    @cached_property
    def known_limits(self) -> dict[Hashable, tuple[FloatArray, FloatArray]]:
        """Lower and upper limits of the rows of a grid check, kept by what they were made of."""
        return {}

    @cached_property
    def check_columns(self) -> tuple[npt.NDArray[np.object_], IntArray, npt.NDArray[np.object_]]:
        """Element, element_idx and quantity of every row of a grid check, built once.

        One row per live element and phase, then one of the grid. Quantities of a phase are named as
        pandapower names them, e.g. ``vm_a_pu``.
        """
        volts = [f"vm_{phase}_pu".replace("_abc", "") for phase in self.phases]
        loads = [f"loading_{phase}_percent".replace("_abc", "") for phase in self.phases]
        parts = [
            (name, np.repeat(idx[live], len(self.phases)), labels * int(live.sum()))
            for name, idx, live, labels in (
                ("bus", self.bus_idx, self.bus_live, volts),
                ("line", self.line_idx, self.line_live, loads),
                ("trafo", self.trafo_idx, self.trafo_live, loads),
            )
        ]
        parts.append(("grid", np.zeros(1, dtype=np.int64), ["convergence"]))
        element = np.array([name for name, idx, _ in parts for _ in idx], dtype=object)
        element_idx = np.concatenate([idx for _, idx, _ in parts])
        quantity = np.array([label for _, _, labels in parts for label in labels], dtype=object)
        for array in (element, element_idx, quantity):
            array.flags.writeable = False
        return element, element_idx, quantity


@dataclass(frozen=True)
class NetworkModel:
    """Affine map from currents at the connection points to everything else.

    Injections of connection points that share an electrical bus are summed to one *node*; a
    connection point on a slack bus belongs to none. All complex quantities are per unit.

    Attributes
    ----------
    topology : Topology
    base_mva : float
        Power base. [MVA]
    bus_of_point : (n_points,) int64
        Position (not index) in ``topology.bus_idx`` of each connection point.
    node_of_point : (n_points,) int64
        Node of each connection point, -1 on a slack bus.
    point_of_node : (n_nodes,) int64
        One connection point at each node.
    v_idle : (n_nodes,) complex
        Node voltages without any injection.
    out_idle : (k,) complex
        Outputs without any injection; rows: bus voltages [pu], line from-ends, line to-ends,
        transformer hv sides, lv sides (each current scaled to percent of rating), slack currents
        [pu].
    response : Response
        What node currents add to the node voltages and to the outputs.
    v_slack : (n_slack,) complex
    """

    topology: Topology
    base_mva: float
    bus_of_point: IntArray
    node_of_point: IntArray
    point_of_node: IntArray
    v_idle: ComplexArray
    out_idle: ComplexArray
    response: Response
    v_slack: ComplexArray

    def with_slack_scaled(self, factor: float) -> NetworkModel:
        """Return the model with the voltages of all external grids times a factor."""
        return replace(
            self,
            v_idle=self.v_idle * factor,
            out_idle=self.out_idle * factor,
            v_slack=self.v_slack * factor,
        )

    @property
    def n_points(self) -> int:
        """Number of connection points."""
        return int(self.bus_of_point.size)

    @cached_property
    def one_point_per_node(self) -> bool:
        """True if nodes and connection points are the same in the same order."""
        return bool(np.array_equal(self.node_of_point, np.arange(self.v_idle.size))) and (
            self.v_idle.size == self.n_points
        )

    @cached_property
    def incidence(self) -> FloatArray | csr_array:
        """(n_points, n_nodes): 1 where a connection point belongs to a node."""
        if self.response.is_sparse:
            points = np.flatnonzero(self.node_of_point >= 0)
            at = (points, self.node_of_point[points])
            return csr_array((np.ones(points.size), at), (self.n_points, self.v_idle.size))
        matrix = np.zeros((self.n_points, self.v_idle.size))
        on_node = np.flatnonzero(self.node_of_point >= 0)
        matrix[on_node, self.node_of_point[on_node]] = 1.0
        return matrix

    @cached_property
    def rows(self) -> dict[str, slice]:
        """Place of each kind of output among the outputs."""
        sizes = {
            "bus": self.topology.bus_idx.size,
            "line_from": self.topology.line_idx.size,
            "line_to": self.topology.line_idx.size,
            "trafo_hv": self.topology.trafo_idx.size,
            "trafo_lv": self.topology.trafo_idx.size,
            "slack": self.v_slack.size,
        }
        found, start = {}, 0
        for name, size in sizes.items():
            found[name] = slice(start, start + size)
            start += size
        return found


def build_network_model(net: Any, sparse: bool | None = None) -> NetworkModel:
    """Reduce a pandapower network to what its connection points see.

    Parameters
    ----------
    net : pandapowerNet
        One ``sgen`` per connection point, in table order; not changed.
    sparse : bool, optional
        Whether to keep the sparse matrices. Default: above
        :data:`~cosim.grid.response.LARGEST_DENSE` nodes.

    Raises
    ------
    GridDataError
        If the network holds unsupported elements, does not converge without injections, or a
        connection point is not supplied.
    """
    check_tables(net)
    net = copy.deepcopy(net)
    net["user_pf_options"] = {}  # stored with a network, they would reach every power flow of it
    net.sgen["p_mw"] = 0.0
    net.sgen["q_mvar"] = 0.0
    try:
        pp.runpp(net, calculate_voltage_angles=True, init="auto", numba=False)
    except (pp.LoadflowNotConverged, UserWarning, ValueError, KeyError) as error:
        raise GridDataError(
            f"the power flow of the network without any injection fails: {error}",
            remedy="mend the network until pandapower.runpp solves it with every sgen at zero",
        ) from error
    internal = net._ppc["internal"]
    n_live = internal["bus"].shape[0]
    lookup = np.asarray(net._pd2ppc_lookups["bus"], dtype=np.int64)
    live_of_bus = lookup[net.bus.index.to_numpy()]
    bus_live = (live_of_bus >= 0) & (live_of_bus < n_live)
    row_of_line, line_live = _branch_rows(net, internal, "line")
    row_of_trafo, trafo_live = _branch_rows(net, internal, "trafo")
    topology = Topology(
        bus_idx=net.bus.index.to_numpy(np.int64),
        line_idx=net.line.index.to_numpy(np.int64),
        trafo_idx=net.trafo.index.to_numpy(np.int64),
        bus_live=bus_live,
        line_live=line_live,
        trafo_live=trafo_live,
        own_limits=_own_limits(net, np.isin(live_of_bus, internal["ref"])),
    )
    positions = {int(bus): i for i, bus in enumerate(topology.bus_idx)}
    bus_of_point = np.array([positions[int(bus)] for bus in net.sgen.bus], dtype=np.int64)
    dead = net.sgen.name[~bus_live[bus_of_point]].tolist()
    if dead:
        raise GridDataError(
            f"connection points without supply: {', '.join(map(str, dead))}",
            field="sgen.bus",
            remedy="close a switch or put the branch that feeds them in service",
        )
    rows = LiveRows(
        live_of_bus,
        bus_live,
        row_of_line,
        line_live,
        row_of_trafo,
        trafo_live,
    )
    return _reduced(topology, bus_of_point, internal, outputs_of(net, internal, rows), rows, sparse)


def _own_limits(net: Any, at_slack: BoolArray) -> OwnLimits:
    def stated(table: str, column: str, none: float) -> FloatArray:
        frame = net[table]
        if column not in frame:
            return np.full(len(frame), none)
        values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
        return np.where(np.isnan(values), none, values)

    return OwnLimits(
        vm_min_pu=np.where(at_slack, -np.inf, stated("bus", "min_vm_pu", -np.inf)),
        vm_max_pu=np.where(at_slack, np.inf, stated("bus", "max_vm_pu", np.inf)),
        line_percent=stated("line", "max_loading_percent", np.inf),
        trafo_percent=stated("trafo", "max_loading_percent", np.inf),
    )


def _branch_rows(net: Any, internal: Any, element: str) -> tuple[IntArray, BoolArray]:
    """Return the row in Yf and Yt of each branch of one kind, and if it has one."""
    size = len(net[element])
    if element not in net._pd2ppc_lookups["branch"]:
        return np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
    start, end = net._pd2ppc_lookups["branch"][element]
    in_service = np.asarray(internal["branch_is"], dtype=bool)
    row = (np.cumsum(in_service) - 1)[start:end]
    return row.astype(np.int64), in_service[start:end]


def _reduced(
    topology: Topology,
    bus_of_point: IntArray,
    internal: Any,
    outputs: list[Output],
    rows: LiveRows,
    sparse: bool | None,
) -> NetworkModel:
    y_bus = csc_matrix(internal["Ybus"])
    n_live = y_bus.shape[0]
    slack = np.sort(np.asarray(internal["ref"], dtype=np.int64))
    rest = np.setdiff1d(np.arange(n_live), slack)
    v_slack = np.asarray(internal["V"], dtype=np.complex128)[slack]
    live_of_point = rows.of_bus[bus_of_point]
    on_slack = np.isin(live_of_point, slack)
    node_bus, first, node_of_free = np.unique(
        live_of_point[~on_slack], return_index=True, return_inverse=True
    )
    # nodes in the order of their first connection point
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    node_bus = node_bus[order]
    node_of_point = np.full(bus_of_point.size, -1, dtype=np.int64)
    node_of_point[~on_slack] = rank[node_of_free]
    point_of_node = np.flatnonzero(~on_slack)[first[order]].astype(np.int64)

    # voltages of all live buses without injection
    admittance = y_bus[rest][:, rest].tocsc()
    factor = splu(admittance)
    v_idle = np.zeros(n_live, dtype=np.complex128)
    v_idle[slack] = v_slack
    v_idle[rest] = factor.solve(-(y_bus[rest][:, slack] @ v_slack))
    outputs = [*outputs, Output(y_bus[slack], np.arange(slack.size))]
    response: Response
    if node_bus.size > LARGEST_DENSE if sparse is None else sparse:
        response = SparseResponse(
            csc_array(admittance),
            np.searchsorted(rest, node_bus),
            csr_array(vstack([one.of_bus(n_live) for one in outputs], format="csc")[:, rest]),
        )
    else:
        # and per node current
        z_full = np.zeros((n_live, node_bus.size), dtype=np.complex128)
        unit = np.zeros((n_live, node_bus.size), dtype=np.complex128)
        unit[node_bus, np.arange(node_bus.size)] = 1.0
        z_full[rest] = factor.solve(np.ascontiguousarray(unit[rest]))
        response = DenseResponse(
            np.ascontiguousarray(z_full[node_bus]),
            np.concatenate([one.of(z_full, 0.0) for one in outputs]),
        )
    return NetworkModel(
        topology=topology,
        base_mva=float(internal["baseMVA"]),
        bus_of_point=bus_of_point,
        node_of_point=node_of_point,
        point_of_node=point_of_node,
        v_idle=v_idle[node_bus],
        out_idle=np.concatenate([one.of(v_idle, one.absent) for one in outputs]),
        response=response,
        v_slack=v_slack,
    )
