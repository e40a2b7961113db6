"""Campaigns: many runs over designs of parameters, resumable, on processes or a cluster.

``declaration`` is the section of a file, ``designs`` its points, ``campaign`` their runs, named by
the hash of their inputs; ``sweep`` plays what is missing on an executor (``worker_processes``,
``cluster``, ``batch``), and writes the table (``table``), sensitivities and report.
"""
