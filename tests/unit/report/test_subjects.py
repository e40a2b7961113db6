"""Mechanisms' own indicators, costs and panels: declared once, found without being named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pandas as pd
import pytest
import yaml

from cosim.errors import ResultFolderError
from cosim.plugins.mechanism import Mechanism
from cosim.plugins.reported import Reported
from cosim.report import subjects
from cosim.report.comparison import Column, Comparison, indicator
from cosim.report.costs import costs_by_prosumer, money_by_role, physical_wh
from cosim.report.indicator import IndicatorSet, Meaning, Rows
from cosim.report.indicators import Indicators, compute_indicators, known_indicators
from cosim.report.panel import ReportPart, TableFigure, TextTable, Tile
from cosim.report.report import render
from cosim.report.subjects import subject_types
from cosim.report.summary import print_tables
from cosim.results.reader import Results
from cosim.settings import Model
from cosim.studies.results import FinishedRun
from cosim.studies.study import load_study
from cosim.studies.text import columns, run_rows

PAGE = Path(__file__).parents[3] / "docs" / "results.md"
SOLAR, HOUSE = "solar house", "house </script><b>2"

Write = Callable[..., Path]


@dataclass(frozen=True)
class ParkingIndicators(IndicatorSet):
    parking_paid_eur: Annotated[float, Meaning("EUR", "paid for parking")]

    def rows(self) -> Rows:
        return [("Parking", f"{self.parking_paid_eur:.2f} EUR")]


class ParkingSettings(Model):
    fee_eur: float = 1.5


class ParkingReported(Reported[ParkingSettings]):
    """The house pays the solar house for parking."""

    indicators_type: ClassVar = ParkingIndicators
    comparison: ClassVar = Comparison(
        columns=(Column(0, "Parking", "EUR", "parking\n[EUR]", 2, indicator("parking_paid_eur")),)
    )

    def indicators(self, results: Results) -> ParkingIndicators:
        return ParkingIndicators(self.settings.fee_eur)

    def costs(self, results: Results) -> pd.DataFrame:
        fee_ueur = int(self.settings.fee_eur * 1e6)
        return pd.DataFrame(
            {
                "interval": 0, "prosumer": [SOLAR, HOUSE], "received_ueur": [fee_ueur, -fee_ueur],
                "fees_ueur": [0, 7], "allocated_wh": [0, -1_000],
            }
        )  # fmt: skip

    def report(self, results: Results) -> ReportPart:
        return ReportPart(
            "parking",
            "Parking",
            key_data=(("Car park", "two places"),),
            tiles=(Tile("Parking paid", "by the house", "1.50 EUR"),),
            definitions=(("Parking", "Time at a place"),),
        )

    def text_tables(self, results: Results) -> tuple[TableFigure, ...]:
        table = TextTable("Places", ("Place", "cars"), (("A", "1"),))
        return (TableFigure("places", "Places of the car park", ("Counted at noon.",), (table,)),)


class Parking(Mechanism[ParkingSettings]):
    """A mechanism that cosim does not know."""

    section: ClassVar[str] = "parking"
    title: ClassVar[str] = "Parking"
    summary: ClassVar[str] = "parking"
    settings_type = ParkingSettings

    def deploy(self, deployment: Any, scenario: Any) -> Any:
        raise NotImplementedError("only results are read here")

    @classmethod
    def reported(cls) -> type[ParkingReported]:
        return ParkingReported


@pytest.fixture
def parking(another_result: Write, monkeypatch: pytest.MonkeyPatch) -> Results:
    """The two houses' result with a section that a foreign mechanism reads."""
    folder = another_result()
    known, package = subjects.MECHANISMS.every(), subjects.MECHANISMS.package
    monkeypatch.setattr(subjects.MECHANISMS, "every", lambda: known | {"parking": Parking})
    monkeypatch.setattr(
        subjects.MECHANISMS,
        "package",
        lambda name: "parking" if name == "parking" else package(name),
    )
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8")) | {"parking": {"fee_eur": 1.5}}
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return Results(folder)


def test_every_indicator_has_a_unit_a_definition_and_a_place_in_the_docs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    documented = set(re.findall(r"`(\w+)`", page[page.index("## Indicators") :]))
    for name, meaning in known_indicators().items():
        assert meaning.unit, name
        assert meaning.definition, name
        assert name in documented
    declared = [Indicators, *(t for k in subject_types() if (t := k.indicators_type))]
    names = [name for kind in declared for name in kind.meanings()]
    assert len(names) == len(set(names)) > 70


def test_every_field_is_declared() -> None:
    for kind in (Indicators, *(t for k in subject_types() if (t := k.indicators_type))):
        fields: set[str] = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]
        assert fields - set(kind.meanings()) <= {"parts"}


def test_a_foreign_mechanism_is_in_the_indicators_and_in_the_summary(parking: Results) -> None:
    indicators = compute_indicators(parking)
    assert indicators["parking_paid_eur"] == indicators.as_dict()["parking_paid_eur"] == 1.5
    assert ("Parking", "1.50 EUR") in indicators.rows()
    assert known_indicators()["parking_paid_eur"] == Meaning("EUR", "paid for parking")
    with pytest.raises(KeyError):
        indicators["storage_charged_kwh"]


def test_a_foreign_mechanism_moves_money_and_energy(parking: Results) -> None:
    costs = costs_by_prosumer(parking)
    assert costs.other_ueur.to_dict() == {SOLAR: 1_500_000, HOUSE: -1_500_007}
    assert costs.cost_ueur[HOUSE] == 80 + 95_000 + 405_300 + 1_500_007
    # in interval 0 the house was settled for 100 Wh drawn, and 1 000 Wh were allocated away from it
    settled = parking.frame("settlement")
    first = (settled["interval"] == 0) & (settled["prosumer"] == HOUSE)
    assert physical_wh(parking)[first].tolist() == [900]
    money = money_by_role(parking)
    assert money.fees.tolist() == [30 + 7, 30, 30, 30]
    assert money.sum(axis=1).tolist() == [0, 0, 0, 0]


def test_a_foreign_mechanism_is_in_the_report(
    parking: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    page = render(parking)
    for text in (
        "<dt>Car park</dt><dd>two places</dd>",
        "<h3>Parking paid</h3>",
        '<h2 id="parking-title">Parking</h2>',
        "<h3>Places of the car park</h3>",
        "<dt>Parking</dt><dd>Time at a place</dd>",
    ):
        assert text in page
    print_tables(parking)
    assert "Counted at noon." in capsys.readouterr().out


def test_a_foreign_mechanism_has_a_column_where_a_run_has_a_value(
    parking: Results, tmp_path: Path
) -> None:
    runs = [
        FinishedRun(n, n, {}, {"parking_paid_eur": eur}) for n, eur in (("a", 2.0), ("b", None))
    ]
    assert [column.heading for column in columns(runs)] == ["Parking"]
    assert [row.cells[3:] for row in run_rows(runs)] == [["2.00"], ["—"]]
    assert columns(runs[1:]) == []


def test_a_foreign_indicator_may_be_expected(parking: Results, tmp_path: Path) -> None:
    study = {"variants": {"a": {}, "b": {"seed": 2}}, "expect": ["a.parking_paid_eur > 1"]}
    file = tmp_path / "study.yaml"
    shipped = Path(__file__).parents[3] / "scenarios" / "quickstart.yaml"
    fields = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(fields | {"study": study}), encoding="utf-8")
    (expectation,) = load_study(file).expectations
    assert expectation.references[0].indicator == "parking_paid_eur"


def test_a_section_of_another_version_is_refused(another_result: Write) -> None:
    folder = another_result()
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    scenario["community_storage"] = {"capacity_kwh": "much"}
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    with pytest.raises(ResultFolderError, match="community_storage is not one of this version"):
        compute_indicators(Results(folder))
