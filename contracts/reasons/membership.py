"""Agreements, parties, nodes, votes, presence. See `contracts.reasons`."""

from __future__ import annotations

from typing import Final

from contracts.reasons.hints import NONCE, RENEW, SIGNER

REASONS: Final[dict[str, tuple[str, str]]] = {
    "Consortium_UnknownAgreement": (
        "agreement {agreement} is not known to this contract",
        "it comes into force once all parties' signatures are posted",
    ),
    "Consortium_AlreadyActive": (
        "agreement {agreement} is in force, or was, already",
        "sign an amendment to change it",
    ),
    "Consortium_NotSigned": (
        "the signature of party {party} is missing or was not made by its wallet {wallet}",
        "have that party sign this very agreement, on this chain",
    ),
    "Consortium_BadParties": (
        "the parties cannot stand: see number {party}",
        "2 to 64 parties, each with its own organization, its own wallet and a weight above zero; "
        "an amendment keeps those there are, in their order and with their present wallets",
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
    "Consortium_DeadlinePassed": ("the signature was good until {deadline}", RENEW),
    "Consortium_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Consortium_NotTheParty": ("{signer} is not the wallet of party {party}", SIGNER),
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
    "Consortium_NothingToSign": (
        "party {party} has nothing to sign: it has signed, is out, or is no party",
        "look who has signed already",
    ),
    "Consortium_WrongVersion": (
        "the next version of the agreement is {expected}, not {got}",
        "an amendment counts on from the version in force; a new agreement has version 1",
    ),
    "Consortium_WrongState": (
        "agreement {agreement} is {state}: that cannot be done now",
        "look at its state; suspended agreements are resumed by vote",
    ),
    "Consortium_PartyOut": (
        "party {party} left the agreement, or was removed, for good",
        "it may become a party of a new agreement",
    ),
    "Consortium_WalletTaken": (
        "{wallet} is the wallet of another party, or about to be",
        "choose a wallet that no party of the agreement has",
    ),
    "Consortium_NotTheCouncil": (
        "only the council may do this, not {caller}",
        "post the motion and its votes to the council",
    ),
    "Council_DeadlinePassed": ("the motion was good until {deadline}", RENEW),
    "Council_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Council_BadMotion": (
        "the motion to {action} names a party or a wallet that it has no use for",
        "leave out what the action does not need: zero for both",
    ),
    "Council_SignatureCount": (
        "{voters} voters came with {signatures} signatures",
        "one signature a voter",
    ),
    "Council_VotersNotAscending": (
        "the voters are not in ascending order at party {party}",
        "order the votes by party number, each once",
    ),
    "Council_NoVote": (
        "party {party} has no vote on this",
        "who is out, or whom the motion concerns, does not vote",
    ),
    "Council_NotTheParty": (
        "the vote of party {party} was not signed by its wallet {wallet}",
        SIGNER,
    ),
    "Council_TooFewVotes": (
        "{votes} organizations are in favor, and {needed} are needed",
        "gather more votes",
    ),
    "Council_NothingToVeto": (
        "no replacement of the wallet of party {party} by {wallet} is under way",
        "it took effect, or was called off already",
    ),
    "Presence_NoSuspicions": (
        "agreement {agreement} does without suspicions",
        "its bylaws set no time to answer them",
    ),
    "Presence_DeadlinePassed": ("the suspicion was good until {deadline}", RENEW),
    "Presence_WrongNumber": (
        "the number has to be {expected}, not {got}",
        "another suspicion was raised meanwhile: read it and sign anew",
    ),
    "Presence_NotAMember": (
        "registration {registration} is not part of the latest snapshot",
        "it has to be a node that is enrolled now",
    ),
    "Presence_OfItself": (
        "party {party} cannot suspect itself",
        "a node of another organization has to sign",
    ),
    "Presence_NotPresent": (
        "party {party} is not counted at present",
        "it has no node, or is left out already",
    ),
    "Presence_TooSoon": (
        "this organization cannot be suspected again before {until}",
        "one suspicion at a time",
    ),
    "Presence_DepositTooSmall": (
        "a deposit of {needed} wei pays for the answer, and {got} came",
        "send it along with the suspicion",
    ),
    "Presence_WrongSignature": (
        "the signature of registration {registration} is {recovered}'s, not {expected}'s",
        "sign with the key that the node is enrolled with",
    ),
    "Presence_NothingToAnswer": (
        "party {party} is neither suspected nor left out",
        "nothing has to be said",
    ),
    "Presence_NotSuspected": (
        "no suspicion of party {party} is open",
        "it was answered, or carried out already",
    ),
    "Presence_NotYet": ("there is time to answer until {answer_by}", "wait until then"),
    "Presence_NothingOwed": (
        "{recipient} is owed nothing",
        "deposits are owed to who posted the answer, or the suspicion",
    ),
}
