# pragma version 0.4.3
"""
@title Refusals of the supply contract
@license Apache-2.0
@notice Texts as numbers: as text each would take 60 to 110 bytes of code at every place of its use.
@dev Up to 22 letters after "supplier: ", the first in the lowest five bits: 1 is a, 26 is z, 0 a
     space, which none ends with.
"""

# "supplier: not open yet"
NOT_OPEN: constant(uint256) = 727085536173380078
# "supplier: not your meter"
NOT_YOUR_METER: constant(uint256) = 670574057654882161134
# "supplier: meter in use"
METER_IN_USE: constant(uint256) = 202275445857767597
# "supplier: deposit out of range"
DEPOSIT_OUT_OF_RANGE: constant(uint256) = 207279474513117032474547306660
# "supplier: nothing to end"
NOTHING_TO_END: constant(uint256) = 163895547403076653550
# "supplier: not yours to end"
NOT_YOURS_TO_END: constant(uint256) = 167829040554095196262894
# "supplier: bills to come"
BILLS_TO_COME: constant(uint256) = 6249976472890913058
# "supplier: not declaration phase"
NOT_DECLARATION_PHASE: constant(uint256) = 7092487329981662416503314600430
# "supplier: energy out of range"
ENERGY_OUT_OF_RANGE: constant(uint256) = 6477483578534907264995235269
# "supplier: not subscribed"
NOT_SUBSCRIBED: constant(uint256) = 153421388078849741294
# "supplier: already declared"
ALREADY_DECLARED: constant(uint256) = 157684357167184688105857
# "supplier: not payment phase"
NOT_PAYMENT_PHASE: constant(uint256) = 6763923012755852894425582
# "supplier: not your bill yet"
NOT_YOUR_BILL: constant(uint256) = 24396940119733033554170350
# "supplier: no bill due"
NO_BILL_DUE: constant(uint256) = 6372782691647982
# "supplier: payments not over"
PAYMENTS_NOT_OVER: constant(uint256) = 21976086568313800264967216
# "supplier: already final"
ALREADY_FINAL: constant(uint256) = 13887172734394485121
# "supplier: not the supplier"
NOT_THE_SUPPLIER: constant(uint256) = 686270203323117027217902
# "supplier: price above the cap"
PRICE_ABOVE_CAP: constant(uint256) = 19849359253423455396240139856
# "supplier: price is fixed"
PRICE_IS_FIXED: constant(uint256) = 154213596109063956048
# "supplier: token transfer failed"
TRANSFER_FAILED: constant(uint256) = 5283877694575548272221530271220
# what each begins with
PREFIX: constant(uint256) = 545238516681562785987104


@internal
@pure
def _refuse(cause: uint256):
    rest: uint256 = cause
    text: uint256 = PREFIX
    length: uint256 = 10
    for _: uint256 in range(22):
        if rest == 0:
            break
        letter: uint256 = rest & 31
        text = (text << 8) | letter | 32 | (convert(letter != 0, uint256) << 6)
        length = unsafe_add(length, 1)
        rest >>= 5
    raw_revert(
        concat(
            method_id("Error(string)", output_type=bytes4),
            convert(32, bytes32),
            convert(length, bytes32),
            convert(text << unsafe_sub(256, unsafe_mul(8, length)), bytes32),
        )
    )
