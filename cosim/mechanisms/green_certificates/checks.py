"""The table of certificates, recomputed from the replayed chain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from cosim.mechanisms.green_certificates.settings import CertificateSettings
from cosim.mechanisms.green_certificates.terms import certificate_terms
from cosim.replay.checks import MechanismChecks, Recompute
from cosim.replay.findings import Check
from cosim.replay.history import History
from cosim.replay.participants import deviation
from cosim.results.power import power_mw
from cosim.units import SECONDS_PER_HOUR, energy_wh_from_mw

CERTIFICATES = "GreenCertificates"

_ENERGIES = ("issued_wh", "consumed_wh", "offered_wh", "sold_wh", "bought_wh", "retired_wh")
_CHANGES = (
    ("EnergyRecorded", "account", {"issued_wh": "produced_wh", "consumed_wh": "consumed_wh"}),
    ("CertificatesOffered", "account", {"offered_wh": "energy_wh"}),
    ("CertificatesSold", "seller", {"sold_wh": "energy_wh", "earned_ueur": "amount_ueur"}),
    ("CertificatesSold", "buyer", {"bought_wh": "energy_wh", "paid_ueur": "amount_ueur"}),
    ("OfferCancelled", "account", {"cancelled_wh": "energy_wh"}),
    ("CertificatesRetired", "account", {"retired_wh": "energy_wh"}),
)
"""By event: the argument that names the account; amounts that change, and by which argument."""

_Amounts = dict[tuple[int, str], dict[str, int]]


class CertificateChecks(MechanismChecks[CertificateSettings]):
    """Checks of hourly certificates."""

    def checks(self, history: History) -> Mapping[str, Recompute]:
        """Return the check of the table ``certificates``."""
        return {"certificates": lambda: self._certificates(history)}

    def _certificates(self, history: History) -> Check:
        """Certificates of every hour and member, their money and fees."""
        method = "from EnergyRecorded and the certificates' trade and retirement"
        key = ("hour", "prosumer")
        check = history.compare("certificates", key, method, self._rows(history))
        _check_recorded(check, history)
        return check

    def _rows(self, history: History) -> Iterator[dict[str, Any]]:
        joined = {e.arguments["account"] for e in history.of("LocalMarket", "MemberJoined")}
        names = history.participants.prosumer_of
        is_member = [account in joined for account in names]
        terms = certificate_terms(history.scenario, self.settings, is_member)
        amounts = _amounts(history)
        for hour, interval in _hours(history).items():
            for name, joins, limit in zip(
                names.values(), is_member, terms.limits_ueur_per_kwh, strict=True
            ):
                if not joins:
                    continue
                of = amounts[hour, name]
                got_wh = of["issued_wh"] + of["bought_wh"] + of["cancelled_wh"]
                yield {
                    "interval": interval,
                    "hour": hour,
                    "prosumer": name,
                    **{energy: of[energy] for energy in _ENERGIES},
                    "held_wh": got_wh - of["offered_wh"] - of["retired_wh"],
                    "limit_ueur_per_kwh": limit,
                    "earned_ueur": of["earned_ueur"],
                    "paid_ueur": of["paid_ueur"],
                    "fees_ueur": history.fee_ueur(of["fee_wei"]),
                }


def _amounts(history: History) -> _Amounts:
    """Energy, money and fees by delivery hour and prosumer."""
    participants, names = history.participants, history.participants.prosumer_of
    amounts: _Amounts = defaultdict(lambda: defaultdict(int))
    hour_of_offer = {}
    for name, whose, changes in _CHANGES:
        for event in history.of(CERTIFICATES, name):
            said = event.arguments
            of = amounts[said["hour"], names[said[whose]]]
            for amount, argument in changes.items():
                of[amount] += said[argument]
            if name == "CertificatesOffered":
                hour_of_offer[said["offer"]] = said["hour"]
    clock = history.scenario.clock()
    for _, sent in history.calls(CERTIFICATES, "record", "offer", "buy", "retire", "cancelOffer"):
        is_record = sent.call.method == "record"
        if is_record:
            hour = clock.delivery_start_s(sent.argument("interval")) // SECONDS_PER_HOUR
        elif "hour" in sent.call.arguments:
            hour = sent.argument("hour")
        else:
            hour = hour_of_offer[sent.argument(next(iter(sent.call.arguments)))]
        name = (participants.metered_by if is_record else names)[sent.sender]
        amounts[hour, name]["fee_wei"] += sent.included.fee_wei
    return amounts


def _hours(history: History) -> dict[int, int]:
    """Delivery hours that are over, with their last intervals."""
    clock, done = history.scenario.clock(), history.results.n_intervals
    last = {clock.delivery_start_s(k) // SECONDS_PER_HOUR: k for k in range(done)}
    if done < history.scenario.time.intervals:  # an interrupted run has no rows of an open hour
        last.pop(clock.delivery_start_s(done) // SECONDS_PER_HOUR, None)
    return last


def _check_recorded(check: Check, history: History) -> None:
    """Compare what meters recorded of production and consumption with what devices did."""
    reason = deviation(history.scenario)
    if reason is not None:
        check.note(f"recorded energy is not compared with devices: {reason}")
        return
    frame, step_s = history.results.table("prosumers"), history.scenario.time.step_s
    produced = energy_wh_from_mw(power_mw(frame, "generation"), step_s)
    used = energy_wh_from_mw(power_mw(frame, "consumption"), step_s)
    keys = zip(frame["interval"], frame["prosumer"], strict=True)
    counted = {key: (int(p), int(u)) for key, p, u in zip(keys, produced, used, strict=True)}
    for event in history.of(CERTIFICATES, "EnergyRecorded"):
        said = event.arguments
        key = (said["interval"], history.participants.prosumer_of[said["account"]])
        row = f"interval {key[0]}, prosumer {key[1]}"
        said_wh = (said["produced_wh"], said["consumed_wh"])
        check.equal("prosumers", row, "produced, consumed", counted.get(key), said_wh)
