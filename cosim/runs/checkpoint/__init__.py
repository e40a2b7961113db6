"""Checkpoints of a run: what lies in them, how they land, and how a run goes on from one."""
