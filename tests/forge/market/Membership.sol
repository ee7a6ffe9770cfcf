// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../../contracts/interfaces/ICouncil.sol";
import {World} from "./World.sol";

/// @dev Who comes, who goes, what is voted, and whose wallet changes hands.
abstract contract Membership is World {
    function timePasses(uint256 seed) external dice(seed) {
        vm.warp(vm.getBlockTimestamp() + (roll(4) == 0 ? roll(3 days) : roll(2 hours)));
    }

    function aPartyEnrollsANode(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        if (!consortium.inForce(agreement) || consortium.isOut(agreement, party)) return;
        if (registrations[agreement] == MAX_REGISTRATIONS) return;
        _enroll(agreement, party);
        did[Deed.Enrolled] += 1;
    }

    function aPartyRetiresItsNode(uint256 seed) external dice(seed) {
        if (roll(3) != 0) return;
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        uint16[] memory mine = nodesIn(agreement, consortium.latestSnapshot(agreement).version, 1 << party);
        if (mine.length == 0) return;
        retire(agreement, mine[0], walletOf(agreement, party));
        did[Deed.Retired] += 1;
    }

    function aPartyLeaves(uint256 seed) external dice(seed) {
        if (roll(4) != 0) return;
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        (IConsortium.Leaving memory leaving, bytes memory signature) =
            leavingBy(agreement, party, walletOf(agreement, party));
        try consortium.leaveAgreement(leaving, signature) {
            did[Deed.Left] += 1;
        } catch {}
    }

    /// @dev Rarely an end of it: suspended ones are resumed soon.
    function organizationsDecide(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint256 kind = roll(24);
        ICouncil.Action action = kind == 0
            ? ICouncil.Action.Terminate
            : kind == 1 ? ICouncil.Action.Remove : kind < 6 ? ICouncil.Action.Suspend : ICouncil.Action.Resume;
        _decide(agreement, action, kind == 1 ? anyParty(agreement) : 0, address(0));
    }

    function organizationsReplaceAWallet(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        // Only from the first wallet to the spare one.
        if (walletOf(agreement, party) != WALLET + party) return;
        _decide(agreement, ICouncil.Action.ReplaceWallet, party, vm.addr(SPARE + party));
    }

    function aPartyMovesItsWallet(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        uint256 before = walletOf(agreement, party);
        uint256 next = before == WALLET + party ? SPARE + party : WALLET + party;
        ICouncil.Move memory wanted = move(agreement, party, vm.addr(next));
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        try council.moveWallet(wanted, sign(before, digest), sign(next, digest)) {
            setWallet(agreement, party, next);
            did[Deed.WalletMoved] += 1;
        } catch {}
    }

    function aWalletThatIsNotLostVetoes(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 parties_ = consortium.partyCount(agreement);
        for (uint16 p = 0; p < parties_; ++p) {
            (address next,) = consortium.replacement(agreement, p);
            if (next == address(0)) continue;
            ICouncil.Veto memory wanted = veto(agreement, p, next);
            try council.veto(wanted, vetoBy(wanted, walletOf(agreement, p))) {
                did[Deed.Vetoed] += 1;
                return;
            } catch {}
        }
    }

    function _decide(bytes32 agreement, ICouncil.Action action, uint16 party, address wallet) private {
        ICouncil.Motion memory wanted = motion(agreement, action, party, wallet);
        uint16[] memory voters = electors(wanted, roll(4) == 0);
        (uint64 voting,) = council.electorate(agreement, action, party);
        bytes[] memory all = votesOf(agreement, digestOf(address(council), this.hashMotion(wanted)), voters);
        try council.decide(wanted, voters, all) {
            did[_deedOf(action)] += 1;
            if (voters.length < _needed(agreement, counted(voting))) broken = "a motion was carried by too few";
        } catch {}
    }

    /// @dev What the bylaws say, or more than two thirds.
    function _needed(bytes32 agreement, uint256 voters) private view returns (uint256) {
        uint256 votes_ = consortium.bylaws(agreement).votes;
        if (votes_ == 0) return 2 * voters / 3 + 1;
        return votes_ < voters ? votes_ : voters;
    }

    function _deedOf(ICouncil.Action action) private pure returns (Deed) {
        if (action == ICouncil.Action.Suspend) return Deed.Suspended;
        if (action == ICouncil.Action.Resume) return Deed.Resumed;
        if (action == ICouncil.Action.Terminate) return Deed.Terminated;
        return action == ICouncil.Action.Remove ? Deed.Removed : Deed.WalletReplaced;
    }

    /// @dev All who may vote, or one less than it takes.
    function electors(ICouncil.Motion memory wanted, bool tooFew) internal view returns (uint16[] memory) {
        (uint64 voting, uint256 needed_) = council.electorate(wanted.agreement, wanted.action, wanted.party);
        return some(wanted, tooFew ? needed_ - 1 : counted(voting));
    }

    function votesOf(bytes32 agreement, bytes32 digest, uint16[] memory voters)
        internal
        view
        returns (bytes[] memory all)
    {
        all = new bytes[](voters.length);
        for (uint256 i = 0; i < voters.length; ++i) {
            all[i] = sign(walletOf(agreement, voters[i]), digest);
        }
    }
}
