"""The physical network: its connection points, power-flow engines, limits and sensitivities.

``catalogue`` opens a grid folder and refuses a faulty one; ``importers`` makes such folders from
SimBench or from a user's own pandapower network; ``network_model`` condenses a network to its
connection points; ``power_flow`` solves it, ``limits`` checks the result against ratings, and
``sensitivities`` says which connection point moves which quantity by how much.
"""
