"""Money and energy of an attack, worked out by hand for the two houses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim.report.attack import attack_indicators, attack_text, unaccounted_kwh
from cosim.report.attack_panel import AttackReported
from cosim.report.indicators import compute_indicators
from cosim.report.report import render
from cosim.report.subjects import subjects
from cosim.results.reader import Results
from cosim.results.writer import TableWriter

SOLAR, HOUSE = "solar house", "house </script><b>2"
# received 95 000 + 80 080 + 15 000 + 80 000, fees 4 x 10; paid 95 000 + 405 300, fees 4 x 20
SOLAR_EUR, HOUSE_EUR = -0.270_040, 0.500_380

Write = Callable[..., Path]


def attacked(write: Write, attack: dict[str, Any], **options: Any) -> Results:
    """The result of the two houses, with the section added to its scenario."""
    folder = write(**options)
    file = folder / "scenario.yaml"
    scenario = yaml.safe_load(file.read_text(encoding="utf-8"))
    scenario["ledger"]["eur_per_eth"] = 2_000.0
    file.write_text(yaml.safe_dump(scenario | {"attack": attack}), encoding="utf-8")
    return Results(folder)


def test_without_the_section_there_are_none(results: Results) -> None:
    own = set(AttackReported.indicators_type.meanings())
    assert len(own) == 6
    assert not own & set(compute_indicators(results).as_dict())
    page = render(results)
    assert "Cost of the attackers" not in page
    assert "Cost of the victims" not in page
    assert 'id="attack-title"' not in page


@pytest.mark.parametrize(
    ("attack", "attackers", "victims", "others"),
    [
        ({"kind": "silent_meter", "meters": [HOUSE]}, HOUSE_EUR, None, SOLAR_EUR),
        ({"kind": "front_running", "attacker": SOLAR}, SOLAR_EUR, HOUSE_EUR, None),
        ({"kind": "censorship", "prosumers": [SOLAR]}, None, SOLAR_EUR, HOUSE_EUR),
        ({"kind": "spam"}, 0.0, SOLAR_EUR + HOUSE_EUR, None),
    ],
)
def test_money_by_party(
    another_result: Write,
    attack: dict[str, Any],
    attackers: float | None,
    victims: float | None,
    others: float | None,
) -> None:
    found = attack_indicators(attacked(another_result, attack)).as_dict()
    for party, expected in (("attackers", attackers), ("victims", victims), ("others", others)):
        value = found[f"{party}_cost_eur"]
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-9))
    assert found["undelivered_flexibility_kwh"] == pytest.approx(0.05)


def test_energy_that_no_reading_accounts_for(another_result: Write) -> None:
    results = attacked(another_result, {"kind": "silent_meter", "meters": [HOUSE]})
    # nothing drawn from upstream, 0.1 kWh lost; readings -100, +801, -1, -50 Wh
    assert unaccounted_kwh(results).tolist() == pytest.approx([-0.2, 0.701, -0.101, -0.15])
    assert attack_indicators(results).unaccounted_kwh == pytest.approx(0.25)


def test_fees_of_who_is_nobody_on_the_grid(another_result: Write) -> None:
    def spam(writer: TableWriter) -> None:
        writer.append(
            "transactions",
            {
                "block": 1, "index": [3, 4, 5], "sent_at_s": 0.0, "included_at_s": 0,
                "sender": "0xspam", "nonce": [0, 1, 2], "to": [None, "0xspin", "0xspin"],
                "data": b"", "value_wei": 0, "gas_limit": 10**7,
                "max_fee_wei": [9 * 10**12, 9 * 10**12, 10**12], "tip_wei": 2 * 10**12,
                "gas_used": [50_000, 100_000, 100_000], "status": [1, 0, 0], "interval": 0,
                "contract": None, "method": None,
            },
        )  # fmt: skip

    results = attacked(another_result, {"kind": "spam"}, change=spam)
    # (50 000 + 100 000) gas at 2e12 wei and 100 000 at 1e12, the most that the third pays
    fees_eur = 4e17 / 1e18 * 2_000
    found = attack_indicators(results)
    assert found.attack_fees_eur == pytest.approx(fees_eur)
    assert found.attackers_cost_eur == pytest.approx(fees_eur)


def test_report_names_the_attack_and_shades_its_intervals(another_result: Write) -> None:
    times = {"from_interval": 1, "until_interval": 2}
    attack = {"kind": "silent_meter", "meters": [HOUSE], **times}
    page = render(attacked(another_result, attack))
    assert '<h2 id="attack-title">Attack: silent meter</h2>' in page
    assert "<h3>Cost of the attackers</h3>" in page
    assert (
        "<dt>Attack</dt><dd>silent meter by house &lt;/script&gt;&lt;b&gt;2; intervals 1 to 2 "
        "(24 May 2016 00:15 to 24 May 2016 00:45)</dd>"
    ) in page
    assert '"x0":"2016-05-24T00:15:00","x1":"2016-05-24T00:45:00"' in page


def test_report_of_a_run_in_which_nobody_attacks(another_result: Write) -> None:
    attack = {"kind": "front_running", "attacker": SOLAR, "active": False}
    page = render(attacked(another_result, attack))
    assert '<h2 id="attack-title">Attack: front running, not active</h2>' in page
    assert "<h3>Cost of all but the attackers</h3>" in page
    assert "<dt>Attack</dt><dd>front running by solar house; not active" in page


@pytest.mark.parametrize(
    ("attack", "title", "counted", "is_paid_by_dso"),
    [
        ({"kind": "phantom_baseline", "prosumers": [SOLAR]}, "all but the attackers", 1, True),
        ({"kind": "collusion", "sellers": [SOLAR], "withheld_share": 1.0},
         "all but the attackers", 1, False),
        ({"kind": "spam"}, "all members", 2, False),
        ({"kind": "reorganisation"}, "all members", 2, False),
        ({"kind": "censorship", "prosumers": [SOLAR]}, "the victims", 1, False),
        ({"kind": "silent_meter", "meters": [SOLAR]}, "the attackers", 1, False),
    ],
)  # fmt: skip
def test_the_tile_says_whose_cost_it_counts(
    another_result: Write, attack: dict[str, Any], title: str, counted: int, is_paid_by_dso: bool
) -> None:
    results = attacked(another_result, attack)
    (subject,) = (each for each in subjects(results) if isinstance(each, AttackReported))
    (tile,) = subject.report(results).tiles
    assert tile.title == f"Cost of {title}"
    assert tile.note.startswith(f"paid less received by {counted} member")
    assert ("made up is the DSO" in tile.note) == is_paid_by_dso
    # it paid 20 000 µEUR and received 5 000; half a cent is below its half in binary
    assert "by the DSO −0.01\u00a0EUR" in tile.note


@pytest.mark.parametrize(
    ("attack", "text"),
    [
        ({"kind": "spam"}, "spam by an account of nobody on the grid, on all members; intervals 0 "
         "to 3, that is all (24 May 2016 00:00 to 24 May 2016 01:00)"),
        ({"kind": "censorship", "prosumers": [SOLAR], "from_interval": 3},
         "censorship by 51 % of the validators, on solar house; intervals 3 to 3 "
         "(24 May 2016 00:45 to 24 May 2016 01:00)"),
        ({"kind": "reorganisation", "active": False},
         "reorganisation by producers of blocks, on all members; not active, so nobody attacks"),
        ({"kind": "inc_dec", "prosumers": [SOLAR], "from_interval": 4},
         "inc dec by solar house; from interval 4, which the run did not reach"),
    ],
)  # fmt: skip
def test_the_attack_in_one_line(another_result: Write, attack: dict[str, Any], text: str) -> None:
    assert attack_text(attacked(another_result, attack)) == text
