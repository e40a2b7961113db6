"""Typed clients of the deployed contracts: energy in Wh and money in µEUR in, Python values out.

A function that changes state is submitted to the chain and returns the handle of its transaction;
a view is answered at once from the state after the latest block.
"""

from cosim.ledger.clients.base import ContractClient
from cosim.ledger.clients.euro_token import EuroToken
from cosim.ledger.clients.flexibility_market import FlexibilityMarket
from cosim.ledger.clients.green_certificates import GreenCertificates
from cosim.ledger.clients.local_market import LocalMarket
from cosim.ledger.clients.name_registry import NameRegistry
from cosim.ledger.clients.smart_meters import SmartMeters
from cosim.ledger.clients.supplier import Supplier

__all__ = [
    "ContractClient",
    "EuroToken",
    "FlexibilityMarket",
    "GreenCertificates",
    "LocalMarket",
    "NameRegistry",
    "SmartMeters",
    "Supplier",
]
