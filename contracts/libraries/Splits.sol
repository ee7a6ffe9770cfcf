// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Shares} from "./Shares.sol";

/// @dev Who gets which part of something, as it lies in calldata: entries of one size, each beginning with uint16 party
/// (ascending), the rest being the numerator.
struct Split {
    uint256 next; // where the next entry begins
    uint256 end; // where the last one ends
    uint256 entryBytes;
    uint256 divisor;
}

/// @title The two forms in which a split travels, read alike
library Splits {
    /// @notice A row of shares: entries of 4 bytes, basis points. Incomplete entries are ignored.
    function ofShares(bytes calldata row) internal pure returns (Split memory split) {
        assembly ("memory-safe") {
            mstore(split, row.offset)
        }
        split.entryBytes = Shares.ENTRY_BYTES;
        split.end = split.next + Shares.count(row) * Shares.ENTRY_BYTES;
        split.divisor = Shares.ALL_BIPS;
    }

    /// @notice Whole words: party << 240 | numerator.
    function ofParts(uint256[] calldata parts, uint256 divisor) internal pure returns (Split memory split) {
        assembly ("memory-safe") {
            mstore(split, parts.offset)
        }
        split.entryBytes = 32;
        split.end = split.next + parts.length * 32;
        split.divisor = divisor;
    }

    function isOver(Split memory split) internal pure returns (bool) {
        return split.next == split.end;
    }

    /// @notice Reads one entry of a split that is not over, and goes on to the next.
    function read(Split memory split) internal pure returns (uint256 party, uint256 numerator) {
        unchecked {
            uint256 entry;
            assembly ("memory-safe") {
                entry := calldataload(mload(split))
            }
            uint256 entryBytes = split.entryBytes;
            split.next += entryBytes;
            party = entry >> 240;
            numerator = entry << 16 >> 272 - 8 * entryBytes;
        }
    }
}
