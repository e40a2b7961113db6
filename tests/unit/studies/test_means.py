"""Means over seeds, their intervals, and differences taken seed by seed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cosim.report.comparison import indicator
from cosim.report.images import panels_svg
from cosim.report.panels import plotly_panel
from cosim.studies.charts import study_figures
from cosim.studies.comparison_text import comparison_tables, remaining_violations
from cosim.studies.declaration import CENTRAL_OPTIMUM, Compared, Replication
from cosim.studies.differences import (
    OF_PAIRS,
    OF_RUNS,
    Difference,
    comparison_table,
    mean_differences,
)
from cosim.studies.estimates import Estimate, estimate
from cosim.studies.expectations import check_expectation, parse_expectation
from cosim.studies.points import (
    by_seed,
    mean_indicators,
    means_table,
    points_of,
    write_means,
)
from cosim.studies.results import FinishedRun, study_table
from cosim.studies.text import (
    expectation_rows,
    paired_rows,
    paired_title,
    run_rows,
    seeds_note,
    short_cells,
)
from cosim.studies.yardstick import Measured, optimum_sentences

COST = indicator("mean_cost_eur")

# Student, The probable error of a mean, Biometrika 6 (1908), p. 20: additional hours of sleep
FIRST_DRUG = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SECOND_DRUG = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)


def run(
    point: str,
    number: int,
    indicators: Mapping[str, float | None],
    values: Mapping[str, Any] | None = None,
) -> FinishedRun:
    return FinishedRun(
        f"{point}_seed-{number}",
        "" if values else point,
        dict(values or {}),
        dict(indicators),
        Replication(point, number, 100 + number),
    )


def near(value: object, expected: object, tolerance: float = 1e-3) -> bool:
    """Return True for numbers, or sequences of numbers, that agree."""
    return bool(np.allclose(np.asarray(value, float), np.asarray(expected, float), 0, tolerance))


def sleepers() -> list[FinishedRun]:
    return [
        run(point, number, {"mean_cost_eur": value})
        for point, values in (("first", FIRST_DRUG), ("second", SECOND_DRUG))
        for number, value in enumerate(values, start=1)
    ]


def test_the_interval_of_students_own_example() -> None:
    # the interval of the paired differences is 0.7001142 to 2.4598858 in the manual of R's t.test
    first, second = points_of(sleepers())
    change = second.less(first, COST)
    assert change.n == 10
    assert near((change.mean, change.low, change.high), (1.58, 0.7001142, 2.4598858), 1e-7)
    own = first.estimate(COST)
    assert near((own.mean, own.deviation), (0.75, 1.789010), 1e-6)


@pytest.mark.parametrize(
    ("n", "t"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (31, 2.042)]
)
def test_half_widths_have_the_tabulated_t(n: int, t: float) -> None:
    # critical values of the NIST/SEMATECH e-Handbook, table 1.3.6.7.2, column 0.975
    values = np.arange(n, dtype=float)
    half = estimate(values.tolist()).half_width
    assert half == pytest.approx(t * values.std(ddof=1) / np.sqrt(n), rel=4e-4)


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(3.0, 2.0, (2000, 4)).tolist()
    intervals = [estimate(draw) for draw in draws]
    held = sum(each.low <= 3.0 <= each.high for each in intervals if each.low and each.high)
    assert held / len(draws) == pytest.approx(0.95, abs=0.015)


def test_few_and_equal_values() -> None:
    assert estimate([]) == Estimate(0, None, None, None)
    assert estimate([None, 3]) == Estimate(1, 3, None, None)
    assert estimate([0.5, 0.5, 0.5]) == Estimate(3, 0.5, 0.0, 0.0)
    assert near(estimate([1, 2]).low, 1.5 - 6.3531)
    assert (estimate([1]).low, estimate([1]).high) == (None, None)
    with pytest.raises(ValueError, match="not finite"):
        estimate([1.0, float("nan")])


def test_a_difference_is_taken_between_equal_seeds_only() -> None:
    runs = [run("a", n, {"eur": eur}) for n, eur in ((1, 1.0), (3, 5.0), (4, None))]
    runs += [run("b", n, {"eur": 10.0 * n}) for n in (1, 2, 3, 4)]
    a, b = points_of(runs)
    change = a.less(b, indicator("eur"))
    assert (change.n, change.mean) == (2, -17.0)


def test_the_table_of_means(tmp_path: Path) -> None:
    runs = [
        run(
            f"pv-{pv}",
            number,
            {"eur": float(pv * number), "price": None if number == 2 else 1.0},
            {"pv": pv},
        )
        for pv in (1, 3)
        for number in (1, 2, 3)
    ]
    write_means(tmp_path, runs)
    table = pd.read_parquet(tmp_path / "means.parquet")
    names = ["point", "pv", "indicator", "n", "mean", "low", "high", "difference"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "means.csv")[names], table[names])
    assert table["point"].tolist() == ["pv-1", "pv-1", "pv-3", "pv-3"]
    eur_1, price_1, eur_3, _ = table.to_dict("records")
    assert (eur_3["mean"], eur_3["standard_deviation"], eur_3["n"]) == (6.0, 3.0, 3)
    assert near(eur_3["low"], 6 - 4.30265 * 3 / 3**0.5)
    assert (eur_3["against"], eur_3["difference"]) == ("pv-1", 4.0)
    assert near(eur_3["difference_high"], 4 + 4.30265 * 2 / 3**0.5)
    assert pd.isna([eur_1["against"], eur_1["difference"]]).all()
    assert price_1["n"] == 2


def test_variants_are_compared_with_the_first_at_the_same_values() -> None:
    runs = [
        FinishedRun(
            f"{variant}_pv-{pv}_seed-{k}", variant, {"pv": pv}, {"eur": float(pv * k)},
            Replication(f"{variant}_pv-{pv}", k, k),
        )
        for variant in ("a", "b") for pv in (1, 2) for k in (1, 2)
    ]  # fmt: skip
    table = means_table(points_of(runs))
    assert table["against"].fillna("").tolist() == ["", "", "a_pv-1", "a_pv-2"]
    assert table["difference"].tolist()[2:] == [0.0, 0.0]


def test_the_table_of_runs_names_point_and_seed() -> None:
    table = study_table([run("a", 1, {"eur": 1.0}), run("a", 2, {"eur": 2.0})])
    assert list(table.columns) == ["run", "point", "seed", "variant", "eur"]
    assert table["point"].tolist() == ["a", "a"]
    assert table["seed"].tolist() == [101, 102]


def test_rows_are_means_with_half_of_their_intervals() -> None:
    runs = [
        run("a", number, {"violations.delivered.any.minutes": 15 * number, "mean_cost_eur": cost})
        for number, cost in ((1, 1.0), (2, 2.0), (3, None))
    ]
    (row,) = run_rows(runs)
    assert row.label == "a"
    assert row.runs == [("seed 1", "a_seed-1"), ("seed 2", "a_seed-2"), ("seed 3", "a_seed-3")]
    assert row.cells == ["—", "—", "30", "1.50 (n 2)"]
    assert row.margins == ["", "", "±\u00a037", "±\u00a06.35"]
    assert short_cells(row)[1] == "1.50 (n 2)\n±\u00a06.35"
    note = seeds_note(runs)
    assert "Means of 3 seeds" in note
    assert "not cover other days or feeders" in note
    assert seeds_note([FinishedRun("a", "a", {}, {})]) == ""


def test_differences_between_variants_say_what_they_are() -> None:
    title = paired_title(sleepers())
    assert "to the first variant" in title
    assert "same 10 seeds (common random numbers)" in title
    (row,) = paired_rows(sleepers())
    assert (row.label, row.runs) == ("second less first", [])
    assert (row.cells[-1], row.margins[-1]) == ("1.58", "±\u00a00.88")
    assert paired_rows(sleepers(), {"first"}) == []
    assert paired_rows([FinishedRun(n, n, {}, {"mean_cost_eur": 1.0}) for n in "ab"]) == []


def test_expectations_on_means_have_the_interval_of_the_difference() -> None:
    runs = sleepers()
    indicators = {each.name: each.indicators for each in runs} | mean_indicators(
        points_of(runs), 10
    )

    def outcome(text: str) -> Any:
        return check_expectation(
            parse_expectation(text, tuple(indicators)), indicators, by_seed(runs)
        )

    means = outcome("second.mean_cost_eur > first.mean_cost_eur")
    assert (means.met, means.left, means.right) == (True, pytest.approx(2.33), pytest.approx(0.75))
    assert (means.difference.mean, means.difference.low) == (
        pytest.approx(1.58), pytest.approx(0.7001142, abs=1e-7),
    )  # fmt: skip
    (row,) = expectation_rows([{**vars(means), "difference": vars(means.difference)}])
    assert row.figures == "2.33 > 0.75; left less right 1.58 ± 0.879886 over 10 seeds"
    single = outcome("second_seed-5.mean_cost_eur == first_seed-5.mean_cost_eur")
    assert (single.met, single.difference) == (True, None)


def test_a_mean_of_those_that_happen_to_have_a_value_is_none() -> None:
    runs = [run("a", 1, {"eur": 1.0}), run("a", 2, {"eur": None}), run("b", 1, {"eur": 2.0})]
    means = mean_indicators(points_of(runs), 2)
    assert means == {"a": {"eur": None}}
    for text, says in (("a.eur > 0", "has no value"), ("b.eur > 0", "could not be made")):
        outcome = check_expectation(parse_expectation(text, ("a", "b")), means, by_seed(runs))
        assert not outcome.met
        assert says in outcome.problem


def test_bars_have_intervals() -> None:
    figure = {f.key: f for f in study_figures(sleepers())}
    assert not figure  # nothing but a cost per prosumer, which has no figure
    runs = [
        run("a", number, {"cost_eur": cost, "highest_vm_pu": 1.0 + cost / 100})
        for number, cost in ((1, 3.0), (2, 5.0))
    ]
    money, voltage = study_figures(runs)
    assert "95 % intervals" in money.caption
    panel = money.panels[0]
    assert panel.series[0].points == ((0.0, 4.0),)
    assert near(panel.series[0].half_widths, [12.706])
    assert money.y_range(panel)[1] > 16.7
    assert money.y_range(panel)[0] < -8.7
    labels, bar = plotly_panel(money, panel).data
    assert (list(labels.text), list(labels.textposition)) == (["4.00"], ["top center"])
    assert near(labels.y, [16.706])
    assert near(bar.error_y.array, [12.706])
    assert list(bar.customdata) == ["4.00\u00a0± 12.71\u00a0EUR"]
    (dot,) = [
        trace for trace in plotly_panel(voltage, voltage.panels[0]).data if trace.mode == "markers"
    ]
    assert near(dot.error_y.array, [0.12706])
    assert all(len(whiskers(panels_svg(each))) == 1 for each in (money, voltage))


def test_labels_of_bars_below_zero_are_below_their_intervals() -> None:
    runs = [run("a", number, {"cost_eur": -3.0 - number / 10}) for number in (1, 2)]
    (money,) = study_figures(runs)
    labels, bar = plotly_panel(money, money.panels[0]).data
    assert list(labels.textposition) == ["bottom center"]
    assert near(labels.y, [bar.y[0] - bar.error_y.array[0]])


def test_lines_have_intervals() -> None:
    runs = [
        run(f"pv-{pv}", number, {"violations.delivered.any.minutes": pv * number}, {"pv": pv})
        for pv in (10, 20)
        for number in (1, 2, 3)
    ]
    (figure,) = study_figures(runs)
    (series,) = figure.panels[0].series
    assert series.points == ((10, 20.0), (20, 40.0))
    assert near(series.half_widths, [24.84, 49.68], 0.01)
    (line,) = plotly_panel(figure, figure.panels[0]).data
    assert near(line.error_y.array, [24.84, 49.68], 0.01)
    assert len(whiskers(panels_svg(figure))) == 2
    single = [FinishedRun(r.name, r.variant, r.values, r.indicators) for r in runs[::3]]
    (alone,) = study_figures(single)
    assert "intervals" not in alone.caption
    assert not whiskers(panels_svg(alone))


def whiskers(document: str) -> list[tuple[float, float]]:
    """Return ends of vertical lines that are no rules of the grid."""
    root = ET.fromstring(document)
    lines = (line.attrib for line in root.iter("{http://www.w3.org/2000/svg}line"))
    return [
        (float(line["y1"]), float(line["y2"]))
        for line in lines
        if line["x1"] == line["x2"] and line["stroke"] != "#e3e7eb"
    ]


def pairs() -> list[Difference]:
    quantities = {quantity.key: quantity for quantity in (*OF_RUNS, *OF_PAIRS)}
    found = []
    for number, (own, other) in enumerate(((5.0, 1.0), (7.0, 2.0), (6.0, None)), start=1):
        compared = Compared(f"a_seed-{number}", "no_market", f"b_seed-{number}")
        change = None if other is None else own - other
        found.append(Difference(compared, quantities["welfare_eur"], own, other, change))
        for stage in ("scheduled", "delivered"):
            key = f"violations.{stage}.any.minutes"
            found.append(Difference(compared, quantities[key], 15.0, 30.0, -15.0))
        for key in ("schedule_differs_kwh", "delivery_differs_kwh"):
            found.append(Difference(compared, quantities[key], None, None, float(number)))
    return found


POINTS = {f"{point}_seed-{number}": point for point in "ab" for number in (1, 2, 3)}


def test_differences_are_averaged_over_complete_pairs() -> None:
    found = mean_differences(pairs(), POINTS)
    welfare = found[0]
    assert welfare.compared == Compared("a", "no_market", "b")
    assert (welfare.of_run, welfare.of_against, welfare.difference) == (6.0, 1.5, 4.5)
    table = comparison_table(found)
    first = table.iloc[0].to_dict()
    assert (first["quantity"], first["n"]) == ("welfare_eur", 2)
    assert near(first["low"], 4.5 - 12.7062 * 0.5)
    schedules = table[table["quantity"] == "schedule_differs_kwh"].iloc[0].to_dict()
    assert (schedules["n"], schedules["difference"]) == (3, 2.0)
    assert np.isnan(schedules["of_run"])
    assert "n" not in comparison_table(pairs())


def test_comparisons_in_words_say_that_they_are_means() -> None:
    found = mean_differences(pairs(), POINTS)
    left_out, sentence = remaining_violations(found)
    assert left_out.startswith("no_market: nobody trades")
    assert sentence.startswith("a against b: ")
    assert "Schedules of 2.0\u00a0± 2.5\u00a0kWh" in sentence
    assert sentence.endswith("Means of 3 seeds, and half of their 95 % intervals.")
    short, every = comparison_tables(found)
    assert short.title.startswith("Means over seeds")
    assert short.title.endswith("a less the same run as no_market")
    assert short.rows[0][:2] == ("a", "4.50\u00a0± 6.35")
    assert every.rows[0][1:] == ("6.00", "1.50 (4.50\u00a0± 6.35)")
    assert not any("±" in cell for row in comparison_tables(pairs())[0].rows for cell in row)


def measured(name: str, welfare: float, optimum: float, **own: Any) -> Measured:
    fields: dict[str, Any] = {
        "run_imported_kwh": 1.0, "run_violated_minutes": 0.0, "gap_eur": 0.1, "imported_kwh": 1.0,
        "excess_percent": 0.0, "excess_pu": 0.0, "within_limits": True, "n_programmes": 1,
    }  # fmt: skip
    return Measured(
        **fields | {"run": name, "run_welfare_eur": welfare, "welfare_eur": optimum} | own
    )


def test_the_optimum_of_several_seeds_is_one_sentence() -> None:
    every = [
        measured("a_seed-1", 5.0, 8.0, gap_eur=0.3, missed_kwh=2.5),
        measured("a_seed-2", 6.0, 10.0, run_violated_minutes=15.0),
    ]
    (sentence,) = optimum_sentences(every, POINTS)
    assert sentence.startswith(f"a against the {CENTRAL_OPTIMUM} ")
    shown = sentence.replace("\u00a0", " ")
    for part in (
        "mean 9.00 EUR, largest gap 0.300 EUR",
        "mean welfare 5.50 EUR, 3.50 ± 6.35 EUR below it over 2 seeds",
        "with 1 of 2 seeds its storage does not end at soc_end",
        "with 1 of 2 seeds the run violates",
    ):
        assert part in shown
    alone = every[0].sentence().replace("\u00a0", " ")
    assert "gap 0.300 EUR; storage ends 2.5 kWh away from soc_end)" in alone
    assert optimum_sentences(every[:1], {"a_seed-1": "a_seed-1"}) == [every[0].sentence()]
