"""What the contracts' errors mean, in sentences, and what can be done about each.

In the sentences, {names} are the error's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

_SYNC: Final = "read the run again and sign what is now open"
_RENEW: Final = "sign it again with a later deadline"
_SIGNER: Final = "sign with the wallet that the agreement names for this party"
_RUN: Final = "check the run's id, and that the deployment file is that of this chain"
_NONCE: Final = "another one was posted meanwhile: read the nonce again and sign anew"
_TOKEN: Final = "check the token's address and the accounts' balances"

_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "Consortium_UnknownAgreement": (
        "agreement {agreement} is not known to this contract",
        "it comes into force once all parties' signatures are posted",
    ),
    "Consortium_AlreadyActive": ("agreement {agreement} is already in force", ""),
    "Consortium_NotSigned": (
        "the signature of party {party} is missing or was not made by its wallet {wallet}",
        "have that party sign this very agreement, on this chain",
    ),
    "Consortium_BadParties": (
        "the parties cannot stand: see number {party}",
        "2 to 64 parties, each with its own organization, its own wallet and a weight above zero",
    ),
    "Consortium_BadTerms": (
        "the terms contradict themselves in {field}",
        "correct that field; the meaning of each is in docs/protocol.md",
    ),
    "Consortium_BadName": (
        "{name} cannot be a name",
        "use 1 to 63 lower-case letters, digits and hyphens (trust domains: dots too)",
    ),
    "Consortium_BadUrl": (
        "{url} cannot be a node's URL",
        "at most 255 visible ASCII characters; empty for a node that takes no connections",
    ),
    "Consortium_NotInForce": (
        "agreement {agreement} is in force from {not_before} to {not_after} only",
        "wait for its start, or agree on a new one",
    ),
    "Consortium_UnknownParty": (
        "agreement {agreement} has no party {party}",
        "parties are numbered from zero in the agreement's order",
    ),
    "Consortium_DeadlinePassed": ("the signature was good until {deadline}", _RENEW),
    "Consortium_WrongNonce": ("the nonce has to be {expected}, not {got}", _NONCE),
    "Consortium_NotTheParty": ("{signer} is not the wallet of party {party}", _SIGNER),
    "Consortium_NotTheKey": (
        "the enrollment of key {key} was signed by {signer}",
        "the node has to sign its own enrollment with its node key",
    ),
    "Consortium_KeyAlreadyUsed": (
        "key {key} was enrolled before under this agreement",
        "make a new node key: keys are used once",
    ),
    "Consortium_TooManyNodes": (
        "party {party} has come to its limit of {limit} nodes",
        "retire one of them first; no party gets more than 512 registrations in all",
    ),
    "Consortium_NotAMember": (
        "registration {registration} is not part of snapshot {version}",
        "it was enrolled later, or had been retired or replaced by then",
    ),
    "Consortium_UnknownSnapshot": (
        "agreement {agreement} has no snapshot {version} yet",
        "ask for one up to the latest",
    ),
    "Training_UnknownRun": ("there is no run {run_id}", _RUN),
    "Training_NameTaken": (
        "the name {name} belongs to run {run_id}",
        "choose another name for the run",
    ),
    "Training_BadName": (
        "{name} cannot be the name of a run",
        "use 1 to 63 lower-case letters, digits, hyphens and dots",
    ),
    "Training_DeadlinePassed": ("the request was good until {deadline}", _RENEW),
    "Training_NotTheParty": ("{signer} is not the wallet of party {party}", _SIGNER),
    "Training_NotInForce": (
        "agreement {agreement} is not in force now",
        "wait for its start, or agree on a new one",
    ),
    "Training_WrongTerms": (
        "the terms hash to {got}, but the parties signed {expected}",
        "hand over the terms of the agreement, unchanged",
    ),
    "Training_NotOpen": (
        "run {run_id} takes no more rounds (state {state})",
        "state 0: there is no such run; state 2: it is finished",
    ),
    "Training_WrongRound": ("round {expected} is open, not {got}", _SYNC),
    "Training_WrongPrev": (
        "this was signed on top of {got}, but the open round has {expected}",
        _SYNC,
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
        "known parties in ascending order, at most 10,000 basis points in all",
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
    "Rewards_OnlyTraining": (
        "only the training contract may do this, not {caller}",
        "pools are opened, settled and closed by the run itself",
    ),
    "Rewards_UnknownRun": ("there is no pool for run {run_id}", _RUN),
    "Rewards_Closed": ("the pool of run {run_id} is closed", "fund another run"),
    "Rewards_NotClosed": (
        "the pool of run {run_id} is still open",
        "the rest can be refunded once the run is finished",
    ),
    "Rewards_BadAmount": (
        "{amount} wei cannot be added to the pool",
        "above zero, no more than fits, and approved to the rewards contract",
    ),
    "Rewards_NothingToClaim": (
        "party {party} has nothing left to claim in run {run_id}",
        "rewards are credited when a round is sealed",
    ),
    "Rewards_NothingToRefund": ("run {run_id} has nothing to refund", ""),
    "Rewards_WrongNonce": ("the nonce has to be {expected}, not {got}", _NONCE),
    "Rewards_DeadlinePassed": ("the claim was good until {deadline}", _RENEW),
    "Rewards_NotTheParty": ("{signer} is not the wallet of party {party}", _SIGNER),
    "Rewards_BadRecipient": (
        "{recipient} cannot receive the tokens",
        "name an account other than zero and these contracts",
    ),
    "SwarmToken_OnlyTreasury": (
        "only the treasury mints tokens, not {caller}",
        "post it from the treasury's account",
    ),
    "SwarmToken_NoTreasury": ("the token needs a treasury", "name one that is not zero"),
    "ERC20ExceededCap": (
        "the supply would be {increased_supply} wei, and {cap} is the cap",
        "mint less",
    ),
    "ERC20InsufficientAllowance": (
        "{spender} may take {allowance} wei, and {needed} are needed",
        "approve it first, or send a permit",
    ),
    "ERC20InsufficientBalance": (
        "{sender} has {balance} wei, and {needed} are needed",
        "top the account up",
    ),
    "ERC20InvalidApprover": ("{approver} cannot approve", _TOKEN),
    "ERC20InvalidCap": ("{cap} wei cannot be the cap", "choose one above zero"),
    "ERC20InvalidReceiver": ("{receiver} cannot receive tokens", _TOKEN),
    "ERC20InvalidSender": ("{sender} cannot send tokens", _TOKEN),
    "ERC20InvalidSpender": ("{spender} cannot spend tokens", _TOKEN),
    "ERC2612ExpiredSignature": ("the permit was good until {deadline}", _RENEW),
    "ERC2612InvalidSigner": (
        "the permit of {owner} was signed by {signer}",
        "have the owner sign, with the token's current nonce",
    ),
    "InvalidAccountNonce": ("the nonce of {account} has to be {current_nonce}", _NONCE),
    "SafeERC20FailedOperation": ("the token {token} refused to move", _TOKEN),
    "ReentrancyGuardReentrantCall": (
        "the token called back into the rewards contract",
        "use a token without hooks",
    ),
    "ECDSAInvalidSignature": ("the bytes are no signature", "sign again"),
    "ECDSAInvalidSignatureLength": ("a signature of {length} bytes", "a signature has 65 bytes"),
    "ECDSAInvalidSignatureS": ("the signature's s is in the upper half", "sign again"),
    "InvalidShortString": ("a stored text is damaged", ""),
    "StringTooLong": ("the text is too long: {str}", "at most 31 bytes"),
}
_MOMENTS: Final = {"deadline", "until", "not_before", "not_after"}


def explain(name: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the sentence and the hint for a contract's error."""
    sentence, hint = _REASONS.get(name, (name, ""))
    shown = {key: _shown(key, value) for key, value in values.items()}
    return sentence.format_map(shown), hint


def explained() -> frozenset[str]:
    return frozenset(_REASONS)


def _shown(key: str, value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, str):
        return value if value.startswith("0x") else repr(value)
    if key in _MOMENTS and isinstance(value, int):
        try:
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        except (ValueError, OverflowError, OSError):
            return "the end of time"
    return str(value)
