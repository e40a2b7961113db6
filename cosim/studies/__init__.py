"""Studies: many runs of one scenario, varied and compared.

A study is a scenario file with one more section, ``study``, which names variants, axes, or both;
every run is an ordinary result folder, and the study adds one table and one report over them all.
"""
