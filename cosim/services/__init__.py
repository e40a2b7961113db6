"""Contracts beside the local market: each is run and reconciled with its twin in every interval.

A service pairs a contract's client with its Python twin, sends the transactions of its users, and
hands out the rows of its table. The market simulator calls every service of a run in turn.
"""
