// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITraining} from "../interfaces/ITraining.sol";

/// @dev What was measured so far; one slot.
struct Losses {
    uint64 initial; // L0
    uint64 best;
    uint64 last;
    int64 metric;
}

/// @dev What a seal needs of the agreement, which never changes; one slot.
struct Rules {
    uint64 lossCeiling;
    uint64 targetLoss;
    uint64 notAfter;
    uint32 maxRounds;
    uint8 minPeers; // never zero
    uint8 parties;
    uint8 metering;
}

/// @title The arithmetic of a round: quorum, losses, ending, and the name of what follows
library Rounds {
    /// @notice Organizations that have to sign when so many have nodes.
    function quorum(Rules memory rules, uint256 activeParties) internal pure returns (uint256) {
        uint256 majority = activeParties / 2 + 1;
        return rules.minPeers > majority ? rules.minPeers : majority;
    }

    /// @notice Round 0 measures where everybody starts; later only a row that is paid for moves the best loss.
    function measured(Losses memory losses, Rules memory rules, ITraining.Attestation calldata attestation)
        internal
        pure
        returns (Losses memory)
    {
        uint64 loss = attestation.lossAfter;
        if (attestation.round == 0) {
            losses.initial = loss < rules.lossCeiling ? loss : rules.lossCeiling;
            losses.best = losses.initial;
        } else if (attestation.shares.length != 0 && loss < losses.best) {
            losses.best = loss;
        }
        losses.last = loss;
        losses.metric = attestation.metric;
        return losses;
    }

    /// @return over Whether this was the last round.
    /// @return ending Why, if it was.
    function ending(Rules memory rules, ITraining.Attestation calldata attestation)
        internal
        view
        returns (bool over, ITraining.Ending)
    {
        if (attestation.lossAfter <= rules.targetLoss) return (true, ITraining.Ending.TargetReached);
        if (attestation.round == rules.maxRounds) return (true, ITraining.Ending.RoundsDone);
        return (block.timestamp > rules.notAfter, ITraining.Ending.AgreementOver);
    }

    /// @notice `prev` of round 0, and of a round that is opened again.
    function prevFrom(bytes32 before, bytes32 membersRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(before, membersRoot));
    }

    /// @notice `prev` of the round after the sealed one.
    /// @dev Signatures, poster and block are left out: whoever posts, the next round has the same name.
    function prevAfter(ITraining.Attestation calldata attestation, bytes32 membersRoot)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                attestation.runId,
                attestation.round,
                attestation.rosterRoot,
                attestation.mergedRoot,
                attestation.lossBefore,
                attestation.lossAfter,
                attestation.metric,
                keccak256(attestation.shares),
                membersRoot
            )
        );
    }
}
