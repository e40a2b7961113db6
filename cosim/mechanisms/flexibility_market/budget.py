"""Budget of the DSO: how much of its requests the deposit covers."""

from __future__ import annotations

from cosim.units import WH_PER_KWH, amount_due_ueur


def affordable_wh(
    down_wh: int, up_wh: int, price_cap_ueur_per_kwh: int, free_ueur: int
) -> tuple[int, int]:
    """Return the requests of a round as far as a free balance covers them at the price cap.

    Where it does not cover both in full, both directions are cut by the same factor; what rounding
    leaves goes to raising.

    Parameters
    ----------
    down_wh, up_wh : int
        Wanted, lowering and raising net injection. [Wh]
    price_cap_ueur_per_kwh : int
        At which the contract takes a request's cost into escrow. [µEUR/kWh]
    free_ueur : int
        Free balance of the DSO. [µEUR]

    Returns
    -------
    tuple of int
        The most that is asked for, down and up. [Wh]
    """
    cap = price_cap_ueur_per_kwh
    if amount_due_ueur(down_wh, cap) + amount_due_ueur(up_wh, cap) <= free_ueur:
        return down_wh, up_wh
    whole_wh = down_wh + up_wh
    down = down_wh * min(free_ueur * WH_PER_KWH // cap, whole_wh) // whole_wh
    left_ueur = free_ueur - amount_due_ueur(down, cap)
    return down, min(up_wh, left_ueur * WH_PER_KWH // cap)
