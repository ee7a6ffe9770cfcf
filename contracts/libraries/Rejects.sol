// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITraining} from "../interfaces/ITraining.sol";

/// @title Rejected nodes as they travel: uint16 registration, uint8 reason, one after the other
library Rejects {
    uint256 internal constant ENTRY_BYTES = 3;
    uint256 internal constant UNAVAILABLE = 6; // a matter of the network, not of the node alone

    /// @notice The registrations that were rejected for what they sent.
    /// @dev Requirements: whole entries, registrations ascending.
    function blamed(bytes calldata rejects) internal pure returns (uint16[] memory registrations) {
        // Multiplied again to see whether the entries are whole.
        // slither-disable-next-line divide-before-multiply
        uint256 entries = rejects.length / ENTRY_BYTES;
        if (rejects.length != entries * ENTRY_BYTES) revert ITraining.Training_BadRejects(entries);
        registrations = new uint16[](entries);
        uint256 count = 0;
        uint256 least = 0; // that the next registration may be
        for (uint256 i = 0; i < entries; ++i) {
            uint24 entry = uint24(bytes3(rejects[i * ENTRY_BYTES:]));
            uint256 registration = entry >> 8;
            if (registration < least) revert ITraining.Training_BadRejects(i);
            least = registration + 1;
            if (entry & 0xff == UNAVAILABLE) continue;
            registrations[count++] = uint16(registration);
        }
        assembly ("memory-safe") {
            mstore(registrations, count)
        }
    }
}
