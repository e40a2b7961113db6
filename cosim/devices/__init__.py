"""Devices behind the connection points, one file each: physics, columns, flexibility.

:mod:`~cosim.devices.device` says what a kind of device declares, :mod:`~cosim.devices.catalogue`
what there is, and :mod:`~cosim.devices.delivery` in which order an energy manager uses them.
"""
