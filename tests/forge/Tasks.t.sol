// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {ContractWallet} from "./Voting.sol";
import {Errands} from "./Errands.sol";

interface TypedData {
    function eip712HashStruct(string calldata typeDefinition, bytes calldata encoded) external pure returns (bytes32);
}

/// @dev Tasks, as their authors write them, and what organizations sign.
contract TasksTest is Errands {
    ITaskrunner.Change internal constant SET_BODY = ITaskrunner.Change.SetBody;
    ITaskrunner.Change internal constant FINALIZE = ITaskrunner.Change.Finalize;
    ITaskrunner.Change internal constant DELETE = ITaskrunner.Change.Delete;

    function nameOf(string memory name) internal view returns (bytes32) {
        return keccak256(abi.encode(id, name));
    }

    function list(string memory a, string memory b) internal view returns (bytes32) {
        bytes32[] memory all = new bytes32[](2);
        (all[0], all[1]) = (nameOf(a), nameOf(b));
        return keccak256(abi.encode(all));
    }

    // What is signed

    function structHash(string memory definition, bytes memory encoded) internal pure returns (bytes32) {
        return TypedData(address(vm)).eip712HashStruct(definition, encoded);
    }

    function test_everyMessageHashesAsItsTypeSays() public view {
        ITaskrunner.TaskRequest memory task = taskRequest("task", "before", "made");
        same(
            this.hashOf(task),
            structHash(
                "TaskRequest(bytes32 agreement,uint16 party,uint8 kind,string name,string prerequisite,string outcome,bytes32 body,uint256 nonce,uint64 deadline)",
                abi.encode(task)
            )
        );
        ITaskrunner.TaskChange memory changed = taskChange(1, "task", DELETE, BODY);
        same(
            this.hashOf(changed),
            structHash(
                "TaskChange(bytes32 agreement,uint16 party,string name,uint8 change,bytes32 body,uint256 nonce,uint64 deadline)",
                abi.encode(changed)
            )
        );
        ITaskrunner.TaskrunnerRequest memory created = runnerRequest(2, "another");
        same(
            this.hashOf(created),
            structHash(
                "TaskrunnerRequest(bytes32 agreement,uint16 party,string name,uint256 nonce,uint64 deadline)",
                abi.encode(created)
            )
        );
        ITaskrunner.Assignment memory assigned = target("task", 2);
        same(
            this.hashOf(assigned),
            structHash(
                "Assignment(bytes32 agreement,uint16 party,string taskrunner,string task,bytes32 body,uint8 mode,uint16 peers,uint16 needed,uint16 target,uint64 endsAt,uint256 nonce,uint64 deadline)",
                abi.encode(assigned)
            )
        );
        ITaskrunner.ResetRequest memory freed = resetRequest(1);
        same(
            this.hashOf(freed),
            structHash(
                "ResetRequest(bytes32 agreement,uint16 party,string taskrunner,uint32 number,uint256 nonce,uint64 deadline)",
                abi.encode(freed)
            )
        );
    }

    function test_anybodyMayPostWhatAWalletSigned() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        bytes memory signature = signedBy(0, this.hashOf(wanted));
        vm.prank(address(0xAB1E));
        same(taskrunner.createTask(wanted, signature), nameOf("task"));
        same(nonceOf(0), 2); // one for the taskrunner
    }

    function test_refusesWhatThePartyDidNotSign() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        bytes memory signature = signedBy(1, this.hashOf(wanted));
        expect(abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheParty.selector, 0, vm.addr(WALLET + 1)));
        taskrunner.createTask(wanted, signature);
    }

    function test_refusesWhatWasSignedForAnotherContract() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        bytes memory signature = sign(WALLET, digestOf(address(consortium), this.hashOf(wanted)));
        vm.expectRevert();
        taskrunner.createTask(wanted, signature);
    }

    function test_anOrganizationMaySignByContract() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.parties[0].wallet = address(new ContractWallet(vm.addr(WALLET)));
        id = activate(agreement);
        create(taskRequest("task"));
        same(nonceOf(0), 1);
    }

    function test_refusesTheSameMessageTwice() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        create(wanted);
        change(taskChange(0, "task", DELETE, BODY));
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongNonce.selector, 3, 1));
    }

    function test_refusesAMessageAfterItsDeadline() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        vm.warp(wanted.deadline + 1);
        refuse(wanted, abi.encodeWithSelector(ITaskrunner.Taskrunner_DeadlinePassed.selector, wanted.deadline));
        vm.warp(wanted.deadline);
        create(wanted);
    }

    function test_hearsOnlyPartiesThatAreIn() public {
        create(taskRequest("task"));
        quit(0);
        bytes memory out = abi.encodeWithSelector(ITaskrunner.Taskrunner_PartyIsOut.selector, 0);
        refuse(taskRequest("another"), out);
        refuse(taskChange(0, "task", FINALIZE, BODY), out);
        refuse(taskChange(0, "task", DELETE, BODY), out);
        refuse(runnerRequest(0, "another"), out);
    }

    function test_hearsNobodyAboutAgreementsOfOthers() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        wanted.agreement = keccak256("unheard of");
        wanted.nonce = 0;
        refuse(wanted, abi.encodeWithSelector(IConsortium.Consortium_UnknownAgreement.selector, wanted.agreement));
        wanted.agreement = id;
        wanted.party = 3;
        refuse(wanted, abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 3));
    }

    // Creating

    function test_anAuthorCreatesATask() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("swarm_mnist_task", "user_env_build", "Swarm-Mnist:1.0");
        wanted.kind = ITaskrunner.Kind.MakeUserContainer;
        bytes32 task = nameOf("swarm_mnist_task");
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskCreated(
            task, id, 0, wanted.kind, "swarm_mnist_task", "user_env_build", "Swarm-Mnist:1.0", BODY
        );
        same(create(wanted), task);

        ITaskrunner.Task memory found = taskrunner.task(task);
        same(found.agreement, id);
        same(found.author, 0);
        so(found.kind == ITaskrunner.Kind.MakeUserContainer);
        so(!found.isFinal);
        same(found.body, BODY);
        same(found.doneAt, 0);
        same(found.name, "swarm_mnist_task");
        same(found.prerequisite, "user_env_build");
        same(found.outcome, "Swarm-Mnist:1.0");
        same(taskrunner.named(id, "swarm_mnist_task"), task);
        same(taskrunner.named(id, "Swarm-Mnist:1.0"), task);
        same(taskrunner.named(id, "user_env_build"), 0);
        same(taskrunner.idOf(id, "swarm_mnist_task"), task);
    }

    function test_aTaskMayBeCalledLikeItsOutcome() public {
        create(taskRequest("task", "", "task"));
        change(taskChange(0, "task", DELETE, BODY));
        create(taskRequest("task", "", "task"));
    }

    function test_everyNameStandsForOneTask() public {
        create(taskRequest("task", "", "made"));
        bytes memory taskTaken = abi.encodeWithSelector(ITaskrunner.Taskrunner_NameTaken.selector, "task");
        bytes memory madeTaken = abi.encodeWithSelector(ITaskrunner.Taskrunner_NameTaken.selector, "made");
        refuse(taskRequest("task", "", "other"), taskTaken);
        refuse(taskRequest("other", "", "task"), taskTaken);
        refuse(taskRequest("made", "", "other"), madeTaken);
        refuse(taskRequest("other", "", "made"), madeTaken);
        create(taskRequest("Task", "", "Made"));
    }

    function test_agreementsShareNoNames() public {
        bytes32 task = create(taskRequest("task"));
        IConsortium.Agreement memory agreement = draft(2);
        agreement.document = keccak256("another");
        id = gathered(agreement, 2);
        so(create(taskRequest("task")) != task);
        same(taskrunner.tasks(id).length, 1);
    }

    function test_refusesNamesThatCannotBeSaid() public {
        string memory longest = "a";
        for (uint256 i = 1; i < 160; ++i) {
            longest = string.concat(longest, "z");
        }
        string[5] memory bad = ["", "two words", "<b>", unicode"tâche", string.concat(longest, "z")];
        for (uint256 i = 0; i < bad.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(ITaskrunner.Taskrunner_BadName.selector, bad[i]);
            refuse(taskRequest(bad[i], "", "made"), reason);
            refuse(taskRequest("task", "", bad[i]), reason);
            refuse(runnerRequest(1, bad[i]), reason);
            if (i != 0) refuse(taskRequest("task", bad[i], "made"), reason);
        }
        create(taskRequest(longest, longest, "AZaz09._-/:"));
    }

    function test_refusesAKindThatIsNone() public {
        bytes memory data = abi.encodeCall(ITaskrunner.createTask, (taskRequest("task"), hex""));
        // Selector, offsets of both arguments, agreement, party, kind.
        data[4 + 32 * 5 - 1] = bytes1(uint8(4));
        (bool done,) = address(taskrunner).call(data);
        so(!done);
    }

    // Changing

    function test_theAuthorSetsTheBody() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        wanted.body = 0;
        bytes32 task = create(wanted);
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskBodySet(task, BODY);
        change(taskChange(0, "task", SET_BODY, BODY));
        change(taskChange(0, "task", SET_BODY, keccak256("better")));
        same(taskrunner.task(task).body, keccak256("better"));
    }

    function test_theAuthorFinalizesTheBodyThatIsMeant() public {
        bytes32 task = create(taskRequest("task"));
        refuse(
            taskChange(0, "task", FINALIZE, keccak256("other")),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongBody.selector, BODY, keccak256("other"))
        );
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskFinalized(task, BODY);
        change(taskChange(0, "task", FINALIZE, BODY));
        so(taskrunner.task(task).isFinal);
    }

    function test_aTaskWithoutABodyIsNeverFinal() public {
        ITaskrunner.TaskRequest memory wanted = taskRequest("task");
        wanted.body = 0;
        bytes memory noBody = abi.encodeWithSelector(ITaskrunner.Taskrunner_NoBody.selector, create(wanted));
        refuse(taskChange(0, "task", FINALIZE, 0), noBody);
        refuse(taskChange(0, "task", SET_BODY, 0), noBody);
    }

    function test_aFinalTaskNeverChanges() public {
        bytes memory isFinal =
            abi.encodeWithSelector(ITaskrunner.Taskrunner_IsFinal.selector, ready(taskRequest("task")));
        refuse(taskChange(0, "task", SET_BODY, keccak256("other")), isFinal);
        refuse(taskChange(0, "task", FINALIZE, BODY), isFinal);
        refuse(taskChange(0, "task", DELETE, BODY), isFinal);
    }

    function test_theAuthorDeletesATaskAndItsNamesAreFree() public {
        bytes32 task = create(taskRequest("a"));
        create(taskRequest("b"));
        create(taskRequest("c"));
        refuse(
            taskChange(0, "a", DELETE, 0), abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongBody.selector, BODY, 0)
        );
        vm.expectEmit(address(taskrunner));
        emit ITaskrunner.TaskDeleted(task);
        change(taskChange(0, "a", DELETE, BODY));

        bytes memory unknown = abi.encodeWithSelector(ITaskrunner.Taskrunner_UnknownTask.selector, task);
        refuse(taskChange(0, "a", FINALIZE, BODY), unknown);
        expect(unknown);
        taskrunner.task(task);
        same(taskrunner.named(id, "a"), 0);
        same(taskrunner.named(id, "a-made"), 0);
        same(keccak256(abi.encode(taskrunner.tasks(id))), list("c", "b"));
        change(taskChange(0, "b", DELETE, BODY));
        create(taskRequest("a"));
        same(keccak256(abi.encode(taskrunner.tasks(id))), list("c", "a"));
        change(taskChange(0, "c", DELETE, BODY));
        change(taskChange(0, "a", DELETE, BODY));
        same(taskrunner.tasks(id).length, 0);
    }

    function test_nobodyChangesTheTaskOfAnother() public {
        create(taskRequest("task"));
        bytes memory notYours = abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheAuthor.selector, 0, 1);
        refuse(taskChange(1, "task", SET_BODY, keccak256("mine")), notYours);
        refuse(taskChange(1, "task", FINALIZE, BODY), notYours);
        refuse(taskChange(1, "task", DELETE, BODY), notYours);
    }

    function test_anyPartyCleansUpAfterAnAuthorWhoLeft() public {
        create(taskRequest("task"));
        quit(0);
        refuse(
            taskChange(1, "task", FINALIZE, BODY),
            abi.encodeWithSelector(ITaskrunner.Taskrunner_NotTheAuthor.selector, 0, 1)
        );
        change(taskChange(1, "task", DELETE, BODY));
        same(taskrunner.tasks(id).length, 0);
    }
}
