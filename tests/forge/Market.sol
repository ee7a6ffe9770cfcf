// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Taskrunner} from "../../contracts/Taskrunner.sol";
import {Registry} from "../../contracts/Registry.sol";
import {Publishing} from "./market/Publishing.sol";

/// @dev Everything that anybody may do to the contracts, in any order (see the folder market), and the way out of it: an
/// agreement that is over is emptied, to the last wei, and another one takes its seat.
contract Market is Publishing {
    uint256 public sunk; // [wei] of royalties that rounding keeps, of agreements that were emptied
    uint256 public coins; // [wei of the chain's coin] still in suspicions under them

    struct Parts {
        IERC20 token;
        IRewards rewards;
        IStakes stakes;
        IRoyalties royalties;
        IPresence presence;
        ITraining training;
        IConsortium consortium;
        Taskrunner taskrunner;
        Registry registry;
    }

    function parts() external view returns (Parts memory) {
        return Parts(token, rewards, stakes, royalties, presence, training, consortium, taskrunner, registry);
    }

    function runCount(uint256 seat) external view returns (uint256) {
        return runsOf[agreements[seat]].length;
    }

    function runnerCount(uint256 seat) external view returns (uint256) {
        return runnersOf[agreements[seat]].length;
    }

    function versionCount() external view returns (uint256) {
        return published.length;
    }

    function runAt(uint256 seat, uint256 index) external view returns (bytes32) {
        return runsOf[agreements[seat]][index];
    }

    /// @dev What brings things forward comes more often than the rest.
    function actions() external pure returns (bytes4[] memory calls) {
        calls = new bytes4[](75);
        uint256 next = 0;
        next = _put(calls, next, this.timePasses.selector, 2);
        next = _put(calls, next, this.aPartyEnrollsANode.selector, 1);
        next = _put(calls, next, this.aPartyRetiresItsNode.selector, 1);
        next = _put(calls, next, this.aPartyLeaves.selector, 1);
        next = _put(calls, next, this.organizationsDecide.selector, 2);
        next = _put(calls, next, this.organizationsReplaceAWallet.selector, 1);
        next = _put(calls, next, this.aPartyMovesItsWallet.selector, 1);
        next = _put(calls, next, this.aWalletThatIsNotLostVetoes.selector, 1);
        next = _put(calls, next, this.organizationsAmend.selector, 1);
        next = _put(calls, next, this.partiesSignAnAmendment.selector, 2);
        next = _put(calls, next, this.somebodyStartsARun.selector, 2);
        next = _put(calls, next, this.membersSeal.selector, 6);
        next = _put(calls, next, this.membersSealLocally.selector, 6);
        next = _put(calls, next, this.somebodySealsAgain.selector, 1);
        next = _put(calls, next, this.somebodyAddsARow.selector, 1);
        next = _put(calls, next, this.aLateRowIsCompared.selector, 2);
        next = _put(calls, next, this.somebodySettles.selector, 1);
        next = _put(calls, next, this.somebodyReopens.selector, 1);
        next = _put(calls, next, this.somebodyCloses.selector, 1);
        next = _put(calls, next, this.organizationsPardon.selector, 1);
        next = _put(calls, next, this.sponsorFunds.selector, 1);
        next = _put(calls, next, this.somebodyPostsAClaim.selector, 2);
        next = _put(calls, next, this.aWalletClaims.selector, 1);
        next = _put(calls, next, this.aWalletDelegates.selector, 1);
        next = _put(calls, next, this.aClerkClaims.selector, 1);
        next = _put(calls, next, this.somebodyRefunds.selector, 1);
        next = _put(calls, next, this.organizationsVoteForAPrice.selector, 1);
        next = _put(calls, next, this.somebodyBuys.selector, 1);
        next = _put(calls, next, this.somebodyPays.selector, 1);
        next = _put(calls, next, this.somebodyDeposits.selector, 1);
        next = _put(calls, next, this.aPartyGivesNotice.selector, 1);
        next = _put(calls, next, this.somebodyWithdraws.selector, 1);
        next = _put(calls, next, this.contradictions.selector, 1);
        next = _put(calls, next, this.presences.selector, 3);
        next = _put(calls, next, this.somebodyTakesAnEmptySeat.selector, 1);
        next = _put(calls, next, this.aPartyWritesATask.selector, 4);
        next = _put(calls, next, this.aPartyMakesATaskrunner.selector, 1);
        next = _put(calls, next, this.anAgentComesOrGoes.selector, 3);
        next = _put(calls, next, this.aPartyAssignsATask.selector, 4);
        next = _put(calls, next, this.anAgentReports.selector, 6);
        next = _put(calls, next, this.aPartyFreesATaskrunner.selector, 2);
        next = _put(calls, next, this.somebodyEndsWhatIsLate.selector, 1);
        next = _put(calls, next, this.versionsComeAndGo.selector, 1);
        assert(next == calls.length);
    }

    function _put(bytes4[] memory calls, uint256 next, bytes4 selector, uint256 times) private pure returns (uint256) {
        for (uint256 i = 0; i < times; ++i) {
            calls[next++] = selector;
        }
        return next;
    }

    function versionsComeAndGo(uint256 seed) external {
        uint256 kind = seed % 4;
        if (kind == 0) this.somebodyPublishes(seed);
        else if (kind == 1) this.somebodyRetiresAVersion(seed);
        else this.somebodyPostsAMessageAgain(seed);
    }

    function contradictions(uint256 seed) external {
        uint256 kind = seed % 4;
        if (kind == 0) this.aNodeSignsTwoUpdates(seed);
        else if (kind == 1) this.aLeaderSignsTwoRosters(seed);
        else if (kind == 2) this.aNodeSignsTwoAttestations(seed);
        else this.somebodyCollects(seed);
    }

    function presences(uint256 seed) external {
        uint256 kind = seed % 5;
        if (kind < 2) this.aMemberSuspects(seed);
        else if (kind == 2) this.somebodyAnswers(seed);
        else if (kind == 3) this.somebodyLeavesOut(seed);
        else this.somebodyCollectsCoins(seed);
    }

    function somebodyTakesAnEmptySeat(uint256 seed) external dice(seed) {
        uint256 seat = roll(SEATS);
        IConsortium.State state = consortium.state(agreements[seat]);
        if (state != IConsortium.State.Terminated && state != IConsortium.State.Expired) return;
        everybodyGoes(seat);
        _occupy(seat);
    }

    /// @dev The agreement is over, or will be: then every run ends, and all money goes where it belongs, by what anyone
    /// may do.
    function everybodyGoes(uint256 seat) public {
        bytes32 agreement = agreements[seat];
        (, uint64 notAfter) = consortium.period(agreement);
        if (consortium.state(agreement) != IConsortium.State.Terminated && vm.getBlockTimestamp() <= notAfter) {
            vm.warp(uint256(notAfter) + 1);
        }
        _assignmentsEnd(agreement);
        _runEnds(seat);
        bytes32[] memory all = runsOf[agreement];
        for (uint256 i = 0; i < all.length; ++i) {
            _poolEmpties(all[i]);
        }
        uint16 parties_ = consortium.partyCount(agreement);
        for (uint16 p = 0; p < parties_; ++p) {
            _stakeLeaves(agreement, p);
            coins += presence.suspicion(agreement, p).deposit;
        }
    }

    function _runEnds(uint256 seat) private {
        bytes32 runId = runs[seat];
        if (training.run(runId).state == ITraining.State.Open) {
            try training.close(runId) {
                did[Deed.Closed] += 1;
            } catch {
                broken = "an open run could not be closed";
            }
        }
        ITraining.Run memory run = training.run(runId);
        if (run.state == ITraining.State.Settling) {
            uint256 until = uint256(run.openedAt) + deals[runId].stallTime;
            if (vm.getBlockTimestamp() < until) vm.warp(until);
            _settle(seat);
        }
        if (training.run(runId).state != ITraining.State.Finished) broken = "a run has no exit";
    }

    function _poolEmpties(bytes32 runId) private {
        try rewards.refund(runId) {
            did[Deed.Refunded] += 1;
        } catch {}
        // Probation is over before anybody's patience.
        vm.warp(vm.getBlockTimestamp() + 1 hours);
        bytes32 agreement = rewards.pool(runId).agreement;
        uint16 parties_ = consortium.partyCount(agreement);
        for (uint16 p = 0; p < parties_; ++p) {
            address wallet = vm.addr(walletOf(agreement, p));
            vm.prank(wallet);
            try rewards.claimTo(only(runId), p, BANK) {} catch {}
            vm.prank(wallet);
            try royalties.claimTo(only(runId), p, BANK) {} catch {}
        }
        IRewards.Pool memory pool = rewards.pool(runId);
        if (pool.claimed + pool.refunded != pool.funded) broken = "a pool could not be emptied";
        IRoyalties.Sale memory sale = royalties.sale(runId);
        if (sale.received - sale.claimed >= MOST_PARTIES) broken = "royalties could not be claimed";
        sunk += sale.received - sale.claimed;
    }

    function _stakeLeaves(bytes32 agreement, uint16 party) private {
        IStakes.Stake memory stake = stakes.stake(agreement, party);
        if (stake.locked != 0) {
            unlock(unlocking(agreement, party, stake.locked, BANK), walletOf(agreement, party));
        }
        stake = stakes.stake(agreement, party);
        if (stake.leaving == 0) return;
        if (vm.getBlockTimestamp() <= stake.leavesAt) vm.warp(uint256(stake.leavesAt) + 1);
        stakes.withdraw(agreement, party);
    }
}
