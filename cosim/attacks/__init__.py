"""Attacks on what the ledger is told and on what it includes, one module each."""
