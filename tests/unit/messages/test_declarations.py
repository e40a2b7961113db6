"""What is declared of messages, and the world that follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.messages import (
    BidsMessage,
    BlocksMessage,
    ChecksMessage,
    DecisionMessage,
    DeliveryMessage,
    DispatchMessage,
    FlowMessage,
    OffersMessage,
    PricesMessage,
    ScheduleMessage,
    SessionMessage,
    StageMessage,
)
from cosim.messages.declaration import (
    MESSAGES,
    Edge,
    To,
    edges,
    field_types,
    inputs_of,
    outputs_of,
    triggers_of,
)
from cosim.messages.extras import EXTRAS
from cosim.runs.world import OURS
from cosim.simulators.base import Inbox
from cosim.simulators.bidders import BiddersSimulator
from cosim.simulators.devices import DevicesSimulator
from cosim.simulators.dso import DsoSimulator
from cosim.simulators.grid import GridSimulator
from cosim.simulators.market import MarketSimulator
from cosim.simulators.recorder import RecorderSimulator

OWN_EXTRAS = [kind for kind in EXTRAS.values() if kind.__module__.startswith("cosim.")]
KINDS = (*MESSAGES.values(), BlocksMessage, OffersMessage, StageMessage, *OWN_EXTRAS)
UNITS = {
    "_wh": "Wh",
    "_mwh": "MWh",
    "_mw": "MW",
    "_mvar": "Mvar",
    "_pu": "pu",
    "_degree": "degree",
    "_percent": "%",
    "_ueur_per_kwh": "µEUR/kWh",
    "_fraction": "-",
}
SHAPES = {"()", "(n,)", "(m,)", "(b,)", "(e,)", "(k,)", "(buses,)", "(lines,)", "(trafos,)"}
SIMULATORS = (
    BiddersSimulator,
    MarketSimulator,
    DsoSimulator,
    DevicesSimulator,
    GridSimulator,
    RecorderSimulator,
)


def test_messages_are_frozen_and_travel_under_their_names() -> None:
    assert {
        "bids": BidsMessage,
        "schedule": ScheduleMessage,
        "decision": DecisionMessage,
        "dispatch": DispatchMessage,
        "delivery": DeliveryMessage,
        "flow": FlowMessage,
        "checks": ChecksMessage,
        "prices": PricesMessage,
        "session": SessionMessage,
    } == MESSAGES
    for kind in KINDS:
        assert kind.__dataclass_params__.frozen, kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_array_has_shape_unit_and_meaning(kind: type[Any]) -> None:
    for each in field_types(kind):
        if each.dtype is None:
            continue
        said = each.declared
        assert said is not None, each.name
        assert said.shape in SHAPES - {"()"}, each.name
        assert said.unit, each.name
        assert said.meaning, each.name
        assert each.dtype in (np.int64, np.float64, np.bool_, np.object_), each.name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_unit_is_that_of_the_name(kind: type[Any]) -> None:
    for each in field_types(kind):
        wanted = [unit for end, unit in UNITS.items() if each.name.endswith(end)]
        if wanted:
            assert each.declared is not None, each.name
            assert each.declared.unit == wanted[0], each.name
            assert (each.dtype == np.int64) == (
                wanted[0] in ("Wh", "µEUR/kWh") and each.dtype is not None
            )


def test_edges_are_those_of_a_delivery_interval() -> None:
    assert {(edge.sender, edge.to.role, edge.attribute) for edge in edges() if edge.to.trigger} == {
        ("bidders", "market", "bids"),
        ("market", "dso", "schedule"),
        ("dso", "market", "decision"),
        ("market", "devices", "dispatch"),
        ("devices", "grid", "delivery"),
        ("market", "recorder", "session"),
    }
    assert {
        (edge.sender, edge.to.role, edge.attribute) for edge in edges() if edge.to.time_shifted
    } == {
        ("devices", "bidders", "delivery"),
        ("devices", "market", "delivery"),
        ("grid", "market", "flow"),
        ("market", "bidders", "prices"),
    }
    assert [edge for edge in edges() if edge.to.weak] == [
        Edge("dso", To("market", trigger=True, weak=True), "decision")
    ]
    assert len(edges()) == len(set(edges())) == 14
    assert {edge.sender for edge in edges()} | {edge.to.role for edge in edges()} == OURS.keys()


def test_inputs_outputs_and_triggers_follow_from_the_edges() -> None:
    assert inputs_of("market") == ("bids", "decision", "delivery", "flow")
    assert outputs_of("market") == ("schedule", "dispatch", "prices", "session")
    assert triggers_of("market") == ("bids", "decision")
    assert triggers_of("recorder") == ("session",)
    assert triggers_of("bidders") == ()
    assert outputs_of("recorder") == ()


@pytest.mark.parametrize("simulator", SIMULATORS, ids=lambda kind: kind.role)
def test_simulators_tell_mosaik_what_is_declared(simulator: type[Any]) -> None:
    role = simulator.role
    assert OURS[role].endswith(f":{simulator.__name__}")
    model = simulator().meta["models"][role.capitalize()]
    assert model["attrs"] == [*inputs_of(role), *outputs_of(role)]
    assert model["trigger"] == list(triggers_of(role))
    assert model["non-persistent"] == list(outputs_of(role))


def test_the_world_connects_exactly_the_edges(
    monkeypatch: pytest.MonkeyPatch, short_scenario: Callable[..., Any], tmp_path: Path
) -> None:
    import mosaik

    from cosim.runs.experiment import run_scenario

    made = []
    connect = mosaik.World.connect

    def noted(self: Any, source: Any, target: Any, *pairs: Any, **options: Any) -> Any:
        made.append((source.sid, target.sid, pairs, options))
        return connect(self, source, target, *pairs, **options)

    class Built(Exception):
        """The world is wired; nothing needs to be played."""

    def stop(self: Any) -> None:
        raise Built

    monkeypatch.setattr(mosaik.World, "connect", noted)
    monkeypatch.setattr("cosim.runs.world.CoSimulation.run", stop)
    with pytest.raises(Built):
        run_scenario(short_scenario(1), tmp_path / "scenario.yaml", tmp_path / "out")
    wired = {
        Edge(
            source.partition("-")[0],
            To(
                target.partition("-")[0],
                trigger=pairs[0] in triggers_of(target.partition("-")[0]),
                time_shifted=options.get("time_shifted", False),
                weak=options.get("weak", False),
            ),
            pairs[0],
        )
        for source, target, pairs, options in made
    }
    assert len(made) == len(edges())
    # an edge to who steps on the message is a trigger, but for one that comes an interval later
    assert {(w.sender, w.to.role, w.attribute, w.to.time_shifted, w.to.weak) for w in wired} == {
        (e.sender, e.to.role, e.attribute, e.to.time_shifted, e.to.weak) for e in edges()
    }
    initial = {
        pairs[0]: options["initial_data"][pairs[0]].interval
        for _, _, pairs, options in made
        if "initial_data" in options
    }
    assert initial == {"delivery": -1, "flow": -1, "prices": -1}


def test_an_inbox_gives_messages_by_type() -> None:
    prices = PricesMessage(interval=3, price_ueur_per_kwh=7, volume_wh=1)
    inbox = Inbox({"prices": prices})
    assert inbox.of(PricesMessage) is prices
    assert inbox.of(BidsMessage) is None
    assert inbox.need(PricesMessage) is prices
    with pytest.raises(LookupError, match="no BidsMessage arrived"):
        inbox.need(BidsMessage)


def test_fields_of_what_is_no_message_are_refused() -> None:
    with pytest.raises(TypeError, match="is no dataclass"):
        field_types(int)
    assert [each.name for each in field_types(DecisionMessage)] == [
        each.name for each in dataclasses.fields(DecisionMessage)
    ]
