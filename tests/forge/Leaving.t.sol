// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {ContractWallet, Voting} from "./Voting.sol";

/// @dev Who leaves, or is removed, is out from the next snapshot on, for good, and keeps what it earned.
contract LeavingTest is Voting {
    using Bits for uint64;

    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = gathered(4);
    }

    function out(uint16 party, bool removed) internal {
        if (removed) remove(id, party);
        else leave_(id, party);
    }

    function refuseLeaving(uint16 party, uint256 key, bytes memory reason) internal {
        (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, party, key);
        expect(reason);
        consortium.leaveAgreement(leaving, signature);
    }

    function refuseSeal(bytes32 runId, uint16[] memory signers, bytes memory reason) internal {
        ITraining.Attestation memory attested = attestation(runId, CEILING, "");
        bytes memory all = signed(attested, signers);
        expect(reason);
        training.seal(attested, signers, all);
    }

    // Out, whether it left or was removed

    function test_isOutFromTheNextSnapshotOn() public {
        for (uint256 i = 0; i < 2; ++i) {
            uint16 gone = uint16(3 - i);
            IConsortium.Snapshot memory before = latest(id);
            vm.expectEmit(address(consortium));
            emit IConsortium.PartyOut(id, gone, i == 1, before.version + 1);
            out(gone, i == 1);

            IConsortium.Snapshot memory snapshot = latest(id);
            same(snapshot.version, before.version + 1);
            same(snapshot.active, before.active.without(gone));
            same(snapshot.root, linked(before.root, 3, gone));
            same(consortium.snapshotAt(id, before.version).active, before.active);
            so(consortium.isOut(id, gone));
            so(!consortium.isOut(id, 0));
            inState(id, IConsortium.State.Active);
        }
        same(consortium.out(id), 12);
        same(consortium.partyCount(id), 4);
    }

    function test_allItsNodesAreOutWithIt() public {
        enroll(id, 2, "n2");
        enroll(id, 2, "n3");
        out(2, true);
        IConsortium.Registration[] memory all = consortium.registrations(id);
        for (uint16 r = 0; r < all.length; ++r) {
            uint32 until = all[r].party == 2 ? 7 : 0;
            same(all[r].until, until);
            (,,, uint32 shown) = consortium.member(id, r);
            same(shown, until);
        }
        consortium.members(id, 6, list(2, 4));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 2, 7));
        consortium.members(id, 7, list(2, 4));
        leave_(id, 3);
        consortium.members(id, 7, list(0, 3));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 5, 8));
        consortium.members(id, 8, list(0, 5));
    }

    function test_aNodeRetiredBeforeStaysOutSinceThen() public {
        enroll(id, 2, "n2");
        retire(id, 2, WALLET + 2);
        out(2, false);
        same(consortium.registrations(id)[2].until, 6);
        same(consortium.registrations(id)[4].until, 7);
    }

    function test_aPartyWithMostNodesIsRemovedForTheSamePrice() public {
        enroll(id, 3, "n2");
        uint256 cost = gasleft();
        out(3, true);
        cost -= gasleft();
        for (uint256 i = 0; i < 100; ++i) {
            enroll(id, 2, i % 2 == 0 ? "n2" : "n3");
        }
        uint256 most = gasleft();
        out(2, true);
        most -= gasleft();
        so(most < cost + 20_000);
    }

    function test_itsNodesCannotBeRetiredOrEnrolled() public {
        for (uint256 i = 0; i < 2; ++i) {
            uint16 gone = uint16(3 - i);
            out(gone, i == 1);
            IConsortium.Enrollment memory wanted = enrollment(id, gone, "again", 1);
            bytes32 digest = digestOf(address(consortium), this.hashEnrollment(wanted));
            bytes memory byTheWallet = sign(WALLET + gone, digest);
            bytes memory byTheKey = sign(1, digest);
            expect(abi.encodeWithSelector(IConsortium.Consortium_PartyOut.selector, gone));
            consortium.enroll(wanted, byTheWallet, byTheKey);

            IConsortium.Retirement memory retirement = IConsortium.Retirement(id, gone, soon());
            bytes memory signature = sign(WALLET + gone, digestOf(address(consortium), this.hashRetirement(retirement)));
            expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, gone, latest(id).version));
            consortium.retire(retirement, signature);
        }
    }

    function test_theOthersGoOn() public {
        out(1, true);
        enroll(id, 0, "n2");
        retire(id, 0, WALLET);
        same(latest(id).active, 13);
        createRun(id);
    }

    function test_isOutOnce() public {
        out(2, false);
        bytes memory reason = abi.encodeWithSelector(IConsortium.Consortium_PartyOut.selector, 2);
        refuseLeaving(2, WALLET + 2, reason);
        ICouncil.Motion memory wanted = motion(id, ICouncil.Action.Remove, 2, address(0));
        refuseMotion(wanted, some(wanted, 3), reason);
    }

    function test_keepsItsWalletAndItsClaims() public {
        bytes32 runId = createRun(id);
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 4);
        sealRound(runId, TARGET, equalRow(4), 4);
        out(2, true);
        same(consortium.wallet(id, 2), vm.addr(WALLET + 2));
        same(claim(claimOf(runId, 2, vm.addr(WALLET + 2)), WALLET + 2), FUNDS / 4);
    }

    // What is running

    function test_theOpenRoundIsSealedByTheMembersItOpenedWith() public {
        bytes32 runId = createRun(id);
        out(2, true);
        uint16[] memory three = first(3);
        seal(attestation(runId, CEILING, ""), three);
        refuseSeal(runId, three, abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 2, 5));
        same(training.run(runId).active, 11);
        three[2] = 3;
        seal(attestation(runId, 0.6e9, ""), three);
    }

    // Who may say so

    function test_onlyThePartyItselfLeaves() public {
        out(3, false);
        uint256[5] memory others = [WALLET, WALLET + 2, WALLET + 3, STRANGER, nodeKey[id][1]];
        for (uint256 i = 0; i < others.length; ++i) {
            refuseLeaving(
                1, others[i], abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 1, vm.addr(others[i]))
            );
        }
        out(1, false);
    }

    function test_aContractWalletLeavesByItsOwner() public {
        IConsortium.Agreement memory agreement = draft(3);
        agreement.parties[1].wallet = address(new ContractWallet(vm.addr(SPARE)));
        useKey(1, SPARE);
        id = consortium.activate(agreement, allSign(agreement));
        refuseLeaving(
            1, WALLET + 1, abi.encodeWithSelector(IConsortium.Consortium_NotTheParty.selector, 1, vm.addr(WALLET + 1))
        );
        out(1, false);
        so(consortium.isOut(id, 1));
    }

    function test_leavingIsForOneAgreementPartyDeploymentAndTime() public {
        (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, 1, WALLET + 1);
        leaving.party = 4;
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 4));
        consortium.leaveAgreement(leaving, signature);
        leaving.party = 2;
        vm.expectRevert();
        consortium.leaveAgreement(leaving, signature);
        leaving.party = 1;
        vm.warp(leaving.deadline + 1);
        expect(abi.encodeWithSelector(IConsortium.Consortium_DeadlinePassed.selector, leaving.deadline));
        consortium.leaveAgreement(leaving, signature);
        vm.warp(leaving.deadline);
        leaving.agreement = keccak256("nothing");
        expect(abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, leaving.agreement));
        consortium.leaveAgreement(leaving, signature);
        leaving.agreement = id;
        redeploy();
        activate(draft(4));
        vm.expectRevert();
        consortium.leaveAgreement(leaving, signature);
    }

    // Fewer than two

    function test_oneAloneIsNoConsortium() public {
        out(3, false);
        out(1, true);
        inState(id, IConsortium.State.Active);
        bytes32 root = linked(linked(latest(id).root, 3, 0), 6, 0);
        (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, 0, WALLET);
        vm.expectEmit(address(consortium));
        emit IConsortium.PartyOut(id, 0, false, 7);
        vm.expectEmit(address(consortium));
        emit IConsortium.StateChanged(id, IConsortium.State.Terminated, 8);
        consortium.leaveAgreement(leaving, signature);
        inState(id, IConsortium.State.Terminated);
        same(latest(id).root, root);
        same(latest(id).active, 0);
    }

    function test_ofTwoEachMayRemoveTheOtherWhichEndsIt() public {
        bytes32 pair = activate(draft(2));
        carry(motion(pair, ICouncil.Action.Remove, 0, address(0)));
        inState(pair, IConsortium.State.Terminated);
    }

    function testFuzz_whoIsInIsEveryoneButThoseWhoLeft(uint64 leavers, bool voted) public {
        leavers &= 15;
        uint256 left;
        for (uint16 p = 0; p < 4 && left < 3; ++p) {
            if (leavers >> p & 1 == 0) continue;
            out(p, voted);
            ++left;
            same(latest(id).active.has(p) ? 1 : 0, 0);
        }
        same(consortium.out(id).count(), left);
        same(latest(id).active.count(), left < 3 ? 4 - left : 0);
        inState(id, left < 3 ? IConsortium.State.Active : IConsortium.State.Terminated);
    }
}
