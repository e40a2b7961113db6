"""Check a result folder without trusting its author, and play its transactions to a node.

``verification`` replays, re-solves and recomputes what a result folder says and compares; nothing
of it believes the tables that it checks. ``export`` turns the run's transactions into signed ones.
"""
