"""Tasks and taskrunners. See `contracts.reasons`."""

from __future__ import annotations

from typing import Final

from contracts.reasons.hints import NONCE, RENEW, SIGNER

REASONS: Final[dict[str, tuple[str, str]]] = {
    "Taskrunner_DeadlinePassed": ("the request was good until {deadline}", RENEW),
    "Taskrunner_WrongNonce": ("the nonce has to be {expected}, not {got}", NONCE),
    "Taskrunner_NotTheParty": ("{signer} is not the wallet of party {party}", SIGNER),
    "Taskrunner_PartyIsOut": ("party {party} left the agreement, or was removed", ""),
    "Taskrunner_NotInForce": (
        "agreement {agreement} is not in force now",
        "wait for its start, or for its resumption",
    ),
    "Taskrunner_BadName": ("{name} cannot be a name", "use 1 to 160 letters, digits and . _ - / :"),
    "Taskrunner_NameTaken": (
        "the name {name} is taken",
        "choose another one: tasks and their outcomes share their names",
    ),
    "Taskrunner_UnknownTask": ("there is no task {task}", "check its name, and the agreement"),
    "Taskrunner_UnknownTaskrunner": (
        "there is no taskrunner {taskrunner}",
        "check its name, and the agreement",
    ),
    "Taskrunner_NotTheAuthor": (
        "the task is that of party {author}, not of party {party}",
        "have its author change it",
    ),
    "Taskrunner_IsFinal": ("task {task} is final", "create another task"),
    "Taskrunner_NotFinal": ("task {task} is not final", "have its author finalize it first"),
    "Taskrunner_NoBody": ("task {task} has no body", "set one before it becomes final"),
    "Taskrunner_WrongBody": (
        "the body of the task is {expected}, not {got}",
        "read the task again and sign anew",
    ),
    "Taskrunner_PrerequisiteMissing": (
        "{prerequisite} has to be done before",
        "assign that task first",
    ),
    "Taskrunner_BadPeers": (
        "{peers} peers, of which {needed} are needed, cannot be assigned",
        "1 to 2048 peers where the first ones count, otherwise no number; no more needed than "
        "there are",
    ),
    "Taskrunner_BadEnd": (
        "the assignment cannot end at {ends_at}",
        "later than now, and at the latest at {latest}",
    ),
    "Taskrunner_WrongState": (
        "the taskrunner is {state}",
        "reset it after an assignment has ended",
    ),
    "Taskrunner_WrongNumber": (
        "the last assignment has number {expected}, not {got}",
        "read the taskrunner again",
    ),
    "Taskrunner_StillRunning": (
        "another party has a task running until {ends_at}",
        "wait until it has ended",
    ),
    "Taskrunner_OtherTask": (
        "task {running} is running, not {task}",
        "further targets are for the running task",
    ),
    "Taskrunner_AlreadyAPeer": (
        "registration {registration} is a peer of the assignment already",
        "",
    ),
    "Taskrunner_NotAMember": (
        "registration {registration} is no member: there is none, or it was retired",
        "enroll the node under the agreement",
    ),
    "Taskrunner_NotTheKey": (
        "{caller} is not the key of registration {registration}",
        "post it with the node's own key",
    ),
    "Taskrunner_AlreadyEnrolled": (
        "registration {registration} is enrolled with this taskrunner already",
        "",
    ),
    "Taskrunner_NotEnrolled": (
        "registration {registration} is not enrolled with this taskrunner",
        "enroll it first",
    ),
    "Taskrunner_NoPlace": (
        "no place is left for registration {registration}",
        "wait for the next assignment",
    ),
    "Taskrunner_BadStatus": (
        "the status {status} cannot be reported",
        "active, completed or failed",
    ),
    "Taskrunner_AlreadyReported": (
        "registration {registration} has reported {status} before",
        "that was final",
    ),
}
