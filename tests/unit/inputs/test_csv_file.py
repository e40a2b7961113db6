"""Every fault of a CSV file is said as what it is, by line and with the remedy."""

from __future__ import annotations

import pytest

from cosim.errors import GridDataError
from cosim.inputs.csv_file import read_table

GOOD = "name,bus\nCP 2,2\nCP 3,3.5\n"


def written(folder, content):
    file = folder / "points.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        ",name,bus\n0,CP 2,2\n1,CP 3,3.5\n",
        ' name , bus\n"CP 2", 2\n\nCP 3,"3.5"',
        "name,bus,\nCP 2,+2e0,\nCP 3,.35e1,\n",
    ],
)
def test_what_is_read(tmp_path, content):
    table = read_table(written(tmp_path, content), GridDataError, ["name", "bus"])
    assert table.columns["name"] == ["CP 2", "CP 3"]
    assert table.numbers("bus").tolist() == [2.0, 3.5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("name;bus\nCP 2;2\n", "the separator is ';', not a comma: line 1 is 'name;bus'"),
        ("name\tbus\nCP 2\t2\n", "the separator is a tab"),
        ("name|bus\nCP 2|2\n", "the separator is '|'"),
        ("CP 2,2\nCP 3,3\n", r"line 1 holds data ('CP 2,2'): the header is missing"),
        ("name,Bus\nCP 2,2\n", "has no column 'bus'; it has name, Bus"),
        ("name,bus,bus\nCP 2,2,3\n", "has the column 'bus' 2 times"),
        ("name,bus\nCP 2,2\nCP 3,3,5\n", "line 3 has 3 cells, the header 2; a decimal comma"),
        ("name,bus\nCP 2\n", "line 2 has 1 cells, the header 2"),
        ('name,bus\nCP 1,1\n"CP 2,2\nCP 3,3\n', "cannot be read as CSV from line 3 on"),
        ("name,bus\nCafé,2\n".encode("latin-1"), "line 2 holds the byte 0xe9, 'é' in Latin-1"),
        (GOOD.encode("utf-16"), "is UTF-16 text"),
        (GOOD.encode("utf-16-le"), "is UTF-16 text without a byte-order mark"),
        (b"PK\x03\x04\x14\x00", "is an Excel workbook"),
        (b"PAR1\x15\x04", "is a Parquet file"),
    ],
)
def test_a_file_that_is_no_such_table(tmp_path, content, words):
    file = written(tmp_path, content)
    with pytest.raises(GridDataError) as caught:
        read_table(file, GridDataError, ["name", "bus"])
    assert words in caught.value.problem
    assert caught.value.file == str(file)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "is empty"),
        ("NaN", "is missing ('NaN')"),
        ("n/a", "is missing"),
        ("inf", "is infinite"),
        ("1e999", "is infinite ('1e999')"),
        ('"0,5"', "has a decimal comma ('0,5')"),
        ('"1.000,5"', "has thousands set off"),
        ('"1,000.5"', "has thousands set off"),
        ("5 kW", "has a unit in the cell"),
        ("#REF!", "is an error of a spreadsheet"),
        ("1_000", "holds '1_000', not a number"),
        ("0x10", "not a number"),
        ("−5", "not a number"),
    ],
)
def test_a_cell_that_is_no_number(tmp_path, cell, words):
    table = read_table(
        written(tmp_path, f"name,bus\nCP 1,1\n\nCP 2,{cell}\n"), GridDataError, ["bus"]
    )
    with pytest.raises(GridDataError) as caught:
        table.numbers("bus")
    assert caught.value.problem.startswith("line 4 ")
    assert words in caught.value.problem
    assert caught.value.field == "bus"
