"""Wallets that change hands, and the next version of the agreement."""

from __future__ import annotations

from contracts import messages as m
from tests.chain.machine import amendments
from tests.chain.machine.stage import ALWAYS, Stage


class WalletActs(Stage):
    """What organizations sign about themselves. A lost wallet is replaced by `decide`."""

    async def move_wallet(self, party: int, wallet: str, ahead: int = 0) -> bool:
        """The wallet hands over to another; both sign."""
        council = self.contracts.council
        nonce = self.world.who.wallets.seats[party].nonce + ahead
        asked = m.Move(self.world.id, party, wallet, nonce, ALWAYS)
        old, by = self.signed(council.domain, asked, party), self.wallet(party)
        new = self.signed_by(council.domain, asked, wallet)
        return await self.step(
            "move wallet",
            lambda trial: trial.who.wallets.move(trial.now, party, wallet, by, nonce),
            lambda: council.move_wallet(asked, old, new, signer=self.poster),
        )

    async def veto(self, party: int, wallet: str, ahead: int = 0) -> bool:
        council = self.contracts.council
        nonce = self.world.who.wallets.seats[party].nonce + ahead
        asked = m.Veto(self.world.id, party, wallet, nonce, ALWAYS)
        signature, by = self.signed(council.domain, asked, party), self.wallet(party)
        return await self.step(
            "veto",
            lambda trial: trial.who.wallets.veto(trial.now, party, wallet, by, nonce),
            lambda: council.veto(asked, signature, signer=self.poster),
        )

    async def sign(self, draft: m.Agreement, party: int, by: str) -> bool:
        """One signature under the next version of the agreement."""
        consortium = self.contracts.consortium
        signature = self.signed_by(consortium.domain, draft, by)
        return await self.step(
            "sign an amendment",
            lambda trial: amendments.sign(trial, draft, party, by),
            lambda: consortium.sign(draft, party, signature, signer=self.poster),
        )

    async def amend(self, draft: m.Agreement, by: dict[int, str]) -> bool:
        """The next version of the agreement, with these signatures."""
        consortium = self.contracts.consortium
        signatures = [
            self.signed_by(consortium.domain, draft, by[party]) if party in by else b""
            for party in range(len(draft.parties))
        ]
        return await self.step(
            "amend",
            lambda trial: amendments.activate(trial, draft, by),
            lambda: consortium.activate(draft, signatures, signer=self.poster),
        )
