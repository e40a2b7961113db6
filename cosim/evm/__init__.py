"""EVM engines behind one interface, Ethereum nodes, contract artifacts, keys and the ABI."""
