"""Ranges of net injection by the ratings of devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cosim.devices.population import Population
from cosim.devices.ratings import net_range_wh


def test_range_is_what_everything_at_its_rating_makes(
    make_population: Callable[..., Population],
) -> None:
    population = make_population()
    battery_wh = (population.storages[0].p_max_mw * 250_000).tolist()
    least, most = (energies.tolist() for energies in net_range_wh(population))
    # quarters of an hour: 4 kW of load are 1 000 Wh, 10 kW of PV 2 500 Wh
    assert least[0] == -1_000
    assert most[0] == 0
    assert least[1] == -500 - battery_wh[1]
    assert most[1] == 2_500 + battery_wh[1]
    assert least[2] == -500 - battery_wh[2]
    assert most[2] == 1_500 + battery_wh[2]
    # load, heat pump and car at once
    assert (least[3], most[3]) == (-500 - 1_250 - 2_500, 0)
    assert (least[4], most[4]) == (0, 0)
    assert sum(battery_wh) > 0


def test_peak_of_the_run_counts_where_it_is_above_the_rating(
    make_population: Callable[..., Population],
) -> None:
    population = make_population()
    load = population.consumers[0]
    p_mw = load.p_mw.copy()
    p_mw[1, 0] = 0.0061234567
    least, _ = net_range_wh(population.replaced(replace(load, p_mw=p_mw)))
    # rounded outwards
    assert least[0] == -1_531
