// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IParticipation} from "../interfaces/IParticipation.sol";
import {IPresence} from "../interfaces/IPresence.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITraining} from "../interfaces/ITraining.sol";
import {Bits} from "../libraries/Bits.sol";
import {Conduct, Conducts} from "../libraries/Conducts.sol";
import {Messages} from "../libraries/Messages.sol";
import {Rejects} from "../libraries/Rejects.sol";
import {Adopted} from "./Adopted.sol";

/// @title Who is counted in a round (see IParticipation)
abstract contract Participation is Adopted {
    using Bits for uint64;

    /// @dev Of a run: the terms as they were when it was created, and who is left out; one slot.
    struct Standing {
        uint64 quarantined; // bit p: party p is left out
        uint64 pardons;
        uint32 strikeRounds;
        uint32 quarantineTime; // [s]
        uint8 strikes;
        uint8 parties;
        uint8 minPeers;
        bool staked; // whether a stake is asked for
    }

    /// @inheritdoc IParticipation
    IStakes public immutable stakes;
    /// @inheritdoc IParticipation
    IPresence public immutable presence;

    mapping(bytes32 runId => Standing) private _standings;
    mapping(bytes32 runId => mapping(uint256 party => Conduct)) private _conducts;

    constructor(IStakes stakes_, IPresence presence_) {
        stakes = stakes_;
        presence = presence_;
    }

    /// @inheritdoc IParticipation
    function count(bytes32 runId, bytes32 agreement, uint64 enrolled, uint64 kept)
        external
        onlyTraining
        returns (uint64 active)
    {
        Standing memory standing = _standings[runId];
        active = enrolled & Bits.first(standing.parties);
        if (standing.staked) active &= stakes.staked(agreement);
        active &= kept | ~presence.away(agreement);
        if (standing.quarantined == 0) return active;

        // Effect: whose time is over comes back
        uint64 left = standing.quarantined;
        for (uint256 party = 0; left >> party != 0; ++party) {
            if (left.has(party) && _conducts[runId][party].until() <= block.timestamp) left = left.without(party);
        }
        if (left != standing.quarantined) _standings[runId].quarantined = left;

        // Better with the quarantined than not at all.
        uint64 others = active & ~left;
        if (others.count() >= standing.minPeers) active = others;
    }

    /// @inheritdoc IParticipation
    function strike(
        bytes32 runId,
        bytes32 agreement,
        uint32 round,
        uint32 snapshotVersion,
        uint64 active,
        bytes calldata rejects
    ) external onlyTraining {
        Standing memory standing = _standings[runId];
        if (standing.strikes == 0) return;
        // Their keys were needed for signatures only.
        // slither-disable-next-line unused-return
        (, uint16[] memory parties) = consortium.members(agreement, snapshotVersion, Rejects.blamed(rejects));
        uint64 quarantinedBefore = standing.quarantined;
        for (uint256 i = 0; i < parties.length; ++i) {
            // Who is not counted has no part in the round; one strike is enough.
            if (!active.has(parties[i])) continue;
            active = active.without(parties[i]);
            _strike(runId, standing, round, parties[i]);
        }
        if (standing.quarantined != quarantinedBefore) _standings[runId].quarantined = standing.quarantined;
    }

    /// @inheritdoc IParticipation
    function pardon(ITraining.Pardon calldata pardon_, uint16[] calldata voters, bytes[] calldata signatures) external {
        Standing storage standing = _standings[pardon_.runId];

        // Check: in time, once, and there is something to pardon
        if (block.timestamp > pardon_.deadline) revert ITraining.Training_DeadlinePassed(pardon_.deadline);
        uint64 nonce = standing.pardons;
        if (pardon_.nonce != nonce) revert ITraining.Training_WrongNonce(nonce, pardon_.nonce);
        if (!standing.quarantined.has(pardon_.party)) revert ITraining.Training_NotQuarantined(pardon_.party);

        // Check: as many as carry a motion
        bytes32 digest = MessageHashUtils.toTypedDataHash(training.domainSeparator(), Messages.hash(pardon_));
        consortium.council().requireVotes(training.agreementOf(pardon_.runId), digest, voters, signatures);

        // Effect: counted again from the next round on
        standing.quarantined = standing.quarantined.without(pardon_.party);
        standing.pardons = nonce + 1;
        _conducts[pardon_.runId][pardon_.party] = Conducts.quarantined(0);
        emit Pardoned(pardon_.runId, pardon_.party, nonce);
    }

    /// @inheritdoc IParticipation
    function quarantined(bytes32 runId) external view returns (uint64) {
        return _standings[runId].quarantined;
    }

    /// @inheritdoc IParticipation
    function conduct(bytes32 runId, uint16 party) external view returns (uint32[6] memory struckIn, uint64 until) {
        Conduct conduct_ = _conducts[runId][party];
        for (uint256 i = 0; i < struckIn.length; ++i) {
            struckIn[i] = conduct_.struckIn(i);
        }
        until = conduct_.until();
    }

    /// @inheritdoc IParticipation
    function pardonNonce(bytes32 runId) external view returns (uint256) {
        return _standings[runId].pardons;
    }

    /// @dev Begins to count for a new run.
    function _admit(
        bytes32 runId,
        bytes32 agreement,
        IConsortium.Terms calldata terms_,
        uint256 parties,
        uint256 minPeers
    ) internal {
        Standing storage standing = _standings[runId];
        standing.strikeRounds = terms_.strikeRounds;
        standing.quarantineTime = terms_.quarantineTime;
        standing.strikes = terms_.strikes;
        standing.parties = uint8(parties);
        standing.minPeers = uint8(minPeers);
        standing.staked = consortium.bylaws(agreement).minStake != 0;
    }

    function _strike(bytes32 runId, Standing memory standing, uint32 round, uint16 party) private {
        Conduct conduct_ = _conducts[runId][party].struck(round);
        emit Struck(runId, round, party);
        if (conduct_.tooMany(standing.strikes, standing.strikeRounds)) {
            uint64 until = uint64(block.timestamp) + standing.quarantineTime;
            conduct_ = Conducts.quarantined(until);
            standing.quarantined = standing.quarantined.with(party);
            emit Quarantined(runId, party, until);
        }
        _conducts[runId][party] = conduct_;
    }
}
