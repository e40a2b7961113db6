"""The report of a real run, in a real browser: what the slider shows is what the tables hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from browsing import opened
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cosim.report.report import write_report

pytestmark = pytest.mark.browser

READ_MAP = """
const found = {};
for (const node of document.querySelectorAll(`#map-${arguments[0]} [data-kind]`)) {
  const key = `${node.dataset.kind} ${node.dataset.idx}`;
  found[key] = {
    value: node.dataset.value === "" ? null : Number(node.dataset.value),
    violated: node.dataset.violated === "true",
    colour: node.dataset.kind === "bus" ? node.getAttribute("fill") : node.getAttribute("stroke"),
  };
}
return found;
"""

SET_TIME = """
const slider = document.getElementById("time");
slider.value = arguments[0];
slider.dispatchEvent(new Event("input"));
"""


@pytest.fixture(scope="module")
def report(quickstart_result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report alone, away from the files it was made of."""
    alone = tmp_path_factory.mktemp("report") / "report.html"
    shutil.copy(write_report(quickstart_result), alone)
    return alone


@pytest.fixture(scope="module")
def browser(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with opened(report, tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def checks(quickstart_result: Path) -> pd.DataFrame:
    return pd.read_parquet(quickstart_result / "tables" / "grid_checks.parquet")


def expected(checks: pd.DataFrame, interval: int, stage: str) -> dict[str, tuple[float, bool]]:
    rows = checks[(checks.interval == interval) & (checks.stage == stage)]
    rows = rows[rows.element.isin(["bus", "line", "trafo"])]
    return {
        f"{row.element} {row.element_idx}": (row.value, row.violated)
        for row in rows.itertuples(index=False)
    }


def drawn(browser: webdriver.Chrome, side: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = browser.execute_script(READ_MAP, side)
    return found


def set_time(browser: webdriver.Chrome, interval: int) -> str:
    browser.execute_script(SET_TIME, interval)
    return browser.find_element(By.ID, "time-label").text


def assert_map_equals_tables(
    browser: webdriver.Chrome, checks: pd.DataFrame, interval: int, side: str, stage: str
) -> None:
    shown = drawn(browser, side)
    wanted = expected(checks, interval, stage)
    assert wanted.keys() <= shown.keys()
    for key, (value, violated) in wanted.items():
        digits = 5e-5 if key.startswith("bus") else 5e-2
        assert shown[key]["value"] == pytest.approx(value, abs=1.001 * digits), key
        assert shown[key]["violated"] == violated, key


def test_it_opens_at_the_worst_interval(browser: webdriver.Chrome, checks: pd.DataFrame) -> None:
    scheduled = checks[
        (checks.stage == "scheduled") & checks.element.isin(["bus", "line", "trafo"])
    ]
    by_interval = scheduled.groupby("interval").violated.sum()
    interval = int(browser.find_element(By.TAG_NAME, "body").get_attribute("data-interval") or -1)
    assert by_interval[interval] == by_interval.max() > 0
    text = browser.find_element(By.CSS_SELECTOR, "#map-before .violated").text
    assert text.startswith(f"{by_interval.max()} violated: ")
    halos = browser.execute_script(
        "return document.querySelectorAll('#map-before .halo[visibility=visible]').length"
    )
    assert halos == by_interval.max()


def test_moving_the_slider_shows_the_values_of_that_interval(
    browser: webdriver.Chrome, checks: pd.DataFrame, quickstart_result: Path
) -> None:
    scenario = yaml.safe_load((quickstart_result / "scenario.yaml").read_text(encoding="utf-8"))
    start = pd.Timestamp(scenario["time"]["start"])
    colours = []
    for interval in (3, 50, int(checks.interval.max())):
        label = set_time(browser, interval)
        moment = start + pd.Timedelta(seconds=interval * scenario["time"]["step_s"])
        assert f"{moment:%H:%M}–" in label
        assert f"{moment.day} {moment:%b %Y}" in label
        assert f"(interval {interval})" in label
        assert_map_equals_tables(browser, checks, interval, "before", "scheduled")
        assert_map_equals_tables(browser, checks, interval, "after", "delivered")
        label = browser.find_element(By.CSS_SELECTOR, "#map-after .trafo-value").text
        loading, _ = expected(checks, interval, "delivered")["trafo 0"]
        assert float(label.removesuffix(" %")) == pytest.approx(loading, abs=0.56)
        colours.append({key: item["colour"] for key, item in drawn(browser, "after").items()})
    assert len({str(c) for c in colours}) == 3


def test_keyboard_and_play_button_move_time(browser: webdriver.Chrome) -> None:
    before = set_time(browser, 10)
    slider = browser.find_element(By.ID, "time")
    slider.send_keys(Keys.ARROW_RIGHT)
    label = browser.find_element(By.ID, "time-label")
    assert label.text != before
    assert label.text.endswith("(interval 11)")
    assert slider.get_attribute("aria-valuetext") == label.text
    play = browser.find_element(By.ID, "play")
    play.click()
    WebDriverWait(browser, 10).until(lambda _: label.text.endswith("(interval 13)"))
    assert play.get_attribute("aria-label") == "Pause"
    play.click()
    assert play.get_attribute("aria-label") == "Play"


def test_pointing_at_the_transformer_shows_both_stages(
    browser: webdriver.Chrome, checks: pd.DataFrame
) -> None:
    set_time(browser, 50)
    symbol = browser.find_element(By.CSS_SELECTOR, "#map-before g.trafo")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", symbol)
    ActionChains(browser).move_to_element(symbol).perform()
    tooltip = browser.find_element(By.ID, "tooltip").text
    for stage in ("scheduled", "delivered"):
        value, _ = expected(checks, 50, stage)["trafo 0"]
        assert any(
            f"{shown:.1f} %" in tooltip for shown in (value, value - 0.001, value + 0.001)
        ), tooltip


def test_every_chart_is_drawn_and_follows_the_slider(browser: webdriver.Chrome) -> None:
    places = []
    for interval in (5, 80):
        set_time(browser, interval)
        places.append(
            [
                float(cursor.value_of_css_property("left").removesuffix("px"))
                for cursor in browser.find_elements(By.CSS_SELECTOR, ".cursor")
            ]
        )
    plots = browser.find_elements(By.CSS_SELECTOR, ".plot")
    drawings = browser.find_elements(By.CSS_SELECTOR, ".plot .main-svg")
    assert len(plots) >= 6
    assert len(drawings) >= len(plots)
    assert len(places[0]) == len(browser.find_elements(By.CSS_SELECTOR, ".plot[data-time]"))
    assert all(early < late for early, late in zip(*places, strict=True))


def test_it_fits_a_phone(browser: webdriver.Chrome) -> None:
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        WebDriverWait(browser, 10).until(
            lambda d: d.execute_script("return document.documentElement.scrollWidth") <= 390
        )
        before, after = (
            browser.find_element(By.ID, f"map-{side}").rect for side in ("before", "after")
        )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert after["y"] >= before["y"] + before["height"]


def test_it_needs_no_network_and_logs_no_error(browser: webdriver.Chrome, report: Path) -> None:
    resources = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert [name for name in resources if not name.startswith(("data:", "blob:"))] == []
    requests = [
        entry["message"]
        for entry in browser.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert [text for text in requests if '"url":"http' in text] == []
    assert any(report.as_uri() in text for text in requests)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []
