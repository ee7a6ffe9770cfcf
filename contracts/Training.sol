// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IClerk} from "./interfaces/IClerk.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ILocalRows} from "./interfaces/ILocalRows.sol";
import {IRegistrar} from "./interfaces/IRegistrar.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Agreements} from "./libraries/Agreements.sol";
import {Bits} from "./libraries/Bits.sol";
import {Course, Round, Rounds, Rules} from "./libraries/Rounds.sol";
import {Shares} from "./libraries/Shares.sol";
import {Wallets} from "./libraries/Wallets.sol";
import {Rewards} from "./Rewards.sol";
import {TrainingViews} from "./TrainingViews.sol";

/// @title The referee of a run (see ITraining)
/// @dev Nobody owns this contract. It calls only others that are fixed at deployment, of which the books of rows ask back
/// for the domain separator, and none calls strangers.
contract Training is TrainingViews {
    using Bits for uint64;
    using Rounds for Course;
    using Rounds for Rules;
    using Shares for bytes;

    uint256 private constant SIGNATURE_BYTES = 65;

    /// @dev The data of a `Sealed` event: more values than the stack holds.
    struct SealedData {
        bytes32 prev;
        bytes32 next;
        uint32 term;
        bytes32 rosterRoot;
        uint64 lossBefore;
        uint64 lossAfter;
        int64 metric;
        bytes shares;
        bytes rejects;
        uint16[] signers;
        uint256 credited;
    }

    /// @inheritdoc ITraining
    IRewards public immutable rewards;

    constructor(IConsortium consortium_, IERC20 token, IClerk clerk_) TrainingViews(consortium_, clerk_) {
        clerk_.adopt();
        rewards = new Rewards(token, consortium_);
    }

    /// @inheritdoc ITraining
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function createRun(RunRequest calldata request, IConsortium.Terms calldata, bytes calldata)
        external
        returns (bytes32 runId)
    {
        // Check: a good request. Effect: it is entered
        IRegistrar.Opening memory opening = abi.decode(_passOn(), (IRegistrar.Opening));
        runId = opening.runId;

        // Check: what it follows has come to its end
        if (opening.resets != 0) _checkFinished(opening.resets);
        if (request.continues != 0) {
            opening.initialRoot = _checkFinished(request.continues).mergedRoot;
            bytes32 agreement = _runs[request.continues].agreement;
            if (agreement != request.agreement) revert Training_OtherAgreement(request.continues, agreement);
        }

        // Effect: a run, in round 0 by the latest snapshot
        // Begins with zeros.
        // slither-disable-next-line uninitialized-local
        Course memory course;
        bytes32 prev = _start(request, opening, course);

        // Interaction: a pool
        rewards.open(runId, request.agreement, opening.sponsor, opening.atEnd, opening.probation);
        _emitCreated(runId, request, prev);
        _announce(runId, course.round, prev);
    }

    /// @inheritdoc ITraining
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function seal(Attestation calldata attestation, uint16[] calldata signers, bytes calldata signatures) external {
        (Record storage record, Course memory course) = _course(attestation.runId, State.Open);

        // Check: the open round, its history, its row, and a quorum of organizations
        uint8 metering = course.rules.metering;
        if (metering == Agreements.LOCAL) revert Training_OtherMetering(metering);
        _checkHistory(record, course.round.number, attestation);
        if (attestation.round != 0) attestation.shares.check(course.round.active, metering == Agreements.EQUAL);
        uint64 signed = _checkSignatures(record.agreement, course.round, attestation, signers, signatures);
        course.checkQuorum(signed.count());

        // Effect: what was reached
        int64 before = course.rules.stopping == Agreements.LOSS ? int64(0) : record.bestMetric;
        int64 bestMetric = course.measure(before, attestation);
        if (bestMetric != before) record.bestMetric = bestMetric;

        // Effect: the next round, or the end
        bool atTarget = course.rules.atTarget(attestation.lossAfter, attestation.metric);
        bytes32 next = _proceed(record, course, attestation, signed, atTarget);

        // Interaction: pay
        uint256 credited = _pay(course, attestation);
        _emitSealed(attestation, signers, next, credited);
        _announce(attestation.runId, course.round, next);
    }

    /// @inheritdoc ITraining
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function sealLocal(Attestation calldata attestation, Votes calldata votes, Attestation calldata, Votes calldata)
        external
    {
        (Record storage record, Course memory course) = _course(attestation.runId, State.Open);

        // Check: the open round and its history
        uint8 metering = course.rules.metering;
        if (metering != Agreements.LOCAL) revert Training_OtherMetering(metering);
        _checkHistory(record, course.round.number, attestation);

        // Effect: the rows of this round and of the one before
        ILocalRows.Outcome memory outcome = _sealRows(record.agreement, course);

        // Check: a quorum of organizations
        course.checkQuorum(outcome.signed.count());

        // Effect: what was reached by the round before
        if (attestation.round != 0) course.measure(outcome.settlement);

        // Effect: the next round, or the end
        bool atTarget = 2 * outcome.atTarget.count() > course.round.active.count();
        bytes32 next = _proceed(record, course, attestation, outcome.signed, atTarget);

        // Interaction: pay the round before
        uint256 credited = 0;
        if (attestation.round != 0) credited = _pay(attestation.runId, course, outcome.settlement);
        _emitSealed(attestation, votes.signers, next, credited);
        _announce(attestation.runId, course.round, next);
    }

    /// @inheritdoc ITraining
    function addRows(Attestation calldata, Votes calldata) external {
        _passOn();
    }

    /// @inheritdoc ITraining
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function settle(bytes32 runId) external {
        (Record storage record, Course memory course) = _course(runId, State.Settling);

        // Check: nobody's row is cut off
        // That a round waits is what Settling means.
        // slither-disable-next-line unused-return
        (, bool complete) = clerk.waiting(runId);
        uint64 until = course.round.openedAt + course.rules.stallTime;
        if (!complete && block.timestamp < until) revert Training_RowsMissing(until);

        // Effect: what was reached
        ILocalRows.Settlement memory settlement = clerk.settleRows(runId);
        course.measure(settlement);
        course.round.state = State.Finished;
        (record.round, record.losses) = (course.round, course.losses);

        // Interaction: pay; what is left may be refunded
        _pay(runId, course, settlement);
        _announce(runId, course.round, 0);
    }

    /// @inheritdoc ITraining
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function reopen(bytes32 runId) external {
        (Record storage record, Course memory course) = _course(runId, State.Open);
        Round memory round = course.round;

        // Check: still worth it, and late enough; at once where nobody could seal anyway
        if (_isOver(record.agreement)) revert Training_NotInForce(record.agreement);
        uint256 active = round.active.count();
        uint64 until = round.openedAt + course.rules.stallTime;
        if (block.timestamp < until && active >= course.rules.quorum(active)) revert Training_NotStalled(until);

        // Effect: the same round by the latest snapshot
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(record.agreement);
        bytes32 prev = Rounds.prevFrom(record.prev, _openRound(record, runId, course, snapshot, round.active));
        (record.round, record.prev) = (round, prev);

        emit Reopened(runId, round.number, prev, round.snapshotVersion);
        _announce(runId, round, prev);
    }

    /// @inheritdoc ITraining
    function close(bytes32 runId) external {
        (Record storage record, Course memory course) = _course(runId, State.Open);

        // Check: the agreement is over
        if (!_isOver(record.agreement)) {
            // When it began is of no concern to its end.
            // slither-disable-next-line unused-return
            (, uint64 notAfter) = consortium.period(record.agreement);
            revert Training_StillInForce(notAfter);
        }

        // Effect: the open round will never be sealed
        // Whether rows are missing is asked by `settle`.
        // slither-disable-next-line unused-return
        (bool waits,) = clerk.waiting(runId);
        if (course.round.number != 0) --course.round.number;
        course.end(waits, Ending.AgreementOver);
        record.round = course.round;
        delete record.prev;

        // Interaction: what is left may be refunded
        _announce(runId, course.round, 0);
    }

    /// @inheritdoc ITraining
    function pardon(Pardon calldata, uint16[] calldata, bytes[] calldata) external {
        _passOn();
    }

    // The clerk is its own, and calls nothing that could come back here.
    // slither-disable-next-line reentrancy-no-eth
    function _start(RunRequest calldata request, IRegistrar.Opening memory opening, Course memory course)
        private
        returns (bytes32 prev)
    {
        Record storage record = _runs[opening.runId];
        (record.agreement, record.name, record.generation) = (request.agreement, request.name, request.generation);
        (record.initialRoot, record.mergedRoot) = (opening.initialRoot, opening.initialRoot);
        record.rules = opening.rules;
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(request.agreement);
        prev = Rounds.prevFrom(opening.runId, _openRound(record, opening.runId, course, snapshot, 0));
        (record.round, record.prev) = (course.round, prev);
    }

    /// @dev Judges the sealed round, then opens the next by the latest snapshot, unless this was the last. `course.round`
    /// becomes what is stored.
    function _proceed(
        Record storage record,
        Course memory course,
        Attestation calldata attestation,
        uint64 signed,
        bool atTarget
    ) private returns (bytes32 next) {
        Round memory round = course.round;
        if (attestation.rejects.length != 0 && attestation.round != 0 && 3 * signed.count() > 2 * round.active.count())
        {
            clerk.strike(
                attestation.runId,
                record.agreement,
                round.number,
                round.snapshotVersion,
                round.active,
                attestation.rejects
            );
        }

        (bool over, Ending why) = course.isLast(atTarget);
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(record.agreement);
        // Nobody is in force when the agreement is over.
        if (!over && snapshot.active == 0 && _isOver(record.agreement)) (over, why) = (true, Ending.AgreementOver);
        if (over) {
            course.end(course.rules.metering == Agreements.LOCAL, why);
        } else {
            ++round.number;
            next = Rounds.prevAfter(attestation, _openRound(record, attestation.runId, course, snapshot, 0));
        }
        (record.round, record.losses) = (round, course.losses);
        (record.mergedRoot, record.prev) = (attestation.mergedRoot, next);
    }

    /// @dev Opens round `course.round.number` by the latest snapshot.
    /// @param kept parties that are counted even if they are away
    /// @return membersRoot the hash of who is counted
    function _openRound(
        Record storage record,
        bytes32 runId,
        Course memory course,
        IConsortium.Snapshot memory snapshot,
        uint64 kept
    ) private returns (bytes32 membersRoot) {
        Round memory round = course.round;
        round.state = State.Open;
        round.snapshotVersion = snapshot.version;
        round.active = clerk.count(runId, record.agreement, snapshot.active, kept);
        round.openedAt = uint40(block.timestamp);
        return keccak256(abi.encode(snapshot.root, round.active));
    }

    function _pay(Course memory course, Attestation calldata attestation) private returns (uint256 credited) {
        if (attestation.shares.length == 0) return 0;
        (uint256 gain, uint256 span) = course.earned();
        return rewards.settle(attestation.runId, gain, span, attestation.shares);
    }

    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function _pay(bytes32 runId, Course memory course, ILocalRows.Settlement memory settlement)
        private
        returns (uint256 credited)
    {
        if (settlement.parts.length != 0) {
            (uint256 gain, uint256 span) = course.earned();
            credited = rewards.settleParts(runId, gain, span, settlement.parts, settlement.divisor);
        }
        emit Settled(runId, settlement.round, settlement.gain, settlement.best, credited);
    }

    /// @dev Has the clerk hear the rows that this call brought, which it gets as they came.
    function _sealRows(bytes32 agreement, Course memory course) private returns (ILocalRows.Outcome memory) {
        (Round memory round, Rules memory rules) = (course.round, course.rules);
        bytes memory bench = abi.encode(
            agreement,
            round.snapshotVersion,
            round.active,
            rules.stopping,
            rules.targetLoss,
            rules.targetMetric,
            _domainSeparatorV4()
        );
        bytes memory call = bytes.concat(ILocalRows.sealRows.selector, msg.data[4:], bench);
        return abi.decode(Address.functionCall(address(clerk), call), (ILocalRows.Outcome));
    }

    /// @dev Tells what follows; at the end, what is left of the pool may be refunded.
    // Its own contracts are called before the events are emitted; none of them calls strangers.
    // slither-disable-next-line reentrancy-events
    function _announce(bytes32 runId, Round memory round, bytes32 prev) private {
        if (round.state == State.Open) {
            emit RoundOpened(runId, round.number, prev, round.snapshotVersion, round.active);
        } else if (round.state == State.Settling) {
            emit Ended(runId, round.number, round.ending);
        } else {
            rewards.close(runId);
            emit Finished(runId, round.number, round.ending);
        }
    }

    function _emitCreated(bytes32 runId, RunRequest calldata request, bytes32 prev) private {
        emit RunCreated(runId, request.agreement, request.name, request.generation, prev, request.continues);
    }

    function _emitSealed(Attestation calldata attestation, uint16[] calldata signers, bytes32 next, uint256 credited)
        private
    {
        SealedData memory data;
        data.prev = attestation.prev;
        data.next = next;
        data.term = attestation.term;
        data.rosterRoot = attestation.rosterRoot;
        data.lossBefore = attestation.lossBefore;
        data.lossAfter = attestation.lossAfter;
        data.metric = attestation.metric;
        data.shares = attestation.shares;
        data.rejects = attestation.rejects;
        data.signers = signers;
        data.credited = credited;

        bytes memory encoded = abi.encode(data);
        bytes32 topic = Sealed.selector;
        (bytes32 runId, uint256 round, bytes32 mergedRoot) =
            (attestation.runId, attestation.round, attestation.mergedRoot);
        assembly ("memory-safe") {
            // A struct with dynamic fields is encoded behind its offset, which the event's own tuple has not.
            log4(add(encoded, 64), sub(mload(encoded), 32), topic, runId, round, mergedRoot)
        }
    }

    /// @return signed the counted parties whose nodes signed
    function _checkSignatures(
        bytes32 agreement,
        Round memory round,
        Attestation calldata attestation,
        uint16[] calldata signers,
        bytes calldata signatures
    ) private view returns (uint64 signed) {
        if (signatures.length != signers.length * SIGNATURE_BYTES) {
            revert Training_SignatureCount(signers.length, signatures.length);
        }
        (address[] memory keys, uint16[] memory parties) = consortium.members(agreement, round.snapshotVersion, signers);

        bytes32 digest = attestationDigest(attestation);
        uint256 least = 0; // that the next signer may be
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 signer = signers[i];
            if (signer < least) revert Training_SignersNotAscending(uint16(signer));
            least = signer + 1;
            address recovered = Wallets.signerAt(digest, signatures, i);
            if (recovered != keys[i]) revert Training_WrongSignature(uint16(signer), keys[i], recovered);
            if (round.active.has(parties[i])) signed = signed.with(parties[i]);
        }
    }
}
