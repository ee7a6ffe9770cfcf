"""Motions: proposed by a party, signed by those in favor, posted in one call.

Votes are signatures; they are gathered here and counted by the contract, as of the moment in which
they are posted. Whoever has enough of them may post them, here or by himself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import SignatureError
from contracts.messages import (
    Domain,
    Motion,
    Pardon,
    from_json,
    recover,
    to_json,
    typed_data,
)
from contracts.parties import parties_in
from marketplace.access import Caller, visible
from marketplace.agreements.remarks import remark
from marketplace.chain import outbox
from marketplace.chain.governing import Decision, Pardoning
from marketplace.errors import Conflict, NotAllowed, NotFound, WrongSignature
from marketplace.governance.actions import ACTIONS, effect_of
from marketplace.governance.polls import Poll, polls
from marketplace.governance.wishes import (
    CONCERNING,
    NOBODY,
    REASON_CHARACTERS,
    Wish,
    concerned_party,
    new_wallet_of,
)
from marketplace.identity.secrets import new_id
from marketplace.storage.database import Database
from marketplace.storage.models import WITHOUT_TEXT, Agreement, MotionVote
from marketplace.storage.models import Motion as MotionRow
from marketplace.storage.pieces import ALL, By, Piece, cut

LIFETIME_S: Final = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Motions:
    """Everything about motions that is not HTTP."""

    database: Database
    contracts: Contracts
    clock: Callable[[], int]

    async def propose(self, caller: Caller, agreement_id: str, wish: Wish) -> dict[str, Any]:
        """Writes a motion down for others to sign.

        Raises:
            NotFound: no such agreement that the caller may see, no such party, no such run.
            NotAllowed: the caller is no party.
            InvalidInput: no such action, or it lacks what it needs.
            Conflict: the agreement is not in force yet.
        """
        party = await self.database.read(concerned_party, caller, agreement_id, wish)
        key = bytes.fromhex(agreement_id[2:])
        deadline = self.clock() + LIFETIME_S
        message: Motion | Pardon
        if wish.action == "pardon":
            run = bytes.fromhex(wish.run[2:])
            nonce = await self.contracts.clerk.pardon_nonce(run)
            message = Pardon(run_id=run, party=party, deadline=deadline, nonce=nonce)
        else:
            nonce = await self.contracts.council.nonce(key)
            message = Motion(
                agreement=key,
                action=int(ACTIONS[wish.action]),
                party=party,
                wallet=new_wallet_of(wish),
                nonce=nonce,
                deadline=deadline,
            )
        motion_id = await self.database.write(
            _store, caller, agreement_id, wish, message, self.clock()
        )
        return await self.show(caller, motion_id)

    async def sign(
        self, caller: Caller, motion_id: str, organization: str, signature: bytes
    ) -> dict[str, Any]:
        """Takes a vote in favor.

        Raises:
            NotFound: no such motion that the caller may see, or no such party.
            WrongSignature: not made by that party's wallet.
            Conflict: it can be carried no longer, or that party has no vote on it.
        """
        shown = await self.show(caller, motion_id)
        voters = [each for each in shown["voters"] if each["organization"] == organization]
        if not voters:
            raise Conflict(
                f"{organization} has no vote on this motion",
                hint="whom it concerns, and who left, is not heard; the others are",
            )
        await self.database.write(
            self._sign, caller, motion_id, voters[0]["party"], signature, self.clock()
        )
        return await self.show(caller, motion_id)

    async def post(self, caller: Caller, motion_id: str) -> dict[str, Any]:
        """Has a motion with enough votes carried out on chain.

        Raises:
            NotFound: no such motion that the caller may see.
            Conflict: too few votes, or it can be carried no longer.
        """
        shown = await self.show(caller, motion_id)
        if shown["state"] not in ("open", "failed"):
            raise Conflict(f"this motion is {shown['state']}")
        if shown["votes"] < shown["needed"]:
            raise Conflict(
                f"{shown['votes']} of {shown['needed']} votes are there",
                hint="let more organizations sign it",
            )
        voters = {each["party"] for each in shown["voters"]}
        await self.database.write(_post, motion_id, voters, self.clock())
        return await self.show(caller, motion_id)

    async def withdraw(self, caller: Caller, motion_id: str) -> dict[str, Any]:
        """Asks for votes no longer. Votes that were given stay valid until the deadline.

        Raises:
            NotAllowed: the caller did not propose it.
        """
        await self.database.write(_withdraw, caller, motion_id, self.clock())
        return await self.show(caller, motion_id)

    async def show(self, caller: Caller, motion_id: str) -> dict[str, Any]:
        """A motion with its message, and who may vote. Raises NotFound."""
        row, agreement = await self.database.read(_read, caller, motion_id)
        found = await polls(self.contracts, [row])
        return self._view(row, agreement, found[row.id])

    async def list(
        self, caller: Caller, agreement_id: str | None, piece: Piece = ALL
    ) -> list[dict[str, Any]]:
        """The motions that the caller may see, newest first; places are (`created_s`, `id`).

        Raises:
            InvalidInput: the piece's place is none.
        """
        found = await self.database.read(_rows, caller, agreement_id, piece)
        asked = await polls(self.contracts, [row for row, _ in found])
        return [self._view(row, agreement, asked[row.id]) for row, agreement in found]

    def _sign(
        self,
        session: Session,
        caller: Caller,
        motion_id: str,
        party: int,
        signature: bytes,
        now_s: int,
    ) -> None:
        row, agreement = _read(session, caller, motion_id)
        message = read_message(row)
        if row.withdrawn_s is not None or message.deadline <= now_s:
            raise Conflict("this motion is withdrawn, or its time is over", hint="propose it anew")
        voter = agreement.parties[party]
        try:
            signer = recover(self.domain_of(row), message, signature)
        except SignatureError as error:
            raise WrongSignature(str(error), hint="sign the motion's typed_data") from error
        if signer != voter.wallet:
            raise WrongSignature(
                f"this is not a signature of {voter.organization} ({voter.wallet})",
                hint="sign this motion's typed_data with exactly that wallet",
            )
        # A wallet that changed meanwhile votes once more: its present signature is what counts.
        session.merge(
            MotionVote(
                motion_id=row.id, party=party, signature="0x" + signature.hex(), signed_s=now_s
            )
        )

    def domain_of(self, row: MotionRow) -> Domain:
        domains = self.contracts.domains
        return domains.training if row.action == "pardon" else domains.council

    def _view(self, row: MotionRow, agreement: Agreement, poll: Poll) -> dict[str, Any]:
        message = read_message(row)
        signed = {each.party: each.signed_s for each in row.votes}
        concerning = row.action in CONCERNING
        concerned = agreement.parties[message.party].organization if concerning else ""
        new_wallet = message.wallet if isinstance(message, Motion) else NOBODY
        return {
            "id": row.id,
            "agreement": agreement.id,
            "agreement_title": agreement.title,
            "action": row.action,
            "organization": concerned or None,
            "wallet": None if new_wallet == NOBODY else new_wallet,
            "run": row.run_id,
            "reason": row.reason,
            "effect": effect_of(row.action, concerned, new_wallet),
            "state": _state(row, message, poll.next_nonce, self.clock()),
            "votes": len([n for n in parties_in(poll.voters) if n in signed]),
            "needed": poll.needed,
            "voters": [
                {
                    "party": number,
                    "organization": agreement.parties[number].organization,
                    "wallet": agreement.parties[number].wallet,
                    "signed_s": signed.get(number),
                }
                for number in parties_in(poll.voters)
                if number < len(agreement.parties)
            ],
            "proposed_by": row.proposed_by,
            "deadline_s": message.deadline,
            "message": row.message,
            "typed_data": typed_data(self.domain_of(row), message),
            "operation": outbox.view(row.operation) if row.operation else None,
            "created_s": row.created_s,
        }


def read_message(row: MotionRow) -> Motion | Pardon:
    """What is signed for a motion."""
    if row.action == "pardon":
        return from_json(Pardon, row.message)
    return from_json(Motion, row.message)


def _store(
    session: Session,
    caller: Caller,
    agreement_id: str,
    wish: Wish,
    message: Motion | Pardon,
    now_s: int,
) -> str:
    row = MotionRow(
        id=new_id(),
        agreement_id=agreement_id,
        action=wish.action,
        run_id=wish.run or None,
        message=to_json(message),
        reason=remark(wish.reason, "a reason", REASON_CHARACTERS),
        proposed_by=caller.signed_in,
        created_s=now_s,
    )
    session.add(row)
    session.flush()
    return row.id


def _post(session: Session, motion_id: str, voters: set[int], now_s: int) -> None:
    row = session.get_one(MotionRow, motion_id)
    votes = tuple(
        (each.party, bytes.fromhex(each.signature[2:]))
        for each in row.votes
        if each.party in voters
    )
    message = read_message(row)
    posting: Decision | Pardoning
    if isinstance(message, Pardon):
        kind, posting = "pardon", Pardoning(message, votes, row.agreement_id)
    else:
        kind, posting = "decide", Decision(message, votes)
    row.operation = outbox.enqueue(
        session, kind, posting.effect, row.agreement_id, posting.payload(), now_s
    )


def _withdraw(session: Session, caller: Caller, motion_id: str, now_s: int) -> None:
    row, _ = _read(session, caller, motion_id)
    if caller.signed_in != row.proposed_by and not caller.is_admin:
        raise NotAllowed("a motion is withdrawn by who proposed it")
    row.withdrawn_s = row.withdrawn_s or now_s


def _read(session: Session, caller: Caller, motion_id: str) -> tuple[MotionRow, Agreement]:
    row = session.scalar(
        sa.select(MotionRow).where(
            MotionRow.id == motion_id, visible(caller, MotionRow.agreement_id)
        )
    )
    if row is None:
        raise NotFound(f"no motion {motion_id}")
    return row, session.get_one(Agreement, row.agreement_id)


def _rows(
    session: Session, caller: Caller, agreement_id: str | None, piece: Piece
) -> list[tuple[MotionRow, Agreement]]:
    query = (
        sa.select(MotionRow, Agreement)
        .join(Agreement, Agreement.id == MotionRow.agreement_id)
        .where(visible(caller, MotionRow.agreement_id))
        .options(*WITHOUT_TEXT)
    )
    if agreement_id is not None:
        query = query.where(MotionRow.agreement_id == agreement_id)
    order = By(MotionRow.created_s, falling=True), By(MotionRow.id)
    return [(row, agreement) for row, agreement in session.execute(cut(query, piece, *order))]


def _state(row: MotionRow, message: Motion | Pardon, nonce: int, now_s: int) -> str:
    """open, posting, carried, failed, outrun, withdrawn or over."""
    operation = row.operation
    if operation is not None and operation.state != outbox.FAILED:
        return "carried" if operation.state == outbox.CONFIRMED else "posting"
    if row.withdrawn_s is not None:
        return "withdrawn"
    if nonce > message.nonce:
        return "outrun"
    if message.deadline <= now_s:
        return "over"
    return "failed" if operation is not None else "open"
