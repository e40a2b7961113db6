"""The mosaik API classes, one file each: inputs to arrays, one call into the domain, outputs kept.

No physics and no market rule lives here. What travels between them is in `messages`.
"""
