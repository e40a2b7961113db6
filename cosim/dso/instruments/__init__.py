"""Instruments of a DSO: one module each, found by the registry ``cosim.plugins.INSTRUMENTS``.

A module here imports no power flow before it is asked to act, so that reading a scenario, which
loads the settings of its instruments, takes no longer.
"""
