// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {Work} from "./Work.sol";

/// @dev Taskrunners: agents enroll, organizations assign, agents report, and so it comes out.
contract TaskrunnersTest is Work {
    // Taskrunners and their agents

    function test_aPartyCreatesATaskrunner() public {
        bytes32 expected = keccak256(abi.encode(id, "defaulttaskbb.taskdb.sml.hpe"));
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskrunnerCreated(expected, id, 1, "defaulttaskbb.taskdb.sml.hpe");
        same(create(runnerRequest(1, "defaulttaskbb.taskdb.sml.hpe")), expected);
        ITaskrunner.Runner memory found = taskrunner.taskrunner(expected);
        same(found.agreement, id);
        same(found.name, "defaulttaskbb.taskdb.sml.hpe");
        same(found.agents, 0);
        same(found.task, 0);
        so(found.progress.state == ITaskrunner.State.Idle);
        bytes32[] memory all = taskrunner.taskrunners(id);
        same(all.length, 2);
        same(all[0], runner);
        same(all[1], expected);
    }

    function test_aTaskrunnersNameIsUsedOnce() public {
        refuse(runnerRequest(1, "runner"), abi.encodeWithSelector(ITaskrunner.Taskrunner_NameTaken.selector, "runner"));
        create(runnerRequest(1, "task")); // tasks have names of their own
    }

    function test_nothingIsKnownOfTaskrunnersThatAreNotThere() public {
        bytes memory unknown = abi.encodeWithSelector(ITaskrunner.Taskrunner_UnknownTaskrunner.selector, task);
        expect(unknown);
        taskrunner.taskrunner(task);
        expect(unknown);
        taskrunner.agents(task);
        expect(unknown);
        taskrunner.enroll(task, 0);
        expect(unknown);
        taskrunner.expire(task);
    }

    function test_anAgentEnrollsByItsNodesKey() public {
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.AgentEnrolled(runner, 1, 1);
        enlist(1);
        same(taskrunner.taskrunner(runner).agents, 1);
        ITaskrunner.Agent[] memory all = taskrunner.agents(runner);
        same(all.length, 1);
        same(all[0].registration, 1);
        so(all[0].enrolled);
        so(!all[0].peer);
        so(all[0].status == ITaskrunner.Status.None);
    }

    function test_onlyTheNodesKeyEnrollsAndOnce() public {
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheKey.selector, 1, keyOf(0)));
        vm.prank(keyOf(0));
        taskrunner.enroll(runner, 1);
        enlist(1);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_AlreadyEnrolled.selector, 1));
        vm.prank(keyOf(1));
        taskrunner.enroll(runner, 1);
    }

    function test_onlyMembersEnroll() public {
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 3));
        taskrunner.enroll(runner, 3);
        retire(id, 1, WALLET + 1);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 1));
        vm.prank(keyOf(1));
        taskrunner.enroll(runner, 1);
        quit(2);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotAMember.selector, 2));
        vm.prank(keyOf(2));
        taskrunner.enroll(runner, 2);
    }

    function test_anAgentWithdrawsAndComesBack() public {
        enlist(1);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheKey.selector, 1, address(this)));
        taskrunner.withdraw(runner, 1);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.AgentWithdrawn(runner, 1);
        vm.prank(keyOf(1));
        taskrunner.withdraw(runner, 1);
        same(taskrunner.taskrunner(runner).agents, 0);
        so(!taskrunner.agent(runner, 1).enrolled);
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotEnrolled.selector, 1));
        vm.prank(keyOf(1));
        taskrunner.withdraw(runner, 1);
        enlist(1);
        same(taskrunner.agents(runner).length, 1);
    }

    function test_anybodyTakesOffAnAgentThatIsNoLongerAMember() public {
        enlistAll();
        enroll(id, 0, "n1"); // another key for the same node
        taskrunner.withdraw(runner, 0);
        quit(1);
        taskrunner.withdraw(runner, 1);
        same(taskrunner.taskrunner(runner).agents, 1);
    }

    // Assigning

    function test_aPartyAssignsATask() public {
        enlistAll();
        ITaskrunner.Assignment memory wanted = assignment("task", PEERS, 3, 2);
        wanted.party = 1;
        wanted.nonce = nonceOf(1);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskAssigned(runner, 1, task, 1, PEERS, 3, 2, wanted.endsAt);
        same(assign(wanted), 1);
        ITaskrunner.Runner memory found = taskrunner.taskrunner(runner);
        same(found.task, task);
        same(found.assignedAt, START);
        same(found.endedAt, 0);
        same(found.progress.number, 1);
        same(found.progress.party, 1);
        same(found.progress.peers, 3);
        same(found.progress.places, 3);
        same(found.progress.needed, 2);
        same(found.progress.endsAt, START + 2 hours);
        isIn(ITaskrunner.State.Running);
        counts(0, 0, 0);
    }

    function test_onlyAFinalTaskIsAssignedAndOnlyTheOneThatIsMeant() public {
        bytes32 rough = create(taskRequest("rough"));
        refuse(
            assignment("rough", PEERS, 1, 1), abi.encodeWithSelector(ITaskrunner.Taskrunner_NotFinal.selector, rough)
        );
        refuse(
            assignment("other", PEERS, 1, 1),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_UnknownTask.selector, keccak256(abi.encode(id, "other")))
        );
        ITaskrunner.Assignment memory wanted = assignment("task", PEERS, 1, 1);
        wanted.body = keccak256("other");
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongBody.selector, BODY, wanted.body));
        wanted.body = BODY;
        wanted.taskrunner = "other";
        refuse(
            wanted,
            abi.encodeWithSelector(
                ITaskrunner.Taskrunner_UnknownTaskrunner.selector, keccak256(abi.encode(id, "other"))
            )
        );
    }

    function test_aTaskRunsOnlyAfterItsPrerequisiteIsDone() public {
        enlistAll();
        // Named by its own name, or by that of its outcome.
        ready(taskRequest("by-name", "task", "one"));
        ready(taskRequest("by-outcome", "task-made", "two"));
        ready(taskRequest("by-nothing", "never-there", "three"));
        for (uint256 i = 0; i < 2; ++i) {
            refuse(
                assignment(i == 0 ? "by-name" : "by-outcome", PEERS, 1, 1),
                abi.encodeWithSelector(
                    ITaskrunner.Taskrunner_PrerequisiteMissing.selector, i == 0 ? "task" : "task-made"
                )
            );
        }
        assign(assignment("task", PEERS, 1, 1));
        report(0, FAILED);
        reset(resetRequest(0));
        refuse(
            assignment("by-name", PEERS, 1, 1),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_PrerequisiteMissing.selector, "task")
        );
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        reset(resetRequest(0));
        assign(assignment("by-name", PEERS, 1, 1));
        report(0, COMPLETED);
        reset(resetRequest(0));
        assign(assignment("by-outcome", PEERS, 1, 1));
        report(0, COMPLETED);
        reset(resetRequest(0));
        refuse(
            assignment("by-nothing", PEERS, 1, 1),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_PrerequisiteMissing.selector, "never-there")
        );
    }

    function test_theOutcomeOfAnotherAgreementIsNone() public {
        enlistAll();
        ITaskrunner.TaskRequest memory wanted = taskRequest("later", "task", "end");
        assign(assignment("task", PEERS, 1, 1));
        report(0, COMPLETED);
        IConsortium.Agreement memory agreement = draft(2);
        agreement.document = keccak256("another");
        id = gathered(agreement, 2);
        (wanted.agreement, wanted.nonce) = (id, 0);
        create(runnerRequest(1, "runner"));
        ready(wanted);
        refuse(
            assignment("later", PEERS, 1, 1),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_PrerequisiteMissing.selector, "task")
        );
    }

    function test_onlyWhileTheAgreementIsInForce() public {
        vm.warp(START + 365 days + 1);
        refuse(assignment("task", PEERS, 1, 1), abi.encodeWithSelector(ITaskrunner.Taskrunner_NotInForce.selector, id));
    }

    function test_onlyByAPartyThatIsIn() public {
        quit(0);
        refuse(assignment("task", PEERS, 1, 1), abi.encodeWithSelector(ITaskrunner.Taskrunner_PartyIsOut.selector, 0));
        // What it wrote stays of use.
        ITaskrunner.Assignment memory wanted = assignment("task", PEERS, 1, 1);
        (wanted.party, wanted.nonce) = (1, nonceOf(1));
        assign(wanted);
    }

    function test_onlyForAStatedAndSensibleTime() public {
        ITaskrunner.Assignment memory wanted = assignment("task", PEERS, 1, 1);
        wanted.endsAt = uint64(START);
        refuse(wanted, badEnd(START, START + 30 days));
        wanted.endsAt = uint64(START + 30 days + 1);
        refuse(wanted, badEnd(START + 30 days + 1, START + 30 days));
        vm.warp(START + 360 days);
        wanted = assignment("task", PEERS, 1, 1);
        wanted.endsAt = uint64(START + 365 days + 1);
        refuse(wanted, badEnd(START + 365 days + 1, START + 365 days));
        wanted.endsAt = uint64(START + 365 days);
        assign(wanted);
    }

    function badEnd(uint256 got, uint256 latest) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ITaskrunner.Taskrunner_BadEnd.selector, got, latest);
    }

    function test_onlyNumbersThatFitTogether() public {
        refusePeers(PEERS, 0, 0, 0);
        refusePeers(PEERS, 2, 3, 0);
        refusePeers(PEERS, 2049, 1, 0);
        refusePeers(PEERS, 2, 1, 1);
        refusePeers(ALL, 0, 0, 0); // nobody is enrolled
        enlistAll();
        refusePeers(ALL, 3, 0, 0);
        refusePeers(ALL, 0, 4, 0);
        refusePeers(ALL, 0, 0, 1);
        refusePeers(TARGET_ONE, 1, 0, 0);
        refusePeers(TARGET_ONE, 0, 2, 0);
        assign(assignment("task", PEERS, 2048, 0));
        same(progress().needed, 2048);
    }

    function refusePeers(ITaskrunner.Mode mode, uint16 peers, uint16 needed, uint16 registration) internal {
        ITaskrunner.Assignment memory wanted = assignment("task", mode, peers, needed);
        wanted.target = registration;
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_BadPeers.selector, peers, needed));
    }

    function test_onlyToATaskrunnerThatIsIdle() public {
        enlistAll();
        assign(assignment("task", PEERS, 1, 1));
        bytes memory running = abi.encodeWithSelector(ITaskrunner.Taskrunner_StillRunning.selector, START + 2 hours);
        refuse(assignment("task", PEERS, 1, 1), running);
        refuse(assignment("task", ALL, 0, 1), running);
        report(0, COMPLETED);
        refuse(assignment("task", PEERS, 1, 1), wrongState(ITaskrunner.State.Complete));
        reset(resetRequest(0));
        assign(assignment("task", PEERS, 1, 1));
        vm.warp(START + 2 hours + 1);
        refuse(assignment("task", PEERS, 1, 1), wrongState(ITaskrunner.State.Error));
    }
}
