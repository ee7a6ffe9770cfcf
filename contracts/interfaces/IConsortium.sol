// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @title Who takes part: agreements, their parties, and the nodes of each party
/// @notice An agreement comes into force in one call that carries the EIP-712 signature of every party.
/// Membership changes are numbered: snapshot `v` is the membership after `v` changes, and what a round is
/// judged by is the snapshot that was the latest when the round opened. The root of snapshot 0 is the agreement's id;
/// root v+1 = keccak256(abi.encode(root v, kind, registration, party, key, keccak256(spiffeId), keccak256(url),
/// mayLead)) with kind 1 for an enrollment and 2 for a retirement. Registrations are numbered from 0.
interface IConsortium {
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
        uint16 minPeers; // [organizations] the least that may seal; zero: more than half of the parties
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
        uint32 walletDelay; // [s] from the vote for a new wallet until it takes effect
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
        bytes32 previous; // id of the agreement that this one amends; zero for a new one
        uint32 version; // 1 for a new one, counted up by amendments
        uint64 notBefore; // [unix s]
        uint64 notAfter; // [unix s]
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
        uint32 until; // first snapshot that it no longer belongs to; zero while it stays
        string spiffeId; // spiffe://<trustDomain>/org/<organization>/node/<node>
        string url;
    }

    struct Snapshot {
        uint32 version;
        uint64 active; // bit p: party p has at least one node
        bytes32 root; // hash chain over all membership changes up to here
    }

    event AgreementActivated(bytes32 indexed agreement, bytes32 indexed document, bytes32 termsHash, uint16 parties);
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
    /// @notice Fewer than 2 or more than 64 parties, or one without wallet or weight, or whose name or wallet was listed
    /// before.
    error Consortium_BadParties(uint16 party);
    /// @notice The terms contradict themselves; `field` names the first that does.
    error Consortium_BadTerms(string field);
    /// @notice Names are 1 to 63 lower-case letters, digits and hyphens (trust domains: dots too).
    error Consortium_BadName(string name);
    /// @notice At most 255 visible ASCII characters; empty for a node that takes no connections.
    error Consortium_BadUrl(string url);
    /// @notice The agreement is not in force at this time.
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

    /// @notice Brings an agreement into force.
    /// @dev Effects: stores parties and the hash of the terms; opens snapshot 0 (no nodes).
    /// Requirements: one signature per party, in the parties' order (plain key, or ERC-1271 contract wallet);
    /// 2 to 64 parties; `notBefore < notAfter`, `notAfter` in the future; coherent terms.
    /// @return id The EIP-712 struct hash of the agreement.
    function activate(Agreement calldata agreement_, bytes[] calldata signatures) external returns (bytes32 id);

    /// @notice Registers a node; a node of the same name is replaced (key or address change).
    /// @dev Effects: one membership change, hence one new snapshot, also where a node is replaced (`NodeRetired` and
    /// `NodeEnrolled` then carry the same version, and the root is chained once, by the enrollment); consumes the
    /// party's nonce.
    /// Requirements: in force; both signatures; a key never used under this agreement.
    function enroll(Enrollment calldata enrollment, bytes calldata walletSignature, bytes calldata keySignature)
        external
        returns (uint16 registration);

    /// @notice Takes a node out of the next snapshot.
    function retire(Retirement calldata retirement, bytes calldata walletSignature) external;

    function inForce(bytes32 agreement) external view returns (bool);
    function period(bytes32 agreement) external view returns (uint64 notBefore, uint64 notAfter);
    function termsHash(bytes32 agreement) external view returns (bytes32);
    function bylaws(bytes32 agreement) external view returns (Bylaws memory);
    function hashTerms(Terms calldata terms) external pure returns (bytes32);
    function trustDomain(bytes32 agreement) external view returns (string memory);
    function parties(bytes32 agreement) external view returns (Party[] memory);
    function wallet(bytes32 agreement, uint16 party) external view returns (address);
    function partyCount(bytes32 agreement) external view returns (uint16);
    function enrollmentNonce(bytes32 agreement, uint16 party) external view returns (uint256);
    /// @notice Every registration ever made, in order of their numbers.
    function registrations(bytes32 agreement) external view returns (Registration[] memory);
    function latestSnapshot(bytes32 agreement) external view returns (Snapshot memory);
    function snapshotAt(bytes32 agreement, uint32 version) external view returns (Snapshot memory);
    /// @notice Keys and parties of several members at once; reverts on the first that is not in the snapshot.
    function members(bytes32 agreement, uint32 version, uint16[] calldata registrations_)
        external
        view
        returns (address[] memory keys, uint16[] memory parties_);
}
