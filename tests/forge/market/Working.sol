// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Taskrunner} from "../../../contracts/Taskrunner.sol";
import {ITaskrunner} from "../../../contracts/interfaces/ITaskrunner.sol";
import {TaskMessages} from "../../../contracts/libraries/TaskMessages.sol";
import {Learning} from "./Learning.sol";

/// @dev Tasks that need each other's outcomes, the taskrunners that have them done, and agents that come, report and go.
/// The names are few, so that they meet.
abstract contract Working is Learning {
    uint256 internal constant TASKS = 5; // names of an agreement
    uint256 internal constant RUNNERS = 2;

    Taskrunner internal taskrunner;
    mapping(bytes32 agreement => bytes32[]) public runnersOf;
    mapping(bytes32 task => bytes32) public finalBody; // as it was when the task became final
    mapping(bytes32 task => bool) public isDone; // enough peers have completed it once
    bytes private _lastMessage;

    function setUp() public virtual override {
        super.setUp();
        taskrunner = new Taskrunner(consortium);
    }

    // What organizations sign

    function aPartyWritesATask(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        string memory name = _name(roll(TASKS));
        if (taskrunner.named(agreement, name) == 0) _createTask(agreement, party, name);
        else _changeTask(agreement, party, name);
    }

    function _createTask(bytes32 agreement, uint16 party, string memory name) private {
        ITaskrunner.TaskRequest memory wanted;
        (wanted.agreement, wanted.party, wanted.name) = (agreement, party, name);
        wanted.kind = ITaskrunner.Kind(roll(4));
        if (roll(3) == 0) wanted.prerequisite = roll(2) == 0 ? _name(roll(TASKS)) : _outcome(roll(TASKS));
        wanted.outcome = roll(4) == 0 ? name : _outcome(roll(TASKS));
        if (roll(4) != 0) wanted.body = keccak256(abi.encode(roll(1e9)));
        (wanted.nonce, wanted.deadline) = (taskrunner.nonce(agreement, party), soon());
        bool taken = taskrunner.named(agreement, wanted.outcome) != 0;
        bytes memory call =
            abi.encodeCall(ITaskrunner.createTask, (wanted, _signed(agreement, party, this.hashOf(wanted))));
        if (!_posted(call)) return;
        did[Deed.TaskCreated] += 1;
        if (taken) broken = "a name stands for two tasks";
        if (consortium.isOut(agreement, party)) broken = "an organization that is out wrote a task";
    }

    function _changeTask(bytes32 agreement, uint16 party, string memory name) private {
        bytes32 id = taskrunner.named(agreement, name);
        ITaskrunner.Task memory task = taskrunner.task(id);
        // Mostly its author, who mostly finishes it.
        if (roll(4) != 0) party = task.author;
        uint256 kind = roll(8);
        ITaskrunner.Change what = ITaskrunner.Change(kind < 2 ? kind * 2 : 1);
        if (task.body == 0 && what == ITaskrunner.Change.Finalize) what = ITaskrunner.Change.SetBody;
        bytes32 body = what == ITaskrunner.Change.SetBody ? keccak256(abi.encode(roll(1e9))) : task.body;
        ITaskrunner.TaskChange memory wanted =
            ITaskrunner.TaskChange(agreement, party, task.name, what, body, taskrunner.nonce(agreement, party), soon());
        bytes memory call =
            abi.encodeCall(ITaskrunner.changeTask, (wanted, _signed(agreement, party, this.hashOf(wanted))));
        if (!_posted(call)) return;
        if (task.isFinal) broken = "a final task was changed";
        bool orphaned = what == ITaskrunner.Change.Delete && consortium.isOut(agreement, task.author);
        if (party != task.author && !orphaned) broken = "somebody changed the task of another";
        if (what == ITaskrunner.Change.SetBody) {
            did[Deed.TaskBodySet] += 1;
        } else if (what == ITaskrunner.Change.Finalize) {
            did[Deed.TaskFinalized] += 1;
            finalBody[id] = body;
        } else {
            did[Deed.TaskDeleted] += 1;
        }
    }

    function aPartyMakesATaskrunner(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        ITaskrunner.TaskrunnerRequest memory wanted = ITaskrunner.TaskrunnerRequest(
            agreement, party, _name(roll(RUNNERS)), taskrunner.nonce(agreement, party), soon()
        );
        bytes memory signature = _signed(agreement, party, this.hashOf(wanted));
        try taskrunner.createTaskrunner(wanted, signature) returns (bytes32 id) {
            did[Deed.TaskrunnerCreated] += 1;
            runnersOf[agreement].push(id);
            if (runnersOf[agreement].length > RUNNERS) broken = "a name stands for two taskrunners";
        } catch {}
    }

    function aPartyAssignsATask(uint256 seed) external dice(seed) {
        (bytes32 agreement, bytes32 id, bool found) = _anyRunner();
        if (!found) return;
        ITaskrunner.Runner memory runner = taskrunner.taskrunner(id);
        bool running = runner.progress.state == ITaskrunner.State.Running;
        ITaskrunner.Assignment memory wanted = _assignment(agreement, runner, running);
        bytes memory call =
            abi.encodeCall(ITaskrunner.assign, (wanted, _signed(agreement, wanted.party, this.hashOf(wanted))));
        if (!_posted(call)) return;
        if (running) did[Deed.TargetAdded] += 1;
        else if (wanted.mode == ITaskrunner.Mode.Peers) did[Deed.AssignedToPeers] += 1;
        else did[wanted.mode == ITaskrunner.Mode.All ? Deed.AssignedToAll : Deed.AssignedToTarget] += 1;
        if (!consortium.inForce(agreement)) broken = "a task was assigned while the agreement is not in force";
        if (consortium.isOut(agreement, wanted.party)) broken = "an organization that is out assigned a task";
        _checkRunnable(agreement, wanted.task);
    }

    function _assignment(bytes32 agreement, ITaskrunner.Runner memory runner, bool running)
        private
        returns (ITaskrunner.Assignment memory wanted)
    {
        (wanted.agreement, wanted.taskrunner) = (agreement, runner.name);
        wanted.party = anyParty(agreement);
        bytes32[] memory all = taskrunner.tasks(agreement);
        if (all.length == 0) return wanted;
        bytes32 task = all[roll(all.length)];
        // Who has something running there mostly names a further target of it.
        if (running && roll(6) != 0) (wanted.party, task) = (runner.progress.party, runner.task);
        (wanted.task, wanted.body) = (taskrunner.task(task).name, taskrunner.task(task).body);
        wanted.mode = ITaskrunner.Mode(running ? 2 : roll(3));
        if (wanted.mode == ITaskrunner.Mode.Peers) wanted.peers = uint16(1 + roll(3));
        if (wanted.mode == ITaskrunner.Mode.Target) {
            wanted.target = _idleAgent(agreement, taskrunner.idOf(agreement, runner.name));
        }
        if (wanted.mode != ITaskrunner.Mode.Target) wanted.needed = uint16(roll(3));
        wanted.endsAt = uint64(vm.getBlockTimestamp() + 1 + roll(6 days));
        (wanted.nonce, wanted.deadline) = (taskrunner.nonce(agreement, wanted.party), soon());
    }

    function _checkRunnable(bytes32 agreement, string memory name) private {
        ITaskrunner.Task memory task = taskrunner.task(taskrunner.idOf(agreement, name));
        if (!task.isFinal) broken = "a task was assigned before it was final";
        if (bytes(task.prerequisite).length == 0) return;
        if (!isDone[taskrunner.named(agreement, task.prerequisite)]) {
            broken = "a task was assigned before what it needs was there";
        }
    }

    function aPartyFreesATaskrunner(uint256 seed) external dice(seed) {
        (bytes32 agreement, bytes32 id, bool found) = _anyRunner();
        if (!found) return;
        ITaskrunner.Runner memory runner = taskrunner.taskrunner(id);
        uint16 party = anyParty(agreement);
        ITaskrunner.ResetRequest memory wanted = ITaskrunner.ResetRequest(
            agreement, party, runner.name, runner.progress.number, taskrunner.nonce(agreement, party), soon()
        );
        bytes memory call = abi.encodeCall(ITaskrunner.reset, (wanted, _signed(agreement, party, this.hashOf(wanted))));
        if (!_posted(call)) return;
        did[Deed.TaskrunnerReset] += 1;
        bool running = runner.progress.state == ITaskrunner.State.Running;
        if (running && party != runner.progress.party) broken = "somebody ended what another had running";
    }

    function somebodyPostsAMessageAgain(uint256) external {
        if (_lastMessage.length == 0) return;
        (bool done,) = address(taskrunner).call(_lastMessage);
        if (done) broken = "a message was carried out twice";
    }

    // What agents and anybody do

    function anAgentComesOrGoes(uint256 seed) external dice(seed) {
        (bytes32 agreement, bytes32 id, bool found) = _anyRunner();
        if (!found) return;
        uint16 who = _anyNode(agreement);
        bool member = _isMember(agreement, who);
        bool goes = taskrunner.agent(id, who).enrolled;
        bool itself = !goes && roll(4) != 0 || goes && member && roll(4) == 0;
        if (itself) vm.prank(vm.addr(nodeKey[agreement][who]));
        if (goes) {
            try taskrunner.withdraw(id, who) {
                did[itself ? Deed.AgentWithdrew : Deed.AgentTakenOff] += 1;
                if (!itself && member) broken = "an agent was taken off that is a member";
            } catch {}
        } else {
            try taskrunner.enroll(id, who) {
                did[Deed.AgentEnrolled] += 1;
                if (!itself || !member) broken = "somebody enrolled who is not this member";
            } catch {}
        }
    }

    function anAgentReports(uint256 seed) external dice(seed) {
        (bytes32 agreement, bytes32 id, bool found) = _anyRunning();
        if (!found) return;
        ITaskrunner.Runner memory before = taskrunner.taskrunner(id);
        uint16 who = _anyAgent(agreement, id);
        bool itself = roll(8) != 0;
        uint256 kind = roll(6);
        ITaskrunner.Status status = ITaskrunner.Status(kind < 3 ? kind + 1 : 2 + kind % 2);
        if (itself) vm.prank(vm.addr(nodeKey[agreement][who]));
        try taskrunner.report(id, before.progress.number, who, status, keccak256(abi.encode(seed))) {
            did[Deed.Reported] += 1;
            if (!itself || !_isMember(agreement, who)) broken = "somebody reported who is not this member";
        } catch {
            return;
        }
        if (before.progress.state != ITaskrunner.State.Running) return;
        ITaskrunner.Runner memory runner = taskrunner.taskrunner(id);
        if (runner.progress.state == ITaskrunner.State.Error) did[Deed.FailedInTime] += 1;
        if (runner.progress.state != ITaskrunner.State.Complete) return;
        did[Deed.CompletedInTime] += 1;
        if (isDone[runner.task]) return;
        did[Deed.OutcomeMade] += 1;
        isDone[runner.task] = true;
        if (runner.progress.completed < runner.progress.needed) broken = "a task was done by too few";
    }

    function somebodyEndsWhatIsLate(uint256 seed) external dice(seed) {
        (, bytes32 id, bool found) = _anyRunner();
        if (!found) return;
        uint64 endsAt = taskrunner.taskrunner(id).progress.endsAt;
        try taskrunner.expire(id) {
            did[Deed.AssignmentExpired] += 1;
            if (vm.getBlockTimestamp() <= endsAt) broken = "an assignment was ended before its time";
        } catch {}
    }

    /// @dev Whoever is gone: what runs comes to its end, by what anyone may do.
    function _assignmentsEnd(bytes32 agreement) internal {
        for (uint256 i = 0; i < runnersOf[agreement].length; ++i) {
            bytes32 id = runnersOf[agreement][i];
            ITaskrunner.Progress memory progress = taskrunner.taskrunner(id).progress;
            if (progress.state != ITaskrunner.State.Running) continue;
            if (vm.getBlockTimestamp() <= progress.endsAt) vm.warp(uint256(progress.endsAt) + 1);
            try taskrunner.expire(id) {}
            catch {
                broken = "an assignment has no exit";
            }
        }
    }

    /// @dev Mostly one that is there now.
    function _anyNode(bytes32 agreement) private returns (uint16) {
        uint16[] memory there = nodesIn(agreement, latest(agreement).version, ALL_PARTIES);
        if (there.length == 0 || roll(4) == 0) return uint16(roll(registrations[agreement]));
        return there[roll(there.length)];
    }

    function _isMember(bytes32 agreement, uint16 registration) private view returns (bool) {
        (,, uint32 since, uint32 until) = consortium.member(agreement, registration);
        return since != 0 && until == 0;
    }

    function _anyRunner() private returns (bytes32 agreement, bytes32 id, bool found) {
        agreement = anyAgreement();
        uint256 count = runnersOf[agreement].length;
        if (count == 0) return (agreement, 0, false);
        return (agreement, runnersOf[agreement][roll(count)], true);
    }

    /// @dev Mostly one that has something to do.
    function _anyRunning() private returns (bytes32 agreement, bytes32 id, bool found) {
        for (uint256 tries = 0; tries < 8; ++tries) {
            (agreement, id, found) = _anyRunner();
            if (!found) continue;
            if (taskrunner.taskrunner(id).progress.state == ITaskrunner.State.Running) break;
        }
    }

    /// @dev Mostly one that is or was enrolled.
    function _anyAgent(bytes32 agreement, bytes32 id) private returns (uint16) {
        ITaskrunner.Agent[] memory all = taskrunner.agents(id);
        if (all.length == 0 || roll(6) == 0) return uint16(roll(registrations[agreement]));
        return all[roll(all.length)].registration;
    }

    /// @dev One that has no part in it yet, if there is one.
    function _idleAgent(bytes32 agreement, bytes32 id) private returns (uint16) {
        ITaskrunner.Agent[] memory all = taskrunner.agents(id);
        for (uint256 i = 0; i < all.length && roll(8) != 0; ++i) {
            if (all[i].enrolled && !all[i].peer) return all[i].registration;
        }
        return _anyAgent(agreement, id);
    }

    function _posted(bytes memory call) private returns (bool done) {
        (done,) = address(taskrunner).call(call);
        if (done) _lastMessage = call;
    }

    function _signed(bytes32 agreement, uint16 party, bytes32 structHash) private view returns (bytes memory) {
        return sign(walletOf(agreement, party), digestOf(address(taskrunner), structHash));
    }

    function _name(uint256 number) private pure returns (string memory) {
        return string.concat("task-", vm.toString(number));
    }

    function _outcome(uint256 number) private pure returns (string memory) {
        return string.concat("made-", vm.toString(number));
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
}
