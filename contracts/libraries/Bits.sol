// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Sets of parties: bit p stands for party p
library Bits {
    /// @notice How many parties are in the set.
    /// @dev Sums of ever wider fields (population count; Knuth, TAOCP 4A, 7.1.3).
    function count(uint64 set) internal pure returns (uint256 bits) {
        unchecked {
            bits = set;
            bits = bits - (bits >> 1 & 0x5555555555555555);
            bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
            bits = bits + (bits >> 4) & 0x0f0f0f0f0f0f0f0f;
            bits = bits * 0x0101010101010101 >> 56 & 0xff;
        }
    }

    /// @notice The parties 0 to `parties` - 1, of at most 64.
    function first(uint256 parties) internal pure returns (uint64) {
        return uint64((1 << parties) - 1);
    }

    function has(uint64 set, uint256 party) internal pure returns (bool) {
        return uint256(set) >> party & 1 != 0;
    }

    function with(uint64 set, uint256 party) internal pure returns (uint64) {
        return set | uint64(1 << party);
    }

    function without(uint64 set, uint256 party) internal pure returns (uint64) {
        return set & ~uint64(1 << party);
    }
}
