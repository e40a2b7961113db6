"""cosim: grid, prosumers and a blockchain-settled local energy market in one co-simulation."""

__version__ = "0.1.0"
