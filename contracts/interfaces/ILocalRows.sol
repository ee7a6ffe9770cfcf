// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITraining} from "./ITraining.sol";

/// @title The books of `local` metering: what each organization says of the others
/// @notice Each organization signs a row of its own: its losses and metric, and an opinion of every organization of the
/// round's roster. One row an organization: that of the first of its nodes that is heard, within a call the one with
/// the lowest registration. Rows come with the seal of their round, or later, until the round is settled: by the seal of
/// the next, or after the end of the run. Who brings them, and when before that, makes no difference.
///
/// A row lists all O organizations of the roster, ascending; its own entry is 0, all together are at most 10,000 basis
/// points. What it leaves is divided equally among the others: all zeros is an abstention, and a row that never came
/// counts as one. No entry is above 1.75 equal parts, its part of the rest included:
/// (O - 1) * entry + rest <= 17,500. With r_ji the entry of row j for organization i, zero where there is no row,
///   num_i = sum over j other than i of [(O - 1) * r_ji + 10,000 - sum of r_jk over all k],
///   den = 10,000 * O * (O - 1), credit_i = floor(available * num_i / den):
/// its own row, or silence, is in no term of what an organization gets, and all numerators together are the divisor, so
/// that nobody gains by leaving something for later rounds. Of fewer than four organizations rows do not
/// count, and all get floor(10,000 / O) basis points: of three, two could divide the third's pay.
///
/// The gain of a round is the lower median of lossBefore - lossAfter over the roster's organizations, 0 for those that
/// were not heard. What vests follows the highest sum of gains so far, beginning with 0. Round 0 has no roster: rows
/// list nobody, and L0 is the lower median of lossAfter over the organizations that were heard, at most the ceiling;
/// who has no data to evaluate on says 2^64 - 1, which counts as not heard there, as no gain later, and as no target.
/// A roster of nobody (an empty row) is a void round: it pays nobody and gains nothing.
interface ILocalRows {
    /// @dev By whom a seal is judged, and when it is at the target.
    struct Bench {
        bytes32 agreement;
        uint32 snapshotVersion;
        uint64 active; // bit p: party p is counted
        uint8 stopping;
        uint64 targetLoss; // [1e-9]
        int64 targetMetric; // [1e-9]
        bytes32 separator; // EIP-712 domain that rows are signed in
    }

    /// @dev What a round comes to.
    struct Settlement {
        uint32 round;
        int256 gain; // [1e-9] of round 0: the median loss
        uint256 best; // [1e-9] highest sum of gains so far
        bool improved; // whether this round made it so
        uint256[] parts; // party << 240 | numerator, parties ascending; none for round 0 and for a void round
        uint256 divisor;
    }

    struct Outcome {
        uint64 signed; // bit p: party p is counted and signed
        uint64 atTarget; // bit p: and is at the target by its own row
        Settlement settlement; // of the round before, where there is one
    }

    /// @notice What is on chain of the round that was sealed last.
    struct Book {
        bytes32 sealedHash; // struct hash of what all signed alike; zero: nothing waits for rows
        uint64 roster; // bit p: party p has a part in the round; for round 0, is counted
        uint64 heard; // bit p: of these, those whose row is in
        uint32 snapshotVersion;
        uint32 round;
        int128 sum; // [1e-9] of all gains settled so far
        int128 best; // [1e-9] highest such sum
    }

    /// @notice This row counts for its organization in this round.
    event RowCounted(
        bytes32 indexed runId,
        uint32 indexed round,
        uint16 indexed party,
        uint16 registration,
        uint64 lossBefore,
        uint64 lossAfter,
        int64 metric,
        bytes shares
    );

    /// @notice What all signed alike leaves losses, metric and shares zero and empty.
    error LocalRows_OwnFields();
    error LocalRows_RowCount(uint256 signers, uint256 rows);
    /// @notice Rows can only be added to what was sealed last, and not settled yet.
    error LocalRows_NotWaiting(bytes32 expected, bytes32 got);

    /// @notice Settles the round before, if there is one, and opens the book of this one. Only Training, which hands over
    /// what it was called with itself, and behind it abi.encode(Bench): rows are long, and dear to encode once more.
    /// @dev Effects: the round before is settled by the rows that are in, `late` included; the book holds this one.
    /// Requirements: see ITraining.sealLocal; whether `signed` is a quorum is left to the caller.
    function sealRows(
        ITraining.Attestation calldata attestation,
        ITraining.Votes calldata votes,
        ITraining.Attestation calldata settled,
        ITraining.Votes calldata late
    ) external returns (Outcome memory);

    /// @notice Adds rows to the round that waits; see ITraining.addRows, which does the same.
    function addRows(ITraining.Attestation calldata settled, ITraining.Votes calldata late) external;

    /// @notice Settles the round that waits. Only Training.
    /// @dev Effects: no round waits any more. Requirements: see ITraining.settle, which says when.
    function settleRows(bytes32 runId) external returns (Settlement memory);

    function book(bytes32 runId) external view returns (Book memory);
    /// @notice Whether a round waits to be settled, and whether no row of it is missing.
    function waiting(bytes32 runId) external view returns (bool waits, bool complete);
}
