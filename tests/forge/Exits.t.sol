// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev Nothing gets stuck: whatever becomes of the agreement, anyone can bring every run to its end.
contract ExitsTest is LocalSwarm {
    bytes32 internal id;
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        id = gathered(4);
        runId = createRun(id);
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 3);
    }

    function test_aTerminatedAgreementsRunIsClosedAtOnce() public {
        (, uint64 notAfter) = consortium.period(id);
        expect(abi.encodeWithSelector(ITraining.Training_StillInForce.selector, notAfter));
        training.close(runId);
        carry(id, ICouncil.Action.Terminate);
        expect(abi.encodeWithSelector(ITraining.Training_NotInForce.selector, id));
        training.reopen(runId);
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 0, ITraining.Ending.AgreementOver);
        training.close(runId);
        same(rewards.refund(runId), FUNDS);
    }

    function test_theRoundThatATerminationComesIntoIsStillPaid() public {
        carry(id, ICouncil.Action.Terminate);
        ITraining.Attestation memory attested = attestation(runId, 0.4e9, equalRow(4));
        bytes memory all = signed(attested, first(3));
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 1, ITraining.Ending.AgreementOver);
        training.seal(attested, first(3), all);
        ITraining.Run memory run = training.run(runId);
        same(run.round, 1);
        same(run.active, 15);
        same(run.prev, 0);
        so(rewards.pool(runId).credited != 0);
        so(rewards.pool(runId).closed);
    }

    function test_aSuspensionLetsTheOpenRoundBeSealedAndNoOther() public {
        carry(id, ICouncil.Action.Suspend);
        sealRound(runId, 0.5e9, equalRow(4), 3);
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Open);
        same(run.round, 2);
        same(run.active, 0);
        ITraining.Attestation memory attested = attestation(runId, 0.4e9, equalRow(4));
        bytes memory all = signed(attested, first(4));
        expect(abi.encodeWithSelector(ITraining.Training_BadShares.selector, 0));
        training.seal(attested, first(4), all);
        attested.shares = "";
        all = signed(attested, first(4));
        expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 0, 3));
        training.seal(attested, first(4), all);

        carry(id, ICouncil.Action.Resume);
        training.reopen(runId);
        same(training.run(runId).active, 15);
        sealRound(runId, 0.4e9, equalRow(4), 3);
    }

    function test_aSuspendedAgreementsRunIsClosedWhenItsTimeIsOver() public {
        carry(id, ICouncil.Action.Suspend);
        (, uint64 notAfter) = consortium.period(id);
        expect(abi.encodeWithSelector(ITraining.Training_StillInForce.selector, notAfter));
        training.close(runId);
        vm.warp(notAfter + 1);
        training.close(runId);
        so(training.run(runId).state == ITraining.State.Finished);
    }

    function test_whoLeavesIsCountedInTheRoundThatIsOpenAndInNoOther() public {
        leave_(id, 0);
        sealRound(runId, 0.5e9, equalRow(4), 3);
        same(training.run(runId).active, 14);
    }

    function test_whereTooFewAreLeftForAQuorumTheyEndTheAgreement() public {
        leave_(id, 0);
        leave_(id, 1);
        sealRound(runId, 0.5e9, equalRow(4), 4);
        same(training.run(runId).active, 12);
        same(training.quorum(runId), 3);
        carry(id, ICouncil.Action.Terminate);
        training.close(runId);
        so(rewards.refund(runId) != 0);
    }

    function test_aTerminatedLocalRunIsSettledBeforeItIsFinished() public {
        IConsortium.Agreement memory agreement = localDraft(4);
        agreement.document = keccak256("local");
        bytes32 other = gathered(agreement, 4);
        bytes32 local = createRun(other);
        fund(local, FUNDS);
        start(local, 0.6e9, 4);
        sealBy(local, first(3), rowsOfThree());
        carry(other, ICouncil.Action.Terminate);
        training.close(local);
        so(training.run(local).state == ITraining.State.Settling);
        expect(abi.encodeWithSelector(ITraining.Training_RowsMissing.selector, START + 600));
        training.settle(local);
        vm.warp(START + 600);
        training.settle(local);
        so(rewards.pool(local).credited != 0);
        so(rewards.refund(local) != 0);
    }

    function test_theSealThatATerminationEndsALocalRunWithSettlesBoth() public {
        IConsortium.Agreement memory agreement = localDraft(4);
        agreement.document = keccak256("local");
        bytes32 other = gathered(agreement, 4);
        bytes32 local = createRun(other);
        fund(local, FUNDS);
        start(local, 0.6e9, 4);
        sealBy(local, first(4), abstentions(4, 0.6e9, 0.5e9));
        carry(other, ICouncil.Action.Terminate);
        sealBy(local, first(4), abstentions(4, 0.5e9, 0.35e9));
        same(training.run(local).round, 2);
        training.settle(local);
        same(training.run(local).bestLoss, 0.35e9);
        same(rewards.pool(local).credited, FUNDS / 2);
    }

    function rowsOfThree() internal pure returns (ITraining.Row[] memory rows) {
        rows = abstentions(4, 0.6e9, 0.5e9);
        assembly {
            mstore(rows, 3)
        }
    }
}
