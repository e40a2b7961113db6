"""Names: what is one, who may write, what it costs; the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from market_world import GAS_LIMIT, Contract, address, double
from registry_world import (
    BENEFICIARY,
    MAX_AGE_S,
    MIN_AGE_S,
    REGISTRATION_FEE,
    RICH,
    SECRET,
    UPDATE_FEE,
    RegistryWorld,
    account_word,
    word,
)

from cosim.errors import ContractRevert
from cosim.mechanisms.name_registry.names import commitment_of, is_canonical

NAME = word("lv1.101-bus-4")


@pytest.fixture(scope="module", params=["revm", "py-evm"])
def deployed(request: pytest.FixtureRequest) -> RegistryWorld:
    """A registry, and accounts with tokens."""
    world = RegistryWorld(request.param)
    for account in ("ann", "bob"):
        world.fund(account)
    return world


@pytest.fixture
def world(deployed: RegistryWorld) -> Iterator[RegistryWorld]:
    """The deployed registry, put back afterwards."""
    snapshot, now = deployed.engine.snapshot(), (deployed.block, deployed.now_s)
    yield deployed
    deployed.engine.restore(snapshot)
    deployed.block, deployed.now_s = now
    deployed.engine.set_block(*now, GAS_LIMIT)


def refused(
    world: RegistryWorld, text: str, sender: str, function: str, *arguments: object
) -> None:
    """The call is refused with a text and changes nothing."""
    root, tokens = world.root(), world.engine.storage_root(world.token.address)
    with pytest.raises(ContractRevert) as error:
        world.registry.send(sender, function, *arguments)
    assert error.value.text == text
    assert (world.root(), world.engine.storage_root(world.token.address)) == (root, tokens)


def test_constants(world: RegistryWorld) -> None:
    get = world.registry.get
    assert get("TOKEN") == world.token.address
    assert get("BENEFICIARY") == address(BENEFICIARY)
    assert (get("REGISTRATION_FEE_UEUR"), get("UPDATE_FEE_UEUR")) == (REGISTRATION_FEE, UPDATE_FEE)
    ages = (get("MIN_COMMITMENT_AGE_S"), get("MAX_COMMITMENT_AGE_S"))
    assert ages == (MIN_AGE_S, MAX_AGE_S)


@pytest.mark.parametrize("fees", [(0, 0), (5, 5), (5, 6)])
def test_an_update_costs_less_than_a_name(world: RegistryWorld, fees: tuple[int, int]) -> None:
    with pytest.raises(ContractRevert, match="name registry: an update must cost less"):
        world.deploy(world.token.address, *fees)


def test_zero_addresses_are_refused(world: RegistryWorld) -> None:
    for token, beneficiary in ((bytes(20), address("x")), (world.token.address, bytes(20))):
        with pytest.raises(ContractRevert, match="name registry: zero address"):
            world.deploy(token, 2, 1, beneficiary)


@pytest.mark.parametrize("ages", [(0, 5), (5, 5), (6, 5), (5, 2**64)])
def test_a_commitment_ages_before_it_is_too_old(
    world: RegistryWorld, ages: tuple[int, int]
) -> None:
    with pytest.raises(ContractRevert) as error:
        world.deploy(world.token.address, min_age_s=ages[0], max_age_s=ages[1])
    assert error.value.text == "name registry: ages out of range"


def test_shortest_and_longest_ages(world: RegistryWorld) -> None:
    registry = world.deploy(world.token.address, min_age_s=1, max_age_s=2**64 - 1)
    world.token.send("ann", "approve", registry.address, REGISTRATION_FEE)
    commitment = world.commitment("ann", NAME, NAME, registry=registry)
    registry.send("ann", "commitName", commitment)
    world.wait(1)
    registry.send("ann", "registerName", NAME, NAME, SECRET)
    assert registry.get("resolve", NAME) == NAME


def test_registered_name_resolves(world: RegistryWorld) -> None:
    commitment = world.commitment("ann", NAME, account_word("ann"))
    done = world.registry.send("ann", "commitName", commitment)
    assert done.events == [("NameCommitted", {"account": address("ann"), "commitment": commitment})]
    assert world.registry.get("committedAt", address("ann"), commitment) == world.now_s
    arguments = (NAME, account_word("ann"), SECRET)
    assert world.registry.get("commitmentOf", address("ann"), *arguments) == commitment
    world.wait()
    done = world.registry.send("ann", "registerName", *arguments)
    assert world.registry.get("committedAt", address("ann"), commitment) == 0
    event = {
        "name": NAME,
        "owner": address("ann"),
        "value": account_word("ann"),
        "fee_ueur": REGISTRATION_FEE,
    }
    assert done.events == [("NameRegistered", event)]
    assert world.registry.get("resolve", NAME) == account_word("ann")
    assert world.registry.get("ownerOf", NAME) == address("ann")
    assert world.tokens("ann") == RICH - REGISTRATION_FEE
    assert world.registry.get("feesDue") == world.tokens(world.registry.address) == REGISTRATION_FEE


def test_a_name_has_one_owner(world: RegistryWorld) -> None:
    world.register("ann", "flat-3")
    for account in ("ann", "bob"):
        text = "name registry: name taken"
        arguments = (word("flat-3"), account_word("bob"))
        world.commit(account, arguments)
        refused(world, text, account, "registerName", *arguments, SECRET)


def test_a_name_is_registered_at_the_age_of_its_commitment_and_once(world: RegistryWorld) -> None:
    arguments = (NAME, account_word("ann"), SECRET)
    refused(world, "name registry: not committed", "ann", "registerName", *arguments)
    commitment = world.commitment("ann", *arguments)
    world.registry.send("ann", "commitName", commitment)
    refused(world, "name registry: already committed", "ann", "commitName", commitment)
    world.wait(MIN_AGE_S - 1)
    refused(world, "name registry: commitment too new", "ann", "registerName", *arguments)
    for other in (
        (NAME, account_word("bob"), SECRET),
        (word("b"), account_word("ann"), SECRET),
        (NAME, account_word("ann"), bytes(32)),
    ):
        refused(world, "name registry: not committed", "ann", "registerName", *other)
    world.wait(1)
    world.registry.send("ann", "registerName", *arguments)
    world.registry.send("ann", "releaseName", NAME)
    refused(world, "name registry: not committed", "ann", "registerName", *arguments)


def test_a_commitment_too_old_is_made_again(world: RegistryWorld) -> None:
    arguments = (NAME, account_word("ann"), SECRET)
    commitment = world.commitment("ann", *arguments)
    world.registry.send("ann", "commitName", commitment)
    world.wait(MAX_AGE_S)
    refused(world, "name registry: already committed", "ann", "commitName", commitment)
    world.wait(1)
    refused(world, "name registry: commitment too old", "ann", "registerName", *arguments)
    world.registry.send("ann", "commitName", commitment)
    world.wait(MAX_AGE_S)
    world.registry.send("ann", "registerName", *arguments)


def test_a_front_runner_who_copies_commitment_and_reveal_gets_nothing(
    world: RegistryWorld,
) -> None:
    """Every pending transaction of ann is copied, and the copy is in the block before it."""
    arguments = (NAME, account_word("ann"), SECRET)
    commitment = world.commitment("ann", *arguments)
    world.registry.send("bob", "commitName", commitment)
    world.registry.send("ann", "commitName", commitment)
    world.wait()
    refused(world, "name registry: not committed", "bob", "registerName", *arguments)
    # the reveal tells bob the name: a commitment of his own comes too late
    own = (NAME, account_word("bob"), SECRET)
    world.registry.send("bob", "commitName", world.commitment("bob", *own))
    refused(world, "name registry: commitment too new", "bob", "registerName", *own)
    world.registry.send("ann", "registerName", *arguments)
    world.wait()
    refused(world, "name registry: name taken", "bob", "registerName", *own)
    assert world.registry.get("resolve", NAME) == account_word("ann")


def test_a_commitment_holds_for_one_registry(world: RegistryWorld) -> None:
    other = world.deploy(world.token.address)
    arguments = (NAME, account_word("ann"), SECRET)
    other.send("ann", "commitName", world.commitment("ann", *arguments))
    world.wait()
    with pytest.raises(ContractRevert, match="name registry: not committed"):
        other.send("ann", "registerName", *arguments)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "0",
        "lv1.101-bus-4",
        "a-b.c-d",
        "z" * 32,
        "a-" * 15 + "zz",
        "",
        " ",
        "-",
        ".a",
        "a.",
        "a-",
        "a--b",
        "a.-b",
        "A",
        "lv1 bus",
        "a_b",
        "caf\u00e9",
        "\u0430nn",  # Cyrillic а
        "`",
        "{",
        "/",
        ":",
        "a" * 31 + "-",
        b"ann\0bob",
        b"\0ann",
        b"ann\0\0\x01",
        b"\xff" * 32,
        b"ann".rjust(32, b"\0"),
    ],
)
def test_one_encoding_of_a_name(world: RegistryWorld, text: str | bytes) -> None:
    name = word(text)
    canonical = is_canonical(name)
    assert world.registry.get("isCanonical", name) == canonical
    world.commit("ann", (name, name))
    if canonical:
        world.registry.send("ann", "registerName", name, name, SECRET)
        assert world.registry.get("resolve", name) == name
    else:
        text = "name registry: not a canonical name"
        refused(world, text, "ann", "registerName", name, name, SECRET)


def test_letters_of_a_name(world: RegistryWorld) -> None:
    letters = b"abcdefghijklmnopqrstuvwxyz0123456789-."
    names = {byte: word(b"a" + bytes([byte]) + b"a") for byte in range(256)}
    taken = [byte for byte, name in names.items() if world.registry.get("isCanonical", name)]
    assert taken == sorted(letters)


def test_a_free_name_does_not_resolve(world: RegistryWorld) -> None:
    with pytest.raises(ContractRevert, match="name registry: not registered"):
        world.registry.get("resolve", NAME)
    assert world.registry.get("ownerOf", NAME) == bytes(20)


def test_update_costs_the_smaller_fee(world: RegistryWorld) -> None:
    world.register("ann", "flat-3")
    done = world.registry.send("ann", "updateValue", word("flat-3"), bytes(32))
    updated = {
        "name": word("flat-3"),
        "owner": address("ann"),
        "value": bytes(32),
        "fee_ueur": UPDATE_FEE,
    }
    assert done.events == [("ValueUpdated", updated)]
    assert world.registry.get("resolve", word("flat-3")) == bytes(32)
    assert world.tokens("ann") == RICH - REGISTRATION_FEE - UPDATE_FEE


def test_updates_can_be_free(world: RegistryWorld) -> None:
    registry = world.deploy(world.token.address, 1, 0)
    world.token.send("ann", "approve", registry.address, 1)
    world.commit("ann", (NAME, NAME), registry=registry)
    registry.send("ann", "registerName", NAME, NAME, SECRET)
    registry.send("ann", "updateValue", NAME, word("b"))
    assert registry.get("resolve", NAME) == word("b")
    assert registry.get("feesDue") == 1


@pytest.mark.parametrize(
    ("function", "more"),
    [("updateValue", (bytes(32),)), ("offerName", (address("bob"),)), ("releaseName", ())],
)
def test_only_the_owner_writes(world: RegistryWorld, function: str, more: tuple[bytes]) -> None:
    world.register("ann", "flat-3")
    text = "name registry: not the owner"
    refused(world, text, "bob", function, word("flat-3"), *more)
    refused(world, text, "bob", function, word("free"), *more)
    refused(world, text, BENEFICIARY, function, word("flat-3"), *more)


def test_name_goes_to_whom_it_was_offered(world: RegistryWorld) -> None:
    world.register("ann", "flat-3")
    done = world.registry.send("ann", "offerName", word("flat-3"), address("bob"))
    offer = {"name": word("flat-3"), "owner": address("ann"), "successor": address("bob")}
    assert done.events == [("NameOffered", offer)]
    assert world.registry.get("ownerOf", word("flat-3")) == address("ann")
    assert world.registry.get("successorOf", word("flat-3")) == address("bob")
    for stranger in ("cem", "ann"):
        refused(world, "name registry: not offered to you", stranger, "acceptName", word("flat-3"))
    done = world.registry.send("bob", "acceptName", word("flat-3"))
    assert done.events == [("NameTransferred", offer)]
    assert world.registry.get("ownerOf", word("flat-3")) == address("bob")
    assert world.registry.get("resolve", word("flat-3")) == account_word("ann")
    refused(world, "name registry: not the owner", "ann", "updateValue", word("flat-3"), bytes(32))
    refused(world, "name registry: not offered to you", "bob", "acceptName", word("flat-3"))


def test_an_offer_can_be_taken_back(world: RegistryWorld) -> None:
    world.register("ann", "flat-3")
    world.registry.send("ann", "offerName", word("flat-3"), address("bob"))
    world.registry.send("ann", "offerName", word("flat-3"), bytes(20))
    refused(world, "name registry: not offered to you", "bob", "acceptName", word("flat-3"))


def test_released_name_is_free_and_its_offer_void(world: RegistryWorld) -> None:
    world.register("ann", "flat-3")
    world.registry.send("ann", "offerName", word("flat-3"), address("bob"))
    done = world.registry.send("ann", "releaseName", word("flat-3"))
    released = {"name": word("flat-3"), "owner": address("ann")}
    assert done.events == [("NameReleased", released)]
    refused(world, "name registry: not offered to you", "bob", "acceptName", word("flat-3"))
    world.register("bob", "flat-3")
    assert world.registry.get("ownerOf", word("flat-3")) == address("bob")
    assert world.registry.get("successorOf", word("flat-3")) == bytes(20)


def test_beneficiary_collects_every_fee_once(world: RegistryWorld) -> None:
    refused(world, "name registry: no fees", BENEFICIARY, "collectFees")
    world.register("ann", "flat-3")
    world.registry.send("ann", "updateValue", word("flat-3"), bytes(32))
    refused(world, "name registry: not the beneficiary", "ann", "collectFees")
    done = world.registry.send(BENEFICIARY, "collectFees")
    assert done.events == [("FeesCollected", {"amount_ueur": REGISTRATION_FEE + UPDATE_FEE})]
    assert world.tokens(BENEFICIARY) == REGISTRATION_FEE + UPDATE_FEE
    assert world.registry.get("feesDue") == world.tokens(world.registry.address) == 0
    refused(world, "name registry: no fees", BENEFICIARY, "collectFees")


def test_who_cannot_pay_gets_nothing(world: RegistryWorld) -> None:
    arguments = (word("flat-3"), bytes(32), SECRET)
    world.commit("cem", arguments[:2])
    refused(world, "euro token: allowance too low", "cem", "registerName", *arguments)
    world.token.send("cem", "approve", world.registry.address, REGISTRATION_FEE)
    refused(world, "euro token: balance too low", "cem", "registerName", *arguments)
    assert world.registry.get("ownerOf", word("flat-3")) == bytes(20)


def test_token_that_says_no(world: RegistryWorld) -> None:
    token = Contract(world.engine, double("RefusingToken"))
    registry = world.deploy(token.address)
    world.commit("ann", (NAME, NAME), (word("b"), NAME), registry=registry)
    registry.send("ann", "registerName", NAME, NAME, SECRET)
    token.send("anyone", "refuse")
    calls = (
        ("ann", "registerName", (word("b"), NAME, SECRET)),
        ("ann", "updateValue", (NAME, bytes(32))),
        (BENEFICIARY, "collectFees", ()),
    )
    for sender, function, arguments in calls:
        root = world.engine.storage_root(registry.address)
        with pytest.raises(ContractRevert, match="name registry: token transfer failed"):
            registry.send(sender, function, *arguments)
        assert world.engine.storage_root(registry.address) == root


@pytest.mark.parametrize("function", ["registerName", "collectFees"])
def test_token_cannot_reenter(world: RegistryWorld, function: str) -> None:
    token = Contract(world.engine, double("ReentrantRegistryToken"))
    registry = world.deploy(token.address, beneficiary=token.address)
    for name in (word("mine"), word("second"), word("free")):
        commitment = commitment_of(registry.address, token.address, name, name, bytes(32))
        token.send("attacker", "commitName", registry.address, commitment)
    world.wait()
    token.send("attacker", "registerName", registry.address, word("mine"))
    token.send("attacker", "arm")
    arguments = (word("second"),) if function == "registerName" else ()
    token.send("attacker", function, registry.address, *arguments)
    assert token.get("calls") == 3
    assert token.get("successes") == 0
    assert registry.get("ownerOf", word("mine")) == token.address
    assert registry.get("ownerOf", word("free")) == bytes(20)
    due = 2 * REGISTRATION_FEE if function == "registerName" else 0
    assert registry.get("feesDue") == due


def test_one_sequence_on_both_engines() -> None:
    worlds = [RegistryWorld(engine) for engine in ("revm", "py-evm")]
    for world in worlds:
        for account in ("ann", "bob"):
            world.fund(account)
        world.commit("ann", (NAME, account_word("ann")))
        world.commit("bob", (word("house-7.flat-3"), account_word("bob")), (NAME, NAME))
    calls = [
        ("ann", "registerName", (NAME, account_word("ann"), SECRET)),
        ("bob", "registerName", (word("house-7.flat-3"), account_word("bob"), SECRET)),
        ("bob", "registerName", (NAME, NAME, SECRET)),
        ("ann", "updateValue", (NAME, account_word("bob"))),
        ("ann", "updateValue", (word("house-7.flat-3"), NAME)),
        ("ann", "offerName", (NAME, address("bob"))),
        ("cem", "acceptName", (NAME,)),
        ("bob", "acceptName", (NAME,)),
        ("bob", "updateValue", (NAME, bytes(32))),
        ("bob", "releaseName", (word("house-7.flat-3"),)),
        (BENEFICIARY, "collectFees", ()),
        (BENEFICIARY, "collectFees", ()),
        ("cem", "registerName", (word("house-7.flat-3"), NAME, SECRET)),
    ]
    for sender, function, arguments in calls:
        outcomes: list[object] = []
        for world in worlds:
            try:
                outcomes.append(world.registry.send(sender, function, *arguments))
            except ContractRevert as error:
                outcomes.append(error.text)
        assert outcomes[0] == outcomes[1], function
        assert worlds[0].root() == worlds[1].root()
    assert isinstance(outcomes[0], str)
