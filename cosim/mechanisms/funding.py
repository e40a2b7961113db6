"""Set-up of a mechanism's contract, in ordinary transactions before the first order window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cosim.chain.blocks import Included
from cosim.chain.client import ContractClient
from cosim.mechanisms.deployment import Deployment, mine_all


def issue(
    deployment: Deployment, client: ContractClient, amounts_ueur: Mapping[bytes, int]
) -> list[int]:
    """Send accounts tokens, and let a contract take as many of each.

    Parameters
    ----------
    deployment : Deployment
    client : ContractClient
        The contract.
    amounts_ueur : mapping of bytes to int
        By account. [µEUR]

    Returns
    -------
    list of int
        Handles of the transactions.
    """
    token, issuer = deployment.token, deployment.issuer.address
    handles = [token.mint(issuer, account, amount) for account, amount in amounts_ueur.items()]
    return handles + [
        token.approve(account, client.address, amount) for account, amount in amounts_ueur.items()
    ]


def mined(client: ContractClient, handles: Iterable[int], opens_s: int) -> list[Included]:
    """Mine until the mempool is empty, and require that transactions succeeded.

    Parameters
    ----------
    client : ContractClient
        Explains a refusal.
    handles : iterable of int
    opens_s : int
        When the first order window opens, Unix time. [s]

    Raises
    ------
    ContractRevert
        If a contract refused.
    EngineError
        If the window opens first.
    """
    mine_all(client.chain, opens_s)
    return client.check_all(handles)
