"""Orders and readings that somebody else sends in batches, by a role or by signatures."""
