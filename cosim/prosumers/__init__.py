"""Prosumers: profiles, devices (PV, battery, EV, heat pump), forecasts and bidding strategies.

Everything here works on arrays of ``n`` prosumers in connection-point order. The way through the
room: :mod:`profiles` reads a window of time series, :mod:`population` turns a connection-point
table into prosumers, :mod:`forecasts` adds their errors, :mod:`bidding` makes orders and
flexibility potentials out of :mod:`planning` and :mod:`strategies`, and :mod:`devices` delivers
what :mod:`battery` and :mod:`deferral` allow. Signs: net injection is positive; a battery's power
is positive when it charges, as in pandapower.
"""
