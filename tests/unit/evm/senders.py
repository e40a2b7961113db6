"""Accounts that send in the suite that all engines share: a node wants their signatures."""

from __future__ import annotations

from cosim.evm.accounts import account

KEYED = tuple(account(1, name) for name in ("deployer", "seller"))
