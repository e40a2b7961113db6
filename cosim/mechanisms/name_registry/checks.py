"""The table of the name registry, recomputed from the replayed chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cosim.mechanisms.name_registry.names import canonical_name, word_name
from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.history import History
from cosim.units import ueur_from_eur

REGISTRY = "NameRegistry"

_ACTIONS = {
    "NameRegistered": "registered",
    "NameOffered": "offered",
    "NameTransferred": "accepted",
    "ValueUpdated": "updated",
}


class NameChecks(MechanismChecks[NameRegistrySettings]):
    """Checks of the name registry."""

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the check of every change of a name, its owner and account, its fees."""
        key, method = ("name", "action", "owner"), "from the events of the name registry"
        return {"names": lambda: history.compare("names", key, method, self._rows(history))}

    def _rows(self, history: History) -> Iterator[dict[str, Any]]:
        fee_of = {
            "registered": ueur_from_eur(self.settings.registration_fee_eur),
            "updated": ueur_from_eur(self.settings.update_fee_eur),
        }
        point_of = {canonical_name(point): point for point in history.participants.prosumers}
        owner: dict[str, str] = {}
        value: dict[str, str] = {}
        for event in history.of(REGISTRY, *_ACTIONS):
            said, action = event.arguments, _ACTIONS[event.name]
            name = word_name(bytes.fromhex(said["name"][2:]))
            if action in ("registered", "updated"):
                value[name] = "0x" + said["value"][-40:]
            if action in ("registered", "accepted"):
                owner[name] = said["owner" if action == "registered" else "successor"]
            yield {
                "interval": history.settled_in(event.position),
                "prosumer": point_of.get(name),
                "name": name,
                "action": action,
                "owner": owner[name],
                "account": value[name],
                "fee_ueur": fee_of.get(action, 0),
                "fees_ueur": history.fee_ueur(history.sent[event.position].included.fee_wei),
            }
