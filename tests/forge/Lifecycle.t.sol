// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {ContractWallet} from "./Voting.sol";
import {States} from "./States.sol";

/// @dev Every state of an agreement, how it comes about, and what it means to a running round.
contract LifecycleTest is States {
    // How states come about

    function test_statesComeAbout() public {
        for (uint8 s = 0; s < STATES; ++s) {
            enter(IConsortium.State(s));
            inState(id, IConsortium.State(s));
            bool inForce = s == uint8(IConsortium.State.Active) || s == uint8(IConsortium.State.Amending);
            so(consortium.inForce(id) == inForce);
            if (s >= uint8(IConsortium.State.Signed)) same(latest(id).active, inForce ? 15 : 0);
        }
    }

    function test_anOfferBecomesAnAgreementWithTheLastSignature() public {
        IConsortium.Agreement memory agreement = coming();
        id = this.hashAgreement(agreement);
        for (uint16 p = 0; p < 4; ++p) {
            inState(id, p == 0 ? IConsortium.State.None : IConsortium.State.Offered);
            same(consortium.signers(id), (1 << p) - 1);
            bytes memory signature = signatureOf(agreement, WALLET + 3 - p);
            expect(abi.encodeWithSelector(IConsortium.Consortium_NotSigned.selector, p, agreement.parties[p].wallet));
            consortium.sign(agreement, p, p == 3 ? bytes("") : signature);
            vm.expectEmit(address(consortium));
            emit IConsortium.AgreementSigned(id, id, p);
            if (p == 3) {
                vm.expectEmit(address(consortium));
                emit IConsortium.AgreementActivated(id, agreement.document, consortium.hashTerms(agreement.terms), 4);
            }
            same(consortium.sign(agreement, p, signatureOf(agreement, WALLET + p)), id);
        }
        inState(id, IConsortium.State.Signed);
        same(consortium.signers(id), 0);
        vm.warp(START + 1 days - 1);
        inState(id, IConsortium.State.Signed);
        vm.warp(START + 1 days);
        inState(id, IConsortium.State.Active);
        vm.warp(START + 10 days);
        inState(id, IConsortium.State.Active);
        vm.warp(START + 10 days + 1);
        inState(id, IConsortium.State.Expired);
    }

    function test_anOfferExpiresToo() public {
        enter(IConsortium.State.Offered);
        vm.warp(START + 10 days);
        inState(id, IConsortium.State.Offered);
        vm.warp(START + 10 days + 1);
        inState(id, IConsortium.State.Expired);
    }

    function test_whatWasSignedBeforeNeedNotBeSignedAgain() public {
        IConsortium.Agreement memory agreement = coming();
        signOne(agreement, 0);
        signOne(agreement, 3);
        bytes[] memory all = allSign(agreement);
        (all[0], all[3]) = (bytes(""), bytes("whoever posted first cannot spoil the rest"));
        consortium.activate(agreement, all);
        inState(this.hashAgreement(agreement), IConsortium.State.Signed);
    }

    function test_anOfferIsSignedOnceByEachPartyAndByNobodyElse() public {
        IConsortium.Agreement memory agreement = coming();
        signOne(agreement, 0);
        bytes memory signature = signatureOf(agreement, WALLET);
        expect(abi.encodeWithSelector(IConsortium.Consortium_NothingToSign.selector, 0));
        consortium.sign(agreement, 0, signature);
        uint16[3] memory nobody = [uint16(4), 64, 65_535];
        for (uint256 i = 0; i < 3; ++i) {
            expect(abi.encodeWithSelector(IConsortium.Consortium_NothingToSign.selector, nobody[i]));
            consortium.sign(agreement, nobody[i], signature);
        }
    }

    function test_aContractWalletIsAskedWhenItSigns() public {
        IConsortium.Agreement memory agreement = coming();
        address safe = address(new ContractWallet(vm.addr(WALLET + 2)));
        agreement.parties[2].wallet = safe;
        signOne(agreement, 2);
        vm.etch(safe, hex"fe");
        bytes[] memory all = allSign(agreement);
        all[2] = "";
        consortium.activate(agreement, all);
    }

    function test_suspensionIsLiftedByVote() public {
        enter(IConsortium.State.Active);
        bytes32 root = latest(id).root;
        carry(id, ICouncil.Action.Suspend);
        root = linked(root, 4, 0);
        same(latest(id).root, root);
        same(latest(id).version, 5);
        same(latest(id).active, 0);
        same(consortium.snapshotAt(id, 5).active, 0);
        same(consortium.snapshotAt(id, 4).active, 15);
        carry(id, ICouncil.Action.Resume);
        root = linked(root, 5, 0);
        same(latest(id).root, root);
        same(latest(id).active, 15);
        same(consortium.snapshotAt(id, 6).active, 15);
        carry(id, ICouncil.Action.Terminate);
        same(latest(id).root, linked(root, 6, 0));
        same(latest(id).active, 0);
    }

    function test_whoLeavesOrRetiresWhileSuspendedIsNotThereAfterwards() public {
        enter(IConsortium.State.Suspended);
        retire(id, 0, WALLET);
        leave_(id, 3);
        same(latest(id).active, 0);
        carry(id, ICouncil.Action.Resume);
        same(latest(id).active, 6);
        enroll(id, 0, "n1");
        same(latest(id).active, 7);
    }

    function test_anAmendmentWaitsForTheEndOfASuspension() public {
        enter(IConsortium.State.Amending);
        carry(id, ICouncil.Action.Suspend);
        inState(id, IConsortium.State.Suspended);
        carry(id, ICouncil.Action.Resume);
        inState(id, IConsortium.State.Amending);
        IConsortium.Agreement memory amended = amendment(id, coming());
        for (uint16 p = 1; p < 4; ++p) {
            signOne(amended, p);
        }
        inState(id, IConsortium.State.Active);
    }

    function test_nothingEndsATermination() public {
        enter(IConsortium.State.Terminated);
        vm.warp(START + 10 days + 1);
        inState(id, IConsortium.State.Terminated);
    }

    function test_aSuspensionEndsWithTheAgreement() public {
        enter(IConsortium.State.Suspended);
        vm.warp(START + 10 days + 1);
        inState(id, IConsortium.State.Expired);
    }

    // What each state means to a running round

    function test_whatIsSuspendedCanBeSealedOnceAndIsReopenedAfterwards() public {
        enter(IConsortium.State.Active);
        termsOf[id] = terms();
        bytes32 runId = createRun(id);
        carry(id, ICouncil.Action.Suspend);
        sealRound(runId, CEILING, "", 3);
        same(training.run(runId).round, 1);
        same(training.run(runId).active, 0);

        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        bytes memory all = signed(attested, first(4));
        expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 0, 3));
        training.seal(attested, first(4), all);

        carry(id, ICouncil.Action.Resume);
        training.reopen(runId);
        same(training.run(runId).active, 15);
        sealRound(runId, 0.5e9, "", 3);
    }

    function test_whatIsOverCountsNobodyInItsNextRound() public {
        enter(IConsortium.State.Active);
        termsOf[id] = terms();
        bytes32 runId = createRun(id);
        carry(id, ICouncil.Action.Terminate);
        sealRound(runId, CEILING, "", 3);
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Finished || run.active == 0);
    }

    function test_whatExpiredIsOverWithItsNextSeal() public {
        enter(IConsortium.State.Active);
        termsOf[id] = terms();
        bytes32 runId = createRun(id);
        vm.warp(START + 10 days + 1);
        sealRound(runId, CEILING, "", 3);
        so(training.run(runId).state == ITraining.State.Finished);
    }
}
