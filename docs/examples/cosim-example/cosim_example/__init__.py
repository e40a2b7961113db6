"""Example plug-ins for cosim: a mechanism, a device, an instrument, an EVM engine, a strategy."""
