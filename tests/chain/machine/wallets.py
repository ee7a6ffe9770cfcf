"""The model of wallets: who signs for a party, and who will."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chain.machine.refusal import Refused


@dataclass(slots=True)
class Seat:
    """A party's wallets, by address: `coming` is its own from `since` on [unix s]."""

    wallet: str
    coming: str = ""
    since: int = 0
    nonce: int = 0
    held: list[str] = field(default_factory=list)  # those it had before


@dataclass(slots=True)
class Wallets:
    """Of all parties of an agreement, by number. Time needs no transaction."""

    seats: list[Seat]

    def of(self, now: int, party: int) -> str:
        seat = self.seats[party]
        return seat.coming if seat.since and seat.since <= now else seat.wallet

    def coming(self, now: int, party: int) -> str:
        """The wallet that is to become the party's; empty for none."""
        seat = self.seats[party]
        return seat.coming if seat.since > now else ""

    def before(self, now: int, party: int) -> str:
        """The last one that was the party's and is not now; its own, where there is none."""
        seat, own = self.seats[party], self.of(now, party)
        held = [each for each in (*seat.held, seat.wallet) if each != own]
        return held[-1] if held else own

    def check(self, now: int, party: int, by: str, error: str) -> None:
        """Refuses with that error what another wallet than the party's has signed."""
        if by != self.of(now, party):
            raise Refused(error, party=party)

    def check_free(self, now: int, wallet: str, but: int) -> None:
        """One wallet is one vote."""
        for party in range(len(self.seats)):
            if party != but and wallet in (self.of(now, party), self.coming(now, party)):
                raise Refused("Consortium_WalletTaken", wallet=wallet)

    def replace(self, now: int, party: int, wallet: str, since: int) -> None:
        """From that time on; a replacement under way has either come true, or is off."""
        self.check_free(now, wallet, party)
        seat = self.seats[party]
        own = self.of(now, party)
        if own != seat.wallet:
            seat.held.append(seat.wallet)
        seat.wallet, seat.coming, seat.since = own, wallet, since
        seat.nonce += 1

    def move(self, now: int, party: int, wallet: str, by: str, nonce: int) -> None:
        """By the wallet itself, at once."""
        self._check_nonce(party, nonce)
        self.check(now, party, by, "Council_NotTheParty")
        self.replace(now, party, wallet, now)

    def veto(self, now: int, party: int, wallet: str, by: str, nonce: int) -> None:
        """The wallet that is said to be lost speaks up."""
        self._check_nonce(party, nonce)
        if not wallet or self.coming(now, party) != wallet:
            raise Refused("Council_NothingToVeto", party=party, wallet=wallet)
        self.check(now, party, by, "Council_NotTheParty")
        self.replace(now, party, self.of(now, party), now)

    def _check_nonce(self, party: int, nonce: int) -> None:
        expected = self.seats[party].nonce
        if nonce != expected:
            raise Refused("Council_WrongNonce", expected=expected, got=nonce)
