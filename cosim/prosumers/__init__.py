"""Prosumers: profiles, forecasts, plans and bidding strategies.

Everything here works on arrays of ``n`` prosumers in connection-point order. :mod:`profiles` reads
a window of time series, :mod:`population` turns elements at connection points into devices,
:mod:`forecasts` adds errors, and :mod:`bidding` makes orders and flexibility offers out of
:mod:`planning`, :mod:`potentials` and :mod:`strategies`; :mod:`cosim.devices` delivers. Signs: net
injection is positive; a storage's power is positive when it charges, as in pandapower.
"""
