"""The community's market in pure integers, as its contracts hold it.

``orders`` holds the value types; ``clearing``, ``settlement`` and ``flexibility`` are the Python
twins of ``contracts/LocalMarket.vy`` and ``contracts/FlexibilityMarket.vy``, held equal to them to
the integer by ``tests/property/market``; ``trades`` pairs fills, ``schedule`` turns fills into
schedules, and ``reconciliation`` stops a run whose energy or money does not balance. Energy is Wh
with net injection positive, money µEUR, prices µEUR/kWh.
"""
