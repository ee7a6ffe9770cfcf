// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClerk} from "./IClerk.sol";
import {IConsortium} from "./IConsortium.sol";
import {IRewards} from "./IRewards.sol";

/// @title The referee of a run: one transaction a round
/// @notice Counts organizations, checks signatures, has the round paid, and applies the stopping rule.
/// What peers say to each other off chain (Update, Roster, Holdings) is signed in this contract's EIP-712 domain.
///
/// States, and who leads out of each:
/// - Open: a round waits for its seal. Out: a seal that ends the run; `close`, by anyone, once the agreement is over.
///   A round nobody seals is opened again by anyone, `reopen`, after `stallTime`.
/// - Settling: `local` only. The last sealed round waits for rows. Out: `settle`, by anyone, `stallTime` after the end,
///   or at once when no row is missing.
/// - Finished: the pool is closed; claims and the refund need nobody's consent. Its name may be used once more.
///
/// Who is counted in a round is fixed when it opens (see IParticipation).
interface ITraining {
    enum State {
        None,
        Open,
        Settling,
        Finished
    }

    /// @notice Asks for a run; signed by the wallet of `party`.
    struct RunRequest {
        bytes32 agreement;
        uint16 party;
        string name;
        bytes32 salt;
        uint32 generation; // 1 for a new name, then counted up
        bytes32 continues; // a finished run of this agreement, to start from its model; zero: from the terms'
        uint64 deadline; // [unix s]
    }

    /// @notice What a node signs under what it merged and measured. Under `equal`, `size` and `common` metering all
    /// sign the same payload, so one digest serves every signature. Under `local` each node signs its own losses, metric
    /// and shares; where an attestation stands for what they signed alike, these four are zero and empty.
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

    /// @notice The fields of an Attestation that are the signer's own under `local`.
    struct Row {
        uint64 lossBefore; // [1e-9]
        uint64 lossAfter; // [1e-9]
        int64 metric; // [1e-9]
        bytes shares; // as in Attestation; see ILocalRows
    }

    /// @notice Attestations that differ in their rows only.
    struct Votes {
        uint16[] signers; // ascending registrations
        bytes signatures; // 65 bytes a signer
        Row[] rows; // one a signer
    }

    /// @notice Lets a quarantined organization back in. Signed by as many organizations as carry a motion of the Council.
    struct Pardon {
        bytes32 runId;
        uint16 party;
        uint64 deadline; // [unix s]
        uint256 nonce; // `clerk().pardonNonce(runId)`
    }

    struct Run {
        bytes32 agreement;
        string name;
        uint32 generation;
        State state;
        uint32 round; // the open one; of a run that has ended, the last sealed
        uint32 snapshotVersion; // of that round
        uint64 active; // bit p: party p is counted in that round
        uint64 quarantined; // bit p: party p is left out of rounds; whose time is over comes back with the next
        uint64 openedAt; // [unix s] the open round; of a run that has ended, when it did
        Ending ending; // of a run that has ended
        bytes32 prev; // of the open round; zero when there is none
        bytes32 initialRoot; // where round 0 starts
        bytes32 mergedRoot; // last sealed; the initial root before round 0 is
        uint64 initialLoss; // [1e-9] L0
        uint64 bestLoss; // [1e-9] lowest sealed and paid; under `local` L0 less the best sum of gains settled so far
        uint64 lastLoss; // [1e-9] zero under `local`
        int64 lastMetric; // [1e-9] zero under `local`
        int64 bestMetric; // [1e-9] of rows that are not void, where `stopping` watches the metric; zero under `local`
        uint32 paidRounds; // settled with a row that is not void
        uint32 idleRounds; // settled since the watched value last got better
    }

    enum Ending {
        TargetReached,
        RoundsDone,
        AgreementOver,
        Patience
    }

    event RunCreated(
        bytes32 indexed runId,
        bytes32 indexed agreement,
        string name,
        uint32 generation,
        bytes32 prev,
        bytes32 continues
    );
    /// @notice A round is open: a new one, or (right after `Reopened`) the same once more. `active`: bit p, party p is
    /// counted.
    event RoundOpened(bytes32 indexed runId, uint32 indexed round, bytes32 prev, uint32 snapshotVersion, uint64 active);
    /// @notice `prev` is the one that was signed; `next` that of the round this seal opens (zero when it ends the run).
    /// Under `local` losses, metric and shares are zero and empty, and `credited` is for the round before.
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
    /// @notice `local`: the rows of a round are in. `gain` is its median gain, for round 0 the median loss [1e-9];
    /// `best` the highest sum of gains so far [1e-9].
    event Settled(bytes32 indexed runId, uint32 indexed round, int256 gain, uint256 best, uint256 credited);
    event Reopened(bytes32 indexed runId, uint32 indexed round, bytes32 prev, uint32 snapshotVersion);
    /// @notice `local`: no round follows, but the last is not settled yet.
    event Ended(bytes32 indexed runId, uint32 rounds, Ending ending);
    event Finished(bytes32 indexed runId, uint32 rounds, Ending ending);

    error Training_UnknownRun(bytes32 runId);
    error Training_BadName(string name);
    /// @notice Names start with generation 1 and count on.
    error Training_WrongGeneration(uint32 expected, uint32 got);
    /// @notice What is to be continued is a run of another agreement.
    error Training_OtherAgreement(bytes32 runId, bytes32 agreement);
    error Training_DeadlinePassed(uint64 deadline);
    error Training_WrongNonce(uint256 expected, uint256 got);
    error Training_NotTheParty(uint16 party, address signer);
    /// @notice The agreement is not in force; to `reopen`: it is over.
    error Training_NotInForce(bytes32 agreement);
    /// @notice The terms handed over are not those that the parties signed.
    error Training_WrongTerms(bytes32 expected, bytes32 got);
    /// @notice Only an open run is sealed, opened again and closed, only a settling one settled, only a finished one reset
    /// and continued.
    error Training_WrongState(bytes32 runId, State state);
    /// @notice `seal` is for one row signed by all, `sealLocal` for rows of their own.
    error Training_OtherMetering(uint8 metering);
    error Training_WrongRound(uint32 expected, uint32 got);
    error Training_WrongPrev(bytes32 expected, bytes32 got);
    /// @notice Round 0 has no roster, no pay, and the model that the run starts from.
    error Training_NotTheStart(bytes32 expectedRoot, bytes32 mergedRoot);
    error Training_SignersNotAscending(uint16 registration);
    error Training_SignatureCount(uint256 signers, uint256 signatureBytes);
    error Training_WrongSignature(uint16 registration, address expected, address recovered);
    error Training_NoQuorum(uint256 organizations, uint256 needed);
    /// @notice Parties must be counted in the round and ascending, basis points at most 10,000 in all; entry `index`
    /// breaks this. Under `local` also when a row lists others than the first, or breaks what ILocalRows says: `index` is
    /// then that of the first of eight entries of which one is wrong, or the number of entries for too few, too many,
    /// or too much in all.
    error Training_BadShares(uint256 index);
    /// @notice `equal`, and any roster of two, is split equally.
    error Training_NotEqual(uint256 index, uint256 expected_bips, uint256 got_bips);
    /// @notice Three bytes a node, registrations ascending; entry `index` breaks this.
    error Training_BadRejects(uint256 index);
    error Training_NotStalled(uint64 until);
    /// @notice Rows may still come until then.
    error Training_RowsMissing(uint64 until);
    error Training_StillInForce(uint64 notAfter);
    error Training_NotQuarantined(uint16 party);

    /// @notice Creates a run by name (generation 1), or resets a finished one (the next generation).
    /// @dev Effects: run open in round 0 with the latest snapshot, by the terms in force now: amendments do not touch it.
    /// What it resets or continues stays as it is.
    /// Requirements: agreement in force; `terms_` are those signed; request signed by the wallet of a party that is not
    /// out; a name of 1 to 63 lower-case letters, digits, hyphens, dots; the generation after the latest, and that one
    /// finished; `continues` zero or a finished run of the agreement.
    /// @return runId keccak256(abi.encode(chainid, this, agreement, name, generation, salt)). The agreement is part of
    /// it: otherwise whoever sees a pending request could take its id for a run, and a pool, of his own.
    function createRun(RunRequest calldata request, IConsortium.Terms calldata terms_, bytes calldata walletSignature)
        external
        returns (bytes32 runId);

    /// @notice Records a round. Anyone may post; the signatures decide. The first valid seal of a round wins.
    /// @dev Effects: credits the organizations, counts strikes, opens the next round with the latest snapshot, or ends
    /// the run: at the target, after the last round, after `patience` rounds without a better value, or when the
    /// agreement is over. Only a row that is not void moves the best loss and metric.
    /// What `stopping` watches is the loss, or the metric. The target is reached by what is attested (by more than half
    /// of those that are counted, always), void row or not; only a strictly better value than all before ends the count
    /// of idle rounds, and round 0 is the first value.
    /// Budget rule `progress`: vested is funded * (L0 - best loss) / (L0 - target loss); per round: funded * paid rounds
    /// / max rounds. A run whose L0 is at the target loss already vests nothing.
    /// Strikes: where more than two thirds of the counted organizations signed, each organization with a rejected node
    /// gets one, unless the reason is 6 (unavailable); `strikes` of them within `strikeRounds` rounds quarantine it for
    /// `quarantineTime`, from the next round on.
    /// The next `prev` = keccak256(abi.encode(runId, round, rosterRoot, mergedRoot, lossBefore, lossAfter, metric,
    /// keccak256(shares), membersRoot of the round it opens)); the first = keccak256(abi.encode(runId, membersRoot)), with
    /// membersRoot = keccak256(abi.encode(root of the snapshot, set of the parties that are counted)).
    /// Requirements: open run, this round, this `prev`; metering other than `local`; `signers` ascending registrations of
    /// the round's snapshot with 65 signature bytes each; at least `quorum(runId)` distinct organizations among them.
    function seal(Attestation calldata attestation, uint16[] calldata signers, bytes calldata signatures) external;

    /// @notice Records a round under `local` metering, and settles the one before.
    /// @dev Effects: as `seal`, but what is credited is the round before, by all of its rows that are on chain by now,
    /// `late` ones included (see ILocalRows); so do best loss and idle rounds follow one round later. The target is
    /// reached when more than half of the counted organizations say so in this seal, each by its own row. The seal that
    /// ends the run leaves it Settling. The next `prev` has zeros and an empty row, so that it does not depend on
    /// which rows were posted.
    /// Requirements: as `seal`, under `local`; all rows list the same organizations.
    /// @param attestation what all signers signed alike
    /// @param settled what was sealed in the round before; not looked at when nobody is `late`
    /// @param late attestations of that round; those of organizations that have one on chain are passed over
    function sealLocal(
        Attestation calldata attestation,
        Votes calldata votes,
        Attestation calldata settled,
        Votes calldata late
    ) external;

    /// @notice Adds rows to the round that was sealed last, until it is settled. Anyone may post.
    /// @dev Effects: the first row of each organization of the roster that was not heard yet counts in that round.
    /// Requirements: `local`; as for `late` of `sealLocal`.
    function addRows(Attestation calldata settled, Votes calldata late) external;

    /// @notice Settles the last round of a run under `local` that has ended.
    /// @dev Effects: credits; Finished. Requirements: Settling; `stallTime` after the end, or every row is in.
    function settle(bytes32 runId) external;

    /// @notice Opens the same round again with the latest snapshot, `stallTime` after it was opened; at once when it
    /// counts fewer organizations than a seal needs.
    /// @dev Effects: `prev` = keccak256(abi.encode(prev, membersRoot)), so what was signed before is void. Who was counted
    /// stays counted even if it has been found away since: a reopening evicts nobody.
    /// Requirements: open run, agreement not over.
    function reopen(bytes32 runId) external;

    /// @notice Ends a run whose agreement is over: terminated, or past `notAfter`. What is accrued stays claimable, the
    /// rest returns to the sponsor.
    /// @dev Effects: Finished; Settling where under `local` a sealed round is not settled yet. Requirements: open run,
    /// agreement over.
    function close(bytes32 runId) external;

    /// @notice Ends a quarantine by vote.
    /// @dev Effects: counted again from the next round on, without strikes. Requirements: in time; the current nonce;
    /// quarantined; votes as ICouncil.requireVotes wants them, over the pardon in this contract's domain.
    function pardon(Pardon calldata pardon_, uint16[] calldata voters, bytes[] calldata signatures) external;

    function consortium() external view returns (IConsortium);
    function rewards() external view returns (IRewards);
    /// @notice The books behind this contract; strikes and rows are among its events.
    function clerk() external view returns (IClerk);
    function run(bytes32 runId) external view returns (Run memory);
    /// @notice Those in force when the run was created.
    function terms(bytes32 runId) external view returns (IConsortium.Terms memory);
    function agreementOf(bytes32 runId) external view returns (bytes32);
    /// @notice The latest generation; zero if there is none.
    function runNamed(bytes32 agreement, string calldata name) external view returns (bytes32 runId);
    /// @notice Any generation; zero if there is none.
    function runOf(bytes32 agreement, string calldata name, uint32 generation) external view returns (bytes32 runId);
    /// @notice max(minPeers, floor(A / 2) + 1) organizations, where A are counted in the open round; a minPeers
    /// of zero stands for floor(P / 2) + 1, where P parties of the agreement were not out when the run was created.
    function quorum(bytes32 runId) external view returns (uint256 organizations);
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);
    /// @notice Of everything that is signed for this contract.
    function domainSeparator() external view returns (bytes32);
}
