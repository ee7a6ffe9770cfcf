// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "../LocalSwarm.sol";
import {Vaults} from "../Vaults.sol";
import {Voting} from "../Voting.sol";

/// @dev Four agreements of five hospitals each, two that measure in common and two where each has its own row, with and
/// without stakes; where one is over, another takes its seat. What is chosen by chance is chosen by dice that the fuzzer
/// throws. `did` counts what succeeded; `broken` tells when something did that never must.
abstract contract World is LocalSwarm, Vaults {
    uint256 internal constant SEATS = 4;
    uint16 internal constant PARTIES = 5;
    uint256 internal constant MAX_RUNS = 3; // of an agreement
    uint32 internal constant ROUNDS = 6;
    uint16 internal constant MAX_REGISTRATIONS = 14;
    address internal constant BANK = address(0xBA27);

    enum Deed {
        Agreed,
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
        CoinsCollected
    }

    mapping(Deed => uint256) public did;
    string public broken;
    bytes32[SEATS] public agreements;
    bytes32[SEATS] public runs; // the latest of each agreement

    mapping(bytes32 agreement => bytes32[]) internal runsOf;
    mapping(bytes32 agreement => mapping(uint256 party => uint256)) private _walletKeys;
    mapping(bytes32 agreement => uint16) internal registrations;
    mapping(bytes32 runId => uint64) public everCounted;
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
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            _occupy(seat);
        }
    }

    // Chance

    function roll(uint256 sides) internal returns (uint256) {
        _dice = uint256(keccak256(abi.encode(_dice)));
        return _dice % sides;
    }

    function anyParty() internal returns (uint16) {
        return uint16(roll(PARTIES));
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
        terms_.maxRounds = ROUNDS;
        // Fewer than a majority, so that only the rule of the majority holds the bar up.
        terms_.minPeers = 2;
        terms_.metering = isLocal(seat) ? LOCAL : 2;
        terms_.budgetRule = seat == 2 || seat == 3 ? 1 : 0;
        terms_.payout = seat == 1 ? 1 : 0;
        terms_.probation = seat == 2 ? 1 hours : 0;
        terms_.patience = seat == 2 ? 3 : 0;
        (terms_.strikes, terms_.strikeRounds, terms_.quarantineTime) = (1, 4, 10 days);

        bytes32 id = activate(agreement);
        did[Deed.Agreed] += 1;
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
        uint16 party = uint16(PARTIES);
        for (uint16 p = 0; p < PARTIES; ++p) {
            if (!consortium.isOut(agreement, p)) party = p;
        }
        wanted.party = party;
        bytes32 runId = createRun(wanted, walletOf(agreement, party));
        runsOf[agreement].push(runId);
        runs[seat] = runId;
        did[made == 0 ? Deed.RunCreated : Deed.RunReset] += 1;
        _checkOpened(runId, 0);
    }

    function walletOf(bytes32 agreement, uint256 party) internal view returns (uint256 key) {
        key = _walletKeys[agreement][party];
        if (key == 0) key = WALLET + party;
        // A replacement takes effect by time alone.
        if (vm.addr(key) == consortium.wallet(agreement, uint16(party))) return key;
        return SPARE + party;
    }

    function setWallet(bytes32 agreement, uint256 party, uint256 key) internal {
        _walletKeys[agreement][party] = key;
    }

    /// @dev One node of every party that has one in the snapshot, in the order of their numbers.
    function nodesIn(bytes32 agreement, uint32 snapshot, uint256 parties_) internal view returns (uint16[] memory all) {
        all = new uint16[](PARTIES);
        uint256 count = 0;
        uint16 known = registrations[agreement];
        for (uint16 r = 0; r < known && count < PARTIES; ++r) {
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

    /// @dev Said once more, by what is known from outside: who may be counted in a round that has just been opened.
    function _checkOpened(bytes32 runId, uint64 kept) internal {
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return;
        everCounted[runId] |= run.active;
        bytes32 agreement = run.agreement;
        if (run.active != 0 && !consortium.inForce(agreement)) broken = "counted while not in force";
        uint128 minStake = consortium.bylaws(agreement).minStake;
        uint64 away = presence.away(agreement);
        for (uint16 p = 0; p < 64; ++p) {
            if (run.active >> p & 1 == 0) continue;
            if (consortium.isOut(agreement, p)) broken = "an organization that is out was counted";
            if (stakes.stake(agreement, p).locked < minStake) broken = "counted without its stake";
            if (away >> p & 1 == 1 && kept >> p & 1 == 0) broken = "counted though it is away";
            if (nodesIn(agreement, run.snapshotVersion, 1 << p).length == 0) broken = "counted without a node";
        }
    }

    receive() external payable {}
}
