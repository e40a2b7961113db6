"""Messages to foreign simulators and back: nothing is lost, nothing wrong is taken."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import numpy as np
import pytest

from cosim.messages import (
    BidsMessage,
    BlocksMessage,
    DecisionMessage,
    DispatchMessage,
    Extras,
    OffersMessage,
    PricesMessage,
    StageMessage,
)
from cosim.messages.conversion import frozen, received, to_dict, to_json
from cosim.messages.declaration import MESSAGES, Field, field_types
from cosim.messages.extras import EXTRAS, StorageAccounts, StorageNominations, extra
from cosim.units import IntArray

N = 3
SIZES = {"vm_pu": 4, "va_degree": 4, "line_loading_percent": 2, "trafo_loading_percent": 1}
SINGLE = {bool: True, int: 7, float: 1.5, str: "scheduled"}


def arrays(kind: type[Any]) -> dict[str, Any]:
    """Arrays of a message's types and sizes, and its single values."""
    values: dict[str, Any] = {}
    for k, each in enumerate(field_types(kind)):
        if each.dtype is not None:
            size = SIZES.get(each.name, N)
            values[each.name] = np.array([(k + i) % 5 for i in range(size)]).astype(each.dtype)
            if each.dtype == object:
                values[each.name] = np.array(["line", "bus", "trafo"], dtype=object)
        elif each.kind in SINGLE:
            values[each.name] = SINGLE[each.kind]
    return values


POINTS = np.array([2, 0, 2])


def example(name: str) -> Any:
    """A message of every field."""
    kind, own = MESSAGES[name], arrays(MESSAGES[name])
    own |= {
        "bids": {
            "flexibility": BlocksMessage(**(arrays(BlocksMessage) | {"prosumer": POINTS})),
            "extras": Extras(StorageNominations(np.array([1, -2, 3]))),
        },
        "schedule": {"offers": OffersMessage(**arrays(OffersMessage))},
        "prices": {"extras": Extras(StorageAccounts(np.array([4, 5, 6])))},
        "delivery": {"parts": {"load_p_mw": np.array([0.1, 0.2, 0.3])}},
        "checks": {"stages": [StageMessage(**arrays(StageMessage), drivers=[["a", "b"], []])]},
        "session": {
            "tables": {"orders": {"block": [3, None], "interval": 2}},
            "settled": 1,
            "schedule": DispatchMessage(**arrays(DispatchMessage)),
        },
    }.get(name, {})
    return frozen(kind(**own))


@pytest.mark.parametrize("name", list(MESSAGES))
@pytest.mark.parametrize("remote", [False, True])
def test_every_message_comes_back_as_it_went(name: str, remote: bool) -> None:
    message = example(name)
    assert {each.name for each in dataclasses.fields(message)} == set(vars(message))
    sent = json.loads(json.dumps(to_json(message))) if remote else to_dict(message)
    back = received(name, sent, N, SIZES)
    assert type(back) is MESSAGES[name]
    assert to_json(back) == to_json(message)
    for each in field_types(MESSAGES[name]):
        if each.dtype is not None:
            array = getattr(back, each.name)
            assert array.dtype == each.dtype, each.name
            assert not array.flags.writeable, each.name


@pytest.mark.parametrize("point", [-1, N])
def test_blocks_of_nobody_are_refused(point: int) -> None:
    sent = to_json(example("bids"))
    sent["flexibility"]["prosumer"][1] = point
    with pytest.raises(ValueError, match=r"^bids.flexibility.prosumer is no connection point"):
        received("bids", sent, N, SIZES)


def test_columns_of_blocks_have_one_length() -> None:
    sent = to_json(example("bids"))
    sent["flexibility"]["energy_wh"].append(1)
    with pytest.raises(ValueError, match=r"^bids.flexibility.energy_wh has 4 values, not 3$"):
        received("bids", sent, N, SIZES)


@pytest.mark.parametrize("name", list(MESSAGES))
def test_every_missing_field_is_named(name: str) -> None:
    sent = to_json(example(name))
    optional = {"extras", "unserved_wh"} | ({"schedule"} if name != "schedule" else set())
    for field in sent:
        less = {key: value for key, value in sent.items() if key != field}
        if field in optional:
            assert to_json(received(name, less, N, SIZES))[field] in ({}, None)
            continue
        with pytest.raises(ValueError, match=f"^{name} lacks {field}$"):
            received(name, less, N, SIZES)


@pytest.mark.parametrize("name", list(MESSAGES))
def test_every_array_of_a_wrong_size_is_named(name: str) -> None:
    sent = to_json(example(name))
    for each in field_types(MESSAGES[name]):
        if each.dtype is None or each.declared is None or each.declared.shape == "(m,)":
            continue
        wrong = sent | {each.name: [*sent[each.name], sent[each.name][0]]}
        with pytest.raises(ValueError, match=rf"^{name}\.{each.name} has shape"):
            received(name, wrong, N, SIZES)


def test_dictionaries_in_this_process_share_read_only_arrays() -> None:
    bids = example("bids")
    sent = to_dict(bids)
    assert sent["firm_wh"] is bids.firm_wh
    assert sent["extras"]["storage_nominations"]["energy_wh"].tolist() == [1, -2, 3]
    with pytest.raises(ValueError, match="read-only"):
        sent["extras"]["storage_nominations"]["energy_wh"][0] = 9


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("bids", {"extras": {"sunshine": {}}}, "bids.extras has the unknown sunshine"),
        ("bids", {"extras": [1]}, "bids.extras is .*, not a dictionary"),
        (
            "bids",
            {"extras": {"storage_nominations": {"energy_wh": [1, 2]}}},
            r"bids.extras.storage_nominations.energy_wh has shape \(2,\), not \(3,\)",
        ),
        ("bids", {"extras": {"storage_nominations": {}}}, "storage_nominations lacks energy_wh"),
        ("delivery", {"parts": [1.0]}, "delivery.parts is .*, not a dictionary"),
        ("delivery", {"parts": {"pv_p_mw": [1.0]}}, r"delivery.parts.pv_p_mw has shape \(1,\)"),
        ("checks", {"stages": {}}, "checks.stages is .*, not a list"),
        ("checks", {"stages": [{}]}, "checks.stages lacks drivers, element"),
        ("schedule", {"offers": {"request": [1]}}, "schedule.offers lacks direction"),
        ("session", {"schedule": 3}, "session.schedule is 3, not a dictionary"),
    ],
)
def test_what_is_wrong_inside_a_message_is_named(
    name: str, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        received(name, to_json(example(name)) | change, N, SIZES)


def test_keys_beyond_the_fields_are_dropped() -> None:
    back = received("prices", to_json(example("prices")) | {"mood": "good"}, N)
    assert "mood" not in to_json(back)


def test_a_message_of_ours_in_the_place_of_a_dictionary_is_checked_too() -> None:
    given = dataclasses.replace(example("decision"), curtailed_wh=np.array([1, 2]))
    assert isinstance(given, DecisionMessage)
    with pytest.raises(ValueError, match=r"decision.curtailed_wh has shape \(2,\), not \(3,\)"):
        received("decision", given, N)


def test_extras_are_found_by_type_and_added_up() -> None:
    nominations, accounts = (
        kind(np.array([1, 2])) for kind in (StorageNominations, StorageAccounts)
    )
    both = Extras(nominations) | Extras(accounts)
    assert both.of(StorageNominations) is nominations
    assert both.of(StorageAccounts) is accounts
    assert Extras().of(StorageAccounts) is None
    assert list(both) == [nominations, accounts]
    assert PricesMessage(0, 0, 0).extras.of(StorageAccounts) is None
    assert "extras" in {each.name for each in dataclasses.fields(BidsMessage)}


def test_a_plug_ins_field_is_declared_once() -> None:
    @dataclasses.dataclass(frozen=True)
    class Wind:
        energy_wh: Annotated[IntArray, Field("Wh", "(n,)", "of the wind")]

    with pytest.raises(TypeError, match="not declared as an extra: Wind"):
        Extras(Wind(np.array([1])))
    with pytest.raises(
        ValueError, match="two types of message fields are named 'storage_accounts'"
    ):
        extra("storage_accounts")(Wind)
    with pytest.raises(TypeError, match="int is no dataclass"):
        extra("number")(int)
    try:
        assert extra("wind")(Wind) is Wind
        sent = to_json(example("prices")) | {"extras": {"wind": {"energy_wh": [1, 2, 3]}}}
        found = received("prices", sent, N).extras.of(Wind)
        assert found is not None
        assert found.energy_wh.tolist() == [1, 2, 3]
    finally:
        EXTRAS.pop("wind", None)
