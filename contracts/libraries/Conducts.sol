// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @dev An organization's record in a run, in one word: the rounds of its latest six strikes, 32 bits each, the latest
/// lowest (round 0 has no strikes, so zero is none); above them the end of its last quarantine [unix s], 64 bits.
type Conduct is uint256;

using Conducts for Conduct global;

library Conducts {
    uint256 private constant HISTORY = (1 << 192) - 1;

    /// @param index 0 is the latest
    function struckIn(Conduct conduct, uint256 index) internal pure returns (uint32) {
        return uint32(Conduct.unwrap(conduct) >> 32 * index);
    }

    function until(Conduct conduct) internal pure returns (uint64) {
        return uint64(Conduct.unwrap(conduct) >> 192);
    }

    function struck(Conduct conduct, uint32 round) internal pure returns (Conduct) {
        uint256 word = Conduct.unwrap(conduct);
        return Conduct.wrap(word & ~HISTORY | word << 32 & HISTORY | round);
    }

    /// @notice Whether so many strikes lie within so many rounds, the last of which is that of the latest strike.
    function tooMany(Conduct conduct, uint256 strikes, uint256 rounds) internal pure returns (bool) {
        uint256 earliest = conduct.struckIn(strikes - 1);
        return earliest != 0 && conduct.struckIn(0) - earliest < rounds;
    }

    /// @dev Who comes back begins without strikes.
    function quarantined(uint64 end) internal pure returns (Conduct) {
        return Conduct.wrap(uint256(end) << 192);
    }
}
