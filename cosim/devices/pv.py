"""Photovoltaic plants."""

from __future__ import annotations

from cosim.devices.profiled import Generator, generation_columns


class Photovoltaics(Generator):
    """PV plants; half the variance of their forecast errors is the weather that all share."""

    kind = "pv"
    title = "PV"
    columns = generation_columns("pv", "PV generation")
    rank = 10
    is_default = True
    # lv_ is what is left of a low-voltage grid that a medium-voltage one stands for: PV
    simbench_profile = r"PV\d|lv_"
    network_type = r"pv|photovolt|solar"
    common_variance = 0.5

    @classmethod
    def noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the forecast error."""
        return (3,)

    @classmethod
    def common_noise_key(cls) -> tuple[int, ...]:
        """Return the key of the seed of the weather."""
        return (2,)
