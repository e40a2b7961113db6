"""The table of the name registry, recomputed from the replayed chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cosim.mechanisms.name_registry.names import canonical_name, commitment_of, word_name
from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.history import History
from cosim.units import ueur_from_eur

REGISTRY = "NameRegistry"

_ACTIONS = {
    "NameCommitted": "committed",
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
        revealed = _revealed(history)
        point_of = {canonical_name(point): point for point in history.participants.prosumers}
        owner: dict[str, str] = {}
        value: dict[str, str] = {}
        for event in history.of(REGISTRY, *_ACTIONS):
            said, action = event.arguments, _ACTIONS[event.name]
            if action == "committed":
                holder = said["account"]
                name, account = revealed.get((holder, said["commitment"]), (None, None))
            else:
                name = word_name(bytes.fromhex(said["name"][2:]))
                if action in ("registered", "updated"):
                    value[name] = "0x" + said["value"][-40:]
                if action in ("registered", "accepted"):
                    owner[name] = said["owner" if action == "registered" else "successor"]
                holder, account = owner[name], value[name]
            yield {
                "interval": history.settled_in(event.position),
                "prosumer": None if name is None else point_of.get(name),
                "name": name,
                "action": action,
                "owner": holder,
                "account": account,
                "registry_fee_ueur": fee_of.get(action, 0),
                "fees_ueur": history.fee_ueur(history.sent[event.position].included.fee_wei),
            }


def _revealed(history: History) -> dict[tuple[str, str], tuple[str, str]]:
    """Names and accounts by who committed to them and the commitment, as they were revealed."""
    found = {}
    for _, sent in history.calls(REGISTRY, "registerName"):
        said, transaction = sent.call.arguments, sent.included.transaction
        if sent.refused_with is not None:
            continue
        name, value, secret = said["name"], said["new_value"], said["secret"]
        assert isinstance(name, bytes)
        assert isinstance(value, bytes)
        assert isinstance(secret, bytes)
        assert transaction.to is not None
        commitment = commitment_of(transaction.to, transaction.sender, name, value, secret)
        found[sent.sender, "0x" + commitment.hex()] = (word_name(name), "0x" + value[-20:].hex())
    return found
