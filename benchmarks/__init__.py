"""What a run costs: seconds per interval by stage, engines against each other, and where it goes.

``python -m benchmarks`` runs the scenarios in processes of their own, one after the other, and
prints tables. Speed is measured here as ratios within one run of the benchmark and asserted
nowhere.
"""
