"""What a community agrees on by contract: one folder each, contract and model run side by side."""
