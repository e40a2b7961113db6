"""Every identity, broken once: the message names the interval, the accounts and both sides."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from cosim.errors import ReconciliationError
from cosim.mechanisms import reconciliation as check

ACCOUNTS = ("ann", "bob", "cem")


@pytest.mark.parametrize(
    ("broken", "accounts", "text"),
    [
        (
            lambda: check.check_metering(9, ACCOUNTS, [5, -3, 0], [5, -4, 1]),
            ("bob", "cem"),
            "reported energy [Wh] is not delivered energy [Wh] "
            "(bob: -3 against -4; cem: 0 against 1)",
        ),
        (
            lambda: check.check_trades(9, ACCOUNTS, [5, -3, 0], 5),
            ("ann", "bob"),
            "sold 5 Wh, bought 3 Wh, cleared 5 Wh",
        ),
        (
            lambda: check.check_trades(9, ACCOUNTS, [0, 0, 0], 5),
            ("local market",),
            "sold 0 Wh, bought 0 Wh, cleared 5 Wh",
        ),
        (
            lambda: check.check_total(9, {"ann": 3, "market": 4}, 8),
            ("ann", "market"),
            "token balances add up to 7 µEUR instead of 8 µEUR, -1 µEUR",
        ),
        (
            lambda: check.check_held(9, "local market", 10, 5, 4),
            ("local market",),
            "holds 10 µEUR but owes 5 µEUR free and 4 µEUR locked, +1 µEUR",
        ),
        (
            lambda: check.check_equal(9, {"ann": 1}, {"ann": 1, "bob": 2}, "chain", "model"),
            ("bob",),
            "chain is not model (bob: none against 2)",
        ),
    ],
)
def test_broken_identity(broken: Callable[[], None], accounts: tuple[str, ...], text: str) -> None:
    with pytest.raises(ReconciliationError, match=re.escape(text)) as error:
        broken()
    assert error.value.interval == 9
    assert error.value.accounts == accounts
    assert str(error.value).startswith(f"interval 9, {', '.join(accounts)}: ")


def test_balanced_interval_passes_and_one_more_wh_does_not() -> None:
    delivered = np.array([5, -3, -2], dtype=np.int64)
    check.check_metering(0, ACCOUNTS, delivered, delivered.copy())
    check.check_trades(0, ACCOUNTS, delivered, 5)
    check.check_held(0, "local market", 9, 5, 4)
    check.check_total(0, {"ann": 3}, 3)
    with pytest.raises(ReconciliationError):
        check.check_metering(0, ACCOUNTS, delivered + 1, delivered)


def test_long_lists_are_cut_in_the_text_and_complete_in_the_error() -> None:
    accounts = [f"a{k:02}" for k in range(12)]
    with pytest.raises(ReconciliationError, match="a04: 1 against 0; and 7 more") as error:
        check.check_metering(0, accounts, [1] * 12, [0] * 12)
    assert error.value.accounts == tuple(accounts)


def test_floats_are_not_reconciled() -> None:
    with pytest.raises(TypeError, match="integers"):
        check.check_metering(0, ["ann"], [1.0], [1.0])
