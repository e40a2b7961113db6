# pragma version 0.4.3
# pragma evm-version cancun
"""
@title Name registry
@license Apache-2.0
@notice Names bound to values, such as connection points to the accounts that they are settled
        with: for a fee, changed for a smaller one, handed on by their owner and by nobody else.
@dev A name is up to 32 bytes of a-z, 0-9, "-" and ".", left-aligned, zeros behind; "-" and "." stand
     between two other letters. So a name has one encoding, and no two look alike but for those that
     do in lower-case ASCII. Names do not expire: nobody can take one by being quicker than its owner.
     For the same reason a new owner must accept it; a mistyped address is then no loss.
     A name is registered by commit and reveal, as in ENS' ETHRegistrarController: first a hash that
     tells nobody the name, then, after a least age, the name itself. Who copies a name out of a
     reveal that is still pending has no commitment that is old enough; one who copies the reveal
     itself, or the commitment before it, has none at all, for the hash names chain, contract and
     sender. Other than in ENS, commitments are kept by sender, so that nobody can make another's
     too early. What remains: who keeps a reveal out of the blocks for the least age can be first.
     At every moment token.balanceOf(this) is at least, and but for tokens sent here outside the
     fees equal to, feesDue().
@custom:units fees in µEUR, ages in s
"""

from ethereum.ercs import IERC20

NAME_BYTES: constant(uint256) = 32
HYPHEN: constant(uint256) = 45
DOT: constant(uint256) = 46

TOKEN: public(immutable(address))
BENEFICIARY: public(immutable(address))
REGISTRATION_FEE_UEUR: public(immutable(uint256))
UPDATE_FEE_UEUR: public(immutable(uint256))
MIN_COMMITMENT_AGE_S: public(immutable(uint256))
MAX_COMMITMENT_AGE_S: public(immutable(uint256))

# by account and commitment: when it was made
_committed_at_s: HashMap[address, HashMap[bytes32, uint256]]
_owner_of: HashMap[bytes32, address]
_value_of: HashMap[bytes32, bytes32]
_successor_of: HashMap[bytes32, address]
_fees_due: uint256

event NameCommitted:
    account: indexed(address)
    commitment: bytes32

event NameRegistered:
    name: indexed(bytes32)
    owner: indexed(address)
    value: bytes32
    fee_ueur: uint256

event ValueUpdated:
    name: indexed(bytes32)
    owner: indexed(address)
    value: bytes32
    fee_ueur: uint256

event NameOffered:
    name: indexed(bytes32)
    owner: indexed(address)
    successor: indexed(address)

event NameTransferred:
    name: indexed(bytes32)
    owner: indexed(address)
    successor: indexed(address)

event NameReleased:
    name: indexed(bytes32)
    owner: indexed(address)

event FeesCollected:
    amount_ueur: uint256


@deploy
def __init__(
    token: address,
    beneficiary: address,
    registration_fee_ueur: uint256,
    update_fee_ueur: uint256,
    min_commitment_age_s: uint256,
    max_commitment_age_s: uint256,
):
    """
    @param token ERC-20 that fees are paid in
    @param beneficiary Account that may collect the fees
    @param registration_fee_ueur What a name costs
    @param update_fee_ueur What changing its value costs
    @param min_commitment_age_s How old a commitment must be before its name is registered
    @param max_commitment_age_s How old it may be at most
    """
    assert token != empty(address) and beneficiary != empty(address), "name registry: zero address"
    assert update_fee_ueur < registration_fee_ueur, "name registry: an update must cost less"
    assert (
        0 < min_commitment_age_s
        and min_commitment_age_s < max_commitment_age_s
        and max_commitment_age_s < 2**64
    ), "name registry: ages out of range"
    TOKEN = token
    BENEFICIARY = beneficiary
    REGISTRATION_FEE_UEUR = registration_fee_ueur
    UPDATE_FEE_UEUR = update_fee_ueur
    MIN_COMMITMENT_AGE_S = min_commitment_age_s
    MAX_COMMITMENT_AGE_S = max_commitment_age_s


# --- names ------------------------------------------------------------------------------------


@external
@nonreentrant
def commitName(commitment: bytes32):
    """
    @notice Commit to a name that shall be registered, without telling it.
    @dev One that is still valid keeps its age; one that is too old may be made again.
    @param commitment What commitmentOf() makes of the caller, the name, its value and a secret
    """
    committed_at_s: uint256 = self._committed_at_s[msg.sender][commitment]
    assert (
        committed_at_s == 0 or block.timestamp > committed_at_s + MAX_COMMITMENT_AGE_S
    ), "name registry: already committed"
    self._committed_at_s[msg.sender][commitment] = block.timestamp
    log NameCommitted(account=msg.sender, commitment=commitment)


@external
@nonreentrant
def registerName(name: bytes32, new_value: bytes32, secret: bytes32):
    """
    @notice Own a free name that the caller committed to, for the registration fee, which it
            approved.
    @param name In canonical form
    @param new_value What it stands for; an account as its address, left-padded
    @param secret What nobody else could guess when the commitment was made
    """
    assert self._is_canonical(name), "name registry: not a canonical name"
    assert self._owner_of[name] == empty(address), "name registry: name taken"
    commitment: bytes32 = self._commitment_of(msg.sender, name, new_value, secret)
    committed_at_s: uint256 = self._committed_at_s[msg.sender][commitment]
    assert committed_at_s != 0, "name registry: not committed"
    assert (
        block.timestamp >= committed_at_s + MIN_COMMITMENT_AGE_S
    ), "name registry: commitment too new"
    assert (
        block.timestamp <= committed_at_s + MAX_COMMITMENT_AGE_S
    ), "name registry: commitment too old"
    self._committed_at_s[msg.sender][commitment] = 0
    self._owner_of[name] = msg.sender
    self._value_of[name] = new_value
    log NameRegistered(
        name=name, owner=msg.sender, value=new_value, fee_ueur=REGISTRATION_FEE_UEUR
    )
    self._charge(REGISTRATION_FEE_UEUR)


@external
@nonreentrant
def updateValue(name: bytes32, new_value: bytes32):
    """
    @notice Let an own name stand for something else, for the update fee, which the caller approved.
    """
    self._only_owner(name)
    self._value_of[name] = new_value
    log ValueUpdated(
        name=name, owner=msg.sender, value=new_value, fee_ueur=UPDATE_FEE_UEUR
    )
    self._charge(UPDATE_FEE_UEUR)


@external
@nonreentrant
def offerName(name: bytes32, successor: address):
    """
    @notice Offer an own name to one account; the zero address takes an offer back.
    """
    self._only_owner(name)
    self._successor_of[name] = successor
    log NameOffered(name=name, owner=msg.sender, successor=successor)


@external
@nonreentrant
def acceptName(name: bytes32):
    """
    @notice Own a name that its owner offers to the caller; its value stays.
    """
    assert self._successor_of[name] == msg.sender, "name registry: not offered to you"
    owner: address = self._owner_of[name]
    self._successor_of[name] = empty(address)
    self._owner_of[name] = msg.sender
    log NameTransferred(name=name, owner=owner, successor=msg.sender)


@external
@nonreentrant
def releaseName(name: bytes32):
    """
    @notice Give an own name up; anybody may register it then. The fee is not paid back.
    """
    self._only_owner(name)
    self._owner_of[name] = empty(address)
    self._value_of[name] = empty(bytes32)
    self._successor_of[name] = empty(address)
    log NameReleased(name=name, owner=msg.sender)


# --- fees -------------------------------------------------------------------------------------


@external
@nonreentrant
def collectFees():
    """
    @notice Pay all fees that were charged so far to the beneficiary. Beneficiary only.
    """
    assert msg.sender == BENEFICIARY, "name registry: not the beneficiary"
    amount_ueur: uint256 = self._fees_due
    assert amount_ueur != 0, "name registry: no fees"
    self._fees_due = 0
    log FeesCollected(amount_ueur=amount_ueur)
    assert extcall IERC20(TOKEN).transfer(msg.sender, amount_ueur), "name registry: token transfer failed"


# --- views ------------------------------------------------------------------------------------


@external
@view
def resolve(name: bytes32) -> bytes32:
    """
    @notice What a name stands for. A name that nobody owns is refused, so that nobody pays to
            the zero address by mistake.
    """
    assert self._owner_of[name] != empty(address), "name registry: not registered"
    return self._value_of[name]


@external
@view
def ownerOf(name: bytes32) -> address:
    """
    @return The name's owner, or the zero address when it is free
    """
    return self._owner_of[name]


@external
@view
def successorOf(name: bytes32) -> address:
    """
    @return Whom the owner offers the name to, or the zero address
    """
    return self._successor_of[name]


@external
@view
def commitmentOf(account: address, name: bytes32, new_value: bytes32, secret: bytes32) -> bytes32:
    """
    @notice Commitment of an account to a name. Who asks another's node for it tells it the name.
    """
    return self._commitment_of(account, name, new_value, secret)


@external
@view
def committedAt(account: address, commitment: bytes32) -> uint256:
    """
    @return When the account made a commitment that is not used yet, as a Unix time; 0 for none
    @custom:units s
    """
    return self._committed_at_s[account][commitment]


@external
@view
def feesDue() -> uint256:
    """
    @return Fees charged and not collected
    @custom:units µEUR
    """
    return self._fees_due


@external
@pure
def isCanonical(name: bytes32) -> bool:
    """
    @return Whether some bytes are a name
    """
    return self._is_canonical(name)


# --- internal ---------------------------------------------------------------------------------


@internal
@view
def _only_owner(name: bytes32):
    # nobody sends from the zero address, so a free name has no owner who could pass
    assert self._owner_of[name] == msg.sender, "name registry: not the owner"


@internal
@view
def _commitment_of(
    account: address, name: bytes32, new_value: bytes32, secret: bytes32
) -> bytes32:
    return keccak256(abi_encode(chain.id, self, account, name, new_value, secret))


@internal
def _charge(fee_ueur: uint256):
    if fee_ueur != 0:
        self._fees_due += fee_ueur
        assert extcall IERC20(TOKEN).transferFrom(
            msg.sender, self, fee_ueur
        ), "name registry: token transfer failed"


@internal
@pure
def _is_canonical(name: bytes32) -> bool:
    letters: uint256 = convert(name, uint256)
    separated: bool = True  # a separator may not come first
    for k: uint256 in range(NAME_BYTES):
        if letters == 0:
            break
        letter: uint256 = letters >> 248
        if letter == HYPHEN or letter == DOT:
            if separated:
                return False
            separated = True
        elif (letter > 96 and letter < 123) or (letter > 47 and letter < 58):
            separated = False
        else:
            return False
        letters <<= 8
    return not separated
