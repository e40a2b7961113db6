"""What a result folder says: indicators, the summary in the terminal, and the HTML report.

``tables`` reads the folder, ``indicators`` and ``costs`` condense it to numbers, ``series`` to time
series, ``summary`` prints; ``report`` draws, with ``network_map`` for the grid, ``charts`` for the
rest and ``templates/`` for the page.
"""
