"""Every element table of the pandapower that runs is declared; elements are taken as declared."""

from __future__ import annotations

import pandapower as pp
import pandas as pd
import pytest

from cosim.errors import GridDataError
from cosim.grid.element_tables import ELEMENT_TABLES, check_tables, some


@pytest.fixture
def feeder():
    net = pp.create_empty_network()
    a, b = pp.create_bus(net, 20.0), pp.create_bus(net, 20.0)
    pp.create_ext_grid(net, a)
    pp.create_line_from_parameters(net, a, b, 1.0, 0.2, 0.1, 10, 0.3)
    return net


def test_every_table_of_pandapower_is_declared():
    tables = {
        name
        for name, table in pp.create_empty_network().items()
        if isinstance(table, pd.DataFrame) and not name.startswith(("_", "res_"))
    }
    assert tables - set(ELEMENT_TABLES) == set()


def test_a_table_that_is_not_declared_is_refused_with_its_rows(feeder):
    feeder["flux_capacitor"] = pd.DataFrame({"bus": [0, 1], "p_mw": 1.0}, index=[4, 7])
    with pytest.raises(GridDataError, match=r"2 rows \(index 4, 7\) in flux_capacitor"):
        check_tables(feeder, imported=True)
    feeder["flux_capacitor"] = feeder["flux_capacitor"].iloc[:0]
    check_tables(feeder, imported=True)


REFUSED = {
    "gen": lambda net: pp.create_gen(net, 1, p_mw=0.1),
    "xward": lambda net: pp.create_xward(net, 1, 0, 0, 0, 0, 0.1, 0.1, 1.0),
    "dcline": lambda net: pp.create_dcline(net, 0, 1, 0.1, 0, 0, 1.0, 1.0),
    "svc": lambda net: pp.create_svc(net, 1, 1, -10, 1.0, 90),
    "ssc": lambda net: pp.create_ssc(net, 1, 0.1, 1.0),
    "tcsc": lambda net: pp.create_tcsc(net, 0, 1, 1, -10, 0.1, 90),
    "bus_dc": lambda net: pp.create_bus_dc(net, 1.0),
}


@pytest.mark.parametrize("table", REFUSED)
def test_what_no_power_flow_of_a_run_solves_is_refused_while_in_service(feeder, table):
    index = REFUSED[table](feeder)
    with pytest.raises(GridDataError, match=rf"in {table} \(index {index}\)") as caught:
        check_tables(feeder, imported=True)
    assert caught.value.field == table
    assert caught.value.remedy
    feeder[table]["in_service"] = False
    check_tables(feeder, imported=True)


def test_injections_are_for_imports_only(feeder):
    pp.create_load(feeder, 1, 0.1)
    check_tables(feeder, imported=True)
    with pytest.raises(GridDataError, match=r"1 in-service elements in load \(index 0\)"):
        check_tables(feeder)


def test_an_external_grid_is_needed(feeder):
    feeder.ext_grid["in_service"] = False
    with pytest.raises(GridDataError, match="no external grid in service"):
        check_tables(feeder)


def test_many_indices_are_shortened():
    assert some(range(7)) == "0, 1, 2, 3, 4 and 2 more"
    assert some([3]) == "3"
