"""Names of the registry, and the texts that become one."""

import pytest

from cosim.errors import ContractRevert, UserError
from cosim.mechanisms.name_registry.model import NameRegistryModel
from cosim.mechanisms.name_registry.names import canonical_name, is_canonical, name_word, word_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LV1.101 Bus 4", "lv1.101-bus-4"),
        ("bus_7", "bus-7"),
        ("A", "a"),
        ("x" * 32, "x" * 32),
    ],
)
def test_names_of_connection_points(text: str, name: str) -> None:
    assert canonical_name(text) == name
    assert word_name(name_word(name)) == name


@pytest.mark.parametrize(
    "text", ["", " bus", "bus ", "bus  4", "bus (4)", "Büro", "\u212a1", "x" * 33, "bus\0", "a\n"]
)
def test_other_texts_are_no_names(text: str) -> None:
    with pytest.raises(UserError, match="cannot be registered"):
        canonical_name(text)


def test_words() -> None:
    assert name_word("a") == b"a" + bytes(31)
    assert is_canonical(b"a" + bytes(31))
    assert not is_canonical(b"a")
    with pytest.raises(ValueError, match="more than 32"):
        name_word("x" * 33)
    with pytest.raises(ValueError, match="not a name"):
        word_name(b"A" + bytes(31))


def test_model_refuses_what_the_contract_refuses_at_deployment() -> None:
    with pytest.raises(ContractRevert, match="an update must cost less"):
        NameRegistryModel("operator", 5, 5, 60, 600)
    with pytest.raises(ContractRevert, match="zero address"):
        NameRegistryModel("", 5, 4, 60, 600)
    with pytest.raises(ContractRevert, match="ages out of range"):
        NameRegistryModel("operator", 5, 4, 60, 60)
