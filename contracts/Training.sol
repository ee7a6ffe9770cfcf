// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IRewards} from "./interfaces/IRewards.sol";
import {ITraining} from "./interfaces/ITraining.sol";
import {Agreements} from "./libraries/Agreements.sol";
import {Bits} from "./libraries/Bits.sol";
import {Messages} from "./libraries/Messages.sol";
import {Names} from "./libraries/Names.sol";
import {Losses, Rounds, Rules} from "./libraries/Rounds.sol";
import {Shares} from "./libraries/Shares.sol";
import {Wallets} from "./libraries/Wallets.sol";
import {Rewards} from "./Rewards.sol";

/// @title The referee of a run (see ITraining)
/// @dev Nobody owns this contract. It calls only the two others, which are fixed at deployment and never call back.
contract Training is ITraining, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    using Bits for uint64;
    using Rounds for Losses;
    using Rounds for Rules;
    using Shares for bytes;

    uint32 private constant FIRST_GENERATION = 1;
    uint256 private constant SIGNATURE_BYTES = 65;

    /// @dev The open round, in one slot; of a finished run, the last one sealed.
    struct Round {
        State state;
        uint32 number;
        uint32 snapshotVersion;
        uint64 active; // bit p: party p is counted
        uint64 openedAt;
    }

    struct Record {
        Round round;
        Losses losses;
        Rules rules;
        bytes32 agreement;
        bytes32 prev;
        bytes32 mergedRoot;
        string name;
    }

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
    IConsortium public immutable consortium;
    /// @inheritdoc ITraining
    IRewards public immutable rewards;

    mapping(bytes32 runId => Record) private _runs;
    mapping(bytes32 agreement => mapping(bytes32 nameHash => bytes32)) private _named;
    mapping(bytes32 termsHash => IConsortium.Terms) private _terms;

    constructor(IConsortium consortium_, IERC20 token) {
        consortium = consortium_;
        rewards = new Rewards(token, consortium_);
    }

    /// @inheritdoc ITraining
    function createRun(RunRequest calldata request, IConsortium.Terms calldata terms_, bytes calldata walletSignature)
        external
        returns (bytes32 runId)
    {
        bytes32 agreement = request.agreement;

        // Check: in time, under an agreement in force, by its terms
        if (block.timestamp > request.deadline) revert Training_DeadlinePassed(request.deadline);
        if (!consortium.inForce(agreement)) revert Training_NotInForce(agreement);
        bytes32 termsHash = Messages.hash(terms_);
        bytes32 agreed = consortium.termsHash(agreement);
        if (termsHash != agreed) revert Training_WrongTerms(agreed, termsHash);

        // Check: wanted by a party
        bytes32 digest = _hashTypedDataV4(Messages.hash(request));
        if (!Wallets.signed(consortium.wallet(agreement, request.party), digest, walletSignature)) {
            revert Training_NotTheParty(request.party, Wallets.signer(digest, walletSignature));
        }

        // Check: a free name; that a name is used once also makes the request good for one run only
        if (!Names.isDotted(request.name)) revert Training_BadName(request.name);
        bytes32 nameHash = keccak256(bytes(request.name));
        runId = _named[agreement][nameHash];
        if (runId != 0) revert Training_NameTaken(request.name, runId);

        // Effect: an open run, by rules that a seal finds in one place
        runId = keccak256(
            abi.encode(block.chainid, address(this), agreement, request.name, FIRST_GENERATION, request.salt)
        );
        _named[agreement][nameHash] = runId;
        Record storage record = _runs[runId];
        record.agreement = agreement;
        record.name = request.name;
        record.mergedRoot = terms_.initialRoot;
        record.rules = _rules(agreement, terms_);
        if (_terms[termsHash].maxRounds == 0) _terms[termsHash] = terms_;

        // Effect: round 0 by the latest snapshot
        bytes32 prev = Rounds.prevFrom(runId, _openRound(record, 0));
        record.prev = prev;

        // Interaction: a pool
        rewards.open(runId, agreement, terms_.sponsor);
        emit RunCreated(runId, agreement, request.name, FIRST_GENERATION, prev);
    }

    /// @inheritdoc ITraining
    function seal(Attestation calldata attestation, uint16[] calldata signers, bytes calldata signatures) external {
        Record storage record = _open(attestation.runId);
        Rules memory rules = record.rules;

        // Check: the open round, its history, its row, and a quorum of organizations
        _checkAttestation(record, rules, attestation);
        _checkQuorum(record, rules, attestationDigest(attestation), signers, signatures);

        // Effect: what was reached
        Losses memory losses = record.losses.measured(rules, attestation);
        record.losses = losses;
        record.mergedRoot = attestation.mergedRoot;

        // Effect: the next round, or the end
        (bool over, Ending ending) = rules.ending(attestation);
        bytes32 next = _proceed(record, attestation, over);

        // Interaction: pay
        uint256 credited = _settle(attestation, losses, rules.targetLoss);
        _emitSealed(attestation, signers, next, credited);

        // Interaction: what is left may be refunded
        if (over) _finish(attestation.runId, attestation.round, ending);
    }

    /// @inheritdoc ITraining
    function reopen(bytes32 runId) external {
        Record storage record = _open(runId);
        Round memory round = record.round;

        // Check: still worth it, and late enough; at once where nobody could seal anyway
        if (block.timestamp > record.rules.notAfter) revert Training_NotInForce(record.agreement);
        uint256 active = round.active.count();
        if (active >= record.rules.quorum(active)) {
            uint64 until = round.openedAt + _terms[consortium.termsHash(record.agreement)].stallTime;
            if (block.timestamp < until) revert Training_NotStalled(until);
        }

        // Effect: the same round by the latest snapshot
        bytes32 prev = Rounds.prevFrom(record.prev, _openRound(record, round.number));
        record.prev = prev;

        emit Reopened(runId, round.number, prev, record.round.snapshotVersion);
    }

    /// @inheritdoc ITraining
    function close(bytes32 runId) external {
        Record storage record = _open(runId);

        // Check: the agreement is over
        uint64 notAfter = record.rules.notAfter;
        if (block.timestamp <= notAfter) revert Training_StillInForce(notAfter);

        // Effect: the open round will never be sealed
        uint32 rounds = record.round.number;
        if (rounds != 0) --rounds;
        record.round.number = rounds;
        record.round.state = State.Finished;
        delete record.prev;

        // Interaction: what is left may be refunded
        _finish(runId, rounds, Ending.AgreementOver);
    }

    /// @inheritdoc ITraining
    function run(bytes32 runId) external view returns (Run memory) {
        Record storage record = _known(runId);
        Round memory round = record.round;
        Losses memory losses = record.losses;
        return Run({
            agreement: record.agreement,
            name: record.name,
            generation: FIRST_GENERATION,
            state: round.state,
            round: round.number,
            snapshotVersion: round.snapshotVersion,
            active: round.active,
            openedAt: round.openedAt,
            prev: record.prev,
            mergedRoot: record.mergedRoot,
            initialLoss: losses.initial,
            bestLoss: losses.best,
            lastLoss: losses.last,
            lastMetric: losses.metric
        });
    }

    /// @inheritdoc ITraining
    function terms(bytes32 runId) external view returns (IConsortium.Terms memory) {
        return _terms[consortium.termsHash(_known(runId).agreement)];
    }

    /// @inheritdoc ITraining
    function runNamed(bytes32 agreement, string calldata name) external view returns (bytes32 runId) {
        return _named[agreement][keccak256(bytes(name))];
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

    /// @dev Opens round `number` by the latest snapshot; returns the hash of who is counted in it.
    function _openRound(Record storage record, uint32 number) private returns (bytes32 membersRoot) {
        IConsortium.Snapshot memory snapshot = consortium.latestSnapshot(record.agreement);
        record.round = Round(State.Open, number, snapshot.version, snapshot.active, uint64(block.timestamp));
        return keccak256(abi.encode(snapshot.root, snapshot.active));
    }

    /// @dev Opens the next round by the latest snapshot, unless this was the last.
    function _proceed(Record storage record, Attestation calldata attestation, bool over)
        private
        returns (bytes32 next)
    {
        if (over) record.round.state = State.Finished;
        else next = Rounds.prevAfter(attestation, _openRound(record, attestation.round + 1));
        record.prev = next;
    }

    function _settle(Attestation calldata attestation, Losses memory losses, uint64 targetLoss)
        private
        returns (uint256 credited)
    {
        if (attestation.shares.length == 0) return 0;
        uint256 gain = losses.initial - losses.best;
        uint256 span = losses.initial - targetLoss;
        return rewards.settle(attestation.runId, gain, span, attestation.shares);
    }

    function _finish(bytes32 runId, uint32 rounds, Ending ending) private {
        rewards.close(runId);
        emit Finished(runId, rounds, ending);
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

    function _rules(bytes32 agreement, IConsortium.Terms calldata terms_) private view returns (Rules memory) {
        (, uint64 notAfter) = consortium.period(agreement);
        uint256 parties = consortium.partyCount(agreement);
        // By default not even the only ones enrolled so far can seal, if they are a minority of the parties.
        uint256 minPeers = terms_.minPeers == 0 ? parties / 2 + 1 : terms_.minPeers;
        return Rules({
            lossCeiling: terms_.lossCeiling,
            targetLoss: terms_.targetLoss,
            notAfter: notAfter,
            maxRounds: terms_.maxRounds,
            minPeers: uint8(minPeers),
            parties: uint8(parties),
            metering: terms_.metering
        });
    }

    function _checkAttestation(Record storage record, Rules memory rules, Attestation calldata attestation)
        private
        view
    {
        // Check: the open round, after this very history
        uint32 number = record.round.number;
        if (attestation.round != number) revert Training_WrongRound(number, attestation.round);
        bytes32 prev = record.prev;
        if (attestation.prev != prev) revert Training_WrongPrev(prev, attestation.prev);

        // Check: the agreed start, or a row that may be paid
        if (number == 0) _checkStart(record.mergedRoot, attestation);
        else attestation.shares.check(rules.parties, rules.metering == Agreements.EQUAL);
    }

    function _checkQuorum(
        Record storage record,
        Rules memory rules,
        bytes32 digest,
        uint16[] calldata signers,
        bytes calldata signatures
    ) private view {
        if (signatures.length != signers.length * SIGNATURE_BYTES) {
            revert Training_SignatureCount(signers.length, signatures.length);
        }
        (address[] memory keys, uint16[] memory parties) =
            consortium.members(record.agreement, record.round.snapshotVersion, signers);

        uint64 active = record.round.active;
        uint64 seen = 0;
        uint256 least = 0; // that the next signer may be
        for (uint256 i = 0; i < signers.length; ++i) {
            uint256 signer = signers[i];
            if (signer < least) revert Training_SignersNotAscending(uint16(signer));
            least = signer + 1;
            address recovered = Wallets.signerAt(digest, signatures, i);
            if (recovered != keys[i]) revert Training_WrongSignature(uint16(signer), keys[i], recovered);
            if (active.has(parties[i])) seen = seen.with(parties[i]);
        }

        uint256 organizations = seen.count();
        uint256 needed = rules.quorum(active.count());
        if (organizations < needed) revert Training_NoQuorum(organizations, needed);
    }

    function _known(bytes32 runId) private view returns (Record storage record) {
        record = _runs[runId];
        if (record.round.state == State.None) revert Training_UnknownRun(runId);
    }

    function _open(bytes32 runId) private view returns (Record storage record) {
        record = _known(runId);
        if (record.round.state != State.Open) revert Training_NotOpen(runId, record.round.state);
    }

    function _checkStart(bytes32 initialRoot, Attestation calldata attestation) private pure {
        if (attestation.mergedRoot != initialRoot || attestation.rosterRoot != 0 || attestation.shares.length != 0) {
            revert Training_NotTheStart(initialRoot, attestation.mergedRoot);
        }
    }
}
