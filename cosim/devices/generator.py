"""Generation other than PV: wind, run-of-river, combined heat and power, biomass, and others.

Each follows a profile and can be throttled at no cost beyond the lost feed-in; heat that a plant
owes, and a minimum load, are not modelled. Wind turbines of one network share half the variance of
their forecast errors, as PV plants do: they see the same weather.
"""

from __future__ import annotations

from typing import ClassVar

from cosim.devices.profiled import Generator, generation_columns


class Wind(Generator):
    """Wind turbines."""

    kind = "wind"
    title = "wind"
    columns = generation_columns("wind", "wind generation")
    rank = 50
    simbench_profile = r"WP\d"
    network_type: ClassVar[str] = r"wind|^wp(\b|_|\d|$)|^we[ac](\b|_|\d|$)"
    common_variance = 0.5


class Hydro(Generator):
    """Run-of-river plants."""

    kind = "hydro"
    title = "run-of-river"
    columns = generation_columns("hydro", "run-of-river generation")
    rank = 51
    simbench_profile = r"Hydro\d"
    network_type: ClassVar[str] = r"hydro|run.?of.?river|water"


class CombinedHeatAndPower(Generator):
    """Combined heat and power plants."""

    kind = "chp"
    title = "CHP"
    columns = generation_columns("chp", "generation of combined heat and power")
    rank = 52
    simbench_profile = r"CHP"
    network_type: ClassVar[str] = r"chp|combined heat|cogen|bhkw|kwk"


class Biomass(Generator):
    """Biomass plants."""

    kind = "biomass"
    title = "biomass"
    columns = generation_columns("biomass", "biomass generation")
    rank = 53
    simbench_profile = r"BM\d"
    network_type: ClassVar[str] = r"biomass|biogas"


class OtherGenerator(Generator):
    """Generation of another or of a mixed kind, such as that of a grid below."""

    kind = "generator"
    title = "other generation"
    columns = generation_columns("generator", "other generation")
    rank = 54
    simbench_profile = r"[mh]v_"
