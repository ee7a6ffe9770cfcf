"""Runs and rounds. See `contracts.reasons`."""

from __future__ import annotations

from typing import Final

from contracts.reasons.hints import NONCE, RENEW, RUN, SIGNER, SYNC

REASONS: Final[dict[str, tuple[str, str]]] = {
    "Training_WrongState": (
        "run {run_id} is {state}",
        "an open run is sealed, opened again and closed, a settling one settled, a finished one "
        "reset and continued",
    ),
    "Clerk_OnlyTraining": (
        "only the training contract may do this, not {caller}",
        "post it to the training contract, which passes it on",
    ),
    "Clerk_Taken": (
        "this clerk serves the training contract {training} already",
        "deploy another clerk",
    ),
    "Training_UnknownRun": ("there is no run {run_id}", RUN),
    "Training_BadName": (
        "{name} cannot be the name of a run",
        "use 1 to 63 lower-case letters, digits, hyphens and dots",
    ),
    "Training_DeadlinePassed": ("the request was good until {deadline}", RENEW),
    "Training_NotTheParty": ("{signer} is not the wallet of party {party}", SIGNER),
    "Training_NotInForce": (
        "agreement {agreement} is not in force now",
        "wait for its start, or agree on a new one",
    ),
    "Training_WrongTerms": (
        "the terms hash to {got}, but the parties signed {expected}",
        "hand over the terms of the agreement, unchanged",
    ),
    "Training_WrongRound": ("round {expected} is open, not {got}", SYNC),
    "Training_WrongPrev": (
        "this was signed on top of {got}, but the open round has {expected}",
        SYNC,
    ),
    "Training_NotTheStart": (
        "round 0 seals the initial model {expected_root}, without roster or pay; got {merged_root}",
        "attest the initial parameters whose root the terms name",
    ),
    "Training_SignersNotAscending": (
        "the signers are not in ascending order at registration {registration}",
        "order the signatures by registration number, each once",
    ),
    "Training_SignatureCount": (
        "{signers} signers came with {signature_bytes} bytes of signatures",
        "65 bytes a signer",
    ),
    "Training_WrongSignature": (
        "the signature of registration {registration} is {recovered}'s, not {expected}'s",
        "leave it out, or ask that node to sign this very attestation",
    ),
    "Training_NoQuorum": (
        "{organizations} organizations signed, and {needed} are needed",
        "gather more organizations' signatures; several nodes of one count once",
    ),
    "Training_BadShares": (
        "entry {index} of the shares breaks their rules",
        "parties that are counted in the round, in ascending order, at most 10,000 basis points "
        "in all; of a row of one's own (local metering), none for oneself",
    ),
    "Training_NotEqual": (
        "entry {index} of the shares is {got_bips} basis points where equal parts are "
        "{expected_bips}",
        "equal metering, and any roster of two organizations, is split equally",
    ),
    "Training_NotStalled": (
        "the round cannot be opened again before {until}",
        "wait until then, or seal it",
    ),
    "Training_StillInForce": (
        "the agreement is in force until {not_after}",
        "a run can be closed from then on",
    ),
    "Training_WrongGeneration": (
        "the next run of this name has generation {expected}, not {got}",
        "generations of a name count from 1; read the latest",
    ),
    "Training_OtherAgreement": (
        "run {run_id} is one of agreement {agreement}",
        "continue a run of the same agreement",
    ),
    "Training_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Training_OtherMetering": (
        "the terms meter {metering}",
        "local metering is sealed with rows of their own, everything else with one for all",
    ),
    "Training_BadRejects": (
        "entry {index} of the rejects breaks their rules",
        "three bytes a node, registrations ascending",
    ),
    "Training_RowsMissing": (
        "rows may come until {until}",
        "wait until then, or post the rows that are missing",
    ),
    "Training_NotQuarantined": ("party {party} is not quarantined", ""),
    "LocalRows_OwnFields": (
        "what all signed alike has a node's own losses, metric or shares in it",
        "these four are zero and empty there, and stand in the rows",
    ),
    "LocalRows_RowCount": ("{signers} signers came with {rows} rows", "one row a signer"),
    "LocalRows_NotWaiting": ("rows are taken for {expected} only, not for {got}", SYNC),
}
