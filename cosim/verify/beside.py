"""Tables of the contracts beside the local market: names and certificates."""

from __future__ import annotations

from collections import defaultdict

import pandas as pd

from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.mechanisms.green_certificates.terms import certificate_terms
from cosim.mechanisms.name_registry.names import canonical_name, word_name
from cosim.mechanisms.name_registry.settings import NameRegistrySettings
from cosim.replay.findings import Check
from cosim.replay.history import Event, History
from cosim.units import SECONDS_PER_HOUR, energy_wh_from_mw, fee_ueur, ueur_from_eur

NAMES = "NameRegistry"
CERTIFICATES = "GreenCertificates"

_ACTIONS = {
    "NameRegistered": "registered",
    "NameOffered": "offered",
    "NameTransferred": "accepted",
    "ValueUpdated": "updated",
}


def check_names(history: History) -> Check:
    """Every change of a name, its owner and account, its fees."""
    check = Check("names", "from the events of the name registry")
    recorded = history.recorded
    frame, settings = recorded.frame("names"), recorded.scenario.section(NameRegistrySettings)
    if settings is None:
        check.equal("names", "", "number of rows", len(frame), 0)
        return check
    point_of = {canonical_name(point): point for point in recorded.prosumers}
    fee_of = {
        "registered": ueur_from_eur(settings.registration_fee_eur),
        "updated": ueur_from_eur(settings.update_fee_eur),
    }
    owner: dict[str, str] = {}
    value: dict[str, str] = {}
    rows = []
    for event in history.of(NAMES, *_ACTIONS):
        said, action = event.arguments, _ACTIONS[event.name]
        name = word_name(bytes.fromhex(said["name"][2:]))
        if action in ("registered", "updated"):
            value[name] = "0x" + said["value"][-40:]
        if action in ("registered", "accepted"):
            owner[name] = said["owner" if action == "registered" else "successor"]
        rows.append(
            {
                "interval": history.settled_in(event.position),
                "prosumer": point_of.get(name),
                "name": name,
                "action": action,
                "owner": owner[name],
                "account": value[name],
                "fee_ueur": fee_of.get(action, 0),
                "fees_ueur": _fee(history, event),
            }
        )
    own = pd.DataFrame(rows, columns=list(frame.columns))
    key = ["name", "action", "owner"]
    check.keyed("names", key, frame, own, list(frame.columns))
    return check


def _fee(history: History, event: Event) -> int:
    fee_wei = history.sent[event.position].included.fee_wei
    return fee_ueur(fee_wei, history.recorded.scenario.ledger.eur_per_eth)


def check_certificates(history: History) -> Check:
    """Certificates of every hour and member, their money and fees."""
    check = Check("certificates", "from EnergyRecorded and the certificates' trade and retirement")
    recorded = history.recorded
    frame, settings = recorded.frame("certificates"), recorded.scenario.section(CertificateSettings)
    if settings is None:
        check.equal("certificates", "", "number of rows", len(frame), 0)
        return check
    joined = {event.arguments["account"] for event in history.of("LocalMarket", "MemberJoined")}
    names = recorded.prosumer_of
    members = [name for account, name in names.items() if account in joined]
    limits = dict(
        zip(
            recorded.prosumers,
            certificate_terms(
                recorded.scenario, settings, [name in members for name in recorded.prosumers]
            ).limits_ueur_per_kwh,
            strict=True,
        )
    )
    amounts, last = _hours(history)
    eur_per_eth = recorded.scenario.ledger.eur_per_eth
    rows = []
    for hour, interval in last.items():
        for name in members:
            of = amounts[hour, name]
            rows.append(
                {
                    "interval": interval,
                    "hour": hour,
                    "prosumer": name,
                    **{f"{key}_wh": of[f"{key}_wh"] for key in _ENERGIES},
                    "held_wh": of["issued_wh"]
                    + of["bought_wh"]
                    + of["cancelled_wh"]
                    - of["offered_wh"]
                    - of["retired_wh"],
                    "limit_ueur_per_kwh": limits[name],
                    "earned_ueur": of["earned_ueur"],
                    "paid_ueur": of["paid_ueur"],
                    "fees_ueur": fee_ueur(of["fee_wei"], eur_per_eth),
                }
            )
    own = pd.DataFrame(rows, columns=list(frame.columns))
    own["limit_ueur_per_kwh"] = own["limit_ueur_per_kwh"].astype(object)
    key = ["hour", "prosumer"]
    check.keyed("certificates", key, frame, own, list(frame.columns))
    _check_recorded(check, history)
    return check


_ENERGIES = ("issued", "consumed", "offered", "sold", "bought", "retired")
_Amounts = dict[tuple[int, str], dict[str, int]]


def _hours(history: History) -> tuple[_Amounts, dict[int, int]]:
    """What everybody did in each delivery hour, and the hours' last intervals."""
    recorded, names = history.recorded, history.recorded.prosumer_of
    amounts: _Amounts = defaultdict(lambda: defaultdict(int))
    hour_of_offer: dict[int, int] = {}
    clock = recorded.scenario.clock()
    for event in history.of(CERTIFICATES, "EnergyRecorded"):
        said = event.arguments
        of = amounts[said["hour"], names[said["account"]]]
        of["issued_wh"] += said["produced_wh"]
        of["consumed_wh"] += said["consumed_wh"]
    for event in history.of(CERTIFICATES, "CertificatesOffered"):
        said = event.arguments
        hour_of_offer[said["offer"]] = said["hour"]
        amounts[said["hour"], names[said["account"]]]["offered_wh"] += said["energy_wh"]
    for event in history.of(CERTIFICATES, "CertificatesSold"):
        said = event.arguments
        seller = amounts[said["hour"], names[said["seller"]]]
        buyer = amounts[said["hour"], names[said["buyer"]]]
        seller["sold_wh"] += said["energy_wh"]
        seller["earned_ueur"] += said["amount_ueur"]
        buyer["bought_wh"] += said["energy_wh"]
        buyer["paid_ueur"] += said["amount_ueur"]
    for name, key in (("OfferCancelled", "cancelled_wh"), ("CertificatesRetired", "retired_wh")):
        for event in history.of(CERTIFICATES, name):
            said = event.arguments
            amounts[said["hour"], names[said["account"]]][key] += said["energy_wh"]
    for _, sent in history.calls(CERTIFICATES, "record", "offer", "buy", "retire", "cancelOffer"):
        said, method = sent.call.arguments, sent.call.method
        people = recorded.metered_by if method == "record" else names
        if method == "record":
            hour = clock.delivery_start_s(_int(said["interval"])) // SECONDS_PER_HOUR
        elif "hour" in said:
            hour = _int(said["hour"])
        else:
            hour = hour_of_offer[_int(next(iter(said.values())))]
        amounts[hour, people[sent.sender]]["fee_wei"] += sent.included.fee_wei
    last = {
        clock.delivery_start_s(k) // SECONDS_PER_HOUR: k for k in range(recorded.intervals_done)
    }
    is_open = recorded.intervals_done < recorded.scenario.time.intervals
    following = clock.delivery_start_s(recorded.intervals_done) // SECONDS_PER_HOUR
    if is_open:  # an interrupted run has no rows of an hour that goes on
        last.pop(following, None)
    return amounts, last


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def _check_recorded(check: Check, history: History) -> None:
    """What meters recorded of production and consumption against what devices did."""
    recorded = history.recorded
    if recorded.deviation() is not None:
        check.note(f"recorded energy is not compared with devices: {recorded.deviation()}")
        return
    frame, step_s = recorded.frame("prosumers"), recorded.scenario.time.step_s
    produced = energy_wh_from_mw(frame["pv_p_mw"], step_s)
    used = energy_wh_from_mw(
        frame["load_p_mw"] + frame["ev_p_mw"] + frame["heat_pump_p_mw"], step_s
    )
    keys = zip(frame["interval"], frame["prosumer"], strict=True)
    counted = {key: (int(p), int(u)) for key, p, u in zip(keys, produced, used, strict=True)}
    for event in history.of(CERTIFICATES, "EnergyRecorded"):
        said = event.arguments
        key = (said["interval"], recorded.prosumer_of[said["account"]])
        row = f"interval {key[0]}, prosumer {key[1]}"
        said_wh = (said["produced_wh"], said["consumed_wh"])
        check.equal("prosumers", row, "produced, consumed", counted.get(key), said_wh)
