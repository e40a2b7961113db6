"""The community's market in pure integers, as its contracts hold it.

``orders`` holds the value types and ``pricing`` the rules; ``settlement`` (on ``accounts``,
``order_books``, ``clearing``, ``committed``, ``fill_tree`` and ``clearing_forms``) and
``flexibility`` are the Python twins of ``contracts/LocalMarket.vy`` and
``contracts/FlexibilityMarket.vy``, held equal to them to the integer by ``tests/property/market``.
``trades`` pairs fills, ``welfare`` measures a clearing, ``schedule`` turns fills into schedules,
and ``reconciliation`` stops a run whose energy or money does not balance. Energy is Wh with net
injection positive, money µEUR, prices µEUR/kWh.
"""
