// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ILocalRows} from "../interfaces/ILocalRows.sol";
import {ITraining} from "../interfaces/ITraining.sol";
import {Agreements} from "./Agreements.sol";
import {Bits} from "./Bits.sol";

/// @dev The open round, in one slot; of a run that has ended, the last one sealed.
struct Round {
    ITraining.State state;
    uint32 number;
    uint32 snapshotVersion;
    uint64 active; // bit p: party p is counted
    uint40 openedAt; // [unix s]
    uint32 paid; // rounds settled with a row that is not void
    uint32 idle; // rounds settled since the watched value last got better
    ITraining.Ending ending; // of a run that has ended
}

/// @dev What was measured so far; one slot.
struct Losses {
    uint64 initial; // L0
    uint64 best;
    uint64 last;
    int64 metric;
}

/// @dev What a round needs of the terms as they were when the run was created; two slots.
struct Rules {
    uint64 lossCeiling;
    uint64 targetLoss;
    int64 targetMetric;
    uint32 maxRounds;
    uint32 patience;
    uint32 stallTime;
    uint8 minPeers; // never zero
    uint8 metering;
    uint8 stopping;
    uint8 budgetRule;
}

/// @dev A run as a call works on it: read once, written back once.
struct Course {
    Round round;
    Rules rules;
    Losses losses;
}

/// @title The arithmetic of a round: quorum, losses, ending, and the name of what follows
library Rounds {
    using Bits for uint64;
    using Rounds for Rules;

    /// @notice Organizations that have to sign when so many are counted.
    function quorum(Rules memory rules, uint256 activeParties) internal pure returns (uint256) {
        uint256 majority = activeParties / 2 + 1;
        return rules.minPeers > majority ? rules.minPeers : majority;
    }

    /// @notice Whether a value is where the run may end.
    function atTarget(Rules memory rules, uint64 loss, int64 metric) internal pure returns (bool) {
        return atTarget(rules.stopping, rules.targetLoss, rules.targetMetric, loss, metric);
    }

    function atTarget(uint8 stopping, uint64 targetLoss, int64 targetMetric, uint64 loss, int64 metric)
        internal
        pure
        returns (bool)
    {
        if (stopping == Agreements.LOSS) return loss <= targetLoss;
        return stopping == Agreements.LOWEST_METRIC ? metric <= targetMetric : metric >= targetMetric;
    }

    /// @notice Whether so many organizations may seal.
    function checkQuorum(Course memory course, uint256 organizations) internal pure {
        uint256 needed = course.rules.quorum(course.round.active.count());
        if (organizations < needed) revert ITraining.Training_NoQuorum(organizations, needed);
    }

    /// @notice What a row signed by all changes: round 0 measures where everybody starts; later only a row that is paid
    /// for moves the best values.
    /// @return the best metric from now on
    function measure(Course memory course, int64 bestMetric, ITraining.Attestation calldata attestation)
        internal
        pure
        returns (int64)
    {
        (Round memory round, Losses memory losses) = (course.round, course.losses);
        (uint64 loss, int64 metric) = (attestation.lossAfter, attestation.metric);
        (losses.last, losses.metric) = (loss, metric);
        uint8 watched = course.rules.stopping;
        if (round.number == 0) {
            _begin(course, loss);
            return watched == Agreements.LOSS ? int64(0) : metric;
        }
        round.idle += 1;
        if (attestation.shares.length == 0) return bestMetric;

        round.paid += 1;
        bool better = loss < losses.best;
        if (better) losses.best = loss;
        if (watched != Agreements.LOSS) {
            better = watched == Agreements.LOWEST_METRIC ? metric < bestMetric : metric > bestMetric;
            if (better) bestMetric = metric;
        }
        if (better) round.idle = 0;
        return bestMetric;
    }

    /// @notice What the rows of a round change under `local`: round 0 says where everybody starts.
    function measure(Course memory course, ILocalRows.Settlement memory settlement) internal pure {
        (Round memory round, Losses memory losses) = (course.round, course.losses);
        if (settlement.round == 0) {
            _begin(course, uint64(uint256(settlement.gain)));
            return;
        }
        // Beyond L0 nothing vests that has not vested already.
        uint256 gain = settlement.best < losses.initial ? settlement.best : losses.initial;
        losses.best = uint64(losses.initial - gain);
        round.idle = settlement.improved ? 0 : round.idle + 1;
        if (settlement.parts.length != 0) round.paid += 1;
    }

    /// @notice What part of the pool is vested by now: gain / span.
    function earned(Course memory course) internal pure returns (uint256 gain, uint256 span) {
        (Losses memory losses, Rules memory rules) = (course.losses, course.rules);
        // Nothing was left to learn.
        if (losses.initial <= rules.targetLoss) return (0, 1);
        if (rules.budgetRule == Agreements.PER_ROUND) return (course.round.paid, rules.maxRounds);
        return (losses.initial - losses.best, losses.initial - rules.targetLoss);
    }

    /// @return over Whether the sealed round was the last.
    /// @return why If it was.
    function isLast(Course memory course, bool targetReached) internal pure returns (bool over, ITraining.Ending why) {
        (Round memory round, Rules memory rules) = (course.round, course.rules);
        if (targetReached) return (true, ITraining.Ending.TargetReached);
        if (round.number == rules.maxRounds) return (true, ITraining.Ending.RoundsDone);
        return (rules.patience != 0 && round.idle >= rules.patience, ITraining.Ending.Patience);
    }

    /// @param waits whether a round is not settled yet
    function end(Course memory course, bool waits, ITraining.Ending why) internal view {
        Round memory round = course.round;
        round.state = waits ? ITraining.State.Settling : ITraining.State.Finished;
        round.openedAt = uint40(block.timestamp);
        round.ending = why;
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

    /// @dev L0 is measured, but never above what the parties agreed to.
    function _begin(Course memory course, uint64 loss) private pure {
        uint64 ceiling = course.rules.lossCeiling;
        course.losses.initial = loss < ceiling ? loss : ceiling;
        course.losses.best = course.losses.initial;
    }
}
