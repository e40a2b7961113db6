"""The community's double auction in discrete intervals."""
