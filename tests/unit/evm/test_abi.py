"""Hand-packed calldata against eth_abi; decoding of what comes back."""

from __future__ import annotations

import json

import eth_abi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.errors import CalldataError
from cosim.evm.abi import (
    NO_REASON,
    event_decoders,
    pack,
    pack_mixed,
    revert_text,
    unpack_values,
    unpacker,
)

ADDRESS = bytes(range(1, 21))
uints = st.integers(0, 2**256 - 1)
ints = st.integers(-(2**255), 2**255 - 1)
addresses = st.binary(min_size=20, max_size=20)
words = st.binary(min_size=32, max_size=32)


@given(uints, ints, st.booleans(), addresses)
def test_static_values(unsigned: int, signed: int, flag: bool, address: bytes) -> None:
    types = ["uint256", "int256", "bool", "address"]
    data = pack(unsigned, signed, flag, address)
    assert data == eth_abi.encode(types, [unsigned, signed, flag, address])
    assert unpack_values(types, data) == [unsigned, signed, flag, address]


@pytest.mark.parametrize("value", [2**256, -(2**256) - 1, bytes(33)])
def test_what_no_word_holds_is_named(value: int | bytes) -> None:
    with pytest.raises(CalldataError, match="does not fit into a word"):
        pack(1, value)
    with pytest.raises(CalldataError, match="does not fit into a word"):
        pack_mixed([value], 1)


@given(addresses, words, st.lists(words))
def test_words(address: bytes, word: bytes, proof: list[bytes]) -> None:
    types = ["address", "bytes32", "bytes32[]"]
    data = pack_mixed(address, word, proof)
    assert data == eth_abi.encode(types, [address, word, proof])
    assert unpack_values(types, data) == [address, word, proof]


@given(uints, st.lists(addresses, max_size=5), st.lists(uints, max_size=5))
def test_dynamic_arrays(number: int, accounts: list[bytes], energies: list[int]) -> None:
    types = ["uint256", "address[]", "uint256[]"]
    data = pack_mixed(number, accounts, energies)
    assert data == eth_abi.encode(types, [number, accounts, energies])
    assert unpack_values(types, data) == [number, accounts, energies]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", NO_REASON),
        (
            bytes.fromhex("08c379a0") + eth_abi.encode(["string"], ["local market: gate closed"]),
            "local market: gate closed",
        ),
        (
            bytes.fromhex("4e487b71") + eth_abi.encode(["uint256"], [0x11]),
            "panic 0x11: arithmetic overflow or underflow",
        ),
        (b"\x01\x02", "revert data 0x0102"),
    ],
)
def test_revert_text(output: bytes, text: str) -> None:
    assert revert_text(output) == text


def test_events() -> None:
    abi = [
        {
            "type": "event",
            "name": "MeterReported",
            "inputs": [
                {"name": "interval", "type": "uint256", "indexed": True},
                {"name": "net_wh", "type": "int256", "indexed": False},
                {"name": "account", "type": "address", "indexed": True},
                {"name": "estimated", "type": "bool", "indexed": False},
            ],
        },
        {"type": "function", "name": "f", "inputs": []},
    ]
    (decoder,) = event_decoders(abi).values()
    topics, data = [decoder.topic, pack(3), pack(ADDRESS)], pack(-5, True)
    assert decoder.decode(topics, data) == {
        "interval": 3,
        "account": ADDRESS,
        "net_wh": -5,
        "estimated": True,
    }
    assert decoder.to_json([topics, topics], [data, pack(7, False)]) == [
        '{"account":"0x0102030405060708090a0b0c0d0e0f1011121314",'
        f'"estimated":{estimated},"interval":3,"net_wh":{net_wh}}}'
        for estimated, net_wh in (("true", -5), ("false", 7))
    ]


WORDS = {
    "uint256": [0, 1, 2**63, 2**64 - 1, 2**64, 2**256 - 1],
    "int256": [0, -1, 2**63 - 1, -(2**63), 2**63, -(2**255)],
    "bool": [True, False],
    "address": [ADDRESS, bytes(20)],
    "bytes32": [bytes(32), b"\xff" * 32],
}


@pytest.mark.parametrize("plain", WORDS)
@pytest.mark.parametrize("indexed", WORDS)
def test_events_by_columns_are_those_decoded_one_by_one(indexed: str, plain: str) -> None:
    inputs = [
        {"name": "z", "type": indexed, "indexed": True},
        {"name": "b", "type": plain, "indexed": False},
        {"name": "a", "type": "uint256", "indexed": False},
    ]
    (decoder,) = event_decoders([{"type": "event", "name": "E", "inputs": inputs}]).values()
    topics, data = [], []
    for key in WORDS[indexed]:
        for value in WORDS[plain]:
            topics.append((decoder.topic, pack(key)))
            data.append(pack(value, len(data)))
    texts = [
        json.dumps(
            {
                name: f"0x{value.hex()}" if isinstance(value, bytes) else value
                for name, value in decoder.decode(*entry).items()
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        for entry in zip(topics, data, strict=True)
    ]
    assert decoder.to_json(topics, data) == texts
    assert [decoder.to_json([t], [d])[0] for t, d in zip(topics, data, strict=True)] == texts


def test_an_event_without_arguments() -> None:
    (decoder,) = event_decoders([{"type": "event", "name": "E", "inputs": []}]).values()
    assert decoder.to_json([(decoder.topic,)] * 2, [b"", b""]) == ["{}", "{}"]


def test_integers_of_many_events() -> None:
    inputs = [
        {"name": name, "type": kind, "indexed": False}
        for name, kind in (("n", "int256"), ("u", "uint256"), ("who", "address"), ("yes", "bool"))
    ]
    (decoder,) = event_decoders([{"type": "event", "name": "E", "inputs": inputs}]).values()
    found = decoder.integers([pack(-5, 2**63 - 1, ADDRESS, True), pack(6, 0, ADDRESS, False)])
    assert {name: values.tolist() for name, values in found.items()} == {
        "n": [-5, 6],
        "u": [2**63 - 1, 0],
        "yes": [1, 0],
    }
    assert all(values.dtype == np.int64 for values in found.values())
    for n, u in ((2**63, 0), (-(2**63) - 1, 0), (0, 2**63)):
        with pytest.raises(OverflowError, match="does not fit"):
            decoder.integers([pack(n, u, ADDRESS, True)])


@pytest.mark.parametrize("abi_type", ["tuple", "uint256[]", "bytes"])
def test_unknown_types_are_refused(abi_type: str) -> None:
    with pytest.raises(ValueError, match="no decoder"):
        unpacker(abi_type)
