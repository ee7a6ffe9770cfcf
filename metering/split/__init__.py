"""From scores to shares: the agreement's `common`, `local`, `equal` and `size`, in whole numbers.

Every function here has a twin in the contracts; both must agree to the last wei.
"""

from __future__ import annotations

from metering.split.local import (
    LEAST_ORGANIZATIONS,
    cap_bips,
    check_local_row,
    local_credits_wei,
    local_parts,
    local_row,
)
from metering.split.rows import (
    FULL_BIPS,
    PARTY_LIMIT,
    VOID,
    Row,
    check_row,
    equal_bips,
    equal_row,
    equal_share_bips,
    metered_bips,
    metered_row,
    node_weights,
    organization_scores,
    size_bips,
    size_row,
    size_share_bips,
)

__all__ = [
    "FULL_BIPS",
    "LEAST_ORGANIZATIONS",
    "PARTY_LIMIT",
    "VOID",
    "Row",
    "cap_bips",
    "check_local_row",
    "check_row",
    "equal_bips",
    "equal_row",
    "equal_share_bips",
    "local_credits_wei",
    "local_parts",
    "local_row",
    "metered_bips",
    "metered_row",
    "node_weights",
    "organization_scores",
    "size_bips",
    "size_row",
    "size_share_bips",
]
