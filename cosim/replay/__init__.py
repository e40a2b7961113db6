"""A recorded chain once more: replayed, decoded, and compared with what its author wrote."""
