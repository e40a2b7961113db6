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
    for name, case in zip(CUSTOMERS, ("first", "", None, None), strict=True):
        arguments = (meter_of(name), 0, DEPOSIT_UEUR)
        if case is None:
            contract.do(name, "subscribeUser", *arguments)
        else:
            contract.measure(name, "subscribeUser", *arguments, case=case)
    contract.measure(CUSTOMERS[0], "topUp", meter_of(CUSTOMERS[0]), DEPOSIT_UEUR)

    ends = first_block + PERIOD_BLOCKS
    go_to(ends)
    for name in CUSTOMERS:
        if name == CUSTOMERS[1]:
            contract.measure(f"meter of {name}", "declarePeriod", 0, ENERGY_WH)
        else:
            contract.do(f"meter of {name}", "declarePeriod", 0, ENERGY_WH)
    go_to(ends + DECLARATION_BLOCKS)
    for name in CUSTOMERS:
        bill = (0, account(name), meter_of(name))
        if name == CUSTOMERS[1]:
            contract.measure(name, "paymentPeriod", *bill)
        else:
            contract.do(name, "paymentPeriod", *bill)
    go_to(ends + DECLARATION_BLOCKS + PAYMENT_BLOCKS)
    contract.measure(SUPPLIER, "finalize", 0)
    contract.measure(SUPPLIER, "withdrawProceeds", case="first")
    contract.measure(SUPPLIER, "setPrice", 3, RETAIL + 12_345)

    # in the second period one customer leaves, one is silent, one has too little left
    contract.measure(CUSTOMERS[0], "unsubscribeUser", meter_of(CUSTOMERS[0]))
    ends += PERIOD_BLOCKS
    go_to(ends)
    contract.do(f"meter of {CUSTOMERS[0]}", "declarePeriod", 1, ENERGY_WH)
    contract.do(f"meter of {CUSTOMERS[1]}", "declarePeriod", 1, ENERGY_WH * 100_000)
    go_to(ends + DECLARATION_BLOCKS)
    contract.measure(
        CUSTOMERS[0],
        "paymentPeriod",
        1,
        account(CUSTOMERS[0]),
        meter_of(CUSTOMERS[0]),
        case="a later price is set",
    )
    contract.measure(
        CUSTOMERS[1],
        "paymentPeriod",
        1,
        account(CUSTOMERS[1]),
        meter_of(CUSTOMERS[1]),
        case="bill above the deposit",
    )
    contract.measure(CUSTOMERS[0], "withdraw", meter_of(CUSTOMERS[0]))
    go_to(ends + PERIOD_BLOCKS)
    contract.measure(
        f"meter of {CUSTOMERS[2]}",
        "declarePeriod",
        2,
        ENERGY_WH,
        case="an earlier period unpaid",
    )
    go_to(ends + PERIOD_BLOCKS + DECLARATION_BLOCKS + PAYMENT_BLOCKS)
    contract.do("anyone", "finalize", 2)
    contract.measure(SUPPLIER, "withdrawProceeds")


PUBLISHED = {
    (row.contract, row.method): Published(row.gas, row.gas_now, row.gas_warm, row.beyond)
    for row in METHODS
} | {
    (row.contract, DEPLOY): Published(row.gas, row.gas_now, row.gas_now, row.beyond)
    for row in DEPLOYMENTS
}
CASES = GasCases(supplier, place=5, published=PUBLISHED)
