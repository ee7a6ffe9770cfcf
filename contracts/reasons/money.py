"""Pools, claims, royalties, stakes. See `contracts.reasons`."""

from __future__ import annotations

from typing import Final

from contracts.reasons.hints import NONCE, RENEW, RUN, SIGNER

REASONS: Final[dict[str, tuple[str, str]]] = {
    "Rewards_OnlyTraining": (
        "only the training contract may do this, not {caller}",
        "pools are opened, settled and closed by the run itself",
    ),
    "Rewards_UnknownRun": ("there is no pool for run {run_id}", RUN),
    "Rewards_Closed": ("the pool of run {run_id} is closed", "fund another run"),
    "Rewards_NotClosed": (
        "the pool of run {run_id} is still open",
        "the rest can be refunded once the run is finished",
    ),
    "Rewards_BadAmount": (
        "{amount} wei cannot be added to the pool",
        "above zero, no more than fits, and approved to the rewards contract",
    ),
    "Rewards_NothingToRefund": ("run {run_id} has nothing to refund", ""),
    "Rewards_BadSplit": (
        "the split credits {credited} wei of {available}",
        "parts of no more than the whole",
    ),
    "Rewards_OnProbation": (
        "party {party} joined after run {run_id} began, and is paid from {until} on",
        "claim then: nothing is lost",
    ),
    "Rewards_PaidAtTheEnd": ("run {run_id} pays when it is over", "claim then: nothing is lost"),
    "Claims_NoRuns": ("the claim names no run", "name at least one"),
    "Claims_OtherAgreement": (
        "run {run_id} is one of agreement {agreement}",
        "claim the runs of each agreement by themselves",
    ),
    "Claims_NothingToClaim": (
        "party {party} has nothing left to claim in these runs of agreement {agreement}",
        "rewards are credited when a round is sealed",
    ),
    "Claims_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Claims_DeadlinePassed": ("the claim was good until {deadline}", RENEW),
    "Claims_NotTheParty": ("{signer} is not the wallet of party {party}", SIGNER),
    "Claims_NotTheClaimer": (
        "{caller} is not the claimer of party {party}",
        "its wallet delegates claims",
    ),
    "Claims_BadRecipient": (
        "{recipient} cannot receive the tokens",
        "name an account other than zero, the token and this contract",
    ),
    "Royalties_NotFinished": (
        "run {run_id} is not finished",
        "licenses are sold of finished models",
    ),
    "Royalties_NotForSale": (
        "licenses of run {run_id} are not for sale",
        "the organizations set a price by vote",
    ),
    "Royalties_TooExpensive": (
        "a license costs {price} wei, and {max_price} was the limit",
        "agree to the new price",
    ),
    "Royalties_NoLicensee": ("the license names no licensee", "name an address that is not zero"),
    "Royalties_BadAmount": (
        "{amount} wei cannot be paid",
        "above zero, no more than fits, and approved to the royalties contract",
    ),
    "Royalties_DeadlinePassed": ("the vote was good until {deadline}", RENEW),
    "Royalties_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Stakes_BadAmount": (
        "{amount} wei cannot be staked",
        "above zero, no more than fits, and approved to the stakes contract",
    ),
    "Stakes_NoPenaltyRecipient": (
        "agreement {agreement} knows no stakes",
        "its bylaws name nobody to whom penalties would go",
    ),
    "Stakes_DeadlinePassed": ("the notice was good until {deadline}", RENEW),
    "Stakes_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Stakes_NotTheParty": ("{signer} is not the wallet of party {party}", SIGNER),
    "Stakes_BadRecipient": (
        "{recipient} cannot receive the tokens",
        "name an account other than zero, the token and this contract",
    ),
    "Stakes_NotThatMuch": (
        "{locked} wei are staked, and notice was given to {amount}",
        "give notice to less",
    ),
    "Stakes_Needed": (
        "{left} wei would be left, and {min_stake} are needed while the organization has nodes",
        "retire its nodes first",
    ),
    "Stakes_NothingToWithdraw": (
        "party {party} has no stake under notice in agreement {agreement}",
        "give notice first",
    ),
    "Stakes_NotYet": ("the stake stays locked until {leaves_at}", "wait until then"),
    "Stakes_NothingOwed": (
        "{recipient} is owed nothing",
        "penalties are owed to who proved the contradiction, and to whom the bylaws name",
    ),
    "Stakes_NoContradiction": (
        "the two messages do not contradict each other",
        "both have to be of one registration, run, round, prev and, where they have one, term",
    ),
    "Stakes_SameMessage": (
        "both are the same message, {struct_hash}",
        "a message may be signed and sent as often as one likes",
    ),
    "Stakes_WrongSignature": (
        "a signature of registration {registration} is {recovered}'s, not {key}'s",
        "both have to be signed by the key it is enrolled with",
    ),
    "Stakes_AlreadyProven": (
        "this contradiction, {contradiction}, was proven before",
        "each is punished once",
    ),
    "Stakes_NothingToSlash": (
        "party {party} has no stake in agreement {agreement} to take from",
        "or the bylaws set no penalty",
    ),
}
