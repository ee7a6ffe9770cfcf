"""What people ask of runs: to create one, and to be paid. Both are signed by a party's wallet."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from contracts import Contracts
from contracts.errors import MessageError, SignatureError
from contracts.messages import (
    Claim,
    Domain,
    RunRequest,
    Struct,
    Terms,
    checksum_address,
    from_json,
    recover,
    run_id,
    to_json,
    typed_data,
)
from marketplace.access import Caller, agreement_seen, must_speak_for, party_of
from marketplace.chain import outbox
from marketplace.chain.indexer import indexed_block
from marketplace.chain.postings import Posting, RewardClaim, RunCreation, kind_of
from marketplace.errors import ChainRefusal, Conflict, InvalidInput, WrongSignature
from marketplace.runs import beginning
from marketplace.runs.readmodel import run_seen
from marketplace.storage.database import Database
from marketplace.storage.models import Agreement

CLAIM_LIFETIME_S = 3_600
REQUEST_LIFETIME_S = 3_600


@dataclass(frozen=True, slots=True)
class RunRequests:
    """Everything about creating runs and claiming rewards that is not HTTP."""

    database: Database
    contracts: Contracts
    clock: Callable[[], int]

    async def prepare(
        self, caller: Caller, agreement_id: str, organization: str, name: str, continues: str
    ) -> dict[str, Any]:
        """The request that a party has to sign to begin a run, or a finished one anew.

        Args:
            caller: the party, or an admin who prepares it for one.
            agreement_id: whose terms in force the run will have.
            organization: in whose name.
            name: of the run; that of a finished one begins its next generation.
            continues: id of a finished run of the agreement, to start from its model; empty: from
                the terms'.

        Returns:
            `request`, `terms`, `typed_data`, `generation`, and `effect`: what it does, and how to
            undo it.

        Raises:
            NotFound: no such agreement that the caller may see, or it has no such party.
            NotAllowed: the caller speaks for another one.
            Conflict: the agreement is not in force, or a run of this name is not over.
            InvalidInput: no name for a run.
        """
        party, terms = await self.database.read(
            self._place, caller, agreement_id, organization, name
        )
        key = bytes.fromhex(agreement_id[2:])
        generation = await beginning.next_generation(self.contracts, key, name)
        request = RunRequest(
            agreement=key,
            party=party,
            name=name,
            salt=secrets.token_bytes(32),
            generation=generation,
            continues=bytes.fromhex(continues[2:]) if continues else bytes(32),
            deadline=self.clock() + REQUEST_LIFETIME_S,
        )
        return {
            "request": to_json(request),
            "terms": terms,
            "typed_data": typed_data(self.contracts.domains.training, request),
            "generation": generation,
            "effect": beginning.effect_of(name, generation),
        }

    def _place(
        self, session: Session, caller: Caller, agreement_id: str, organization: str, name: str
    ) -> tuple[int, dict[str, Any]]:
        """The number of the party, and the terms in force."""
        agreement = agreement_seen(session, caller, agreement_id)
        party = party_of(agreement, lambda each: each.organization == organization, organization)
        must_speak_for(caller, party)
        beginning.must_be_possible(session, agreement, name, self.clock())
        return party.number, agreement.message["terms"]

    async def create(
        self, caller: Caller, request: RunRequest, terms: Terms, signature: bytes
    ) -> dict[str, Any]:
        """Queues a run.

        Raises:
            NotFound: no such agreement that the caller may see, or it has no such party.
            Conflict: the agreement is not in force, or the run is being created already.
            InvalidInput: a bad name, or terms that are not the agreement's.
            WrongSignature: not made by the party's wallet.
        """
        return await self.database.write(
            self._create, caller, request, terms, signature, self.clock()
        )

    def _create(
        self,
        session: Session,
        caller: Caller,
        request: RunRequest,
        terms: Terms,
        signature: bytes,
        now_s: int,
    ) -> dict[str, Any]:
        agreement = agreement_seen(session, caller, "0x" + request.agreement.hex())
        beginning.must_be_possible(session, agreement, request.name, now_s)
        if to_json(terms) != agreement.message["terms"]:
            raise InvalidInput(
                "these are not the terms of the agreement",
                hint="take them from GET /api/agreements/{id}: agreement.terms",
            )
        wallet = _wallet(agreement, request.party)
        _check(self.contracts.domains.training, request, signature, wallet)
        deployment = self.contracts.deployment
        identifier = run_id(
            deployment.chain_id,
            deployment.training,
            request.agreement,
            request.name,
            request.generation,
            request.salt,
        )
        posting = RunCreation(request, terms, signature, "0x" + identifier.hex())
        return self._queue(session, agreement.id, posting, now_s)

    async def prepare_claim(
        self, caller: Caller, run: str, organization: str, recipient: str
    ) -> dict[str, Any]:
        """The claim that an organization has to sign to be paid what it accrued.

        Args:
            run: its id.
            organization: on whose behalf.
            recipient: the account that the tokens go to; empty for the organization's wallet.

        Raises:
            NotFound: no such run that the caller may see, or the organization takes no part.
            NotAllowed: the caller speaks for another one.
            ChainRefusal: there is nothing to claim.
        """
        agreement, party, wallet = await self.database.read(
            self._claimant, caller, run, organization
        )
        claim = Claim(
            run_ids=(bytes.fromhex(run[2:]),),
            party=party,
            recipient=_address(recipient) if recipient else wallet,
            nonce=await self.contracts.rewards.claim_nonce(bytes.fromhex(agreement[2:]), party),
            deadline=self.clock() + CLAIM_LIFETIME_S,
        )
        amount_wei = await self._claimable_wei(claim, organization)
        return {
            "claim": to_json(claim),
            "typed_data": typed_data(self.contracts.domains.rewards, claim),
            "amount_wei": str(amount_wei),
        }

    def _claimant(
        self, session: Session, caller: Caller, run: str, organization: str
    ) -> tuple[str, int, str]:
        agreement = run_seen(session, caller, run).agreement
        party = party_of(agreement, lambda each: each.organization == organization, organization)
        must_speak_for(caller, party)
        return agreement.id, party.number, party.wallet

    async def claim(self, caller: Caller, claim: Claim, signature: bytes) -> dict[str, Any]:
        """Queues a claim.

        Raises:
            NotFound: no such run that the caller may see, or no such party.
            InvalidInput: no run at all, or runs of several agreements.
            WrongSignature: not made by the party's wallet.
            ChainRefusal: there is nothing to claim.
            Conflict: this claim is outdated, or on its way.
        """
        agreement = await self.database.read(self._check_claim, caller, claim, signature)
        expected = await self.contracts.rewards.claim_nonce(
            bytes.fromhex(agreement[2:]), claim.party
        )
        if claim.nonce != expected:
            raise Conflict(
                f"this claim was paid already, or another one came first: it has number "
                f"{claim.nonce}, the next is {expected}",
                hint="prepare and sign a new claim; it pays whatever was credited since",
            )
        await self._claimable_wei(claim, f"party {claim.party}")
        return await self.database.write(self._claim, caller, claim, signature, self.clock())

    def _check_claim(self, session: Session, caller: Caller, claim: Claim, signature: bytes) -> str:
        """The id of the agreement whose runs are claimed."""
        runs = [run_seen(session, caller, "0x" + each.hex()) for each in claim.run_ids]
        if len({run.agreement.id for run in runs}) != 1:
            raise InvalidInput(
                "a claim names runs of one agreement, at least one",
                hint="claim the runs of each agreement by themselves",
            )
        agreement = runs[0].agreement
        wallet = _wallet(agreement, claim.party)
        _check(self.contracts.domains.rewards, claim, signature, wallet)
        return agreement.id

    def _claim(
        self, session: Session, caller: Caller, claim: Claim, signature: bytes, now_s: int
    ) -> dict[str, Any]:
        agreement = self._check_claim(session, caller, claim, signature)
        since_block = indexed_block(session, self.contracts.deployment.chain_id)
        posting = RewardClaim(claim, signature, agreement, since_block)
        return self._queue(session, agreement, posting, now_s)

    async def _claimable_wei(self, claim: Claim, who: str) -> int:
        accounts = [await self.contracts.rewards.account(run, claim.party) for run in claim.run_ids]
        claimed_wei = sum(each.claimed for each in accounts)
        due_wei = sum(each.accrued for each in accounts) - claimed_wei
        if due_wei == 0:
            raise ChainRefusal(
                f"{who} has nothing to claim: {claimed_wei} wei were credited and paid",
                hint="rewards are credited with each sealed round",
            )
        return due_wei

    def _queue(
        self, session: Session, agreement_id: str, posting: Posting, now_s: int
    ) -> dict[str, Any]:
        return outbox.view(
            outbox.enqueue(
                session, kind_of(posting), posting.effect, agreement_id, posting.payload(), now_s
            )
        )


def read_request(fields: dict[str, Any], terms: dict[str, Any]) -> tuple[RunRequest, Terms]:
    """The messages behind a request for a run. Raises MessageError."""
    return from_json(RunRequest, fields), from_json(Terms, terms)


def _wallet(agreement: Agreement, party: int) -> str:
    return party_of(agreement, lambda each: each.number == party, f"party {party}").wallet


def _address(text: str) -> str:
    try:
        return checksum_address(text)
    except MessageError as error:
        raise InvalidInput(str(error)) from error


def _check(domain: Domain, message: Struct, signature: bytes, wallet: str) -> None:
    try:
        signer = recover(domain, message, signature)
    except SignatureError as error:
        raise WrongSignature(str(error)) from error
    if signer != wallet:
        raise WrongSignature(
            f"this is not a signature of {wallet} under this {type(message).__name__}",
            hint="sign exactly what is handed in, with the party's wallet",
        )
