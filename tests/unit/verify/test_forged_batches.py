"""Batches that another sender, size, order of entries or time would make are found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from cosim.evm.accounts import account
from cosim.evm.engine import create_engine
from cosim.mechanisms.local_market.submission.batch_checks import check_batches
from cosim.replay.findings import Check
from cosim.replay.history import History, Sent
from cosim.replay.replay import replay
from cosim.results.reader import Results
from cosim.runs.experiment import run_scenario
from cosim.scenario import Scenario

ORDERS, READINGS = "sendSignedOrders", "sendReadings"
METHODS = (ORDERS, READINGS)
SIZE = 4


@pytest.fixture(scope="module")
def history(
    short_scenario: Callable[..., Scenario], tmp_path_factory: pytest.TempPathFactory
) -> History:
    """Two intervals of signed orders, and of readings by a role, four to a batch."""
    batched = {"submission": "batched", "batch_size": SIZE}
    scenario = short_scenario(
        2,
        market=batched | {"batch_authority": "signatures"},
        metering=batched,
        dso={"procure": False},
    )
    folder = tmp_path_factory.mktemp("batched") / "result"
    run_scenario(scenario, folder.with_suffix(".yaml"), folder)
    results = Results(folder)
    return History(results, replay(results, create_engine("revm")))


@pytest.fixture
def batches(history: History) -> Iterator[dict[str, list[int]]]:
    """Positions of the batches by method; what a test changes of them is put back."""
    honest, scenario = list(history.sent), history.scenario
    yield {
        method: [k for k, one in enumerate(honest) if one.call.method == method]
        for method in METHODS
    }
    history.sent, history.scenario = honest, scenario


def columns(check: Check) -> set[str]:
    return {one.column for one in check.differences}


def with_arguments(sent: Sent, **arguments: Any) -> Sent:
    return replace(sent, call=replace(sent.call, arguments={**sent.call.arguments, **arguments}))


def words_of(sent: Sent) -> tuple[str, list[int]]:
    name = "orders" if "Orders" in sent.call.method else "readings"
    return name, list(sent.call.arguments[name])


def at(sent: Sent, time_s: float) -> Sent:
    transaction = sent.included.transaction._replace(sent_at_s=time_s)
    return replace(sent, included=sent.included._replace(transaction=transaction))


def test_honest_batches_are_as_the_scenario_wants_them(
    history: History, batches: dict[str, list[int]]
) -> None:
    check = check_batches(history)
    assert check.passed, check.differences
    assert {method: len(places) >= 4 for method, places in batches.items()} == dict.fromkeys(
        METHODS, True
    )
    assert check.compared >= 4 * 8


@pytest.mark.parametrize("method", METHODS)
def test_another_sender_is_found(
    history: History, batches: dict[str, list[int]], method: str
) -> None:
    place = batches[method][0]
    for name in ("supplier", f"prosumer {history.participants.prosumers[0]}"):
        other = account(history.scenario.seed, name).hex
        history.sent[place] = replace(history.sent[place], sender=other)
        assert columns(check_batches(history)) == {"sender"}


@pytest.mark.parametrize(
    ("method", "other"), [(ORDERS, "sendOrders"), (READINGS, "sendSignedReadings")]
)
def test_another_authority_is_found(
    history: History, batches: dict[str, list[int]], method: str, other: str
) -> None:
    sent = history.sent[batches[method][1]]
    history.sent[batches[method][1]] = replace(sent, call=replace(sent.call, method=other))
    assert columns(check_batches(history)) == {"method"}


@pytest.mark.parametrize("method", METHODS)
def test_merged_and_split_batches_are_found(
    history: History, batches: dict[str, list[int]], method: str
) -> None:
    first, second = batches[method][:2]
    honest = list(history.sent)
    (name, words), (_, more) = map(words_of, (honest[first], honest[second]))
    history.sent[first] = with_arguments(honest[first], **{name: words + more})
    del history.sent[second]
    assert columns(check_batches(history)) >= {"number of batches", "entries"}
    history.sent = list(honest)
    history.sent[first] = with_arguments(honest[first], **{name: words[:1]})
    history.sent.insert(first + 1, with_arguments(honest[first], **{name: words[1:]}))
    assert columns(check_batches(history)) >= {"number of batches", "entries"}
    history.sent = list(honest)
    history.sent[first] = with_arguments(honest[first], **{name: [*words, more[0]]})
    history.sent[second] = with_arguments(honest[second], **{name: more[1:]})
    assert "entries" in columns(check_batches(history))


@pytest.mark.parametrize("method", METHODS)
def test_another_order_of_entries_is_found(
    history: History, batches: dict[str, list[int]], method: str
) -> None:
    place = batches[method][0]
    name, words = words_of(history.sent[place])
    swapped = [words[1], words[0], *words[2:]]
    history.sent[place] = with_arguments(history.sent[place], **{name: swapped})
    assert columns(check_batches(history)) == {"entries"}
    stranger = [words[0] ^ 1, *words[1:]]
    history.sent[place] = with_arguments(history.sent[place], **{name: stranger})
    assert "entries" in columns(check_batches(history))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("late_s", [-1e-3, 0.5])
def test_another_time_of_leaving_is_found(
    history: History, batches: dict[str, list[int]], method: str, late_s: float
) -> None:
    place = batches[method][0]
    sent = history.sent[place]
    history.sent[place] = at(sent, sent.included.transaction.sent_at_s + late_s)
    assert "sent_at_s" in columns(check_batches(history))


def test_batches_that_nobody_asked_for_are_found(
    history: History, batches: dict[str, list[int]]
) -> None:
    for section, rest in (("market", "readings"), ("metering", "orders")):
        scenario = history.scenario
        history.scenario = scenario.replace(
            **{section: {"submission": "each", "batch_authority": "role"}}
        )
        check = check_batches(history)
        assert columns(check) >= {"number of batches"}
        assert not any(one.row.endswith(rest) for one in check.differences)
        history.scenario = scenario
    history.scenario = history.scenario.replace(market={"batch_size": SIZE + 1})
    assert columns(check_batches(history)) >= {"entries"}
