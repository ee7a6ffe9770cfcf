"""The tables. Times are Unix seconds, hashes and addresses 0x-hex, amounts wei.

Two halves: what people and nodes asked of this marketplace (its own records), and what it read
from the chain. One module for each subject; every table is named here, for migrations know tables
by what this package imports.
"""

from __future__ import annotations

from marketplace.storage.models.agreements import WITHOUT_TEXT, Agreement, Party
from marketplace.storage.models.announcements import Announcement, Delivery, Webhook
from marketplace.storage.models.base import ADDRESS, HASH, SPIFFE_ID, TOKEN, Base
from marketplace.storage.models.chain import Credit, Cursor, Event, Round
from marketplace.storage.models.consortia import (
    Admission,
    AdmittedAgreement,
    Comment,
    DraftSeat,
    DraftVersion,
    Invitation,
    Negotiation,
)
from marketplace.storage.models.governance import (
    AgreementVersion,
    Motion,
    MotionVote,
    VersionSignature,
)
from marketplace.storage.models.leases import Lease, SeatLimit
from marketplace.storage.models.ledger import (
    Block,
    LedgerBalance,
    LedgerEntry,
    LedgerPosting,
    RoundRow,
)
from marketplace.storage.models.nodes import (
    Certificate,
    Enrollment,
    EnrollmentToken,
    NodeStatus,
    Rejection,
    UsageReport,
    UsageTotal,
)
from marketplace.storage.models.operations import Operation
from marketplace.storage.models.people import ApiToken, Challenge, Member, Retry, SignIn
from marketplace.storage.models.runs import RunNote
from marketplace.storage.models.statements import KeptStatement
from marketplace.storage.models.trail import Anchor, TrailEntry

__all__ = [
    "ADDRESS",
    "HASH",
    "SPIFFE_ID",
    "TOKEN",
    "WITHOUT_TEXT",
    "Admission",
    "AdmittedAgreement",
    "Agreement",
    "AgreementVersion",
    "Anchor",
    "Announcement",
    "ApiToken",
    "Base",
    "Block",
    "Certificate",
    "Challenge",
    "Comment",
    "Credit",
    "Cursor",
    "Delivery",
    "DraftSeat",
    "DraftVersion",
    "Enrollment",
    "EnrollmentToken",
    "Event",
    "Invitation",
    "KeptStatement",
    "Lease",
    "LedgerBalance",
    "LedgerEntry",
    "LedgerPosting",
    "Member",
    "Motion",
    "MotionVote",
    "Negotiation",
    "NodeStatus",
    "Operation",
    "Party",
    "Rejection",
    "Retry",
    "Round",
    "RoundRow",
    "RunNote",
    "SeatLimit",
    "SignIn",
    "TrailEntry",
    "UsageReport",
    "UsageTotal",
    "VersionSignature",
    "Webhook",
]
