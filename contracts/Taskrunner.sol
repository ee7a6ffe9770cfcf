// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./interfaces/IConsortium.sol";
import {ITaskrunner} from "./interfaces/ITaskrunner.sol";
import {Assignments, Seat} from "./libraries/Assignments.sol";
import {TaskMessages} from "./libraries/TaskMessages.sol";
import {Tasks} from "./Tasks.sol";

/// @title Tasks, and the taskrunners that have them done (see ITaskrunner; the tasks themselves are in Tasks)
/// @dev Nobody owns this contract. It only ever asks the Consortium, which is fixed at deployment.
contract Taskrunner is Tasks {
    using Assignments for Progress;
    using Assignments for Seat;

    struct Record {
        bytes32 agreement;
        bytes32 task;
        Progress progress; // one slot
        uint64 assignedAt;
        uint64 endedAt;
        uint16 agents; // enrolled now
        string name;
        uint16[] registrations; // ever enrolled
        mapping(uint256 registration => Seat) seats;
    }

    mapping(bytes32 taskrunner => Record) private _runners;
    mapping(bytes32 agreement => bytes32[]) private _runnersOf;

    constructor(IConsortium consortium_) Tasks(consortium_) {}

    /// @inheritdoc ITaskrunner
    function createTaskrunner(TaskrunnerRequest calldata request, bytes calldata walletSignature)
        external
        returns (bytes32 id)
    {
        bytes32 agreement = request.agreement;

        // Check: a name that stands for nothing else
        _checkName(request.name);
        id = idOf(agreement, request.name);
        Record storage record = _runners[id];
        if (record.agreement != 0) revert Taskrunner_NameTaken(request.name);

        // Check: wanted by a party. Effect: this message is used up
        _spend(agreement, request.party, request.nonce, request.deadline, TaskMessages.hash(request), walletSignature);

        // Effect: free
        record.agreement = agreement;
        record.name = request.name;
        record.progress.state = State.Idle;
        _runnersOf[agreement].push(id);

        emit TaskrunnerCreated(id, agreement, request.party, request.name);
    }

    /// @inheritdoc ITaskrunner
    function enroll(bytes32 id, uint16 registration) external {
        Record storage record = _runner(id);
        Seat storage seat = record.seats[registration];

        // Check: not here yet; a member's own wish
        if (seat.enrolled) revert Taskrunner_AlreadyEnrolled(registration);
        (address key, uint16 party) = _member(record.agreement, registration);
        if (msg.sender != key) revert Taskrunner_NotTheKey(registration, msg.sender);

        // Effect: one agent more, for what is assigned from now on
        if (seat.since == 0) record.registrations.push(registration);
        seat.since = record.progress.number + 1;
        seat.enrolled = true;
        record.agents += 1;

        emit AgentEnrolled(id, registration, party);
    }

    /// @inheritdoc ITaskrunner
    function withdraw(bytes32 id, uint16 registration) external {
        Record storage record = _runner(id);
        Seat memory seat = record.seats[registration];

        // Check: here, and its own wish unless it is no longer a member
        if (!seat.enrolled) revert Taskrunner_NotEnrolled(registration);
        (address key, uint16 party, uint32 since, uint32 until) = consortium.member(record.agreement, registration);
        if (msg.sender != key && _isMember(record.agreement, party, since, until)) {
            revert Taskrunner_NotTheKey(registration, msg.sender);
        }

        // Effect: what it has not completed, it failed
        Progress memory progress = _timely(id, record);
        bool open = seat.joined != progress.number || seat.status == Status.Active;
        if (progress.state != State.Idle && open && seat.isPeer(progress)) {
            progress.count(seat, Status.Failed);
            seat.description = 0;
            emit StatusReported(id, progress.number, registration, Status.Failed, 0);
        }

        // Effect: one agent less
        seat.enrolled = false;
        record.seats[registration] = seat;
        record.agents -= 1;
        emit AgentWithdrawn(id, registration);

        // Effect: perhaps the end
        _conclude(id, record, progress);
    }

    /// @inheritdoc ITaskrunner
    function assign(Assignment calldata assignment, bytes calldata walletSignature) external returns (uint32) {
        bytes32 id = idOf(assignment.agreement, assignment.taskrunner);
        Record storage record = _runner(id);

        // Check: what may run, and for how long
        bytes32 taskId = _checkRunnable(assignment);
        _checkPeriod(assignment);

        // Check: wanted by a party. Effect: this message is used up
        _spend(
            assignment.agreement,
            assignment.party,
            assignment.nonce,
            assignment.deadline,
            TaskMessages.hash(assignment),
            walletSignature
        );

        // Check: free, or one target more. Effect: running
        Progress memory progress = _timely(id, record);
        if (progress.state == State.Running) {
            _checkFurther(record, progress, assignment, taskId);
            progress.extend(assignment.endsAt);
        } else {
            if (progress.state != State.Idle) revert Taskrunner_WrongState(progress.state);
            progress = progress.begin(assignment, record.agents);
            record.task = taskId;
            record.assignedAt = uint64(block.timestamp);
            record.endedAt = 0;
        }
        if (!progress.fits(assignment)) revert Taskrunner_BadPeers(assignment.peers, assignment.needed);
        record.progress = progress;
        _emitAssigned(id, progress, taskId);
        if (assignment.mode == Mode.Target) _invite(id, record, progress, assignment.target);
        return progress.number;
    }

    /// @inheritdoc ITaskrunner
    function report(bytes32 id, uint32 number, uint16 registration, Status status, bytes32 description) external {
        Record storage record = _runner(id);
        Progress memory progress = _timely(id, record);
        Seat memory seat = record.seats[registration];

        // Check: something about the last assignment
        if (progress.state == State.Idle) revert Taskrunner_WrongState(State.Idle);
        if (number != progress.number) revert Taskrunner_WrongNumber(progress.number, number);
        if (status == Status.None) revert Taskrunner_BadStatus(status);

        // Check: by an agent of this taskrunner
        if (!seat.enrolled) revert Taskrunner_NotEnrolled(registration);
        (address key,) = _member(record.agreement, registration);
        if (msg.sender != key) revert Taskrunner_NotTheKey(registration, msg.sender);

        // Check: with a part in it, or a place left, and not done with it. Effect: the place is taken
        if (!seat.isPeer(progress)) {
            if (progress.state != State.Running || progress.places == 0) revert Taskrunner_NoPlace(registration);
            progress.places -= 1;
        } else if (seat.joined == number && seat.status != Status.Active) {
            revert Taskrunner_AlreadyReported(registration, seat.status);
        }

        // Effect: counted
        progress.count(seat, status);
        seat.description = description;
        record.seats[registration] = seat;
        emit StatusReported(id, number, registration, status, description);

        // Effect: perhaps the end
        _conclude(id, record, progress);
    }

    /// @inheritdoc ITaskrunner
    function expire(bytes32 id) external {
        Record storage record = _runner(id);
        Progress memory progress = record.progress;

        // Check: running for too long
        if (progress.state != State.Running) revert Taskrunner_WrongState(progress.state);
        if (!progress.isLate()) revert Taskrunner_StillRunning(progress.endsAt);

        // Effect: Error
        _timely(id, record);
    }

    /// @inheritdoc ITaskrunner
    function reset(ResetRequest calldata request, bytes calldata walletSignature) external {
        bytes32 id = idOf(request.agreement, request.taskrunner);
        Record storage record = _runner(id);
        Progress memory progress = _timely(id, record);

        // Check: the last assignment, at its end or ended by who made it
        if (progress.state == State.Idle) revert Taskrunner_WrongState(State.Idle);
        if (request.number != progress.number) revert Taskrunner_WrongNumber(progress.number, request.number);
        if (progress.state == State.Running && request.party != progress.party) {
            revert Taskrunner_StillRunning(progress.endsAt);
        }

        // Check: wanted by a party. Effect: this message is used up
        _spend(
            request.agreement,
            request.party,
            request.nonce,
            request.deadline,
            TaskMessages.hash(request),
            walletSignature
        );

        // Effect: free
        if (progress.state == State.Running) _end(id, record, progress, State.Error, uint64(block.timestamp));
        record.progress.state = State.Idle;
        emit TaskrunnerReset(id, request.number, request.party);
    }

    /// @inheritdoc ITaskrunner
    function taskrunner(bytes32 id) external view returns (Runner memory) {
        Record storage record = _runner(id);
        Progress memory progress = record.progress;
        uint64 endedAt = record.endedAt;
        if (progress.isLate()) (progress.state, endedAt) = (State.Error, progress.endsAt);
        return Runner(record.agreement, record.name, record.agents, record.task, record.assignedAt, endedAt, progress);
    }

    /// @inheritdoc ITaskrunner
    function taskrunners(bytes32 agreement) external view returns (bytes32[] memory) {
        return _runnersOf[agreement];
    }

    /// @inheritdoc ITaskrunner
    function agents(bytes32 id) external view returns (Agent[] memory all) {
        Record storage record = _runner(id);
        all = new Agent[](record.registrations.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = _agent(record, record.registrations[i]);
        }
    }

    /// @inheritdoc ITaskrunner
    function agent(bytes32 id, uint16 registration) external view returns (Agent memory) {
        return _agent(_runner(id), registration);
    }

    function _invite(bytes32 id, Record storage record, Progress memory progress, uint16 registration) private {
        if (!record.seats[registration].enrolled) revert Taskrunner_NotEnrolled(registration);
        _member(record.agreement, registration);
        record.seats[registration].invited = progress.number;
        emit AgentTargeted(id, progress.number, registration);
    }

    /// @dev As it is by now: what ran out of time has ended in Error.
    function _timely(bytes32 id, Record storage record) private returns (Progress memory progress) {
        progress = record.progress;
        if (progress.isLate()) _end(id, record, progress, State.Error, progress.endsAt);
    }

    /// @dev Keeps the numbers, and ends what they decide. The first Complete makes the outcome.
    function _conclude(bytes32 id, Record storage record, Progress memory progress) private {
        State decided = progress.state == State.Running ? progress.outcome() : State.Running;
        if (decided == State.Running) {
            record.progress = progress;
            return;
        }
        _end(id, record, progress, decided, uint64(block.timestamp));
        if (decided == State.Complete) _done(record.task);
    }

    function _end(bytes32 id, Record storage record, Progress memory progress, State state, uint64 endedAt) private {
        progress.state = state;
        record.progress = progress;
        record.endedAt = endedAt;
        emit TaskEnded(id, progress.number, state);
    }

    function _checkPeriod(Assignment calldata assignment) private view {
        if (!consortium.inForce(assignment.agreement)) revert Taskrunner_NotInForce(assignment.agreement);
        // When it begins does not matter here any more.
        // slither-disable-next-line unused-return
        (, uint64 latest) = consortium.period(assignment.agreement);
        uint64 longest = uint64(block.timestamp) + Assignments.LONGEST;
        if (longest < latest) latest = longest;
        if (assignment.endsAt <= block.timestamp || assignment.endsAt > latest) {
            revert Taskrunner_BadEnd(assignment.endsAt, latest);
        }
    }

    /// @dev A further target of what the same party has running.
    function _checkFurther(Record storage record, Progress memory progress, Assignment calldata assignment, bytes32 id)
        private
        view
    {
        if (assignment.mode != Mode.Target || assignment.party != progress.party) {
            revert Taskrunner_StillRunning(progress.endsAt);
        }
        if (id != record.task) revert Taskrunner_OtherTask(record.task, id);
        Seat memory seat = record.seats[assignment.target];
        if (seat.isPeer(progress)) revert Taskrunner_AlreadyAPeer(assignment.target);
    }

    function _member(bytes32 agreement, uint16 registration) private view returns (address key, uint16 party) {
        uint32 since;
        uint32 until;
        (key, party, since, until) = consortium.member(agreement, registration);
        if (!_isMember(agreement, party, since, until)) revert Taskrunner_NotAMember(registration);
    }

    function _isMember(bytes32 agreement, uint16 party, uint32 since, uint32 until) private view returns (bool) {
        return since != 0 && until == 0 && !consortium.isOut(agreement, party);
    }

    function _agent(Record storage record, uint16 registration) private view returns (Agent memory) {
        Seat memory seat = record.seats[registration];
        Progress memory progress = record.progress;
        bool current = progress.number != 0 && seat.joined == progress.number;
        return Agent({
            registration: registration,
            enrolled: seat.enrolled,
            peer: seat.isPeer(progress),
            status: current ? seat.status : Status.None,
            reportedAt: current ? seat.reportedAt : 0,
            description: current ? seat.description : bytes32(0)
        });
    }

    function _runner(bytes32 id) private view returns (Record storage record) {
        record = _runners[id];
        if (record.agreement == 0) revert Taskrunner_UnknownTaskrunner(id);
    }

    function _emitAssigned(bytes32 id, Progress memory progress, bytes32 taskId) private {
        emit TaskAssigned(
            id, progress.number, taskId, progress.party, progress.mode, progress.peers, progress.needed, progress.endsAt
        );
    }
}
