"""Everything that is signed: the Solidity structs of the contracts, and what peers tell each other.

Field names are those of the Solidity structs in snake_case, in the same order. All byte fields
whose type is `Bytes32` hold exactly 32 bytes.
"""

from __future__ import annotations

from contracts.eip712 import (
    Domain,
    Struct,
    digest,
    from_abi,
    from_json,
    recover,
    recover_digest,
    sign,
    struct_hash,
    to_abi,
    to_json,
    type_string,
    typed_data,
)
from contracts.errors import MessageError, SignatureError
from contracts.hashes import (
    changed_snapshot_root,
    first_prev,
    leader_rank,
    members_root,
    next_prev,
    next_snapshot_root,
    reopened_prev,
    run_id,
    updates_root,
)
from contracts.kinds import checksum_address
from contracts.packing import pack_rejects, pack_shares, unpack_rejects, unpack_shares
from contracts.structs.agreements import Agreement, Bylaws, Party, Terms
from contracts.structs.membership import (
    Alive,
    Enrollment,
    Leaving,
    Motion,
    Move,
    Retirement,
    Suspicion,
    TlsBinding,
    Veto,
)
from contracts.structs.payments import Claim, Delegation, Permit, Pricing, Unlocking
from contracts.structs.rounds import (
    Attestation,
    Holdings,
    Pardon,
    Refusal,
    Roster,
    Row,
    RunRequest,
    Update,
    Votes,
)
from contracts.structs.tasks import (
    Assignment,
    ResetRequest,
    TaskChange,
    TaskRequest,
    TaskrunnerRequest,
)

__all__ = [
    "Agreement",
    "Alive",
    "Assignment",
    "Attestation",
    "Bylaws",
    "Claim",
    "Delegation",
    "Domain",
    "Enrollment",
    "Holdings",
    "Leaving",
    "MessageError",
    "Motion",
    "Move",
    "Pardon",
    "Party",
    "Permit",
    "Pricing",
    "Refusal",
    "ResetRequest",
    "Retirement",
    "Roster",
    "Row",
    "RunRequest",
    "SignatureError",
    "Struct",
    "Suspicion",
    "TaskChange",
    "TaskRequest",
    "TaskrunnerRequest",
    "Terms",
    "TlsBinding",
    "Unlocking",
    "Update",
    "Veto",
    "Votes",
    "changed_snapshot_root",
    "checksum_address",
    "digest",
    "first_prev",
    "from_abi",
    "from_json",
    "leader_rank",
    "members_root",
    "next_prev",
    "next_snapshot_root",
    "pack_rejects",
    "pack_shares",
    "recover",
    "recover_digest",
    "reopened_prev",
    "run_id",
    "sign",
    "struct_hash",
    "to_abi",
    "to_json",
    "type_string",
    "typed_data",
    "unpack_rejects",
    "unpack_shares",
    "updates_root",
]
