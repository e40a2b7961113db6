"""The ledger: EVM engines, the chain that fills blocks, accounts, and clients of the contracts.

Below everything lies one interface, :class:`~cosim.ledger.engine.Engine`, with two
implementations that give the same receipts. Above it, :class:`~cosim.ledger.chain.Chain` decides
which transaction is included when and at what fee; :mod:`~cosim.ledger.contracts` compiles and
deploys, and :mod:`~cosim.ledger.clients` speaks to the deployed contracts in units.
"""
