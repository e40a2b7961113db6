"""The distribution system operator: who drives a congestion, and what relieves it at least cost.

``congestion`` names the violations of a checked state and the connection points behind them;
``relief`` finds the least-cost change of injections that brings the network within limits, by
linear programmes on AC sensitivities checked by AC power flow; ``procurement`` is the operator's
network model, which sizes requests and awards offers with both.
"""
