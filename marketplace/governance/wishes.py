"""What a party may propose to the others, and what a proposal has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from contracts.messages import MessageError, checksum_address
from marketplace.access import Caller, agreement_seen, party_of
from marketplace.agreements.remarks import remark
from marketplace.agreements.standing import is_active
from marketplace.chain import outbox
from marketplace.errors import Conflict, InvalidInput, NotAllowed, NotFound
from marketplace.governance.actions import ACTIONS
from marketplace.storage.models import Agreement

REASON_CHARACTERS: Final = 2_000
NOBODY: Final = "0x" + "00" * 20
CONCERNING: Final = ("remove", "replace-wallet", "pardon")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is proposed.

    Attributes:
        action: suspend, resume, terminate, remove, replace-wallet or pardon.
        organization: whom it concerns; empty where it concerns none.
        wallet: the new one, to replace a wallet.
        run: the run to be let back into, for a pardon.
        reason: for those who are to vote.
    """

    action: str
    organization: str = ""
    wallet: str = ""
    run: str = ""
    reason: str = ""


def concerned_party(session: Session, caller: Caller, agreement_id: str, wish: Wish) -> int:
    """Checks a wish, and gives the number of the party that it concerns; 0 if it concerns none.

    Raises:
        NotFound: no such agreement that the caller may see, no such party, no such run.
        NotAllowed: the caller is no party.
        InvalidInput: no such action, or it lacks what it needs.
        Conflict: the agreement is not in force.
    """
    if wish.action not in (*ACTIONS, "pardon"):
        raise InvalidInput(
            f"no motion {wish.action}", hint=f"one of {', '.join((*ACTIONS, 'pardon'))}"
        )
    remark(wish.reason, "a reason", REASON_CHARACTERS)
    agreement = agreement_seen(session, caller, agreement_id)
    if not is_active(session, agreement.id):
        raise Conflict("the agreement is not in force", hint="wait until all have signed")
    _must_be_party(caller, agreement)
    if wish.action == "pardon" and not any(
        event.agreement_id == agreement.id
        for event in outbox.events_of(session, "RunCreated", run_id=wish.run or "none")
    ):
        raise NotFound(f"this agreement has no run {wish.run or ''}".strip(), hint="name its id")
    if wish.action not in CONCERNING:
        return 0
    name = wish.organization
    if not name:
        raise InvalidInput(f"whom does {wish.action} concern?", hint="name the organization")
    return party_of(agreement, lambda each: each.organization == name, name).number


def _must_be_party(caller: Caller, agreement: Agreement) -> None:
    if all(each.wallet != caller.signed_in for each in agreement.parties):
        raise NotAllowed("motions are the parties' own", hint="sign in with a party's wallet")


def new_wallet_of(wish: Wish) -> str:
    """The wallet that is to be a party's; of all other motions, nobody's. Raises InvalidInput."""
    if wish.action != "replace-wallet":
        return NOBODY
    try:
        return checksum_address(wish.wallet)
    except MessageError as error:
        raise InvalidInput(str(error), hint="name the new wallet's address") from error
