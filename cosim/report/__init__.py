"""Reading of a result folder: indicators, the summary in the terminal, and the HTML report.

``indicators`` and ``costs`` condense the tables to numbers, ``series`` to time series; ``summary``
prints them. ``report`` builds the page of parts: those of every run (``grid_panel``,
``money_panel``, ``ledger_panel``) and those of its mechanisms and of its attack, which ``subjects``
finds. ``panels`` and ``images`` draw figures of studies and of the documentation.
"""
