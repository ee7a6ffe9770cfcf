// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "../LocalSwarm.sol";
import {Vaults} from "../Vaults.sol";
import {Voting} from "../Voting.sol";

/// @dev Four agreements that begin with five hospitals each, two that measure in common and two where each has its own
/// row, with and without stakes; amendments change them, and where one is over, another takes its seat. What is chosen by
/// chance is chosen by dice that the fuzzer throws. `did` counts what succeeded; `broken` tells when something did that
/// never must.
abstract contract World is LocalSwarm, Vaults {
    uint256 internal constant SEATS = 4;
    uint16 internal constant PARTIES = 5; // that an agreement begins with
    uint16 internal constant MOST_PARTIES = 6;
    uint256 internal constant ALL_PARTIES = (1 << MOST_PARTIES) - 1;
    uint256 internal constant MAX_RUNS = 5; // of an agreement
    uint16 internal constant MIN_PEERS = 2;
    uint16 internal constant MAX_REGISTRATIONS = 14;
    address internal constant BANK = address(0xBA27);

    enum Deed {
        Agreed,
        Amended,
        AmendmentSigned,
        AmendedOneByOne,
        Joined,
        NewcomerCounted,
        NewcomerNotCountedYet,
        Recounted,
        Enrolled,
        Retired,
        Left,
        Suspended,
        Resumed,
        Terminated,
        Removed,
        WalletReplaced,
        WalletMoved,
        Vetoed,
        RunCreated,
        RunReset,
        Sealed,
        SealedLocally,
        RowsAdded,
        LateRowCompared,
        Settled,
        Reopened,
        Closed,
        Quarantined,
        Pardoned,
        Finished,
        Funded,
        Claimed,
        ClaimedForSeveral,
        Delegated,
        ClaimedByDelegate,
        ClaimedByWallet,
        Refunded,
        Priced,
        Bought,
        Paid,
        RoyaltiesClaimed,
        Deposited,
        Unlocked,
        Withdrawn,
        SlashedForUpdates,
        SlashedForRosters,
        SlashedForAttestations,
        Collected,
        Suspected,
        Answered,
        LeftOut,
        Returned,
        CoinsCollected,
        TaskCreated,
        TaskBodySet,
        TaskFinalized,
        TaskDeleted,
        TaskrunnerCreated,
        AgentEnrolled,
        AgentWithdrew,
        AgentTakenOff,
        AssignedToPeers,
        AssignedToAll,
        AssignedToTarget,
        TargetAdded,
        Reported,
        CompletedInTime,
        FailedInTime,
        OutcomeMade,
        AssignmentExpired,
        TaskrunnerReset,
        VersionPublished,
        VersionRetired
    }

    /// @dev What a run goes by, kept once more from outside, as it was when the run was created.
    struct Deal {
        uint16 parties;
        bool staked;
        bytes32 termsHash;
        uint32 maxRounds;
        uint32 stallTime;
        uint8 budgetRule;
    }

    mapping(Deed => uint256) public did;
    string public broken;
    bytes32[SEATS] public agreements;
    bytes32[SEATS] public runs; // the latest of each agreement

    mapping(bytes32 agreement => bytes32[]) internal runsOf;
    mapping(bytes32 agreement => bytes) internal versions; // the one in force, encoded
    mapping(bytes32 runId => Deal) public deals;
    mapping(bytes32 agreement => mapping(uint256 party => uint256)) private _walletKeys;
    mapping(bytes32 agreement => uint16) internal registrations;
    mapping(bytes32 runId => uint64) public everCounted;
    mapping(uint256 key => address) private _addresses; // of the wallets: to work them out takes time
    uint256 private _keys;
    uint256 private _agreed;
    uint256 private _dice;
    uint256 private _throws;

    /// @dev So many throws: the same numbers of the fuzzer do not always do the same.
    modifier dice(uint256 seed) {
        _dice = uint256(keccak256(abi.encode(seed, ++_throws)));
        _;
    }

    function setUp() public virtual override(Vaults, Voting) {
        super.setUp();
        council = consortium.council();
        coinVm.txGasPrice(1 gwei);
        coinVm.deal(address(this), 1e9 ether);
        for (uint256 p = 0; p < MOST_PARTIES; ++p) {
            (_addresses[WALLET + p], _addresses[SPARE + p]) = (vm.addr(WALLET + p), vm.addr(SPARE + p));
        }
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            _occupy(seat);
        }
    }

    // Chance

    function roll(uint256 sides) internal returns (uint256) {
        _dice = uint256(keccak256(abi.encode(_dice)));
        return _dice % sides;
    }

    function anyParty(bytes32 agreement) internal returns (uint16) {
        return uint16(roll(consortium.partyCount(agreement)));
    }

    function anyAgreement() internal returns (bytes32) {
        return agreements[roll(SEATS)];
    }

    function anyRun(bytes32 agreement) internal returns (bytes32) {
        return runsOf[agreement][roll(runsOf[agreement].length)];
    }

    // Agreements

    function _occupy(uint256 seat) internal {
        IConsortium.Agreement memory agreement = draft(PARTIES);
        agreement.document = keccak256(abi.encode("document", ++_agreed));
        agreement.notBefore = uint64(vm.getBlockTimestamp() - 1);
        agreement.notAfter = uint64(vm.getBlockTimestamp() + (40 + 20 * seat) * 1 days);
        agreement.bylaws.walletDelay = 3 days;
        agreement.bylaws.disputeTime = 1 days;
        agreement.bylaws.minStake = seat % 2 == 0 ? 0 : MIN_STAKE;
        IConsortium.Terms memory terms_ = agreement.terms;
        terms_.licensePrice = 1e18 + 1;
        terms_.maxRounds = 6;
        // Fewer than a majority, so that only the rule of the majority holds the bar up.
        terms_.minPeers = MIN_PEERS;
        terms_.metering = isLocal(seat) ? LOCAL : 2;
        terms_.budgetRule = seat == 2 || seat == 3 ? 1 : 0;
        terms_.payout = seat == 1 ? 1 : 0;
        terms_.probation = seat == 2 ? 1 hours : 0;
        terms_.patience = seat == 2 ? 3 : 0;
        (terms_.strikes, terms_.strikeRounds, terms_.quarantineTime) = (1, 4, 10 days);

        bytes32 id = activate(agreement);
        did[Deed.Agreed] += 1;
        versions[id] = abi.encode(agreement);
        for (uint16 p = 0; p < PARTIES; ++p) {
            _enroll(id, p);
            if (seat % 2 == 1) deposit(id, p, 3 * MIN_STAKE);
        }
        agreements[seat] = id;
        _create(seat);
    }

    function isLocal(uint256 seat) internal pure returns (bool) {
        return seat == 1 || seat == 3;
    }

    function _enroll(bytes32 agreement, uint16 party) internal {
        uint256 key = NODE + 0x10000 + _keys++;
        registrations[agreement] = enroll(enrollment(agreement, party, "n1", key), walletOf(agreement, party), key) + 1;
    }

    function _create(uint256 seat) internal {
        bytes32 agreement = agreements[seat];
        uint256 made = runsOf[agreement].length;
        ITraining.RunRequest memory wanted = request(agreement, "run");
        wanted.generation = uint32(made + 1);
        uint16 party = _somebodyOf(agreement);
        wanted.party = party;
        bytes32 runId = createRun(wanted, walletOf(agreement, party));
        runsOf[agreement].push(runId);
        runs[seat] = runId;
        did[made == 0 ? Deed.RunCreated : Deed.RunReset] += 1;
        _note(runId, agreement);
        _checkOpened(runId, 0);
    }

    function _note(bytes32 runId, bytes32 agreement) private {
        IConsortium.Terms memory terms_ = termsOf[agreement];
        deals[runId] = Deal(
            consortium.partyCount(agreement),
            consortium.bylaws(agreement).minStake != 0,
            keccak256(abi.encode(terms_)),
            terms_.maxRounds,
            terms_.stallTime,
            terms_.budgetRule
        );
    }

    /// @dev The last party that is not out.
    function _somebodyOf(bytes32 agreement) internal view returns (uint16 party) {
        party = consortium.partyCount(agreement) - 1;
        while (consortium.isOut(agreement, party)) --party;
    }

    function walletOf(bytes32 agreement, uint256 party) internal view returns (uint256 key) {
        key = _walletKeys[agreement][party];
        if (key == 0) key = WALLET + party;
        // A replacement takes effect by time alone.
        if (_addresses[key] == consortium.wallet(agreement, uint16(party))) return key;
        return SPARE + party;
    }

    function setWallet(bytes32 agreement, uint256 party, uint256 key) internal {
        _walletKeys[agreement][party] = key;
    }

    /// @dev One node of every party that has one in the snapshot, in the order of their numbers.
    function nodesIn(bytes32 agreement, uint32 snapshot, uint256 parties_) internal view returns (uint16[] memory all) {
        all = new uint16[](MOST_PARTIES);
        uint256 count = 0;
        uint16 known = registrations[agreement];
        for (uint16 r = 0; r < known && count < MOST_PARTIES; ++r) {
            (, uint16 party, uint32 since, uint32 until) = consortium.member(agreement, r);
            if (parties_ >> party & 1 == 0 || since > snapshot || until != 0 && until <= snapshot) continue;
            all[count++] = r;
        }
        assembly ("memory-safe") {
            mstore(all, count)
        }
    }

    function partyOf(bytes32 agreement, uint16 registration) internal view returns (uint16 party) {
        (, party,,) = consortium.member(agreement, registration);
    }

    function counted(uint256 parties_) internal pure returns (uint256 count) {
        for (; parties_ != 0; parties_ &= parties_ - 1) {
            ++count;
        }
    }

    /// @dev Said once more, by what is known from outside: who is counted in a round that has just been opened.
    function _checkOpened(bytes32 runId, uint64 kept) internal {
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return;
        everCounted[runId] |= run.active;
        uint64 active = _present(runId, run.agreement, run.snapshotVersion);
        active &= kept | ~presence.away(run.agreement);
        uint64 others = active & ~run.quarantined;
        // Quarantines do not stop a run.
        if (counted(others) >= MIN_PEERS) active = others;
        if (run.active & ~active != 0) broken = "somebody was counted who must not be";
        if (active & ~run.active != 0) broken = "somebody was not counted who must be";
        _noteNewcomers(run, deals[runId].parties);
    }

    function _noteNewcomers(ITraining.Run memory run, uint16 parties_) private {
        if (run.active >> PARTIES != 0) did[Deed.NewcomerCounted] += 1;
        bool later = latest(run.agreement).active >> parties_ != 0;
        if (later && run.active != 0) did[Deed.NewcomerNotCountedYet] += 1;
    }

    /// @dev Parties that were there when the run was created, have a node in the snapshot, and their stake.
    function _present(bytes32 runId, bytes32 agreement, uint32 snapshot) private view returns (uint64 present) {
        if (!consortium.inForce(agreement)) return 0;
        Deal memory deal = deals[runId];
        uint128 minStake = consortium.bylaws(agreement).minStake;
        uint16[] memory nodes = nodesIn(agreement, snapshot, ALL_PARTIES);
        for (uint256 i = 0; i < nodes.length; ++i) {
            uint16 party = partyOf(agreement, nodes[i]);
            if (party >= deal.parties) continue;
            if (deal.staked && stakes.stake(agreement, party).locked < minStake) continue;
            present |= uint64(1 << party);
        }
    }

    receive() external payable {}
}
