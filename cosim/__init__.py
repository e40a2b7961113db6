"""cosim: distribution grid, prosumers and a blockchain-settled local market in one co-simulation."""

__version__ = "0.1.0"
