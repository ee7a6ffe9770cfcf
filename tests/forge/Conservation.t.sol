// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {Economy} from "./Economy.sol";

/// @dev Whatever happens in the economy, in whatever order: every wei is somebody's, and is there.
contract ConservationTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Economy internal economy;
    IRewards internal rewards;
    IStakes internal stakes;
    IRoyalties internal royalties;
    IPresence internal presence;
    IERC20 internal token;
    bytes32 internal training; // the agreement with runs
    bytes32 internal staking; // the agreement that asks for stakes

    uint16 internal constant PARTIES = 4;
    address internal constant FINDER = address(0xF1D);
    address internal constant CHARITY = address(0xC4A1);

    error Broken(string what);
    error NeverDone(Economy.Deed deed);

    function setUp() public {
        economy = new Economy();
        economy.setUp();
        IClaims rewards_;
        (rewards_, stakes, royalties, presence) = economy.vaults();
        rewards = IRewards(address(rewards_));
        token = rewards.token();
        (training, staking) = (economy.training_(), economy.staking_());
    }

    /// @dev Forge asks for these three. It gives coins to whom it lets call, so that must be none of the contracts.
    function targetSenders() external pure returns (address[] memory senders) {
        senders = new address[](1);
        senders[0] = address(0xCA11);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(economy);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(economy), actions());
    }

    function actions() internal pure returns (bytes4[] memory calls) {
        calls = new bytes4[](23);
        calls[0] = Economy.timePasses.selector;
        calls[1] = Economy.startsRun.selector;
        calls[2] = Economy.sponsorFunds.selector;
        // More often than the rest: without them there is nothing to distribute.
        calls[3] = Economy.quorumSeals.selector;
        calls[4] = Economy.quorumSeals.selector;
        calls[5] = Economy.quorumSeals.selector;
        calls[6] = Economy.somebodyRefunds.selector;
        calls[7] = Economy.somebodyPostsAClaim.selector;
        calls[8] = Economy.aStrangerClaims.selector;
        calls[9] = Economy.aWalletDelegates.selector;
        calls[10] = Economy.aClerkClaims.selector;
        calls[11] = Economy.somebodyBuys.selector;
        calls[12] = Economy.somebodyPays.selector;
        calls[13] = Economy.organizationsVoteForAPrice.selector;
        calls[14] = Economy.somebodyDeposits.selector;
        calls[15] = Economy.aPartyGivesNotice.selector;
        calls[16] = Economy.somebodyWithdraws.selector;
        calls[17] = Economy.aNodeContradictsItself.selector;
        calls[18] = Economy.somebodyCollects.selector;
        calls[19] = Economy.aMemberSuspects.selector;
        calls[20] = Economy.somebodyAnswers.selector;
        calls[21] = Economy.somebodyLeavesOut.selector;
        calls[22] = Economy.somebodyCollectsCoins.selector;
    }

    /// forge-config: default.invariant.runs = 32
    function invariant_everyWeiIsSomebodysAndIsThere() public view {
        checkAll();
    }

    /// @dev The same actions at random: what the fuzzer is given to play with can all happen.
    function test_everythingHappens() public {
        uint256 seed = 1;
        for (uint256 i = 0; i < 1500; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            act(seed % 24, seed >> 8, seed >> 16, seed >> 24 & 1 != 0, seed >> 25 & 1 != 0);
            if (i % 100 == 0) checkAll();
        }
        checkAll();
        for (uint8 deed = 0; deed <= uint8(type(Economy.Deed).max); ++deed) {
            if (economy.did(Economy.Deed(deed)) == 0) revert NeverDone(Economy.Deed(deed));
        }
    }

    function act(uint256 action, uint256 a, uint256 b, bool c, bool d) internal {
        uint16 party = uint16(b);
        if (action == 0) economy.timePasses(b);
        else if (action == 1) economy.startsRun();
        else if (action == 2) economy.sponsorFunds(a, uint88(b));
        else if (action <= 5) economy.quorumSeals(a, uint64(b >> 8), b);
        else if (action == 6) economy.somebodyRefunds(a);
        else if (action <= 8) economy.somebodyPostsAClaim(a, party, c, d, a & 4 == 0);
        else if (action == 9) economy.aStrangerClaims(a, party, c);
        else if (action == 10) economy.aWalletDelegates(party, uint8(a));
        else if (action == 11) economy.aClerkClaims(a, party, uint8(a >> 8));
        else if (action == 12) economy.somebodyBuys(a);
        else if (action == 13) economy.somebodyPays(a, uint88(b));
        else if (action == 14) economy.organizationsVoteForAPrice(a, uint88(b), b >> 8);
        else if (action == 15) economy.somebodyDeposits(c, party, uint88(b));
        else if (action == 16) economy.aPartyGivesNotice(c, party, uint128(a));
        else if (action == 17) economy.somebodyWithdraws(c, party);
        else if (action == 18) economy.aNodeContradictsItself(a, party, c);
        else if (action == 19) economy.somebodyCollects(c);
        else if (action == 20) economy.aMemberSuspects(party, uint16(a), uint64(a));
        else if (action == 21) economy.somebodyAnswers(party, c);
        else if (action == 22) economy.somebodyLeavesOut(party);
        else economy.somebodyCollectsCoins();
    }

    function checkAll() internal view {
        if (bytes(economy.broken()).length != 0) revert Broken(economy.broken());
        checkRewards();
        checkRoyalties();
        checkStakes();
        checkPresence();
    }

    function checkRewards() internal view {
        uint256 held;
        for (uint256 r = 0; r < economy.runCount(); ++r) {
            bytes32 runId = economy.runs(r);
            IRewards.Pool memory pool = rewards.pool(runId);
            uint256 unpaid;
            uint256 credited;
            for (uint16 p = 0; p < PARTIES; ++p) {
                IRewards.Account memory account = rewards.account(runId, p);
                if (account.claimed > account.accrued) revert Broken("paid more than accrued");
                unpaid += account.accrued - account.claimed;
                credited += account.accrued;
            }
            if (credited != pool.credited) revert Broken("accounts do not add up to the pool");
            if (pool.credited > pool.funded) revert Broken("credited more than funded");
            // What is accrued and not paid, and what is not credited and not refunded.
            held += unpaid + pool.funded - pool.credited - pool.refunded;
        }
        if (token.balanceOf(address(rewards)) != held) revert Broken("escrow");
    }

    function checkRoyalties() internal view {
        uint256 held;
        for (uint256 r = 0; r < economy.runCount(); ++r) {
            bytes32 runId = economy.runs(r);
            IRoyalties.Sale memory sale = royalties.sale(runId);
            uint256 entitled;
            uint256 paid;
            for (uint16 p = 0; p < PARTIES; ++p) {
                (uint256 his, uint256 claimed) = royalties.account(runId, p);
                if (claimed > his) revert Broken("paid more royalties than entitled to");
                entitled += his;
                paid += claimed;
            }
            if (paid != sale.claimed) revert Broken("royalties do not add up to the sale");
            if (entitled > sale.received) revert Broken("entitled to more than was received");
            if (sale.received - entitled >= PARTIES) revert Broken("lost more than roundings");
            held += sale.received - sale.claimed;
        }
        if (token.balanceOf(address(royalties)) != held) revert Broken("royalties");
    }

    function checkStakes() internal view {
        uint256 held = stakes.owed(FINDER) + stakes.owed(CHARITY);
        uint64 staked;
        for (uint16 p = 0; p < PARTIES; ++p) {
            IStakes.Stake memory one = stakes.stake(training, p);
            IStakes.Stake memory other = stakes.stake(staking, p);
            held += uint256(one.locked) + one.leaving + other.locked + other.leaving;
            if (other.locked >= 100e18) staked |= uint64(1) << p;
        }
        if (token.balanceOf(address(stakes)) != held) revert Broken("stakes");
        if (stakes.staked(staking) != staked) revert Broken("who has the minimum stake");
        if (stakes.staked(training) != 0) revert Broken("no stake is asked for");
    }

    function checkPresence() internal view {
        uint256 held = presence.owed(FINDER) + presence.owed(address(economy));
        for (uint16 p = 0; p < PARTIES; ++p) {
            IPresence.Case memory case_ = presence.suspicion(training, p);
            if (!case_.open && case_.deposit != 0) revert Broken("a deposit that nobody is owed");
            if (case_.open && presence.away(training) >> p & 1 != 0) revert Broken("suspected and away");
            held += case_.deposit;
        }
        if (address(presence).balance != held) revert Broken("deposits");
    }
}
