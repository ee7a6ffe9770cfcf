// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IPresence} from "./IPresence.sol";
import {IStakes} from "./IStakes.sol";
import {ITraining} from "./ITraining.sol";

/// @title Who is counted in a round: nodes, stake, presence, strikes, quarantine
/// @notice Counted are the parties with a node in the snapshot, that were parties when the run was created, have their
/// stake (where the bylaws asked for one when the run was created), are not known to be away, and are not
/// quarantined. The bar of a seal stays at max(minPeers, more than half of them): whoever is left out, nobody seals
/// whom `minPeers` does not let. Quarantines never bring a round below `minPeers`: one that would open with fewer
/// counts the quarantined too.
///
/// A strike is for an organization that sent what more than two thirds of the counted organizations rejected, by their
/// signatures under the seal, for any reason but 6 (unavailable): one in a round, however many of its nodes. `strikes` of
/// them within `strikeRounds` rounds quarantine it for `quarantineTime`, from the next round on; it comes back
/// with the first round that opens after that, or after a pardon, and begins without strikes.
interface IParticipation {
    event Struck(bytes32 indexed runId, uint32 indexed round, uint16 indexed party);
    event Quarantined(bytes32 indexed runId, uint16 indexed party, uint64 until);
    event Pardoned(bytes32 indexed runId, uint16 indexed party, uint256 nonce);

    /// @notice Who is counted in a round that opens now. Only Training.
    /// @dev Effects: whose quarantine is over is counted again. Requirements: none, so that a round can always open.
    /// @param enrolled parties with a node in the snapshot
    /// @param kept parties that are counted even if they are away
    function count(bytes32 runId, bytes32 agreement, uint64 enrolled, uint64 kept) external returns (uint64 active);

    /// @notice Strikes for what more than two thirds rejected. Only Training.
    /// @dev Effects: as said above; none where the terms know no strikes. Requirements: whole entries, ascending
    /// registrations of the snapshot.
    /// @param round the sealed one, with its snapshot and who is counted in it
    /// @param rejects as in ITraining.Attestation
    function strike(
        bytes32 runId,
        bytes32 agreement,
        uint32 round,
        uint32 snapshotVersion,
        uint64 active,
        bytes calldata rejects
    ) external;

    /// @notice Ends a quarantine by vote; see ITraining.pardon, which does the same.
    function pardon(ITraining.Pardon calldata pardon_, uint16[] calldata voters, bytes[] calldata signatures) external;

    function stakes() external view returns (IStakes);
    function presence() external view returns (IPresence);
    /// @notice Left out until their time is over, or they are pardoned: bit p is party p's.
    function quarantined(bytes32 runId) external view returns (uint64);
    /// @notice Rounds in which the party was struck and not quarantined since, the latest first (zeros: none), and the end
    /// of its quarantine [unix s].
    function conduct(bytes32 runId, uint16 party) external view returns (uint32[6] memory struckIn, uint64 until);
    function pardonNonce(bytes32 runId) external view returns (uint256);
}
