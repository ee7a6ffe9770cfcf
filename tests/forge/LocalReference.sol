// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev What organization j said of a round: of each organization of the roster, by its place.
struct Said {
    bool heard;
    int256 lossBefore;
    int256 lossAfter;
    uint256[] bips;
}

/// @dev `local` metering as it is written down, in plain arrays: O organizations at the places 0 to O - 1.
library LocalReference {
    /// @dev num_i / den of a round.
    function parts(Said[] memory said) internal pure returns (uint256[] memory numerators, uint256 divisor) {
        uint256 count = said.length;
        numerators = new uint256[](count);
        if (count < 4) {
            for (uint256 i = 0; i < count; ++i) {
                numerators[i] = 10_000 / count;
            }
            return (numerators, 10_000);
        }
        for (uint256 i = 0; i < count; ++i) {
            for (uint256 j = 0; j < count; ++j) {
                if (j == i) continue;
                numerators[i] += 10_000;
                if (said[j].heard) numerators[i] = numerators[i] + (count - 1) * said[j].bips[i] - total(said[j]);
            }
        }
        return (numerators, 10_000 * count * (count - 1));
    }

    function total(Said memory one) internal pure returns (uint256 bips) {
        for (uint256 i = 0; i < one.bips.length; ++i) {
            bips += one.bips[i];
        }
    }

    function gain(Said[] memory said) internal pure returns (int256) {
        int256[] memory gains = new int256[](said.length);
        for (uint256 i = 0; i < said.length; ++i) {
            if (said[i].heard) gains[i] = said[i].lossBefore - said[i].lossAfter;
        }
        return lowerMedian(gains);
    }

    /// @dev The value that (n - 1) / 2 others stand before, those of equal value by their place.
    function lowerMedian(int256[] memory values) internal pure returns (int256) {
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 before = 0;
            for (uint256 j = 0; j < values.length; ++j) {
                if (values[j] < values[i] || (values[j] == values[i] && j < i)) ++before;
            }
            if (before == (values.length - 1) / 2) return values[i];
        }
        revert("no values");
    }
}
