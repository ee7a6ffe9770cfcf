"""What a party does on its own: leave, retire a node, move its wallet, veto a replacement.

In two steps: `prepare` gives the message with its numbers and what it will do; its signature comes
back with it and has it posted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import SignatureError
from contracts.messages import (
    Domain,
    Leaving,
    MessageError,
    Move,
    Retirement,
    Struct,
    Veto,
    checksum_address,
    from_json,
    recover,
    to_json,
    typed_data,
)
from marketplace.access import Caller, agreement_seen, must_speak_for, party_of
from marketplace.chain import outbox
from marketplace.chain.governing import Departure, NodeRetirement, WalletMove, WalletVeto
from marketplace.chain.postings import Posting
from marketplace.errors import Conflict, InvalidInput, NotFound, WrongSignature
from marketplace.governance.actions import effect_of
from marketplace.nodes.registry import registrations
from marketplace.storage.database import Database
from marketplace.storage.models import Agreement, Party

LIFETIME_S = 3_600
STRUCTS: dict[str, type[Leaving | Retirement | Move | Veto]] = {
    "leave": Leaving,
    "retire": Retirement,
    "move-wallet": Move,
    "veto": Veto,
}
Act = Leaving | Retirement | Move | Veto


@dataclass(frozen=True, slots=True)
class Acts:
    """Everything about acts that is not HTTP."""

    database: Database
    contracts: Contracts
    clock: Callable[[], int]

    async def prepare(
        self,
        caller: Caller,
        kind: str,
        agreement_id: str,
        organization: str,
        *,
        node: str = "",
        wallet: str = "",
    ) -> dict[str, Any]:
        """The message to be signed.

        Args:
            caller: the party, or an admin who prepares it for one.
            kind: leave, retire, move-wallet or veto.
            agreement_id: under which.
            organization: whose act it is.
            node: the one to retire.
            wallet: the new one to move to.

        Returns:
            `kind`, `message`, `typed_data`, `effect`: what it does, and how to undo it.

        Raises:
            NotFound: no such agreement that the caller may see, no such party or node.
            NotAllowed: the caller speaks for another party.
            Conflict: there is nothing to veto.
        """
        if kind not in STRUCTS:
            raise InvalidInput(f"no act {kind}", hint=f"one of {', '.join(STRUCTS)}")
        number, registration = await self.database.read(
            _place, caller, agreement_id, organization, node if kind == "retire" else ""
        )
        message = await self._message(kind, agreement_id, number, registration, wallet)
        target = message.wallet if isinstance(message, Move | Veto) else ""
        return {
            "kind": kind,
            "agreement": agreement_id,
            "organization": organization,
            "message": to_json(message),
            "typed_data": typed_data(self._domain(kind), message),
            "effect": effect_of(kind, organization, target, node),
        }

    async def post(
        self,
        caller: Caller,
        kind: str,
        fields: dict[str, Any],
        signature: bytes,
        new_signature: bytes = b"",
    ) -> dict[str, Any]:
        """Queues a signed act.

        Args:
            caller: whoever holds the signature and may see the agreement.
            kind: as for `prepare`.
            fields: the message.
            signature: of the party's wallet.
            new_signature: of the new wallet, for a move.

        Raises:
            NotFound: no such agreement that the caller may see.
            WrongSignature: not made by the party's wallet, or the new one's is missing.
        """
        if kind not in STRUCTS:
            raise InvalidInput(f"no act {kind}", hint=f"one of {', '.join(STRUCTS)}")
        message: Act = from_json(STRUCTS[kind], fields)
        return await self.database.write(
            self._post, caller, kind, message, signature, new_signature, self.clock()
        )

    async def _message(
        self, kind: str, agreement_id: str, party: int, registration: int, wallet: str
    ) -> Act:
        key, deadline = bytes.fromhex(agreement_id[2:]), self.clock() + LIFETIME_S
        if kind == "leave":
            return Leaving(key, party, deadline)
        if kind == "retire":
            return Retirement(key, registration, deadline)
        nonce = await self.contracts.council.wallet_nonce(key, party)
        if kind == "move-wallet":
            return Move(key, party, _address(wallet), nonce, deadline)
        replacement, _ = await self.contracts.consortium.replacement(key, party)
        if int(replacement, 16) == 0:
            raise Conflict("no replacement of this wallet is under way")
        return Veto(key, party, checksum_address(replacement), nonce, deadline)

    def _post(
        self,
        session: Session,
        caller: Caller,
        kind: str,
        message: Act,
        signature: bytes,
        new_signature: bytes,
        now_s: int,
    ) -> dict[str, Any]:
        agreement = agreement_seen(session, caller, "0x" + message.agreement.hex())
        party = _party(session, agreement, message)
        self._check(kind, message, signature, party.wallet)
        posting: Posting
        match message:
            case Leaving():
                posting = Departure(message, signature)
            case Retirement():
                posting = NodeRetirement(message, signature)
            case Move():
                self._check(kind, message, new_signature, message.wallet)
                posting = WalletMove(message, signature, new_signature)
            case Veto():
                posting = WalletVeto(message, signature)
        payload = posting.payload() | (
            {"old_wallet": party.wallet} if kind == "move-wallet" else {}
        )
        operation = outbox.enqueue(session, kind, posting.effect, agreement.id, payload, now_s)
        return outbox.view(operation)

    def _check(self, kind: str, message: Struct, signature: bytes, wallet: str) -> None:
        try:
            signer = recover(self._domain(kind), message, signature)
        except SignatureError as error:
            raise WrongSignature(str(error), hint=f"{wallet} has to sign this") from error
        if signer != wallet:
            raise WrongSignature(
                f"this is not a signature of {wallet} under this {type(message).__name__}",
                hint="sign exactly what is handed in, with that wallet",
            )

    def _domain(self, kind: str) -> Domain:
        domains = self.contracts.domains
        return domains.consortium if kind in ("leave", "retire") else domains.council


def _place(
    session: Session, caller: Caller, agreement_id: str, organization: str, node: str
) -> tuple[int, int]:
    """The number of the party, and of its node's registration."""
    agreement = agreement_seen(session, caller, agreement_id)
    party = party_of(agreement, lambda each: each.organization == organization, organization)
    must_speak_for(caller, party)
    if not node:
        return party.number, 0
    for each in registrations(session, agreement_id):
        own = each.party == party.number and each.until is None
        if own and each.spiffe_id.rpartition("/")[2] == node:
            return party.number, each.registration
    raise NotFound(f"{organization} has no node {node} enrolled")


def _party(session: Session, agreement: Agreement, message: Act) -> Party:
    number = -1
    if not isinstance(message, Retirement):
        number = message.party
    else:
        for each in registrations(session, agreement.id):
            if each.registration == message.registration:
                number = each.party
    return party_of(agreement, lambda each: each.number == number, "the signer")


def _address(text: str) -> str:
    try:
        return checksum_address(text)
    except MessageError as error:
        raise InvalidInput(str(error), hint="name the new wallet's address") from error
