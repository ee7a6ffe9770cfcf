"""Agreements, parties, nodes: Consortium, Council, Presence."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementActivated(Event):
    agreement: bytes
    document: bytes
    terms_hash: bytes
    parties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned(Event):
    """A party's signature was posted by itself; the two hashes differ for an amendment."""

    agreement: bytes
    agreement_hash: bytes
    party: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAmended(Event):
    """A new version came into force; `agreement` stays the id."""

    agreement: bytes
    document: bytes
    terms_hash: bytes
    parties: int
    agreement_hash: bytes
    version: int  # the agreement's
    snapshot: int  # number of the membership change


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged(Event):
    """Suspended, resumed or terminated by vote; time passes without events."""

    agreement: bytes
    state: int  # `contracts.consortium.State`
    version: int  # of the snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyOut(Event):
    """A party left, or was removed, with all its nodes."""

    agreement: bytes
    party: int
    removed: bool
    version: int  # of the snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletChanged(Event):
    """`wallet` is the party's from `since` on, unless the event comes once more."""

    agreement: bytes
    party: int
    wallet: str
    since: int  # [unix s]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnrolled(Event):
    agreement: bytes
    party: int
    registration: int
    key: str
    spiffe_id: str
    url: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRetired(Event):
    agreement: bytes
    party: int
    registration: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """A motion was carried."""

    agreement: bytes
    action: int  # `contracts.council.Action`
    party: int
    wallet: str
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetoed(Event):
    """A replacement of a wallet was called off."""

    agreement: bytes
    party: int
    wallet: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspected(Event):
    """An organization was said to be absent."""

    agreement: bytes
    party: int
    by: int  # registration of who says so
    number: int
    answer_by: int  # [unix s]
    deposit: int  # [wei of the chain's coin]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Event):
    """A sign of life came in time."""

    agreement: bytes
    party: int
    number: int
    poster: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut(Event):
    """No sign of life came in time: it is left out of the rounds that open next."""

    agreement: bytes
    party: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Event):
    """It is back in the next round."""

    agreement: bytes
    party: int
    number: int
