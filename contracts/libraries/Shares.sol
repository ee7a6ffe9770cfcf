// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title A row of shares as it travels: uint16 party, uint16 basis points, one after the other
library Shares {
    uint256 internal constant ENTRY_BYTES = 4;
    uint256 internal constant ALL_BIPS = 10_000;

    function count(bytes calldata row) internal pure returns (uint256) {
        return row.length / ENTRY_BYTES;
    }

    /// @param index less than `count(row)`; read in place, without a bounds check.
    function read(bytes calldata row, uint256 index) internal pure returns (uint256 party, uint256 bips) {
        uint256 entry;
        assembly ("memory-safe") {
            entry := shr(224, calldataload(add(row.offset, shl(2, index))))
        }
        party = entry >> 16;
        bips = entry & 0xffff;
    }
}
