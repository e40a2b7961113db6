"""Roles of a run, and keys of everybody who can send a transaction in it.

They follow from the scenario's seed and the names of the prosumers alone, so that a result folder
is enough to sign its transactions again. They are test keys: whoever knows the seed has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from cosim.evm.accounts import account

ROLES = ("issuer", "metering operator", "market operator", "supplier", "DSO", "state")
"""Accounts of every run that belong to no prosumer."""

AGGREGATOR = "aggregator"
"""Account that sends the orders of others, in runs in which it does; it never holds tokens."""

ATTACKERS = ("attacker",)
"""Names of accounts that no honest run uses."""


def sender_names(prosumers: Sequence[str], meters: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all accounts that can send in a run.

    Parameters
    ----------
    prosumers, meters : sequence of str
        Connection points and their meters.

    Returns
    -------
    tuple of str
        Roles, aggregator, attackers, then prosumers, meters, and the households that may move in;
        each name once.
    """
    names = [*ROLES, AGGREGATOR, *ATTACKERS]
    names += [f"prosumer {name}" for name in prosumers]
    names += [f"meter {name}" for name in meters]
    names += [f"next household {name}" for name in prosumers]
    return tuple(dict.fromkeys(names))


def key_ring(seed: int, prosumers: Sequence[str], meters: Sequence[str]) -> dict[bytes, bytes]:
    """Return the private keys by address of everybody who can send in a run.

    Parameters
    ----------
    seed : int
        Of the scenario.
    prosumers, meters : sequence of str
        Connection points and their meters.

    Returns
    -------
    dict of bytes to bytes
        Addresses of 20 bytes, test keys of 32 bytes.
    """
    keyed = [account(seed, name) for name in sender_names(prosumers, meters)]
    return {one.address: one.private_key for one in keyed}
