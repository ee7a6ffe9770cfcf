// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {Work} from "./Work.sol";

/// @dev What becomes of an assignment: who its peers are, how it comes out, how it ends in time, and how it is reset.
contract PeersTest is Work {
    // k peers

    function test_theFirstThatReportAreThePeers() public {
        assign(assignment("task", PEERS, 2, 0));
        enlistAll(); // after the assignment is early enough
        report(2, ACTIVE);
        report(0, ACTIVE);
        counts(2, 0, 0);
        same(progress().places, 0);
        refuseReport(1, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_NoPlace.selector, 1));
        so(taskrunner.agent(runner, 2).peer);
        so(!taskrunner.agent(runner, 1).peer);
        report(0, COMPLETED);
        counts(1, 1, 0);
        isIn(ITaskrunner.State.Running);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.StatusReported(runner, 1, 2, COMPLETED, NOTE);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Complete);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.OutcomeMade(id, task, "task-made");
        report(2, COMPLETED);
        isIn(ITaskrunner.State.Complete);
        same(taskrunner.taskrunner(runner).endedAt, START);
        same(taskrunner.task(task).doneAt, START);
    }

    function test_itIsAnErrorAsSoonAsTooFewAreLeft() public {
        enlistAll();
        assign(assignment("task", PEERS, 3, 2));
        report(0, FAILED);
        isIn(ITaskrunner.State.Running);
        report(1, ACTIVE);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Error);
        report(1, FAILED);
        isIn(ITaskrunner.State.Error);
        counts(0, 0, 2);
        same(taskrunner.task(task).doneAt, 0);
    }

    function test_whoIsLateIsCountedForTheRecordOnly() public {
        enlistAll();
        assign(assignment("task", PEERS, 3, 1));
        report(1, ACTIVE);
        report(0, COMPLETED);
        refuseReport(2, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_NoPlace.selector, 2));
        report(1, FAILED);
        counts(0, 1, 1);
        isIn(ITaskrunner.State.Complete);
        reset(resetRequest(0));
        refuseReport(1, COMPLETED, wrongState(ITaskrunner.State.Idle));
    }

    function test_anAgentSaysHowFarItIs() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, ACTIVE);
        vm.warp(START + 60);
        vm.prank(keyOf(0));
        taskrunner.report(runner, 1, 0, ACTIVE, keccak256("half"));
        counts(1, 0, 0);
        ITaskrunner.Agent memory agent = taskrunner.agent(runner, 0);
        so(agent.status == ACTIVE);
        same(agent.reportedAt, START + 60);
        same(agent.description, keccak256("half"));
        report(0, COMPLETED);
        bytes memory final_ = abi.encodeWithSelector(ITaskrunner.Taskrunner_AlreadyReported.selector, 0, COMPLETED);
        refuseReport(0, FAILED, final_);
        refuseReport(0, ACTIVE, final_);
    }

    function test_refusesReportsOfAnybodyElse() public {
        enlist(0);
        bytes memory idle = wrongState(ITaskrunner.State.Idle);
        refuseReport(0, ACTIVE, idle);
        assign(assignment("task", PEERS, 3, 3));
        refuseReport(1, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_NotEnrolled.selector, 1));
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheKey.selector, 0, vm.addr(WALLET)));
        vm.prank(vm.addr(WALLET)); // not even its own organization
        taskrunner.report(runner, 1, 0, COMPLETED, NOTE);
        refuseReport(
            0,
            ITaskrunner.Status.None,
            abi.encodeWithSelector(ITaskrunner.Taskrunner_BadStatus.selector, ITaskrunner.Status.None)
        );
        retire(id, 0, WALLET);
        refuseReport(0, COMPLETED, abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 0));
    }

    function test_refusesReportsOfAPartyThatIsOut() public {
        enlistAll();
        assign(assignment("task", ALL, 0, 0));
        report(1, ACTIVE);
        quit(1);
        refuseReport(1, COMPLETED, abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 1));
        taskrunner.withdraw(runner, 1);
        counts(0, 0, 1);
        isIn(ITaskrunner.State.Error);
    }

    function test_whatWasReportedBeforeNeverCountsAgain() public {
        enlistAll();
        assign(assignment("task", PEERS, 2, 2));
        report(0, COMPLETED);
        report(1, FAILED);
        reset(resetRequest(0));
        ITaskrunner.Assignment memory wanted = assignment("task", PEERS, 2, 2);
        same(assign(wanted), 2);
        counts(0, 0, 0);
        so(taskrunner.agent(runner, 0).status == ITaskrunner.Status.None);
        so(!taskrunner.agent(runner, 0).peer);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongNumber.selector, 2, 1));
        vm.prank(keyOf(0));
        taskrunner.report(runner, 1, 0, COMPLETED, NOTE);
        report(1, COMPLETED);
        isIn(ITaskrunner.State.Running);
        report(0, COMPLETED);
        isIn(ITaskrunner.State.Complete);
    }

    // All peers

    function test_allAreThoseEnrolledWhenItWasAssigned() public {
        enlist(0);
        enlist(1);
        assign(assignment("task", ALL, 0, 0));
        same(progress().peers, 2);
        same(progress().needed, 2);
        enlist(2);
        refuseReport(2, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_NoPlace.selector, 2));
        report(0, COMPLETED);
        report(1, COMPLETED);
        isIn(ITaskrunner.State.Complete);
        reset(resetRequest(0));
        assign(assignment("task", ALL, 0, 2));
        same(progress().peers, 3);
        report(2, COMPLETED);
        report(0, FAILED);
        report(1, COMPLETED);
        isIn(ITaskrunner.State.Complete);
    }

    function test_whoWithdrawsHasFailed() public {
        enlistAll();
        assign(assignment("task", ALL, 0, 2));
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.StatusReported(runner, 1, 0, FAILED, 0);
        vm.prank(keyOf(0));
        taskrunner.withdraw(runner, 0); // before it began
        counts(0, 0, 1);
        enlist(0);
        refuseReport(0, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_AlreadyReported.selector, 0, FAILED));
        report(1, ACTIVE);
        report(2, COMPLETED);
        vm.prank(keyOf(2));
        taskrunner.withdraw(runner, 2); // what it completed stays
        counts(1, 1, 1);
        vm.prank(keyOf(1));
        taskrunner.withdraw(runner, 1); // in the midst of it
        counts(0, 1, 2);
        isIn(ITaskrunner.State.Error);
    }

    function test_whoHasNoPartInItMayWithdrawFreely() public {
        assign(assignment("task", PEERS, 1, 1));
        enlistAll();
        vm.prank(keyOf(0));
        taskrunner.withdraw(runner, 0);
        counts(0, 0, 0);
        report(1, COMPLETED);
        isIn(ITaskrunner.State.Complete);
    }

    // One target

    function test_aTargetIsTheOnlyPeer() public {
        enlistAll();
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.AgentTargeted(runner, 1, 2);
        assign(target("task", 2));
        so(taskrunner.agent(runner, 2).peer);
        refuseReport(0, ACTIVE, abi.encodeWithSelector(ITaskrunner.Taskrunner_NoPlace.selector, 0));
        report(2, COMPLETED);
        isIn(ITaskrunner.State.Complete);
    }

    function test_aTargetIsEnrolledAndAMember() public {
        refuse(target("task", 1), abi.encodeWithSelector(ITaskrunner.Taskrunner_NotEnrolled.selector, 1));
        enlist(1);
        retire(id, 1, WALLET + 1);
        refuse(target("task", 1), abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 1));
    }

    function test_targetsMayBeAddedToWhatOnesOwnTaskrunnerRuns() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, ACTIVE);
        ITaskrunner.Assignment memory wanted = target("task", 2);
        wanted.endsAt += 1 hours;
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskAssigned(runner, 1, task, 0, PEERS, 2, 2, wanted.endsAt);
        same(assign(wanted), 1);
        wanted = target("task", 1);
        wanted.endsAt -= 1 hours; // never shorter
        assign(wanted);
        same(progress().endsAt, START + 3 hours);
        same(progress().peers, 3);
        same(progress().needed, 3);
        report(0, COMPLETED);
        report(1, COMPLETED);
        isIn(ITaskrunner.State.Running);
        report(2, COMPLETED);
        isIn(ITaskrunner.State.Complete);
        refuse(target("task", 2), wrongState(ITaskrunner.State.Complete));
    }

    function test_noPeerIsAddedTwice() public {
        enlist(0);
        enlist(1);
        assign(assignment("task", ALL, 0, 0));
        enlist(2);
        bytes4 already = ITaskrunner.Taskrunner_AlreadyAPeer.selector;
        refuse(target("task", 0), abi.encodeWithSelector(already, 0));
        report(0, COMPLETED);
        refuse(target("task", 0), abi.encodeWithSelector(already, 0));
        assign(target("task", 2));
        refuse(target("task", 2), abi.encodeWithSelector(already, 2));
    }

    function test_onlyForTheSameTaskAndByTheSameParty() public {
        enlistAll();
        bytes32 other = ready(taskRequest("other"));
        assign(assignment("task", PEERS, 1, 1));
        refuse(target("other", 2), abi.encodeWithSelector(ITaskrunner.Taskrunner_OtherTask.selector, task, other));
        ITaskrunner.Assignment memory wanted = target("task", 2);
        (wanted.party, wanted.nonce) = (1, nonceOf(1));
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_StillRunning.selector, START + 2 hours));
    }

    // Time

    function test_whatIsNotDoneInTimeIsAnError() public {
        enlistAll();
        assign(assignment("task", PEERS, 2, 2));
        report(0, COMPLETED);
        report(1, ACTIVE);
        vm.warp(START + 2 hours);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_StillRunning.selector, START + 2 hours));
        taskrunner.expire(runner);
        vm.warp(START + 2 hours + 1);
        isIn(ITaskrunner.State.Error); // also before anybody says so
        same(taskrunner.taskrunner(runner).endedAt, START + 2 hours);
        uint256 before = vm.snapshotState();

        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Error);
        vm.prank(address(0xAB1E));
        taskrunner.expire(runner);
        isIn(ITaskrunner.State.Error);
        same(taskrunner.taskrunner(runner).endedAt, START + 2 hours);
        expect(wrongState(ITaskrunner.State.Error));
        taskrunner.expire(runner);

        vm.revertToState(before);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Error);
        report(1, COMPLETED); // too late
        isIn(ITaskrunner.State.Error);
        counts(0, 2, 0);
        same(taskrunner.task(task).doneAt, 0);
    }

    function test_nothingRunsThatWasNotAssigned() public {
        expect(wrongState(ITaskrunner.State.Idle));
        taskrunner.expire(runner);
    }

    // Resetting

    function test_anyPartyResetsWhatHasEnded() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskrunnerReset(runner, 1, 2);
        reset(resetRequest(2));
        isIn(ITaskrunner.State.Idle);
        refuse(resetRequest(2), wrongState(ITaskrunner.State.Idle));
        same(taskrunner.task(task).doneAt, START); // outcomes stay
    }

    function test_anyPartyResetsWhatRanOutOfTime() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        ITaskrunner.ResetRequest memory wanted = resetRequest(1);
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_StillRunning.selector, START + 2 hours));
        vm.warp(START + 2 hours + 1);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Error);
        reset(resetRequest(1));
        isIn(ITaskrunner.State.Idle);
    }

    function test_whoAssignedItMayEndItEarly() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, ACTIVE);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskEnded(runner, 1, ITaskrunner.State.Error);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskrunnerReset(runner, 1, 0);
        reset(resetRequest(0));
        isIn(ITaskrunner.State.Idle);
    }

    function test_aResetMeansOneAssignment() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        ITaskrunner.ResetRequest memory old = resetRequest(1);
        reset(resetRequest(0));
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        refuse(old, abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongNumber.selector, 2, 1));
        quit(1);
        refuse(resetRequest(1), abi.encodeWithSelector(ITaskrunner.Taskrunner_PartyIsOut.selector, 1));
    }

    function test_whatIsDoneOnceStaysDone() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        reset(resetRequest(0));
        vm.warp(START + 60);
        assign(assignment("task", PEERS, 1, 1));
        report(0, FAILED);
        same(taskrunner.task(task).doneAt, START);
        reset(resetRequest(0));
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        same(taskrunner.task(task).doneAt, START);
    }
}
