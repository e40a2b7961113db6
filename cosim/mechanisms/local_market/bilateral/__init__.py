"""Bilateral trades: who may trade with whom, and which pairs of an interval's orders do."""
