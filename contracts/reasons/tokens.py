"""Tokens, roles, versions, signatures: mostly OpenZeppelin's. See `contracts.reasons`."""

from __future__ import annotations

from typing import Final

from contracts.reasons.hints import NONCE, RENEW, TOKEN

REASONS: Final[dict[str, tuple[str, str]]] = {
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
    "ERC20InvalidApprover": ("{approver} cannot approve", TOKEN),
    "ERC20InvalidCap": ("{cap} wei cannot be the cap", "choose one above zero"),
    "ERC20InvalidReceiver": ("{receiver} cannot receive tokens", TOKEN),
    "ERC20InvalidSender": ("{sender} cannot send tokens", TOKEN),
    "ERC20InvalidSpender": ("{spender} cannot spend tokens", TOKEN),
    "ERC2612ExpiredSignature": ("the permit was good until {deadline}", RENEW),
    "ERC2612InvalidSigner": (
        "the permit of {owner} was signed by {signer}",
        "have the owner sign, with the token's current nonce",
    ),
    "InvalidAccountNonce": ("the nonce of {account} has to be {current_nonce}", NONCE),
    "SafeERC20FailedOperation": ("the token {token} refused to move", TOKEN),
    "ReentrancyGuardReentrantCall": (
        "the token called back into the contract that moves it",
        "use a token without hooks",
    ),
    "ECDSAInvalidSignature": ("the bytes are no signature", "sign again"),
    "ECDSAInvalidSignatureLength": ("a signature of {length} bytes", "a signature has 65 bytes"),
    "ECDSAInvalidSignatureS": ("the signature's s is in the upper half", "sign again"),
    "InvalidShortString": ("a stored text is damaged", ""),
    "StringTooLong": ("the text is too long: {str}", "at most 31 bytes"),
    "AccessManagedUnauthorized": (
        "{caller} has no role that may do this",
        "the administrator of the roles grants it",
    ),
    "AccessManagedRequiredDelay": (
        "{caller} has to announce this call {delay} s before",
        "schedule it with the manager of the roles",
    ),
    "AccessManagedInvalidAuthority": (
        "{authority} is no manager of roles",
        "name the Roles contract of the deployment",
    ),
    "AccessManagerAlreadyScheduled": (
        "operation {operation_id} is announced already",
        "wait for its time",
    ),
    "AccessManagerBadConfirmation": (
        "a role is given up in its own name only",
        "confirm with the address that gives it up",
    ),
    "AccessManagerExpired": (
        "operation {operation_id} was announced too long ago",
        "announce it again: it has to be done within a week of its time",
    ),
    "AccessManagerInvalidInitialAdmin": (
        "{initial_admin} cannot be the administrator",
        "name an address that is not zero",
    ),
    "AccessManagerLockedFunction": ("nobody may change who calls {selector}", ""),
    "AccessManagerLockedRole": (
        "role {role_id} cannot be changed",
        "the administrator and everybody are fixed roles",
    ),
    "AccessManagerNotReady": ("operation {operation_id} is not due yet", "wait for its time"),
    "AccessManagerNotScheduled": (
        "operation {operation_id} was not announced",
        "schedule it first",
    ),
    "AccessManagerUnauthorizedAccount": (
        "{msgsender} does not have role {role_id}",
        "have it granted",
    ),
    "AccessManagerUnauthorizedCall": (
        "{caller} may not call {selector} of {target}",
        "have the role for it granted",
    ),
    "AccessManagerUnauthorizedCancel": (
        "{msgsender} may not cancel what {caller} announced for {target}",
        "the guardian of the role may, and who announced it",
    ),
    "AccessManagerUnauthorizedConsume": (
        "{target} may not use up announced calls",
        "only contracts that this manager governs may",
    ),
    "AddressEmptyCode": ("there is no contract at {target}", "check the address"),
    "FailedCall": ("the call failed and gave no reason", "try it by itself"),
    "InsufficientBalance": (
        "{balance} wei are there, and {needed} are needed",
        "top the account up",
    ),
    "SafeCastOverflowedUintDowncast": (
        "{value} does not fit in {bits} bits",
        "use a smaller number",
    ),
    "Registry_BadName": (
        "{name} cannot be the name of a version",
        "use 1 to 160 letters, digits and . _ - / :",
    ),
    "Registry_NameTaken": ("version {name} was published before, as number {index}", "count it up"),
    "Registry_BadEntry": (
        "contract number {entry} of the version cannot be listed",
        "1 to 32 contracts, each with a name of its own and code at its address",
    ),
    "Registry_BadReason": ("a reason of {length_bytes} bytes", "say why in 1 to 255 bytes"),
    "Registry_UnknownVersion": ("no version has number {index}", "they are counted from zero"),
    "Registry_AlreadyRetired": ("version {index} is retired already", ""),
    "Registry_NoVersion": ("no version is published that is not retired", "ask the maintainers"),
}
