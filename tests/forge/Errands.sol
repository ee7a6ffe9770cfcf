// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Taskrunner} from "../../contracts/Taskrunner.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {TaskMessages} from "../../contracts/libraries/TaskMessages.sol";
import {Swarm} from "./Swarm.sol";

/// @dev Three hospitals with an agreement, a taskrunner, and what their wallets and agents say to it. Hospital 0 writes
/// the tasks and assigns them; every hospital has one node, whose registration is the hospital's number.
abstract contract Errands is Swarm {
    bytes32 internal constant BODY = keccak256("the body of a task");
    bytes32 internal constant NOTE = keccak256("what an agent says");

    Taskrunner internal taskrunner;
    bytes32 internal id; // of the agreement
    bytes32 internal runner;

    function setUp() public virtual override {
        super.setUp();
        taskrunner = new Taskrunner(consortium);
        id = gathered(3);
        runner = create(runnerRequest(0, "runner"));
    }

    // What wallets sign

    function nonceOf(uint16 party) internal view returns (uint256) {
        return taskrunner.nonce(id, party);
    }

    function taskRequest(string memory name, string memory prerequisite, string memory outcome)
        internal
        view
        returns (ITaskrunner.TaskRequest memory)
    {
        return ITaskrunner.TaskRequest({
            agreement: id,
            party: 0,
            kind: ITaskrunner.Kind.RunSwarm,
            name: name,
            prerequisite: prerequisite,
            outcome: outcome,
            body: BODY,
            nonce: nonceOf(0),
            deadline: soon()
        });
    }

    function taskRequest(string memory name) internal view returns (ITaskrunner.TaskRequest memory) {
        return taskRequest(name, "", string.concat(name, "-made"));
    }

    function taskChange(uint16 party, string memory name, ITaskrunner.Change what, bytes32 body)
        internal
        view
        returns (ITaskrunner.TaskChange memory)
    {
        return ITaskrunner.TaskChange(id, party, name, what, body, nonceOf(party), soon());
    }

    function runnerRequest(uint16 party, string memory name)
        internal
        view
        returns (ITaskrunner.TaskrunnerRequest memory)
    {
        return ITaskrunner.TaskrunnerRequest(id, party, name, nonceOf(party), soon());
    }

    function assignment(string memory task, ITaskrunner.Mode mode, uint16 peers, uint16 needed)
        internal
        view
        returns (ITaskrunner.Assignment memory)
    {
        return ITaskrunner.Assignment({
            agreement: id,
            party: 0,
            taskrunner: "runner",
            task: task,
            body: BODY,
            mode: mode,
            peers: peers,
            needed: needed,
            target: 0,
            endsAt: uint64(vm.getBlockTimestamp() + 2 hours),
            nonce: nonceOf(0),
            deadline: soon()
        });
    }

    function target(string memory task, uint16 registration)
        internal
        view
        returns (ITaskrunner.Assignment memory wanted)
    {
        wanted = assignment(task, ITaskrunner.Mode.Target, 0, 0);
        wanted.target = registration;
    }

    function resetRequest(uint16 party) internal view returns (ITaskrunner.ResetRequest memory) {
        uint32 number = taskrunner.taskrunner(runner).progress.number;
        return ITaskrunner.ResetRequest(id, party, "runner", number, nonceOf(party), soon());
    }

    // ... and who posts it

    function create(ITaskrunner.TaskRequest memory wanted) internal returns (bytes32) {
        return taskrunner.createTask(wanted, signedBy(wanted.party, this.hashOf(wanted)));
    }

    function change(ITaskrunner.TaskChange memory wanted) internal {
        taskrunner.changeTask(wanted, signedBy(wanted.party, this.hashOf(wanted)));
    }

    function create(ITaskrunner.TaskrunnerRequest memory wanted) internal returns (bytes32) {
        return taskrunner.createTaskrunner(wanted, signedBy(wanted.party, this.hashOf(wanted)));
    }

    function assign(ITaskrunner.Assignment memory wanted) internal returns (uint32) {
        return taskrunner.assign(wanted, signedBy(wanted.party, this.hashOf(wanted)));
    }

    function reset(ITaskrunner.ResetRequest memory wanted) internal {
        taskrunner.reset(wanted, signedBy(wanted.party, this.hashOf(wanted)));
    }

    function refuse(ITaskrunner.TaskRequest memory wanted, bytes memory reason) internal {
        bytes memory signature = signedBy(wanted.party, this.hashOf(wanted));
        expect(reason);
        taskrunner.createTask(wanted, signature);
    }

    function refuse(ITaskrunner.TaskChange memory wanted, bytes memory reason) internal {
        bytes memory signature = signedBy(wanted.party, this.hashOf(wanted));
        expect(reason);
        taskrunner.changeTask(wanted, signature);
    }

    function refuse(ITaskrunner.TaskrunnerRequest memory wanted, bytes memory reason) internal {
        bytes memory signature = signedBy(wanted.party, this.hashOf(wanted));
        expect(reason);
        taskrunner.createTaskrunner(wanted, signature);
    }

    function refuse(ITaskrunner.Assignment memory wanted, bytes memory reason) internal {
        bytes memory signature = signedBy(wanted.party, this.hashOf(wanted));
        expect(reason);
        taskrunner.assign(wanted, signature);
    }

    function refuse(ITaskrunner.ResetRequest memory wanted, bytes memory reason) internal {
        bytes memory signature = signedBy(wanted.party, this.hashOf(wanted));
        expect(reason);
        taskrunner.reset(wanted, signature);
    }

    function signedBy(uint16 party, bytes32 structHash) internal view returns (bytes memory) {
        return sign(WALLET + party, digestOf(address(taskrunner), structHash));
    }

    function hashOf(ITaskrunner.TaskRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function hashOf(ITaskrunner.TaskChange calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function hashOf(ITaskrunner.TaskrunnerRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function hashOf(ITaskrunner.Assignment calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function hashOf(ITaskrunner.ResetRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    /// @dev Hospital `party` leaves the agreement.
    function quit(uint16 party) internal {
        IConsortium.Leaving memory wanted = IConsortium.Leaving(id, party, soon());
        bytes32 digest = digestOf(address(consortium), this.hashLeaving(wanted));
        consortium.leaveAgreement(wanted, sign(WALLET + party, digest));
    }

    function hashLeaving(IConsortium.Leaving calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    // Tasks and agents

    /// @dev A final task.
    function ready(ITaskrunner.TaskRequest memory wanted) internal returns (bytes32 task) {
        task = create(wanted);
        change(taskChange(0, wanted.name, ITaskrunner.Change.Finalize, wanted.body));
    }

    function keyOf(uint16 registration) internal view returns (address) {
        return vm.addr(nodeKey[id][registration]);
    }

    function enlist(uint16 registration) internal {
        vm.prank(keyOf(registration));
        taskrunner.enroll(runner, registration);
    }

    function report(uint16 registration, ITaskrunner.Status status) internal {
        uint32 number = taskrunner.taskrunner(runner).progress.number;
        vm.prank(keyOf(registration));
        taskrunner.report(runner, number, registration, status, NOTE);
    }

    function refuseReport(uint16 registration, ITaskrunner.Status status, bytes memory reason) internal {
        uint32 number = taskrunner.taskrunner(runner).progress.number;
        vm.prank(keyOf(registration));
        expect(reason);
        taskrunner.report(runner, number, registration, status, NOTE);
    }

    function progress() internal view returns (ITaskrunner.Progress memory) {
        return taskrunner.taskrunner(runner).progress;
    }

    function isIn(ITaskrunner.State state) internal view {
        same(uint256(progress().state), uint256(state));
    }

    function counts(uint16 active, uint16 completed, uint16 failed) internal view {
        ITaskrunner.Progress memory now_ = progress();
        same(now_.active, active);
        same(now_.completed, completed);
        same(now_.failed, failed);
    }
}
