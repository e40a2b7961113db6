"""Random calling: terms, chain of hashes, and the exact model of ``random_calling.vy``.

Whoever states its own baseline gains by stating too much, unless it cannot count on being called.
Of those that offer, each is called with probability α; who is not has to keep its nomination, and
pays λ for each kWh that would have counted as delivered. A kWh that is made up at price p is then
worth α p − (1 − α) λ: nothing, where **α p ≤ (1 − α) λ** (Muthirayan, Kalathil, Poolla, Varaiya,
Mechanism design for demand response programs, IEEE Trans. Smart Grid, 2019, whose penalty is for
the shortfall below the baseline of those not called; Muthirayan, Baeyens, Chakraborty, Poolla,
Khargonekar, A minimal incentive-based demand response program with self reported baseline
mechanism, IEEE Trans. Smart Grid, 2019, doi:10.1109/TSG.2019.2949263).

Simplified: in both papers the aggregator calls as many as its target needs, by draw among those
recruited. Here the draw comes first and the least-cost award is made among those drawn, so that one
round is enough; who is drawn and not awarded owes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cosim.evm.hashing import keccak
from cosim.mechanisms.accounts import ContractModel
from cosim.mechanisms.flexibility_market.curves import Blocks, total_wh
from cosim.mechanisms.flexibility_market.settings import BaselineSettings
from cosim.mechanisms.local_market.orders import MAX_ENERGY_WH
from cosim.units import ueur_from_eur

MILLION = 1_000_000
MAX_SKIPPED = 65_536
"""Intervals between two draws, at most."""
NO_LINK = bytes(32)
BLOCK_BITS, PRICE_SHIFT = 63, 32


@dataclass(frozen=True)
class CallingTerms:
    """Terms of random calling, under the names of the contract's constructor.

    Parameters
    ----------
    calling_ppm : int
        Probability of being called, in millionths; 0: nothing is drawn.
    uncalled_penalty_ueur_per_kwh : int
        For leaving the nomination without being called. [µEUR/kWh]
    last_link : bytes
        End of the chain of hashes.
    """

    calling_ppm: int = 0
    uncalled_penalty_ueur_per_kwh: int = 0
    last_link: bytes = NO_LINK

    @classmethod
    def of(cls, settings: BaselineSettings, price_cap_ueur_per_kwh: int) -> CallingTerms:
        """Convert a scenario's section; the links come with the run."""
        if settings.calling_probability is None:
            return cls()
        called = round(settings.calling_probability * MILLION)
        penalty = settings.uncalled_penalty_eur_per_kwh
        if penalty is None:
            return cls(called, -(-called * price_cap_ueur_per_kwh // (MILLION - called)))
        return cls(called, ueur_from_eur(penalty))

    @property
    def is_random(self) -> bool:
        """True if calls are drawn."""
        return self.calling_ppm != 0

    def gain_ueur_per_kwh(self, price_ueur_per_kwh: int) -> float:
        """Return what a kWh that is made up is worth on average. [µEUR/kWh]"""
        gain = self.calling_ppm * price_ueur_per_kwh
        loss = (MILLION - self.calling_ppm) * self.uncalled_penalty_ueur_per_kwh
        return (gain - loss) / MILLION


def hash_chain(secret: bytes, n_links: int) -> tuple[bytes, ...]:
    """Return a secret, its hash, the hash of that and so on: the last is published first.

    The link of interval ``k`` is the one ``k + 2`` before the end.

    Parameters
    ----------
    secret : bytes
    n_links : int
        How many can be shown.
    """
    links = [keccak(secret)]
    for _ in range(n_links):
        links.append(keccak(links[-1]))
    return tuple(links)


def hashed(link: bytes, times: int) -> bytes:
    """Return a link, hashed so many times."""
    for _ in range(times):
        link = keccak(link)
    return link


def seed_of(link: bytes, digest: bytes, interval: int) -> bytes:
    """Return the seed of an interval's draw."""
    return keccak(link + digest + _word(interval))


def is_called(seed: bytes, address: bytes, calling_ppm: int) -> bool:
    """Return whether a draw lets an account be awarded."""
    word = keccak(seed + bytes(12) + address)
    return int.from_bytes(word, "big") % MILLION < calling_ppm


def digest_with(
    digest: bytes, request_id: int, address: bytes, baseline_wh: int, blocks: Blocks
) -> bytes:
    """Return the digest of an interval's offers with one more."""
    further, before_wh = 0, 0
    for k, (energy_wh, price) in enumerate(blocks):
        if k:
            further |= (before_wh | price << PRICE_SHIFT) << BLOCK_BITS * (k - 1)
        before_wh += energy_wh
    numbers = (total_wh(blocks), blocks[0].price_ueur_per_kwh, baseline_wh, further)
    words = b"".join(map(_word, numbers))
    return keccak(digest + _word(request_id) + bytes(12) + address + words)


def _word(value: int) -> bytes:
    return (value % 2**256).to_bytes(32, "big")


class Calling(ContractModel):
    """State of ``random_calling.vy``.

    Parameters
    ----------
    terms : CallingTerms
    addresses : mapping of str to bytes
        20 bytes of each account, which the draw depends on.
    """

    subject = "flexibility market"

    def __init__(
        self, terms: CallingTerms, addresses: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        self.terms = terms
        self.link, self.following = terms.last_link, 0
        self._addresses = dict(addresses)
        self._digests: dict[int, bytes] = {}
        self._closed: set[int] = set()
        self._seeds: dict[int, bytes] = {}
        self._cuts: dict[tuple[int, str], int] = {}

    def enter(
        self, interval: int, request_id: int, account: str, baseline_wh: int, blocks: Blocks
    ) -> None:
        """Mix an offer into the digest of its interval."""
        if not self.terms.is_random:
            return
        before, address = self.digest_of(interval), self._addresses[account]
        self._digests[interval] = digest_with(before, request_id, address, baseline_wh, blocks)

    def require_open(self, interval: int) -> None:
        """Refuse an offer to an interval that takes none any more.

        Raises
        ------
        ContractRevert
            If its offers are closed.
        """
        self._require(interval not in self._closed, "offers are closed")

    def close(self, interval: int) -> None:
        """Take no further offers for an interval."""
        self._require(self.terms.is_random, "nothing is drawn")
        self._require(interval not in self._closed, "offers are closed")
        self._closed.add(interval)

    def draw(self, interval: int, link: bytes) -> bytes:
        """Draw who of an interval's sellers may be awarded; return the seed.

        Raises
        ------
        ContractRevert
            If offers are not closed, the draw was made, or the link is another.
        """
        self._require(self.terms.is_random, "nothing is drawn")
        self._require(interval in self._closed, "offers are open")
        self._require(interval not in self._seeds, "already drawn")
        self._require(interval >= self.following, "a later interval is drawn")
        skipped = interval - self.following
        self._require(skipped < MAX_SKIPPED, "too many intervals without a draw")
        self._require(hashed(link, skipped + 1) == self.link, "not the interval's link")
        self.link, self.following = link, interval + 1
        self._seeds[interval] = seed = seed_of(link, self.digest_of(interval), interval)
        return seed

    def order_cut(self, interval: int, account: str, cut_wh: int) -> None:
        """Note what the DSO orders an account to cut, of injection positive. [Wh]

        Raises
        ------
        ContractRevert
            If nothing is drawn, or it is out of range.
        """
        self._require(self.terms.is_random, "nothing is drawn")
        self._require(abs(cut_wh) <= MAX_ENERGY_WH, "energy out of range")
        self._cuts[interval, account] = cut_wh

    def obeyed_wh(self, interval: int, account: str, is_up: bool) -> int:
        """Return by how much a reading is moved back for what the DSO ordered. [Wh]

        An order against the direction of the request demands nothing.
        """
        cut_wh = self._cuts.get((interval, account), 0)
        return min(cut_wh, 0) if is_up else max(cut_wh, 0)

    def digest_of(self, interval: int) -> bytes:
        """Return the digest of an interval's offers; zeros without one."""
        return self._digests.get(interval, NO_LINK)

    def seed_of(self, interval: int) -> bytes | None:
        """Return the seed of an interval's draw; None without one."""
        return self._seeds.get(interval)

    def is_called(self, interval: int, account: str) -> bool:
        """Return True if the draw of an interval lets an account be awarded, or none is needed."""
        if not self.terms.is_random:
            return True
        seed = self._seeds.get(interval)
        return seed is not None and is_called(
            seed, self._addresses[account], self.terms.calling_ppm
        )

    def is_left_out(self, interval: int, account: str) -> bool:
        """Return True if there was a draw and it did not call the account."""
        return interval in self._seeds and not self.is_called(interval, account)

    def require_called(self, interval: int, account: str) -> None:
        """Refuse an award to who is not called.

        Raises
        ------
        ContractRevert
            If the account is not called.
        """
        self._require(self.is_called(interval, account), "not called")

    def require_drawn(self, interval: int) -> None:
        """Refuse awards before the draw.

        Raises
        ------
        ContractRevert
            If calls are drawn, and have not been.
        """
        drawn = not self.terms.is_random or interval in self._seeds
        self._require(drawn, "not drawn yet")

    def forget(self, interval: int) -> None:
        """Drop a settled interval."""
        self._digests.pop(interval, None)
        self._closed.discard(interval)
        self._seeds.pop(interval, None)
        for place in [place for place in self._cuts if place[0] == interval]:
            del self._cuts[place]
