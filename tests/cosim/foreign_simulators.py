"""Simulators of somebody else: they know mosaik's API and the message keys, and nothing of cosim.

Run in the test's process as ``foreign_simulators:Class``, or in one of their own with
``python foreign_simulators.py Class HOST:PORT [--remote]``.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import mosaik_api_v3


class Listener(mosaik_api_v3.Simulator):
    """Writes down what it reads, one JSON line per step, with the Python types of the values."""

    def __init__(self) -> None:
        super().__init__(
            {
                "api_version": "3.0",
                "type": "time-based",
                "models": {
                    "Display": {
                        "public": True,
                        "params": [],
                        "attrs": ["voltage", "loading", "power", "message"],
                    }
                },
            }
        )

    def init(self, sid, time_resolution=1.0, *, log, step_s=900):
        self.log, self.step_s = Path(log), step_s
        return self.meta

    def create(self, num, model):
        return [{"eid": "display", "type": model}]

    def step(self, time, inputs, max_advance):
        read = inputs.get("display", {})
        types = sorted({type(v).__name__ for values in read.values() for v in values.values()})
        with self.log.open("a") as file:
            line = {"time": time, "read": read, "types": types}
            # in one process arrays come as they are
            file.write(json.dumps(line, default=lambda array: array.tolist()) + "\n")
        return time + self.step_s

    def get_data(self, outputs):
        return {}


class Controller(Listener):
    """Also feeds a prosumer: it consumes 1 kW for every interval that has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.meta["models"]["Display"]["attrs"].append("consumption")

    def step(self, time, inputs, max_advance):
        self.consumption = 0.001 * (time // self.step_s + 1)
        return super().step(time, inputs, max_advance)

    def get_data(self, outputs):
        return {"display": {"consumption": self.consumption}}


class House(Controller):
    """Has its consumption on a child entity, as simulators of many things do."""

    def __init__(self) -> None:
        super().__init__()
        models = self.meta["models"]
        models["Meter"] = models["Display"] | {"public": False}

    def create(self, num, model):
        return [{"eid": "house", "type": model, "children": [{"eid": "display", "type": "Meter"}]}]


class Announcer(mosaik_api_v3.Simulator):
    """Event-based: speaks once, and then never again."""

    def __init__(self) -> None:
        super().__init__(
            {
                "api_version": "3.0",
                "type": "hybrid",
                "models": {
                    "Display": {
                        "public": True,
                        "params": [],
                        "attrs": ["consumption"],
                        "non-persistent": ["consumption"],
                    }
                },
            }
        )

    def init(self, sid, time_resolution=1.0, *, at, value):
        self.at, self.value, self.time = at, value, -1
        return self.meta

    def create(self, num, model):
        return [{"eid": "announcer", "type": model}]

    def step(self, time, inputs, max_advance):
        self.time = time
        return self.at if time < self.at else None

    def get_data(self, outputs):
        return {"announcer": {"consumption": self.value} if self.time == self.at else {}}


class Pulse(mosaik_api_v3.Simulator):
    """Feeds ``mw`` from second ``on`` to second ``off`` of every 900, in steps of its own."""

    def __init__(self) -> None:
        model = {"public": True, "params": [], "attrs": ["consumption"]}
        super().__init__({"api_version": "3.0", "type": "time-based", "models": {"Display": model}})

    def init(self, sid, time_resolution=1.0, *, step_s, mw=0.009, on=300, off=600):
        self.step_s, self.mw, self.on, self.off = step_s, mw, on, off
        return self.meta

    def create(self, num, model):
        return [{"eid": "pulse", "type": model}]

    def step(self, time, inputs, max_advance):
        self.time = time
        return time + self.step_s

    def get_data(self, outputs):
        on = self.on <= self.time % 900 < self.off
        return {"pulse": {"consumption": self.mw if on else 0.0}}


class _StandIn(mosaik_api_v3.Simulator):
    """Takes the place of one of cosim's simulators."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    triggers: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(
            {
                "api_version": "3.0",
                "type": "hybrid",
                "models": {
                    "StandIn": {
                        "public": True,
                        "params": [],
                        "attrs": [*self.inputs, *self.outputs],
                        "trigger": list(self.triggers),
                        "non-persistent": list(self.outputs),
                    }
                },
            }
        )

    def init(self, sid, time_resolution=1.0, *, step_s=900, **settings):
        self.step_s, self.settings = step_s, settings
        return self.meta

    def create(self, num, model):
        return [{"eid": "own", "type": model}]

    def step(self, time, inputs, max_advance):
        messages = {k: next(iter(v.values())) for k, v in inputs.get("own", {}).items()}
        self.sent = self.answer(time // self.step_s, messages)
        return time + self.step_s

    def get_data(self, outputs):
        return {"own": {k: v for k, v in self.sent.items() if k in outputs["own"]}}


class AcceptingDso(_StandIn):
    """Accepts every schedule, and checks nothing."""

    inputs, outputs, triggers = ("schedule",), ("decision", "checks"), ("schedule",)

    def answer(self, interval, messages):
        if "schedule" not in messages:
            return {}
        decision = {
            "interval": interval,
            "accepted": True,
            "request_down_wh": 0,
            "request_up_wh": 0,
            "awarded_wh": [],
            "curtailed_wh": [0] * len(messages["schedule"]["nominated_wh"]),
        }
        return {"decision": decision, "checks": {"stages": []}}


class FaithfulDevices(_StandIn):
    """Delivers every dispatch to the Wh."""

    inputs, outputs, triggers = ("dispatch",), ("delivery",), ("dispatch",)

    def answer(self, interval, messages):
        if "dispatch" not in messages:
            return {}
        d = messages["dispatch"]
        parts = ("nominated_wh", "activated_wh", "curtailed_wh")
        metered = [int(a + b - c) for a, b, c in zip(*(d[part] for part in parts), strict=True)]
        power = [wh * 3600 / self.step_s / 1e6 for wh in metered]
        zeros = [0.0] * len(metered)
        none = ("load_p_mw", "pv_curtailed_p_mw", "ev_p_mw", "heat_pump_p_mw")
        delivery = {
            "interval": interval,
            "p_inject_mw": power,
            "q_inject_mvar": zeros,
            "metered_wh": metered,
            "soc_mwh": zeros,
            "owed_mwh": zeros,
            "external_p_mw": [float("nan")] * len(metered),
            "parts": dict.fromkeys((*none, "battery_p_mw", "shed_p_mw"), zeros)
            | {"pv_p_mw": power},
        }
        return {"delivery": delivery}


class CopperPlate(_StandIn):
    """A grid without impedance."""

    inputs, outputs, triggers = ("delivery",), ("flow",), ("delivery",)

    def answer(self, interval, messages):
        if "delivery" not in messages:
            return {}
        delivery = messages["delivery"]
        n_buses, n_lines, n_trafos = self.settings["sizes"]
        flow = {
            "interval": interval,
            "converged": True,
            "delivered_wh": delivery["metered_wh"],
            "vm_pu": [1.0] * n_buses,
            "va_degree": [0.0] * n_buses,
            "line_loading_percent": [0.0] * n_lines,
            "trafo_loading_percent": [0.0] * n_trafos,
            "losses_mw": 0.0,
            "p_slack_mw": -float(sum(delivery["p_inject_mw"])),
            "q_slack_mvar": 0.0,
        }
        return {"flow": flow}


class SupplierOnlyMarket(_StandIn):
    """Nobody trades: everyone nominates what is planned without a trade, and the DSO is obeyed."""

    inputs = ("bids", "decision", "delivery", "flow")
    outputs = ("schedule", "dispatch", "prices", "session")
    triggers = ("bids", "decision")

    def answer(self, interval, messages):
        settled = interval - 1 if interval else None
        if messages.get("decision", {}).get("interval") == interval:
            decided = {k: messages["decision"][k] for k in ("interval", "curtailed_wh")}
            nothing = [0] * len(decided["curtailed_wh"])
            dispatch = decided | {
                "contracted_wh": nothing,
                "nominated_wh": self.bids["firm_wh"],
                "activated_wh": nothing,
            }
            return {
                "dispatch": dispatch,
                "prices": {
                    "interval": interval,
                    "price_ueur_per_kwh": nothing,
                    "volume_wh": nothing,
                },
                "session": {"tables": {}, "settled": settled, "schedule": dispatch},
            }
        if messages.get("bids", {}).get("interval") == interval:
            self.bids = messages["bids"]
            same = ("forecast_q_mvar", "curtailable_down_wh", "curtailable_up_wh")
            nothing = [0] * len(self.bids["firm_wh"])
            schedule = {key: self.bids[key] for key in same} | {
                "interval": interval,
                "round": 0,
                "nominated_wh": self.bids["firm_wh"],
                "activated_wh": nothing,
                "curtailed_wh": nothing,
                "offers": None,
            }
            return {"schedule": schedule}
        return {"session": {"tables": {}, "settled": settled}}


class FractionalDevices(FaithfulDevices):
    """Delivers half a Wh too much, which no meter can count."""

    def answer(self, interval, messages):
        answer = super().answer(interval, messages)
        if answer:
            answer["delivery"]["metered_wh"] = [0.5 + wh for wh in answer["delivery"]["metered_wh"]]
        return answer


class ReplayedBidders(_StandIn):
    """Sends the bids of a log that a `Listener` wrote."""

    inputs, outputs = ("delivery", "prices"), ("bids",)

    def answer(self, interval, messages):
        lines = [json.loads(line) for line in Path(self.settings["log"]).read_text().splitlines()]
        read = lines[interval]["read"].get("message") if interval < len(lines) else None
        return {"bids": next(iter(read.values()))} if read else {}


class EmptyBidders(ReplayedBidders):
    """Sends bids without a word in them."""

    def answer(self, interval, messages):
        return {"bids": {"interval": interval}}


class DeafDso(AcceptingDso):
    """Does not step when a schedule arrives, and remembers its decisions."""

    def __init__(self) -> None:
        super().__init__()
        model = self.meta["models"]["StandIn"]
        model["trigger"], model["non-persistent"] = [], ["checks"]


class Faulty(Listener):
    """Fails on purpose: ``how`` in ``method``, from the time ``at``."""

    def __init__(self) -> None:
        super().__init__()
        self.meta["models"]["Display"]["attrs"].append("consumption")
        self.time = 0

    def init(self, sid, time_resolution=1.0, *, how, method="step", at=900):
        self.how, self.method, self.at = how, method, at
        self.fail("init")
        return self.meta

    def create(self, num, model):
        self.fail("create")
        return super().create(num, model)

    def setup_done(self):
        self.fail("setup_done")

    def step(self, time, inputs, max_advance):
        self.time = time
        self.fail("step")
        if self.how == "early" and time >= self.at:
            return time + 60
        return 3.5 if self.how == "float" and time >= self.at else time + 900

    def get_data(self, outputs):
        self.fail("get_data")
        if self.how == "text" and self.time >= self.at:
            return {"display": {"consumption": "a lot"}}
        return {"display": {"consumption": 0.001}}

    def finalize(self):
        self.fail("finalize")

    def fail(self, method):
        if method != self.method or (method in ("step", "get_data") and self.time < self.at):
            return
        if self.how == "raise":
            raise ZeroDivisionError("no power to divide")
        if self.how == "dice":
            random.random()
        if self.how == "hang":
            time.sleep(600)
        while self.how == "spin":
            pass
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "wordless":
            raise RuntimeError
        if self.how == "exit":
            os._exit(7)
        if self.how == "leave":
            sys.exit()
        if self.how == "cancel":
            raise asyncio.CancelledError("no more of this")
        if self.how == "reset":
            connection = self.mosaik._channel._writer.transport
            linger = struct.pack("ii", 1, 0)
            connection.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
            connection.abort()


if __name__ == "__main__":
    chosen = globals()[sys.argv.pop(1)]
    sys.exit(mosaik_api_v3.start_simulation(chosen()))
