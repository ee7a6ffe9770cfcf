// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "./IConsortium.sol";
import {IRewards} from "./IRewards.sol";

/// @title The referee of a run: one transaction a round
/// @notice Counts organizations, checks signatures, has the round paid, and applies the stopping rule.
/// What peers say to each other off chain (Update, Roster, Holdings) is signed in this contract's EIP-712 domain.
interface ITraining {
    enum State {
        None,
        Open,
        Finished
    }

    /// @notice Asks for a run; signed by the wallet of `party`.
    struct RunRequest {
        bytes32 agreement;
        uint16 party;
        string name;
        bytes32 salt;
        uint64 deadline; // [unix s]
    }

    /// @notice What a node signs under what it merged and measured. Under `equal`, `size` and `common` metering all
    /// sign the same payload, so one digest serves every signature.
    struct Attestation {
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint32 term;
        bytes32 rosterRoot;
        bytes32 mergedRoot;
        uint64 lossBefore; // [1e-9]
        uint64 lossAfter; // [1e-9]
        int64 metric; // [1e-9]
        bytes shares; // 4 bytes an organization: uint16 party (ascending), uint16 basis points; empty = void row.
        // Every organization of the roster is listed, zeros too: a row of two is split equally.
        bytes rejects; // 3 bytes a node: uint16 registration (ascending), uint8 reason
    }

    struct Run {
        bytes32 agreement;
        string name;
        uint32 generation; // 1: a name is used once
        State state;
        uint32 round; // the open one; of a finished run, the last sealed
        uint32 snapshotVersion; // of the open round
        uint64 active; // bit p: party p is counted in the open round
        uint64 openedAt; // [unix s]
        bytes32 prev; // of the open round; zero when finished
        bytes32 mergedRoot; // last sealed; the initial root before round 0 is
        uint64 initialLoss; // [1e-9] L0
        uint64 bestLoss; // [1e-9] lowest sealed and paid
        uint64 lastLoss; // [1e-9]
        int64 lastMetric; // [1e-9]
    }

    enum Ending {
        TargetReached,
        RoundsDone,
        AgreementOver
    }

    event RunCreated(bytes32 indexed runId, bytes32 indexed agreement, string name, uint32 generation, bytes32 prev);
    /// @notice `prev` is the one that was signed; `next` that of the round this seal opens (zero when it ends the run).
    event Sealed(
        bytes32 indexed runId,
        uint32 indexed round,
        bytes32 indexed mergedRoot,
        bytes32 prev,
        bytes32 next,
        uint32 term,
        bytes32 rosterRoot,
        uint64 lossBefore,
        uint64 lossAfter,
        int64 metric,
        bytes shares,
        bytes rejects,
        uint16[] signers,
        uint256 credited
    );
    event Reopened(bytes32 indexed runId, uint32 indexed round, bytes32 prev, uint32 snapshotVersion);
    event Finished(bytes32 indexed runId, uint32 rounds, Ending ending);

    error Training_UnknownRun(bytes32 runId);
    error Training_NameTaken(string name, bytes32 runId);
    error Training_BadName(string name);
    error Training_DeadlinePassed(uint64 deadline);
    error Training_NotTheParty(uint16 party, address signer);
    error Training_NotInForce(bytes32 agreement);
    /// @notice The terms handed over are not those that the parties signed.
    error Training_WrongTerms(bytes32 expected, bytes32 got);
    error Training_NotOpen(bytes32 runId, State state);
    error Training_WrongRound(uint32 expected, uint32 got);
    error Training_WrongPrev(bytes32 expected, bytes32 got);
    /// @notice Round 0 has no roster, no pay, and the model that the terms name.
    error Training_NotTheStart(bytes32 expectedRoot, bytes32 mergedRoot);
    error Training_SignersNotAscending(uint16 registration);
    error Training_SignatureCount(uint256 signers, uint256 signatureBytes);
    error Training_WrongSignature(uint16 registration, address expected, address recovered);
    error Training_NoQuorum(uint256 organizations, uint256 needed);
    /// @notice Parties must be known and ascending, basis points at most 10,000 in all; entry `index` breaks this.
    error Training_BadShares(uint256 index);
    /// @notice `equal`, and any roster of two, is split equally.
    error Training_NotEqual(uint256 index, uint256 expected_bips, uint256 got_bips);
    error Training_NotStalled(uint64 until);
    error Training_StillInForce(uint64 notAfter);

    /// @notice Creates a run by name.
    /// @dev Effects: run open in round 0 with the latest snapshot. Requirements: agreement in force; `terms_` are those
    /// signed; request signed by a party's wallet; name unused under the agreement (1 to 63 lower-case letters,
    /// digits, hyphens, dots).
    /// @return runId keccak256(abi.encode(chainid, this, agreement, name, generation, salt)). The agreement is part of
    /// it: otherwise whoever sees a pending request could take its id for a run, and a pool, of his own.
    function createRun(RunRequest calldata request, IConsortium.Terms calldata terms_, bytes calldata walletSignature)
        external
        returns (bytes32 runId);

    /// @notice Records a round. Anyone may post; the signatures decide. The first valid seal of a round wins.
    /// @dev Effects: credits the organizations, opens the next round with the latest snapshot, or ends the run: at the
    /// target loss, after the last round, or when the agreement is over. Only a row that is not void moves the best
    /// loss.
    /// The next `prev` = keccak256(abi.encode(runId, round, rosterRoot, mergedRoot, lossBefore, lossAfter, metric,
    /// keccak256(shares), membersRoot of the round it opens)); the first = keccak256(abi.encode(runId, membersRoot)), with
    /// membersRoot = keccak256(abi.encode(root of the snapshot, set of the parties that are counted)).
    /// Requirements: open run, this round, this `prev`; `signers` ascending registrations of the round's snapshot with
    /// 65 signature bytes each; at least `quorum(runId)` distinct organizations among them.
    function seal(Attestation calldata attestation, uint16[] calldata signers, bytes calldata signatures) external;

    /// @notice Opens the same round again with the latest snapshot, `stallTime` after it was opened; at once when the
    /// snapshot it opened with has fewer organizations than a seal needs.
    /// @dev Effects: `prev` = keccak256(abi.encode(prev, membersRoot)), so what was signed before is void.
    /// Requirements: open run, agreement not over.
    function reopen(bytes32 runId) external;

    /// @notice Ends a run after `notAfter` of its agreement; what is accrued stays claimable, the rest returns
    /// to the sponsor.
    function close(bytes32 runId) external;

    function consortium() external view returns (IConsortium);
    function rewards() external view returns (IRewards);
    function run(bytes32 runId) external view returns (Run memory);
    function terms(bytes32 runId) external view returns (IConsortium.Terms memory);
    function runNamed(bytes32 agreement, string calldata name) external view returns (bytes32 runId);
    /// @notice max(minPeers, floor(A / 2) + 1) organizations, where A have a node in the open round's snapshot; for a
    /// minPeers of zero, more than half of the agreement's parties is taken.
    function quorum(bytes32 runId) external view returns (uint256 organizations);
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);
}
