"""Every method of the electricity supply contract."""

from __future__ import annotations

from cosim.gas.bench import (
    BLOCK_S,
    DEPLOY,
    ISSUER,
    OPERATOR,
    RETAIL,
    SILENT_ESTIMATE_WH,
    UNLIMITED,
    Bench,
    account,
)
from cosim.gas.cases import GasCases, Published
from cosim.mechanisms.supply_contract.published_gas import DEPLOYMENTS, METHODS
from cosim.mechanisms.supply_contract.terms import SupplyTerms

PERIOD_BLOCKS, DECLARATION_BLOCKS, PAYMENT_BLOCKS = 100, 30, 40
SUBSCRIPTION_BLOCKS = 50
DEPOSIT_UEUR = 12_345_678
CUSTOMERS = ("customer 1", "customer 2", "customer 3", "customer 4")
ENERGY_WH = 4_321
SUPPLIER = "deployer of Supplier"


def supplier(bench: Bench) -> None:
    """Deploy and measure the supply contract: two periods, the second with a silent meter."""
    first_block = bench.block_number + SUBSCRIPTION_BLOCKS + 10
    terms = SupplyTerms(
        first_block=first_block,
        period_blocks=PERIOD_BLOCKS,
        subscription_blocks=SUBSCRIPTION_BLOCKS,
        declaration_blocks=DECLARATION_BLOCKS,
        payment_blocks=PAYMENT_BLOCKS,
        price_ueur_per_kwh=RETAIL,
        price_cap_ueur_per_kwh=2 * RETAIL,
        silent_estimate_wh=SILENT_ESTIMATE_WH,
        least_deposit_ueur=DEPOSIT_UEUR // 2,
        credit_limit_ueur=DEPOSIT_UEUR,
    )
    token, meters = bench.contracts["EuroToken"], bench.contracts["SmartMeters"]
    contract = bench.deploy("Supplier", terms, token=token.address, meters=meters.address)

    def go_to(block: int) -> None:
        bench.at(bench.now_s + BLOCK_S, block)

    def meter_of(name: str) -> bytes:
        return account(f"meter of {name}")

    for name in CUSTOMERS:
        meters.do(OPERATOR, "registerMeter", meter_of(name), account(name))
        token.do(ISSUER, "mint", account(name), 100 * DEPOSIT_UEUR)
        token.do(name, "approve", contract.address, UNLIMITED)
    go_to(first_block - SUBSCRIPTION_BLOCKS)
    first, second, third, _ = CUSTOMERS
    contract.measure(first, "subscribeUser", meter_of(first), 0, DEPOSIT_UEUR, case="first")
    contract.measure(second, "subscribeUser", meter_of(second), 0, DEPOSIT_UEUR)
    for name in CUSTOMERS[2:]:
        contract.do(name, "subscribeUser", meter_of(name), 0, DEPOSIT_UEUR)
    contract.measure(first, "topUp", meter_of(first), DEPOSIT_UEUR)

    ends = first_block + PERIOD_BLOCKS
    go_to(ends)
    for name in CUSTOMERS:
        act = contract.measure if name == second else contract.do
        act(f"meter of {name}", "declarePeriod", 0, ENERGY_WH)
    go_to(ends + DECLARATION_BLOCKS)
    for name in CUSTOMERS:
        act = contract.measure if name == second else contract.do
        act(name, "paymentPeriod", 0, account(name), meter_of(name))
    go_to(ends + DECLARATION_BLOCKS + PAYMENT_BLOCKS)
    contract.measure(SUPPLIER, "finalize", 0)
    contract.measure(SUPPLIER, "withdrawProceeds", case="first")
    contract.measure(SUPPLIER, "setPrice", 3, RETAIL + 12_345)

    # in the second period one customer leaves, one is silent, one has too little left
    contract.measure(first, "unsubscribeUser", account(first), meter_of(first))
    ends += PERIOD_BLOCKS
    go_to(ends)
    contract.do(f"meter of {first}", "declarePeriod", 1, ENERGY_WH)
    contract.do(f"meter of {second}", "declarePeriod", 1, ENERGY_WH * 100_000)
    go_to(ends + DECLARATION_BLOCKS)
    for name, case in ((first, "a later price is set"), (second, "bill above the deposit")):
        contract.measure(name, "paymentPeriod", 1, account(name), meter_of(name), case=case)
    contract.measure(first, "withdraw", meter_of(first))
    go_to(ends + PERIOD_BLOCKS)
    case = "an earlier period unpaid"
    contract.measure(f"meter of {third}", "declarePeriod", 2, ENERGY_WH, case=case)
    go_to(ends + PERIOD_BLOCKS + DECLARATION_BLOCKS + PAYMENT_BLOCKS)
    contract.do("anyone", "finalize", 2)
    contract.measure(
        SUPPLIER, "unsubscribeUser", account(second), meter_of(second), case="who owes too much"
    )
    fourth = CUSTOMERS[3]
    meters.do(OPERATOR, "unregisterMeter", meter_of(fourth))
    meters.do(OPERATOR, "registerMeter", meter_of(fourth), account(first))
    case = "after another customer"
    contract.measure(first, "subscribeUser", meter_of(fourth), 0, DEPOSIT_UEUR, case=case)
    contract.measure(SUPPLIER, "withdrawProceeds")


PUBLISHED = {
    (row.contract, row.method): Published(row.gas, row.gas_now, row.gas_warm, row.beyond)
    for row in METHODS
} | {
    (row.contract, DEPLOY): Published(row.gas, row.gas_now, row.gas_now, row.beyond)
    for row in DEPLOYMENTS
}
CASES = GasCases(supplier, place=5, published=PUBLISHED)
