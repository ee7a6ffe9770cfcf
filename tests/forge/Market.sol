// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Learning} from "./market/Learning.sol";

/// @dev Everything that anybody may do to the contracts, in any order (see the folder market), and the way out of it: an
/// agreement that is over is emptied, to the last wei, and another one takes its seat.
contract Market is Learning {
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
    }

    function parts() external view returns (Parts memory) {
        return Parts(token, rewards, stakes, royalties, presence, training, consortium);
    }

    function runCount(uint256 seat) external view returns (uint256) {
        return runsOf[agreements[seat]].length;
    }

    function runAt(uint256 seat, uint256 index) external view returns (bytes32) {
        return runsOf[agreements[seat]][index];
    }

    function actions() external pure returns (bytes4[] memory calls) {
        calls = new bytes4[](48);
        calls[0] = this.timePasses.selector;
        calls[1] = this.timePasses.selector;
        calls[2] = this.aPartyEnrollsANode.selector;
        calls[3] = this.aPartyRetiresItsNode.selector;
        calls[4] = this.aPartyLeaves.selector;
        calls[5] = this.organizationsDecide.selector;
        calls[6] = this.organizationsDecide.selector;
        calls[7] = this.organizationsReplaceAWallet.selector;
        calls[8] = this.aPartyMovesItsWallet.selector;
        calls[9] = this.aWalletThatIsNotLostVetoes.selector;
        calls[10] = this.somebodyStartsARun.selector;
        // More often than the rest: they are what brings a run forward.
        for (uint256 i = 11; i < 17; ++i) {
            calls[i] = this.membersSeal.selector;
            calls[i + 6] = this.membersSealLocally.selector;
        }
        calls[23] = this.somebodySealsAgain.selector;
        calls[24] = this.somebodyAddsARow.selector;
        calls[25] = this.aLateRowIsCompared.selector;
        calls[26] = this.somebodySettles.selector;
        calls[27] = this.somebodyReopens.selector;
        calls[28] = this.somebodyCloses.selector;
        calls[29] = this.organizationsPardon.selector;
        calls[30] = this.sponsorFunds.selector;
        calls[31] = this.somebodyPostsAClaim.selector;
        calls[32] = this.aWalletClaims.selector;
        calls[33] = this.aWalletDelegates.selector;
        calls[34] = this.aClerkClaims.selector;
        calls[35] = this.somebodyRefunds.selector;
        calls[36] = this.organizationsVoteForAPrice.selector;
        calls[37] = this.somebodyBuys.selector;
        calls[38] = this.somebodyPays.selector;
        calls[39] = this.somebodyDeposits.selector;
        calls[40] = this.aPartyGivesNotice.selector;
        calls[41] = this.somebodyWithdraws.selector;
        calls[42] = this.contradictions.selector;
        calls[43] = this.presences.selector;
        calls[44] = this.presences.selector;
        calls[45] = this.somebodyTakesAnEmptySeat.selector;
        calls[46] = this.aLateRowIsCompared.selector;
        calls[47] = this.somebodyStartsARun.selector;
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
        _runEnds(seat);
        bytes32[] memory all = runsOf[agreement];
        for (uint256 i = 0; i < all.length; ++i) {
            _poolEmpties(all[i]);
        }
        for (uint16 p = 0; p < PARTIES; ++p) {
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
            if (vm.getBlockTimestamp() < run.openedAt + 600) vm.warp(run.openedAt + 600);
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
        for (uint16 p = 0; p < PARTIES; ++p) {
            address wallet = vm.addr(walletOf(agreement, p));
            vm.prank(wallet);
            try rewards.claimTo(only(runId), p, BANK) {} catch {}
            vm.prank(wallet);
            try royalties.claimTo(only(runId), p, BANK) {} catch {}
        }
        IRewards.Pool memory pool = rewards.pool(runId);
        if (pool.claimed + pool.refunded != pool.funded) broken = "a pool could not be emptied";
        IRoyalties.Sale memory sale = royalties.sale(runId);
        if (sale.received - sale.claimed >= PARTIES) broken = "royalties could not be claimed";
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
