"""The report of a long run, in a real browser: a day that is opened shows what the tables hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from browsing import opened
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from cosim.report import long_report, year
from cosim.report.indicators import read_indicators
from cosim.report.report import render
from cosim.results import stretches, windows
from cosim.results.reader import Results

pytestmark = pytest.mark.browser

READ_BUSES = """
const found = {};
for (const node of document.querySelectorAll('#map-after [data-kind="bus"]')) {
  found[node.dataset.idx] = Number(node.dataset.value);
}
return found;
"""
LENGTH = 8
"""Intervals of a day, so that a result of a day is a long one."""


@pytest.fixture(scope="module")
def browser(
    quickstart_result: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[webdriver.Chrome]:
    def days(n_intervals: int, *_: object) -> list[tuple[int, int]]:
        return [(t, min(t + LENGTH, n_intervals)) for t in range(0, n_intervals, LENGTH)]

    page = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "LONG_RUN_DAYS", 0)
        patch.setattr(windows, "calendar_days", days)
        patch.setattr(year, "calendar_days", days)
        patch.setattr(long_report, "worst_days", lambda results: year.worst_days(results)[:2])
        results = Results(quickstart_result)
        page.write_text(render(results, read_indicators(results)), encoding="utf-8")
    with opened(page, tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def test_a_day_that_is_opened_shows_its_intervals(
    browser: webdriver.Chrome, quickstart_result: Path
) -> None:
    buttons = browser.find_elements(By.CSS_SELECTOR, "button.day")
    assert [each.get_attribute("aria-pressed") for each in buttons][:2] == ["true", "false"]
    browser.execute_script("arguments[0].click()", buttons[1])
    WebDriverWait(browser, 60).until(
        lambda d: d.execute_script("return document.body.dataset.ready") == "true"
    )
    assert buttons[1].get_attribute("aria-pressed") == "true"
    assert browser.find_element(By.ID, "time").get_attribute("max") == str(LENGTH - 1)
    label = browser.find_element(By.ID, "time-label").text
    interval = int(label.split("interval ")[1].rstrip(")"))
    checks = pd.read_parquet(quickstart_result / "tables" / "grid_checks.parquet")
    own = checks[(checks["stage"] == "delivered") & (checks["interval"] == interval)]
    buses = own[own["element"] == "bus"].set_index("element_idx")["value"]
    shown = {int(idx): value for idx, value in browser.execute_script(READ_BUSES).items()}
    assert shown.keys() == set(buses.index)
    assert all(abs(shown[idx] - value) <= 1e-4 for idx, value in buses.items())


def test_every_chart_is_drawn_and_nothing_is_logged(browser: webdriver.Chrome) -> None:
    drawn = browser.find_elements(By.CSS_SELECTOR, "#day-charts .plot .main-svg")
    assert len(drawn) > 0
    names = {
        each.get_attribute("id")
        for each in browser.find_elements(By.CSS_SELECTOR, "#year, figure.chart")
    }
    assert {"chart-heat-vm-low", "chart-duration-loading", "chart-months-energy"} <= names
    assert {"day-chart-voltage", "day-chart-money", "day-chart-market"} <= names
    plots = browser.find_elements(By.CSS_SELECTOR, ".plot")
    assert all(each.find_elements(By.CSS_SELECTOR, ".main-svg") for each in plots)
    severe = [row for row in browser.get_log("browser") if row["level"] == "SEVERE"]
    assert severe == []
