// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITraining} from "../interfaces/ITraining.sol";
import {Bits} from "./Bits.sol";
import {Shares} from "./Shares.sol";

/// @title The arithmetic of `local` metering (see ILocalRows)
/// @dev N organizations read N rows of N entries. A row comes in words of eight entries, uint16 party | uint16 basis
/// points, and is compared and added up eight entries at once; places in the roster count from the highest lane of the
/// first word. A lane of sums holds, in its upper half, what the organization's own row gives away, and in the lower
/// what the others' rows give it: at most (O - 1) * floor(17,500 / (O - 1)).
library Opinions {
    using Bits for uint64;
    using Shares for bytes;

    /// @dev Of fewer, rows do not count.
    uint256 internal constant LEAST_ORGANIZATIONS = 4;

    /// @dev Of an equal part: what a row may give another organization at the most, its part of the rest included.
    uint256 internal constant MOST_BIPS = 17_500;

    uint256 private constant LANES = 8;
    uint256 private constant ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;
    uint256 private constant BIPS = 0xffff * ONES;
    uint256 private constant PARTIES = BIPS << 16;
    uint256 private constant HIGHEST = ONES << 31;

    /// @notice How many words so many entries come in.
    function words(uint256 entries) internal pure returns (uint256) {
        return (entries + LANES - 1) / LANES;
    }

    /// @notice The organizations that a row lists.
    /// @dev Requirements: ascending parties, all of them counted in the round.
    function listed(bytes calldata row, uint64 active) internal pure returns (uint64 roster) {
        uint256 least = 0; // that the next party may be
        uint256 entries = row.count();
        for (uint256 i = 0; i < entries; ++i) {
            // Only who is listed matters here.
            // slither-disable-next-line unused-return
            (uint256 party,) = row.read(i);
            if (party < least || !active.has(party)) revert ITraining.Training_BadShares(i);
            roster = roster.with(party);
            least = party + 1;
        }
    }

    /// @notice A row of zeros for this roster.
    function blank(uint64 roster) internal pure returns (uint256[] memory row) {
        uint256 entries = roster.count();
        row = new uint256[](words(entries));
        uint256 place = 0;
        for (uint256 party = 0; place < entries; ++party) {
            if (!roster.has(party)) continue;
            row[place / LANES] |= party << 16 << _shift(place);
            ++place;
        }
    }

    /// @notice Adds a row to the sums.
    /// @dev Requirements: it lists those that `blank` does, with nothing above the cap, and gives away no more than all.
    /// What it leaves is divided equally among the others: (entries - 1) * entry + rest <= MOST_BIPS.
    /// @param sums by place in the roster, a lane each
    /// @param place of its organization; none of the roster: it is only checked
    function add(uint256[] memory sums, uint256[] memory blank_, bytes calldata row, uint256 entries, uint256 place)
        internal
        pure
    {
        if (row.length != entries * Shares.ENTRY_BYTES) revert ITraining.Training_BadShares(entries);
        uint256 total = 0;
        for (uint256 i = 0; i < blank_.length; ++i) {
            uint256 word = _word(row, entries, i);
            if (word & PARTIES != blank_[i]) revert ITraining.Training_BadShares(i * LANES);
            unchecked {
                total += (word & BIPS) * ONES >> 224; // all lanes, in the highest
            }
        }
        if (total > Shares.ALL_BIPS) revert ITraining.Training_BadShares(entries);
        if (total == 0) return;

        uint256 cap = entries < 2 ? 0 : (MOST_BIPS - Shares.ALL_BIPS + total) / (entries - 1);
        // The cap is a whole number of basis points, rounded down; here it is copied into every lane.
        // slither-disable-next-line divide-before-multiply
        uint256 most = HIGHEST | cap * ONES;
        for (uint256 i = 0; i < blank_.length; ++i) {
            uint256 bips = _word(row, entries, i) & BIPS;
            // Where a lane is above the cap, it takes away its highest bit.
            if ((most - bips) & HIGHEST != HIGHEST) revert ITraining.Training_BadShares(i * LANES);
            unchecked {
                if (place < entries) sums[i] += bips;
            }
        }
        if (place < entries) sums[place / LANES] |= total << 16 << _shift(place);
    }

    /// @notice The entry of a row for this place.
    /// @dev The caller has checked that there is one.
    function entryOf(bytes calldata row, uint256 place) internal pure returns (uint256 bips) {
        // Who has this place is known.
        // slither-disable-next-line unused-return
        (, bips) = row.read(place);
    }

    /// @notice What part of a round each organization gets.
    /// @return all party << 240 | numerator, in the order of the roster
    function parts(uint256[] memory sums, uint64 roster) internal pure returns (uint256[] memory all, uint256 divisor) {
        uint256 count = roster.count();
        all = new uint256[](count);
        bool rowsCount = count >= LEAST_ORGANIZATIONS;
        unchecked {
            // What the rows leave, of all organizations.
            uint256 left = Shares.ALL_BIPS * count;
            for (uint256 i = 0; i < sums.length; ++i) {
                left -= (sums[i] >> 16 & BIPS) * ONES >> 224;
            }
            divisor = rowsCount ? Shares.ALL_BIPS * count * (count - 1) : Shares.ALL_BIPS;
            uint256 place = 0;
            for (uint256 party = 0; place < count; ++party) {
                if (!roster.has(party)) continue;
                uint256 numerator = Shares.ALL_BIPS / count;
                if (rowsCount) {
                    // One's own row is none of those that one gets something from.
                    uint256 lane = sums[place / LANES] >> _shift(place);
                    uint256 ownLeft = Shares.ALL_BIPS - (lane >> 16 & 0xffff);
                    numerator = (count - 1) * (lane & 0xffff) + left - ownLeft;
                }
                all[place++] = party << 240 | numerator;
            }
        }
    }

    /// @notice The middle one of the values, of two the lower.
    /// @dev Sorts them in place, by insertion: there are at most 64.
    function lowerMedian(int256[] memory values) internal pure returns (int256) {
        assembly ("memory-safe") {
            let begin := add(values, 32)
            let end := add(begin, shl(5, mload(values)))
            for { let next := add(begin, 32) } lt(next, end) { next := add(next, 32) } {
                let value := mload(next)
                let free := next
                for {} gt(free, begin) {} {
                    let before := mload(sub(free, 32))
                    if iszero(sgt(before, value)) { break }
                    mstore(free, before)
                    free := sub(free, 32)
                }
                mstore(free, value)
            }
        }
        return values[(values.length - 1) / 2];
    }

    /// @dev Eight entries of a row; behind its end, zeros.
    function _word(bytes calldata row, uint256 entries, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(row.offset, shl(5, index)))
        }
        unchecked {
            uint256 rest = entries - index * LANES;
            if (rest < LANES) word &= type(uint256).max << _shift(rest - 1);
        }
    }

    /// @dev Where the lane of this place begins in its word.
    function _shift(uint256 place) private pure returns (uint256) {
        unchecked {
            return 32 * (LANES - 1 - place % LANES);
        }
    }
}
