"""One run as named stages: build the parts, wire the world, play, check, publish."""
