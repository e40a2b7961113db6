"""Agreements of a community by contract: one folder each, contract and model side by side."""
