"""Strategies that learn their prices from what their own offers earned, and nothing else."""
