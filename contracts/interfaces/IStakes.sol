// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "./IConsortium.sol";
import {ITraining} from "./ITraining.sol";

/// @title What organizations stake on their nodes' honesty, and how it is lost
/// @notice A stake belongs to a party of an agreement. It is lost in part, by anybody's proof, when one of the party's
/// nodes signed two messages that contradict each other: two different updates for the same run, round and `prev`; two
/// different rosters or attestations for the same run, round, `prev` and term. Nothing else ever touches it: no
/// score, no vote, no operator.
/// An honest node cannot be proven: it signs once for each of these, journals what it signs before it sends it, and
/// after a restart, a failover or a reorganization of the chain that leads back to the same `prev` sends the very same
/// message again (another signature under the same message proves nothing). What it says in another term, another
/// round, after a `reopen` (which has another `prev`), or under another key (which is another registration) is no
/// contradiction. A key that others hold can be made to contradict itself, at any time: keys are destroyed when they are
/// replaced.
/// The penalty is a part, set in the bylaws, of the whole stake, what is under notice included. A part of it goes to
/// who proved it, the rest to the recipient that the parties agreed on; both collect it themselves.
interface IStakes {
    struct Stake {
        uint128 locked; // [wei] counts
        uint128 leaving; // [wei] under notice: counts no more, may be lost still
        address recipient; // of what is leaving
        uint64 leavesAt; // [unix s] after which it may be withdrawn
        uint32 nonce;
    }

    /// @notice Gives notice to a part of the stake. Signed by the party's wallet.
    struct Unlocking {
        bytes32 agreement;
        uint16 party;
        uint128 amount; // [wei]
        address recipient; // of everything under notice
        uint256 nonce; // `stake(agreement, party).nonce`
        uint64 deadline; // [unix s]
    }

    /// @notice A node's parameters after local training, as it commits to them. Signed by the node's key in the domain of
    /// Training.
    struct Update {
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint16 registration;
        bytes32 root; // BLAKE3 of the parameter file
        uint64 size; // [bytes]
        uint64 samples;
    }

    /// @notice The updates that go into a round. Signed by the term's leader in the domain of Training.
    struct Roster {
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint32 term;
        uint16[] members;
        bytes32 updatesRoot;
    }

    /// @notice What kind of message a contradiction is made of.
    enum Kind {
        Update,
        Roster,
        Attestation
    }

    event Deposited(bytes32 indexed agreement, uint16 indexed party, address indexed from, uint256 amount);
    event Unlocked(
        bytes32 indexed agreement, uint16 indexed party, address indexed recipient, uint256 amount, uint64 leavesAt
    );
    event Withdrawn(bytes32 indexed agreement, uint16 indexed party, address indexed recipient, uint256 amount);
    event Slashed(
        bytes32 indexed agreement,
        uint16 indexed party,
        bytes32 indexed runId,
        Kind kind,
        uint32 round,
        bytes32 prev,
        uint32 term,
        uint16 registration,
        address finder,
        uint256 penalty,
        uint256 reward
    );
    event Collected(address indexed recipient, uint256 amount);
    event Recounted(bytes32 indexed agreement, uint64 staked);

    /// @notice The token moved nothing, or the stake would exceed 2^128 - 1.
    error Stakes_BadAmount(uint256 amount);
    /// @notice The agreement names nobody to whom penalties would go, so it knows no stakes.
    error Stakes_NoPenaltyRecipient(bytes32 agreement);
    error Stakes_DeadlinePassed(uint64 deadline);
    error Stakes_WrongNonce(uint256 expected, uint256 got);
    error Stakes_NotTheParty(uint16 party, address signer);
    /// @notice The zero address, the token and this contract would lose what they are sent.
    error Stakes_BadRecipient(address recipient);
    /// @notice More than is there.
    error Stakes_NotThatMuch(uint256 locked, uint256 amount);
    /// @notice The party has nodes, and would be left with less than the agreement asks for.
    error Stakes_Needed(uint256 minStake, uint256 left);
    error Stakes_NothingToWithdraw(bytes32 agreement, uint16 party);
    error Stakes_NotYet(uint64 leavesAt);
    error Stakes_NothingOwed(address recipient);
    /// @notice The messages are not of the same registration, run, round, `prev` and, where they have one, term.
    error Stakes_NoContradiction();
    /// @notice The same message twice, however often it was signed.
    error Stakes_SameMessage(bytes32 structHash);
    error Stakes_WrongSignature(uint16 registration, address key, address recovered);
    error Stakes_AlreadyProven(bytes32 contradiction);
    /// @notice The party has no stake left, or the agreement sets no penalty.
    error Stakes_NothingToSlash(bytes32 agreement, uint16 party);

    /// @notice Adds to a party's stake what the token really moved. Anyone may.
    /// @dev Effects: the stake grows; the party counts as staked as soon as it has the agreement's minimum. What is under
    /// notice stays so. Requirements: a party of a known agreement that names a recipient of penalties; something
    /// arrives.
    function deposit(bytes32 agreement, uint16 party, uint256 amount) external returns (uint256 received);

    /// @notice As `deposit`, by a signed allowance; one that somebody else has posted already will do.
    function depositWithPermit(
        bytes32 agreement,
        uint16 party,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 received);

    /// @notice Gives notice, signed by the party's wallet (plain key, or ERC-1271 contract wallet); anyone may post it.
    /// @dev Effects: the amount moves from locked to leaving, and counts no more at once; everything that is leaving
    /// waits anew, for `consortium.unlockDelay(agreement)`, and goes to this recipient. An amount of zero only redirects,
    /// as a new wallet will do with what a stolen one gave notice to. Requirements: in time; the nonce; the signature
    /// of the party's present wallet; the minimum stake is left, unless Consortium counts the party no longer (it has no
    /// node, left, or the agreement is suspended or over); a recipient that can receive.
    function unlock(Unlocking calldata unlocking, bytes calldata walletSignature) external;

    /// @notice Sends what is leaving to its recipient. Anyone may call.
    /// @dev Effects: nothing is leaving any more. Requirements: something is, and `leavesAt` has passed.
    function withdraw(bytes32 agreement, uint16 party) external returns (uint256 amount);

    /// @notice Proves that a node signed two different updates for the same run, round and `prev`. Anyone may.
    /// @dev Effects: penaltyBips of what is locked, and of what is leaving, are taken; finderBips of that are owed to the
    /// caller, the rest to the agreement's penaltyRecipient. Each contradiction (kind, run, round, `prev`, term,
    /// registration) once. Requirements: both messages signed by the key of this registration, in the EIP-712 domain of
    /// `training`; something to take.
    /// @param training the Training of the run. It is asked only which agreement the run belongs to, and the domain is
    /// made from its address: a contract invented to lie about the run has a domain in which no node ever signed
    /// anything.
    function slashUpdates(
        address training,
        uint16 registration,
        Update calldata a,
        Update calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty);

    /// @notice As `slashUpdates`, of two different rosters for the same run, round, `prev` and term.
    function slashRosters(
        address training,
        uint16 registration,
        Roster calldata a,
        Roster calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty);

    /// @notice As `slashUpdates`, of two different attestations for the same run, round, `prev` and term.
    function slashAttestations(
        address training,
        uint16 registration,
        ITraining.Attestation calldata a,
        ITraining.Attestation calldata b,
        bytes calldata signatureA,
        bytes calldata signatureB
    ) external returns (uint256 penalty);

    /// @notice Sends to `recipient` what it is owed from penalties. Anyone may call.
    /// @dev Effects: nothing is owed to it any more. Requirements: something is; the token lets it have it.
    function collect(address recipient) external returns (uint256 amount);

    /// @notice Compares every party's stake with the agreement's minimum. Anyone may call; needed only after an
    /// amendment changed the minimum, which otherwise shows at each party's next deposit, unlocking or penalty.
    /// @dev Effects: `staked` is as the minimum of now says; without one, everybody. Requirements: a known agreement.
    function recount(bytes32 agreement) external returns (uint64 counted);

    function token() external view returns (IERC20);
    function consortium() external view returns (IConsortium);
    /// @notice Bit p: party p has the minimum stake, not counting what is under notice. Asked only by runs that were
    /// created under a minimum; where an amendment has dropped it since, `recount` counts every party.
    function staked(bytes32 agreement) external view returns (uint64);
    function stake(bytes32 agreement, uint16 party) external view returns (Stake memory);
    /// @notice [wei] from penalties, to be collected.
    function owed(address recipient) external view returns (uint256);
    /// @notice Whether this contradiction was proven already; the term of updates is zero.
    function proven(Kind kind, bytes32 runId, uint32 round, bytes32 prev, uint32 term, uint16 registration)
        external
        view
        returns (bool);
}
