"""Voltages and currents of a network as outputs that are linear in the voltages of its buses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, csr_matrix

from cosim.units import BoolArray, FloatArray, IntArray

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True)
class LiveRows:
    """Rows of pandapower's matrices by element of the network, and which elements have one.

    Attributes
    ----------
    of_bus, of_line, of_trafo : (n,) int64
    bus_live, line_live, trafo_live : (n,) bool
    """

    of_bus: IntArray
    bus_live: BoolArray
    of_line: IntArray
    line_live: BoolArray
    of_trafo: IntArray
    trafo_live: BoolArray


@dataclass(frozen=True)
class Output:
    """Outputs of one kind: rows of a matrix on the voltages of all live buses, scaled.

    Attributes
    ----------
    matrix : (r, n_live) sparse complex, optional
        None where the outputs are the voltages themselves.
    row : (k,) int64
        Of the matrix, for each output that is live.
    live : (k,) bool, optional
        None where all are.
    scale : (k,) float, optional
        None where none is scaled.
    absent : float
        Output without injection where it is not live.
    """

    matrix: csr_matrix | None
    row: IntArray
    live: BoolArray | None = None
    scale: FloatArray | None = None
    absent: float = 0.0

    def of(self, bus: ComplexArray, absent: float) -> ComplexArray:
        """Return the outputs of bus voltages, (n_live, ...); ``absent`` where there are none."""
        values = bus if self.matrix is None else self.matrix @ bus
        live = np.ones(self.row.size, dtype=np.bool_) if self.live is None else self.live
        scale = np.ones(self.row.size) if self.scale is None else self.scale
        found = np.full((self.row.size, *bus.shape[1:]), absent, dtype=np.complex128)
        found[live] = values[self.row[live]] * scale[live].reshape(-1, *[1] * (bus.ndim - 1))
        return found

    def of_bus(self, n_live: int) -> csr_array:
        """Return the same as a matrix, (k, n_live); no entries where there is no output."""
        live = np.arange(self.row.size) if self.live is None else np.flatnonzero(self.live)
        scale = np.ones(self.row.size) if self.scale is None else self.scale
        at = (live, self.row[live])
        width = n_live if self.matrix is None else self.matrix.shape[0]
        picked = csr_array((scale[live].astype(np.complex128), at), (self.row.size, width))
        return picked if self.matrix is None else csr_array(picked @ csr_array(self.matrix))


def outputs_of(net: Any, internal: Any, rows: LiveRows) -> list[Output]:
    """Return voltages of buses and currents of branches, in the order of the model's outputs.

    Parameters
    ----------
    net : pandapowerNet
    internal : mapping
        What ``pandapower.runpp`` left of it (``net._ppc["internal"]``).
    rows : LiveRows
    """
    base_mva = float(internal["baseMVA"])
    branch_buses = np.real(internal["branch"][:, :2]).astype(np.int64)
    base_kv = np.real(internal["bus"][:, 9])
    line, trafo = net.line, net.trafo
    line_i_max_ka = (line.max_i_ka * line.df * line.parallel).to_numpy(float)
    trafo_mva = (trafo.sn_mva * trafo.df * trafo.parallel).to_numpy(float)
    lines, trafos = [], []
    for matrix, end in (("Yf", 0), ("Yt", 1)):
        i_base_ka = base_mva / (np.sqrt(3.0) * base_kv[branch_buses[:, end]])
        live = rows.line_live
        scale = np.zeros(line_i_max_ka.size)
        scale[live] = 100.0 * i_base_ka[rows.of_line[live]] / line_i_max_ka[live]
        lines.append(Output(internal[matrix], rows.of_line, live, scale))
        live = rows.trafo_live
        vn_kv = trafo[("vn_hv_kv", "vn_lv_kv")[end]].to_numpy(float)
        scale = np.zeros(trafo_mva.size)
        scale[live] = (
            100.0 * np.sqrt(3.0) * i_base_ka[rows.of_trafo[live]] * (vn_kv[live] / trafo_mva[live])
        )
        trafos.append(Output(internal[matrix], rows.of_trafo, live, scale))
    return [Output(None, rows.of_bus, rows.bus_live, None, np.nan), *lines, *trafos]
