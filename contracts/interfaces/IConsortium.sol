// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ICouncil} from "./ICouncil.sol";

/// @title Who takes part: agreements, their parties, and the nodes of each party
/// @notice An agreement comes into force once every party has signed it (EIP-712; plain key, or ERC-1271 contract, asked
/// once, when its signature is posted). Signatures are posted one by one (`sign`) or together (`activate`), by anyone.
/// Its id is its struct hash, and stays that of the first version when it is amended.
///
/// States, and what they mean to rounds, nodes and money. Time needs no transaction: a state is worked out when asked.
/// - None: never seen here. A draft exists off chain only.
/// - Offered: signed on chain by some, not by all; after `notAfter` Expired.
/// - Signed: by all, before `notBefore`. No enrollments, no runs; parties may leave, votes may terminate.
/// - Active: nodes enroll, runs are created, rounds open with the latest snapshot.
/// - Amending: Active, while an amendment has signatures of parties, not of all. Everything goes on as if it had none.
/// - Suspended: by vote. No enrollments, no new runs. The open round can still be sealed, once, by the members it was
///   opened with; rounds that open later count nobody until `Resume`, then anyone may reopen them at once. What is
///   accrued stays claimable.
/// - Terminated: by vote, or because fewer than two parties are left; for good. In no snapshot: the next seal ends a
///   run, or anyone closes it. What is accrued stays claimable, unspent budget returns to the sponsor, stake unlocks
///   `unlockDelay` later.
/// - Expired: after `notAfter`, if not terminated before. To runs and money as Terminated.
/// Wallets can be moved and replaced in every state from Signed on, since money stays claimable in all of them.
///
/// Membership changes are numbered: snapshot `v` is the membership after `v` changes, and what a round is judged by is
/// the snapshot that was the latest when the round opened. The root of snapshot 0 is the agreement's id;
/// root v+1 = keccak256(abi.encode(root v, kind, registration, party, key, keccak256(spiffeId), keccak256(url),
/// mayLead)) with kind 1 for an enrollment and 2 for a retirement, and, all other words but the party's being zero, 3 for
/// a party that left or was removed; the party's being zero too: 4 suspended, 5 resumed, 6 terminated, 7 amended.
/// Registrations are numbered from 0.
interface IConsortium {
    enum State {
        None,
        Offered,
        Signed,
        Active,
        Amending,
        Suspended,
        Terminated,
        Expired
    }

    /// @notice The rules of every run made under an agreement. Losses are fixed point, 1e-9.
    struct Terms {
        bytes32 initialRoot; // BLAKE3 of the initial parameter file
        bytes32 schemaHash; // BLAKE3 of the canonical schema (tensor names, dtypes, shapes)
        bytes32 validationRoot; // BLAKE3 of the agreed validation set; zero when metering does not use one
        address sponsor; // what never vests returns here
        uint128 budget; // [wei] of the reward token that the sponsor promises; shown, not enforced
        uint128 licensePrice; // [wei] of one license of a finished run's model; zero: not for sale
        uint64 lossCeiling; // [1e-9] L0 is never taken higher than this
        uint64 targetLoss; // [1e-9] at this loss the whole pool is vested
        int64 targetMetric; // [1e-9] the target where `stopping` looks at the metric
        uint64 minSamples; // an update made from fewer samples does not leave its site
        uint32 maxRounds;
        uint32 patience; // [rounds] without a better value after which the run ends; zero: never
        uint32 syncFrequency; // [batches] between two rounds
        uint32 stallTime; // [s] without a seal after which anyone may reopen a round
        uint32 quorumGrace; // [ms] that a leader waits for late commits
        uint32 leaderTimeout; // [ms] of term 0; it doubles with each term
        uint32 mergeParameter; // [1e-6] what it means depends on the merge rule; zero: the rule's default
        uint32 probation; // [s] after an organization's first enrollment before it may claim; zero: none
        uint32 strikeRounds; // [rounds] within which `strikes` strikes are too many
        uint32 quarantineTime; // [s]
        uint16 minPeers; // [organizations] the least that may seal; zero: more than half of the parties not out
        uint8 strikes; // so many lead to quarantine; zero: never
        uint8 mergeRule; // 0 = mean; numbered in docs/protocol.md
        uint8 topology; // 0 = mesh, 1 = star
        uint8 metering; // 0 = equal, 1 = size, 2 = common, 3 = local
        uint8 stopping; // at the target: 0 = loss, 1 = metric (lower is better), 2 = metric (higher is better)
        uint8 budgetRule; // 0 = progress, 1 = an equal part of the pool for each round
        uint8 payout; // 0 = each round, 1 = at the end of the run
    }

    /// @notice How the parties govern themselves. Part of the agreement.
    struct Bylaws {
        address penaltyRecipient; // where slashed stake goes; needed where a stake is
        uint128 minStake; // [wei] of the reward token that an organization needs to be counted; zero: none
        uint32 disputeTime; // [s] that evidence may take; beyond `stallTime`, stake stays locked so much longer
        uint32 walletDelay; // [s] from the vote for a new wallet until it takes effect; zero: no time for a veto
        uint32 answerTime; // [s] to answer a suspicion of absence, and between two of them
        uint16 votes; // [organizations] that carry a motion; zero: more than two thirds
        uint16 penaltyBips; // of the stake, for each proven contradiction
        uint16 finderBips; // of the penalty, for who proved it
        uint8 maxNodes; // of an organization at once
    }

    /// @notice One legal entity. Its place in the agreement's list is its party number.
    struct Party {
        string organization; // lower-case letters, digits and hyphens: part of its nodes' SPIFFE IDs
        address wallet;
        uint16 weight; // relative to the other parties'
    }

    struct Agreement {
        bytes32 document; // SHA-256 of the agreement's text
        string purpose;
        string trustDomain; // SPIFFE trust domain of the nodes
        bytes32 previous; // id of the agreement that this one amends, that of its first version; zero for a new one
        uint32 version; // 1 for a new one, counted up by amendments
        uint64 notBefore; // [unix s]
        uint64 notAfter; // [unix s] before 2^40
        Bylaws bylaws;
        Terms terms;
        Party[] parties;
    }

    /// @notice Binds a node's name, key and address to a party. Signed by the party's wallet and by the node's key.
    struct Enrollment {
        bytes32 agreement;
        uint16 party;
        string node; // lower-case letters, digits and hyphens
        address key;
        string url; // where peers reach the node
        bool mayLead;
        uint64 deadline; // [unix s]
        uint256 nonce; // `enrollmentNonce(agreement, party)`
    }

    /// @notice Takes a party out of the agreement for good. Signed by its wallet.
    struct Leaving {
        bytes32 agreement;
        uint16 party;
        uint64 deadline; // [unix s]
    }

    /// @notice Takes a node out of the next snapshot. Signed by the party's wallet.
    struct Retirement {
        bytes32 agreement;
        uint16 registration;
        uint64 deadline; // [unix s]
    }

    /// @notice One stay of one key, under a number that is never used again.
    struct Registration {
        address key;
        uint16 party;
        bool mayLead;
        uint32 since; // first snapshot that it belongs to
        uint32 until; // first snapshot that it no longer belongs to, also when its party is out; zero while it stays
        string spiffeId; // spiffe://<trustDomain>/org/<organization>/node/<node>
        string url;
    }

    struct Snapshot {
        uint32 version;
        uint64 active; // bit p: party p has at least one node; zero unless the agreement is in force
        bytes32 root; // hash chain over all membership changes up to here
    }

    event AgreementActivated(bytes32 indexed agreement, bytes32 indexed document, bytes32 termsHash, uint16 parties);
    /// @notice One signature was posted, of `sign`. `agreementHash` is the id too, unless it is an amendment.
    event AgreementSigned(bytes32 indexed agreement, bytes32 indexed agreementHash, uint16 indexed party);
    /// @notice `version` is the agreement's, `snapshot` the number of the membership change.
    event AgreementAmended(
        bytes32 indexed agreement,
        bytes32 indexed document,
        bytes32 termsHash,
        uint16 parties,
        bytes32 agreementHash,
        uint32 version,
        uint32 snapshot
    );
    /// @notice Suspended, resumed or terminated; time passes without events. `version` is that of the snapshot.
    event StateChanged(bytes32 indexed agreement, State state, uint32 version);
    /// @notice The party left, or `removed` was voted. All its nodes are out with it.
    event PartyOut(bytes32 indexed agreement, uint16 indexed party, bool removed, uint32 version);
    /// @notice `wallet` is the party's from `since` on [unix s], which may be now, unless the event comes once more.
    event WalletChanged(bytes32 indexed agreement, uint16 indexed party, address wallet, uint64 since);
    event NodeEnrolled(
        bytes32 indexed agreement,
        uint16 indexed party,
        uint16 indexed registration,
        address key,
        string spiffeId,
        string url,
        uint32 version
    );
    event NodeRetired(bytes32 indexed agreement, uint16 indexed party, uint16 indexed registration, uint32 version);

    /// @notice The agreement is unknown here.
    error Consortium_UnknownAgreement(bytes32 agreement);
    /// @notice This very agreement is already in force.
    error Consortium_AlreadyActive(bytes32 agreement);
    /// @notice A party's signature is missing or was made by another key.
    error Consortium_NotSigned(uint16 party, address wallet);
    /// @notice It is no party of it, is out, or has signed already.
    error Consortium_NothingToSign(uint16 party);
    /// @notice An amendment counts on from the version in force; a new agreement is the first.
    error Consortium_WrongVersion(uint32 expected, uint32 got);
    /// @notice In this state of the agreement that is not possible.
    error Consortium_WrongState(bytes32 agreement, State state);
    /// @notice The party left, or was removed, for good.
    error Consortium_PartyOut(uint16 party);
    /// @notice The wallet is another party's, or about to become it; or it is none.
    error Consortium_WalletTaken(address wallet);
    /// @notice Only votes that the Council counted are carried out.
    error Consortium_NotTheCouncil(address caller);
    /// @notice Fewer than 2 or more than 64 parties, or one without wallet or weight, or whose name or wallet was listed
    /// before, or, in an amendment, that is not the party of this number as it is now.
    error Consortium_BadParties(uint16 party);
    /// @notice The terms contradict themselves; `field` names the first that does.
    error Consortium_BadTerms(string field);
    /// @notice Names are 1 to 63 lower-case letters, digits and hyphens (trust domains: dots too).
    error Consortium_BadName(string name);
    /// @notice At most 255 visible ASCII characters; empty for a node that takes no connections.
    error Consortium_BadUrl(string url);
    /// @notice The agreement, as offered, would not be in force: over before it begins, or an amendment too early.
    error Consortium_NotInForce(bytes32 agreement, uint64 notBefore, uint64 notAfter);
    error Consortium_UnknownParty(bytes32 agreement, uint16 party);
    error Consortium_DeadlinePassed(uint64 deadline);
    error Consortium_WrongNonce(uint256 expected, uint256 got);
    /// @notice The wallet's signature is not that of the party.
    error Consortium_NotTheParty(uint16 party, address signer);
    /// @notice The node's key did not sign its own enrollment.
    error Consortium_NotTheKey(address key, address signer);
    /// @notice Keys are used once: an old signature must never speak for a new registration.
    error Consortium_KeyAlreadyUsed(address key);
    /// @notice A party has at most `maxNodes` nodes at once, and 512 registrations in all.
    error Consortium_TooManyNodes(uint16 party, uint16 limit);
    error Consortium_NotAMember(uint16 registration, uint32 version);
    error Consortium_UnknownSnapshot(bytes32 agreement, uint32 version);

    /// @notice Posts all signatures that are missing: brings an agreement, or an amendment, into force.
    /// @dev Effects for a new agreement: stores parties and the hash of the terms; opens snapshot 0 (no nodes).
    /// Effects for an amendment: document, terms, bylaws, period and weights are replaced, new parties added; one
    /// membership change. Nodes, snapshots and the id go on. Runs that exist keep the terms that they were created with.
    /// Requirements: one signature per party, in the parties' order; what stands for a party that has signed before, or
    /// is out, is not looked at, and may be left out at the end; 2 to 64 parties; `notBefore < notAfter`, `notAfter` in
    /// the future; coherent terms. For a new agreement: `previous` zero, version 1, not known yet.
    /// For an amendment: `previous` Active or Amending, the next version, the same trust domain, the parties there are
    /// first, in their order with their organizations and present wallets, those that are out too; `notBefore` not in
    /// the future. Of several amendments of one version the first complete one wins, the others can be no longer.
    /// @return id Of the agreement: the EIP-712 struct hash of its first version.
    function activate(Agreement calldata agreement_, bytes[] calldata signatures) external returns (bytes32 id);

    /// @notice Posts one signature, of a new agreement or of an amendment.
    /// @dev Effects: it is remembered (`signers`); with the last one, as `activate`.
    /// Requirements: as `activate`; a party that has to sign and has not.
    function sign(Agreement calldata agreement_, uint16 party, bytes calldata signature) external returns (bytes32 id);

    /// @notice Takes a party out.
    /// @dev Effects: out from the next snapshot on, with all its nodes, for good: it has no vote, enrolls nothing, signs
    /// no amendments. It keeps its number, its wallet and its claims. With fewer than two parties left, the agreement is
    /// terminated, in one more membership change. Requirements: Signed to Suspended; in time; its signature; not out yet.
    function leaveAgreement(Leaving calldata leaving, bytes calldata walletSignature) external;

    /// @notice Does what was decided. Only for the Council.
    /// @dev Effects and further Requirements: as ICouncil says for each action.
    /// @param wallet_ the party's next wallet, with `ReplaceWallet`
    /// @param from when it becomes the party's [unix s]
    function carry(bytes32 agreement, ICouncil.Action action, uint16 party, address wallet_, uint40 from) external;

    /// @notice Registers a node; a node of the same name is replaced (key or address change).
    /// @dev Effects: one membership change, hence one new snapshot, also where a node is replaced (`NodeRetired` and
    /// `NodeEnrolled` then carry the same version, and the root is chained once, by the enrollment); consumes the
    /// party's nonce.
    /// Requirements: in force; a party that is not out; in time; the nonce; both signatures; a key never used under this
    /// agreement; at most `maxNodes` nodes at once.
    function enroll(Enrollment calldata enrollment, bytes calldata walletSignature, bytes calldata keySignature)
        external
        returns (uint16 registration);

    /// @notice Takes a node out of the next snapshot.
    /// @dev Effects: one membership change. Requirements: a node of the latest snapshot; in time; its party's signature.
    /// In every state.
    function retire(Retirement calldata retirement, bytes calldata walletSignature) external;

    function council() external view returns (ICouncil);
    function state(bytes32 agreement) external view returns (State);
    /// @notice Whether it is Active or Amending.
    function inForce(bytes32 agreement) external view returns (bool);
    /// @notice Who has signed an agreement or amendment that not all have signed: bit p is party p's.
    function signers(bytes32 agreementHash_) external view returns (uint64);
    /// @notice Of the agreement: 1, and one more for each amendment.
    function version(bytes32 agreement) external view returns (uint32);
    /// @notice The struct hash of the version in force; of the first version, that is the id.
    function agreementHash(bytes32 agreement) external view returns (bytes32);
    function period(bytes32 agreement) external view returns (uint64 notBefore, uint64 notAfter);
    function termsHash(bytes32 agreement) external view returns (bytes32);
    function bylaws(bytes32 agreement) external view returns (Bylaws memory);
    /// @notice How long stake stays locked after notice: the longest `stallTime` that any version's terms had (runs keep
    /// theirs) + `disputeTime` of the bylaws in force [s].
    function unlockDelay(bytes32 agreement) external view returns (uint256);
    function hashTerms(Terms calldata terms) external pure returns (bytes32);
    function trustDomain(bytes32 agreement) external view returns (string memory);
    /// @notice All that were ever parties, with their present wallets; a party's number is its place.
    function parties(bytes32 agreement) external view returns (Party[] memory);
    /// @notice The party's wallet now; a replacement counts from its time on.
    function wallet(bytes32 agreement, uint16 party) external view returns (address);
    /// @notice The wallet that is to become the party's, and when [unix s]; zeros if none is.
    function replacement(bytes32 agreement, uint16 party) external view returns (address wallet_, uint64 from);
    /// @notice How many were ever parties, those that are out included.
    function partyCount(bytes32 agreement) external view returns (uint16);
    /// @notice Who left or was removed: bit p is party p's.
    function out(bytes32 agreement) external view returns (uint64);
    function isOut(bytes32 agreement, uint16 party) external view returns (bool);
    /// @notice When the party's first node was enrolled [unix s]; zero: never.
    function joinedAt(bytes32 agreement, uint16 party) external view returns (uint64);
    function enrollmentNonce(bytes32 agreement, uint16 party) external view returns (uint256);
    /// @notice One registration: the first snapshot it belongs to, and the first it no longer belongs to (zero while it
    /// stays). All zeros for a number not given yet.
    function member(bytes32 agreement, uint16 registration)
        external
        view
        returns (address key, uint16 party, uint32 since, uint32 until);
    /// @notice Every registration ever made, in order of their numbers.
    function registrations(bytes32 agreement) external view returns (Registration[] memory);
    /// @notice What a round that opens now is judged by.
    function latestSnapshot(bytes32 agreement) external view returns (Snapshot memory);
    /// @notice As it was right after the change of that number; `active` is not what time has made of it since.
    function snapshotAt(bytes32 agreement, uint32 snapshot) external view returns (Snapshot memory);
    /// @notice Keys and parties of several members at once; reverts on the first that is not in the snapshot.
    function members(bytes32 agreement, uint32 snapshot, uint16[] calldata registrations_)
        external
        view
        returns (address[] memory keys, uint16[] memory parties_);
}
