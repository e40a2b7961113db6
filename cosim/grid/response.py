"""Answer of voltages and branch currents to the currents that connection points inject.

Both forms describe the same linear map. The dense one holds it as matrices of its own, one column
for each node: fastest for a low-voltage grid, and of quadratic size. The sparse one holds the bus
admittance matrix as pandapower builds it, factorised once, and solves with the factors: of linear
size for networks that are nearly trees, as distribution grids are.

Derivatives are taken by adjoint solves in both, one for each row that is asked for. With the
voltages ``V`` of all buses but the slack ones, ``Y dV = dI`` and ``I = conj(S / V)`` give

    Y dV + D conj(dV) = conj(dS) / conj(V),  D = conj(S / V^2),

linear in the real and imaginary parts of ``dV``. A row of outputs is linear in ``dV`` too, so that
one solve with the transposed system gives its derivatives by the injections at every node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import block_array, csc_array, csr_array, diags_array, vstack
from scipy.sparse.linalg import SuperLU, splu

from cosim.grid.outputs import ComplexArray
from cosim.units import FloatArray, IntArray

LARGEST_DENSE = 150
"""Nodes up to which the dense form is taken (docs/benchmarks.md has the times of both)."""

_DENSE_STATES = 4096  # states solved at once: bounds the memory of a batch
_SPARSE_NUMBERS = 1 << 20  # complex numbers of outputs in a batch: 16 MiB
_KEPT = 4  # factors of dense systems kept of states: 0.5 MB each with 118 prosumers
# OpenBLAS hands a matrix-vector product to its threads above 9216 elements; at this size that costs
# more than it gains, and milliseconds when the cores are busy
_UNTHREADED = 8192
# the pattern is symmetric and the diagonal large: an order that keeps the factors of a tree as
# sparse as it is, and no pivots that would spoil it
_ORDERED: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 1e-3,
    "options": {"SymmetricMode": True},
}
_NO_DERIVATIVE = "the power flow has no derivative at this state (voltage collapse)"


class Response(ABC):
    """Linear map from node currents to node voltages and outputs, all per unit.

    Attributes
    ----------
    n_nodes : int
    is_sparse : bool
    states_at_once : int
        States of a batch that are solved together, which bounds its memory.
    """

    n_nodes: int
    is_sparse: bool
    states_at_once: int

    @abstractmethod
    def voltage(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents add to the node voltages; (n_nodes,) both."""

    @abstractmethod
    def voltages(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) both."""

    @abstractmethod
    def output(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to all outputs, (k,)."""

    @abstractmethod
    def outputs(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) gives (t, k)."""

    @abstractmethod
    def chosen(self, rows: IntArray, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to chosen outputs, (len(rows),)."""

    @abstractmethod
    def adjoint(
        self, rows: IntArray, weight: ComplexArray, s: ComplexArray, v: ComplexArray
    ) -> ComplexArray:
        """Return the answer of weighted outputs to powers at the nodes, at a state.

        Parameters
        ----------
        rows : (m,) int64
            Outputs; may repeat.
        weight : (m,) complex
            Of each; the derivative is that of ``Re(weight * output)``.
        s, v : (n_nodes,) complex
            Powers and voltages of the nodes.

        Returns
        -------
        (n_nodes, m) complex
            Adjoint ``a``: the derivative is ``Re(conj(a) * conj(dS) / conj(V))``.

        Raises
        ------
        ValueError
            If there is no derivative, as at a voltage collapse.
        """


class DenseResponse(Response):
    """The map as matrices.

    Parameters
    ----------
    z_node : (n_nodes, n_nodes) complex
        Node voltage per node current.
    out_gain : (k, n_nodes) complex
        Outputs per node current.
    """

    is_sparse = False
    states_at_once = _DENSE_STATES

    def __init__(self, z_node: ComplexArray, out_gain: ComplexArray) -> None:
        self._z_node, self._out_gain = z_node, out_gain
        self.n_nodes = z_node.shape[1]
        self._z_blocks, self._gain_blocks = _blocked(z_node), _blocked(out_gain)
        self._z_transposed = np.ascontiguousarray(z_node.T)
        self._gain_transposed = np.ascontiguousarray(out_gain.T)
        self._factors: dict[tuple[bytes, bytes], tuple[FloatArray, IntArray]] = {}

    def voltage(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents add to the node voltages; (n_nodes,) both."""
        return (self._z_blocks @ current).reshape(-1)[: self.n_nodes]

    def voltages(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) both."""
        return np.asarray(currents @ self._z_transposed, dtype=np.complex128)

    def output(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to all outputs, (k,)."""
        return (self._gain_blocks @ current).reshape(-1)[: self._out_gain.shape[0]]

    def outputs(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) gives (t, k)."""
        return np.asarray(currents @ self._gain_transposed, dtype=np.complex128)

    def chosen(self, rows: IntArray, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to chosen outputs, (len(rows),)."""
        return np.asarray(self._out_gain[rows] @ current, dtype=np.complex128)

    def adjoint(
        self, rows: IntArray, weight: ComplexArray, s: ComplexArray, v: ComplexArray
    ) -> ComplexArray:
        """Return the answer of weighted outputs to powers at the nodes: see :class:`Response`.

        Solved on the node currents: ``dI + D conj(Z) conj(dI) = conj(dS) / conj(V)``.
        """
        n = v.size
        gains = weight[:, None] * self._out_gain[rows]
        # rows of Re(g dI) as real rows on (Re dI, Im dI)
        targets = np.concatenate([gains.real, -gains.imag], axis=1)
        adjoint, _ = lapack.dgetrs(*self._factored(s, v), targets.T)
        return np.asarray(adjoint[:n] + 1j * adjoint[n:], dtype=np.complex128)

    def _factored(self, s: ComplexArray, v: ComplexArray) -> tuple[FloatArray, IntArray]:
        """Return the transposed system at a state as LU factors and pivots.

        Those of the last few states are kept: who looks for actions begins at the same state to ask
        what is needed, what to take of what can be had, and what that is worth.
        """
        of_state = s.tobytes(), v.tobytes()
        if of_state in self._factors:
            return self._factors[of_state]
        n = v.size
        k = (s / v**2).conj()[:, None] * self._z_node.conj()
        system = np.empty((2 * n, 2 * n))
        system[:n, :n] = k.real
        system[:n, n:] = k.imag
        system[n:, :n] = k.imag
        system[n:, n:] = -k.real
        system[np.diag_indices(2 * n)] += 1.0
        # row-major here is the transpose in LAPACK's order
        factors, pivots, info = lapack.dgetrf(system.T, overwrite_a=1)
        if info != 0:
            raise ValueError(_NO_DERIVATIVE)
        if len(self._factors) >= _KEPT:
            del self._factors[next(iter(self._factors))]
        self._factors[of_state] = factors, pivots
        return factors, pivots


class SparseResponse(Response):
    """The map by factors of the bus admittance matrix, which are made when they are needed.

    Parameters
    ----------
    admittance : (n, n) csc_array of complex
        Between all live buses but the slack ones.
    node_bus : (n_nodes,) int64
        Position of each node among these buses.
    out_of_bus : (k, n) csr_array of complex
        Outputs per bus voltage.
    """

    is_sparse = True

    def __init__(self, admittance: csc_array, node_bus: IntArray, out_of_bus: csr_array) -> None:
        self._admittance, self._node_bus, self._out_of_bus = admittance, node_bus, out_of_bus
        self.n_nodes = int(node_bus.size)
        self.states_at_once = max(1, _SPARSE_NUMBERS // max(1, out_of_bus.shape[0]))
        self._factors: SuperLU | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes without the factors, which no pickle can hold."""
        return {**vars(self), "_factors": None}

    def voltage(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents add to the node voltages; (n_nodes,) both."""
        return self._bus_voltages(current)[self._node_bus]

    def voltages(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) both."""
        return np.ascontiguousarray(self._bus_voltages(currents.T)[self._node_bus].T)

    def output(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to all outputs, (k,)."""
        return np.asarray(self._out_of_bus @ self._bus_voltages(current))

    def outputs(self, currents: ComplexArray) -> ComplexArray:
        """Return the same of several states; (t, n_nodes) gives (t, k)."""
        return np.ascontiguousarray((self._out_of_bus @ self._bus_voltages(currents.T)).T)

    def chosen(self, rows: IntArray, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes,), add to chosen outputs, (len(rows),)."""
        return np.asarray(self._out_of_bus[rows] @ self._bus_voltages(current))

    def adjoint(
        self, rows: IntArray, weight: ComplexArray, s: ComplexArray, v: ComplexArray
    ) -> ComplexArray:
        """Return the answer of weighted outputs to powers at the nodes: see :class:`Response`.

        Solved on the bus voltages, real and imaginary parts of which make a sparse system; as many
        rows at once as a batch has states.
        """
        n = self._admittance.shape[0]
        slope = np.zeros(n, dtype=np.complex128)
        slope[self._node_bus] = (s / v**2).conj()
        try:
            # of the transpose: to solve with the transpose of factors takes twice the time
            factors = splu(_real_system(self._admittance, slope).T.tocsc(), **_ORDERED)
        except RuntimeError as error:  # exactly singular
            raise ValueError(_NO_DERIVATIVE) from error
        found = np.empty((self.n_nodes, rows.size), dtype=np.complex128)
        for start in range(0, rows.size, self.states_at_once):
            part = slice(start, start + self.states_at_once)
            chosen = (diags_array(weight[part]) @ self._out_of_bus[rows[part]]).T
            targets = vstack([chosen.real, -chosen.imag]).toarray(order="F")
            adjoint = factors.solve(targets)
            found[:, part] = adjoint[self._node_bus] + 1j * adjoint[n + self._node_bus]
        return found

    def _bus_voltages(self, current: ComplexArray) -> ComplexArray:
        """Return what node currents, (n_nodes, ...), add to the bus voltages, (n, ...)."""
        if self._factors is None:
            self._factors = splu(self._admittance, **_ORDERED)
        at_bus = np.zeros((self._admittance.shape[0], *current.shape[1:]), np.complex128, order="F")
        at_bus[self._node_bus] = current
        return np.asarray(self._factors.solve(at_bus), dtype=np.complex128)


def _real_system(admittance: csc_array, slope: ComplexArray) -> csc_array:
    """Return ``Y x + D conj(x)`` as a matrix on the real and imaginary parts of ``x``."""
    g, b = admittance.real, admittance.imag
    d_real, d_imag = diags_array(slope.real), diags_array(slope.imag)
    upper = [g + d_real, d_imag - b]
    lower = [d_imag + b, g - d_real]
    return csc_array(block_array([upper, lower], format="csc"))


def _blocked(matrix: ComplexArray) -> ComplexArray:
    """Stack a matrix's row blocks, each small enough for one thread, padded with zeros."""
    n_rows, n_columns = matrix.shape
    n_block = max(1, _UNTHREADED // max(n_columns, 1))
    n_blocks = max(1, -(-n_rows // n_block))
    padded = np.zeros((n_blocks * n_block, n_columns), dtype=np.complex128)
    padded[:n_rows] = matrix
    return padded.reshape(n_blocks, n_block, n_columns)
