"""The chain: blocks, mempool, fees, consensus, finality, and clients of what is deployed on it."""
