// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IClerk} from "./interfaces/IClerk.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Bits} from "./libraries/Bits.sol";
import {Messages} from "./libraries/Messages.sol";
import {Course, Losses, Round, Rounds, Rules} from "./libraries/Rounds.sol";

/// @title What is kept of runs, and how it is looked up (see ITraining)
abstract contract TrainingViews is ITraining, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    using Bits for uint64;
    using Rounds for Rules;

    struct Record {
        Round round;
        Losses losses;
        Rules rules;
        int64 bestMetric; // read and written only where the stopping rule watches the metric
        uint32 generation;
        bytes32 agreement;
        bytes32 prev;
        bytes32 initialRoot;
        bytes32 mergedRoot;
        string name;
    }

    /// @inheritdoc ITraining
    IConsortium public immutable consortium;
    /// @inheritdoc ITraining
    IClerk public immutable clerk;

    mapping(bytes32 runId => Record) internal _runs;

    constructor(IConsortium consortium_, IClerk clerk_) {
        consortium = consortium_;
        clerk = clerk_;
    }

    /// @inheritdoc ITraining
    function run(bytes32 runId) external view returns (Run memory view_) {
        Record storage record = _known(runId);
        (Round memory round, Losses memory losses) = (record.round, record.losses);
        view_.agreement = record.agreement;
        view_.name = record.name;
        view_.generation = record.generation;
        view_.state = round.state;
        view_.round = round.number;
        view_.snapshotVersion = round.snapshotVersion;
        view_.active = round.active;
        view_.quarantined = clerk.quarantined(runId);
        view_.openedAt = round.openedAt;
        view_.ending = round.ending;
        view_.prev = record.prev;
        view_.initialRoot = record.initialRoot;
        view_.mergedRoot = record.mergedRoot;
        view_.initialLoss = losses.initial;
        view_.bestLoss = losses.best;
        view_.lastLoss = losses.last;
        view_.lastMetric = losses.metric;
        view_.bestMetric = record.bestMetric;
        view_.paidRounds = round.paid;
        view_.idleRounds = round.idle;
    }

    /// @inheritdoc ITraining
    function terms(bytes32) external view returns (IConsortium.Terms memory) {
        _answer();
    }

    /// @inheritdoc ITraining
    function runNamed(bytes32, string calldata) external view returns (bytes32) {
        _answer();
    }

    /// @inheritdoc ITraining
    function runOf(bytes32, string calldata, uint32) external view returns (bytes32) {
        _answer();
    }

    /// @inheritdoc ITraining
    function agreementOf(bytes32 runId) external view returns (bytes32) {
        return _known(runId).agreement;
    }

    /// @inheritdoc ITraining
    function quorum(bytes32 runId) external view returns (uint256 organizations) {
        Record storage record = _known(runId);
        return record.rules.quorum(record.round.active.count());
    }

    /// @inheritdoc ITraining
    function attestationDigest(Attestation calldata attestation) public view returns (bytes32) {
        return _hashTypedDataV4(Messages.hash(attestation));
    }

    /// @inheritdoc ITraining
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @dev Terminated, or its time is over; suspended is neither.
    function _isOver(bytes32 agreement) internal view returns (bool) {
        // When it began is of no concern to its end.
        // slither-disable-next-line unused-return
        (, uint64 notAfter) = consortium.period(agreement);
        return block.timestamp > notAfter || consortium.state(agreement) == IConsortium.State.Terminated;
    }

    function _known(bytes32 runId) internal view returns (Record storage record) {
        record = _runs[runId];
        if (record.round.state == State.None) revert Training_UnknownRun(runId);
    }

    /// @dev A run in this state, to work on.
    function _course(bytes32 runId, State state) internal view returns (Record storage record, Course memory course) {
        record = _known(runId);
        course.round = record.round;
        if (course.round.state != state) revert Training_WrongState(runId, course.round.state);
        (course.rules, course.losses) = (record.rules, record.losses);
    }

    /// @dev A run that may be reset, and continued.
    function _checkFinished(bytes32 runId) internal view returns (Record storage record) {
        record = _known(runId);
        if (record.round.state != State.Finished) revert Training_WrongState(runId, record.round.state);
    }

    /// @dev The open round, after this very history; round 0 from the agreed start, without pay.
    function _checkHistory(Record storage record, uint32 number, Attestation calldata attestation) internal view {
        if (attestation.round != number) revert Training_WrongRound(number, attestation.round);
        bytes32 prev = record.prev;
        if (attestation.prev != prev) revert Training_WrongPrev(prev, attestation.prev);
        if (number != 0) return;
        bytes32 initialRoot = record.mergedRoot;
        if (attestation.mergedRoot != initialRoot || attestation.rosterRoot != 0 || attestation.shares.length != 0) {
            revert Training_NotTheStart(initialRoot, attestation.mergedRoot);
        }
    }

    /// @dev Passes the very call on to the clerk, whose function of this name does it. Reverts as the clerk does.
    function _passOn() internal returns (bytes memory) {
        return Address.functionCall(address(clerk), msg.data);
    }

    /// @dev As `_passOn`, for questions: returns from the whole call with the clerk's answer.
    function _answer() private view {
        bytes memory answer = Address.functionStaticCall(address(clerk), msg.data);
        assembly ("memory-safe") {
            return(add(answer, 32), mload(answer))
        }
    }
}
