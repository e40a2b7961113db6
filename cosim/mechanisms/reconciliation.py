"""Balance of energy and money: every interval closes to the integer, or the run stops.

Each function compares two sides of one identity and raises
:class:`~cosim.errors.ReconciliationError`, which names the interval, the accounts that differ and
both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.errors import ReconciliationError

_SHOWN = 5


def check_equal(
    interval: int,
    left: Mapping[str, Any],
    right: Mapping[str, Any],
    left_name: str,
    right_name: str,
) -> None:
    """Require that two sources say the same of every account.

    Parameters
    ----------
    interval : int
        Delivery interval.
    left, right : mapping of str to value
        Values by account: integers, or settlements. A missing account differs from any value.
    left_name, right_name : str
        What they are, for the message, e.g. ``balance on chain [µEUR]``.

    Raises
    ------
    ReconciliationError
        Names the accounts that differ.
    """
    if left == right:
        return
    missing = object()
    wrong = [
        account
        for account in sorted(left.keys() | right.keys())
        if left.get(account, missing) != right.get(account, missing)
    ]
    if wrong:
        details = _listed(
            f"{account}: {left.get(account, 'none')} against {right.get(account, 'none')}"
            for account in wrong
        )
        raise ReconciliationError(interval, wrong, f"{left_name} is not {right_name} ({details})")


def check_metering(
    interval: int,
    accounts: Sequence[str],
    reported_wh: npt.ArrayLike,
    delivered_wh: npt.ArrayLike,
) -> None:
    """Require that the meters reported what was physically delivered.

    Parameters
    ----------
    interval : int
        Delivery interval.
    accounts : sequence of str
        The ``n`` accounts.
    reported_wh, delivered_wh : (n,) int
        Net injection on the ledger, and in the grid. [Wh]

    Raises
    ------
    ReconciliationError
        Names the accounts that differ.
    """
    check_equal(
        interval,
        dict(zip(accounts, _integers(reported_wh), strict=True)),
        dict(zip(accounts, _integers(delivered_wh), strict=True)),
        "reported energy [Wh]",
        "delivered energy [Wh]",
    )


def check_trades(
    interval: int,
    accounts: Sequence[str],
    contracted_wh: npt.ArrayLike,
    volume_wh: int,
) -> None:
    """Require that what was sold was bought, and is the volume of the clearing.

    Parameters
    ----------
    interval : int
        Delivery interval.
    accounts : sequence of str
        The ``n`` accounts.
    contracted_wh : (n,) int
        Energy sold, or minus the energy bought. [Wh]
    volume_wh : int
        Volume of the clearing. [Wh]

    Raises
    ------
    ReconciliationError
        Names the accounts with a contract.
    """
    contracted = _integers(contracted_wh)
    sold = sum(energy for energy in contracted if energy > 0)
    bought = -sum(energy for energy in contracted if energy < 0)
    if sold != volume_wh or bought != volume_wh:
        trading = [a for a, energy in zip(accounts, contracted, strict=True) if energy]
        raise ReconciliationError(
            interval,
            trading or ["local market"],
            f"sold {sold} Wh, bought {bought} Wh, cleared {volume_wh} Wh",
        )


def check_total(interval: int, balances_ueur: Mapping[str, int], total_ueur: int) -> None:
    """Require that the balances of all holders add up to a constant.

    Parameters
    ----------
    interval : int
        Delivery interval.
    balances_ueur : mapping of str to int
        Token balance of every holder, contracts included. [µEUR]
    total_ueur : int
        What they must add up to, e.g. the token's total supply. [µEUR]

    Raises
    ------
    ReconciliationError
        Names all holders.
    """
    held = sum(balances_ueur.values())
    if held != total_ueur:
        raise ReconciliationError(
            interval,
            balances_ueur,
            f"token balances add up to {held} µEUR instead of {total_ueur} µEUR, "
            f"{held - total_ueur:+d} µEUR",
        )


def check_held(
    interval: int, contract: str, held_ueur: int, free_ueur: int, locked_ueur: int
) -> None:
    """Require that a contract holds exactly its free balances and what it has locked.

    Parameters
    ----------
    interval : int
        Delivery interval.
    contract : str
        Its name.
    held_ueur : int
        Its token balance. [µEUR]
    free_ueur, locked_ueur : int
        Sum of the free balances; sum of escrows, bonds and proceeds not yet paid out. [µEUR]

    Raises
    ------
    ReconciliationError
        Names the contract.
    """
    if held_ueur != free_ueur + locked_ueur:
        raise ReconciliationError(
            interval,
            [contract],
            f"holds {held_ueur} µEUR but owes {free_ueur} µEUR free and {locked_ueur} µEUR locked, "
            f"{held_ueur - free_ueur - locked_ueur:+d} µEUR",
        )


def _integers(values: npt.ArrayLike) -> list[int]:
    array = np.asarray(values)
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"energies to reconcile are integers, not {array.dtype}")
    return [int(value) for value in array.tolist()]


def _listed(details: Any) -> str:
    listed = list(details)
    shown = "; ".join(listed[:_SHOWN])
    return shown if len(listed) <= _SHOWN else f"{shown}; and {len(listed) - _SHOWN} more"
