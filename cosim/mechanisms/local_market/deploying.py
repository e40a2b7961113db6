"""Deployment of the local market's two contracts, which know each other from the first block on."""

from __future__ import annotations

from cosim.chain.chain import Chain
from cosim.chain.functions import Static
from cosim.mechanisms.local_market.client import LocalMarket
from cosim.mechanisms.local_market.settlement_client import MarketSettlement, next_settlement

NOBODY = bytes(20)


def deploy_market(
    chain: Chain,
    sender: bytes,
    *terms: object,
    dso: bytes = NOBODY,
    state: bytes = NOBODY,
    **by_name: Static,
) -> tuple[LocalMarket, MarketSettlement]:
    """Deploy the market, and right after it its settlement.

    Parameters
    ----------
    chain : Chain
        Mined by two blocks.
    sender : bytes
        Deploying account, without a transaction in the mempool.
    *terms
        Hold arguments of the two constructors as attributes under their names.
    dso, state : bytes
        Who network charges and taxes are passed on to; nobody where there are none.
    **by_name
        Other arguments of the market's constructor.

    Raises
    ------
    TypeError
        If an argument is missing or unknown.
    ContractRevert
        If a constructor refuses.
    """
    settlement = next_settlement(chain.engine, sender)
    market = LocalMarket.deploy(chain, sender, *terms, settlement=settlement, **by_name)
    settling = MarketSettlement.deploy(
        chain, sender, *terms, local_market=market.address, dso=dso, state=state
    )
    return market, settling
