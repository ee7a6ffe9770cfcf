// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITraining} from "../interfaces/ITraining.sol";
import {Bits} from "./Bits.sol";

/// @title A row of shares as it travels: uint16 party, uint16 basis points, one after the other
library Shares {
    using Bits for uint64;

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

    /// @notice Reverts unless parties are counted and ascending, and nobody is given what is not there.
    /// @param active who is counted in the round
    /// @param equally whether all entries have to be alike; two always are.
    function check(bytes calldata row, uint64 active, bool equally) internal pure {
        uint256 entries = count(row);
        if (row.length != entries * ENTRY_BYTES) revert ITraining.Training_BadShares(entries);
        if (entries == 2) equally = true;
        uint256 least = 0; // that the next party may be
        uint256 total = 0;
        for (uint256 i = 0; i < entries; ++i) {
            (uint256 party, uint256 bips) = read(row, i);
            total += bips;
            if (party < least || !active.has(party) || total > ALL_BIPS) revert ITraining.Training_BadShares(i);
            if (equally && bips != ALL_BIPS / entries) {
                revert ITraining.Training_NotEqual(i, ALL_BIPS / entries, bips);
            }
            least = party + 1;
        }
    }
}
