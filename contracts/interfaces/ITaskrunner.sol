// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "./IConsortium.sol";

/// @title Tasks of an agreement, and the taskrunners that have them done by node agents
/// @notice One contract for all agreements. What a task does (its body) is an artifact and never comes here, for it holds
/// environment and credentials: only its hash does. Nothing that is paid depends on a task.
///
/// Who acts: organizations sign messages with their wallets (plain key, or ERC-1271 contract), which anyone may post;
/// one nonce for each organization puts all of them in order. Node agents send their own transactions, as they do with
/// seals: the sender is the key of the registration. Organizations that are out of the agreement, and nodes that are
/// no longer members, are not heard.
///
/// Names (tasks, outcomes, taskrunners): 1 to 160 letters of either case, digits and . _ - / :, told apart letter by
/// letter. A task takes two names in its agreement, its own and its outcome's (they may be the same); no other task can
/// have them, so that each stands for one task. Taskrunners have names of their own.
///
/// An assignment has a number, counted up in its taskrunner, and takes up agents until it has its peers:
/// - `Peers`: the first `peers` agents that report. They may enroll later.
/// - `All`: all agents that were enrolled when it was assigned.
/// - `Target`: one registration.
/// It is Complete as soon as `needed` peers completed it; Error as soon as so many failed that this cannot be reached any
/// more, or when `endsAt` has passed before. Then, until the taskrunner is reset, its peers may still report, for the
/// record. It may be reported to its end also where the agreement is suspended or over by then: whether to stop is the
/// agents' business, and nothing new can be assigned.
interface ITaskrunner {
    enum Kind {
        RunSwarm,
        MakeUserContainer,
        PullImage,
        MakeSwarmUserContent
    }

    enum Change {
        SetBody,
        Finalize,
        Delete
    }

    enum Mode {
        Peers,
        All,
        Target
    }

    enum State {
        None,
        Idle,
        Running,
        Complete,
        Error
    }

    /// @notice How far an agent is with the assignment.
    enum Status {
        None,
        Active,
        Completed,
        Failed
    }

    // What organizations sign.

    /// @notice Creates a task.
    struct TaskRequest {
        bytes32 agreement;
        uint16 party; // its author
        Kind kind;
        string name;
        string prerequisite; // the name, or the outcome's name, of the task that has to be done before; empty: none
        string outcome; // what it makes; exists once it is Complete
        bytes32 body; // BLAKE3 of the body; zero while there is none
        uint256 nonce; // `nonce(agreement, party)`
        uint64 deadline; // [unix s]
    }

    /// @notice Changes a task that is not final.
    struct TaskChange {
        bytes32 agreement;
        uint16 party;
        string name;
        Change change;
        bytes32 body; // for `SetBody` the new one; otherwise the one that the task has, which is what is meant
        uint256 nonce;
        uint64 deadline; // [unix s]
    }

    /// @notice Creates a taskrunner.
    struct TaskrunnerRequest {
        bytes32 agreement;
        uint16 party;
        string name;
        uint256 nonce;
        uint64 deadline; // [unix s]
    }

    /// @notice Has a task done.
    struct Assignment {
        bytes32 agreement;
        uint16 party;
        string taskrunner;
        string task;
        bytes32 body; // of the task: what runs is what was signed
        Mode mode;
        uint16 peers; // for `Peers`, how many; otherwise zero
        uint16 needed; // of them that have to complete it; zero: all
        uint16 target; // for `Target`, the registration; otherwise zero
        uint64 endsAt; // [unix s] at most 30 days away and within the agreement's period
        uint256 nonce;
        uint64 deadline; // [unix s]
    }

    /// @notice Makes a taskrunner free for its next assignment.
    struct ResetRequest {
        bytes32 agreement;
        uint16 party;
        string taskrunner;
        uint32 number; // of the assignment that is meant
        uint256 nonce;
        uint64 deadline; // [unix s]
    }

    // What can be read.

    struct Task {
        bytes32 agreement;
        bytes32 body;
        uint16 author;
        Kind kind;
        bool isFinal;
        uint64 doneAt; // [unix s] since when its outcome exists; zero while it does not
        string name;
        string prerequisite;
        string outcome;
    }

    /// @notice An assignment in numbers.
    struct Progress {
        uint32 number; // counts the assignments of a taskrunner
        State state;
        Mode mode;
        uint16 party; // that assigned it
        uint16 peers;
        uint16 places; // among the peers, for whoever comes first
        uint16 needed;
        uint16 active;
        uint16 completed;
        uint16 failed;
        uint64 endsAt; // [unix s]
    }

    /// @notice A taskrunner and its last assignment.
    struct Runner {
        bytes32 agreement;
        string name;
        uint16 agents; // enrolled now
        bytes32 task; // zero before the first assignment
        uint64 assignedAt; // [unix s]
        uint64 endedAt; // [unix s] zero while running
        Progress progress;
    }

    /// @notice An agent of a taskrunner, and how far it is with the last assignment.
    struct Agent {
        uint16 registration;
        bool enrolled; // false: it withdrew
        bool peer; // of the last assignment; false for who could still take a place
        Status status;
        uint64 reportedAt; // [unix s]
        bytes32 description; // BLAKE3 of what it said about it
    }

    event TaskCreated(
        bytes32 indexed task,
        bytes32 indexed agreement,
        uint16 indexed author,
        Kind kind,
        string name,
        string prerequisite,
        string outcome,
        bytes32 body
    );
    event TaskBodySet(bytes32 indexed task, bytes32 body);
    event TaskFinalized(bytes32 indexed task, bytes32 body);
    event TaskDeleted(bytes32 indexed task);
    /// @notice The task was completed for the first time.
    event OutcomeMade(bytes32 indexed agreement, bytes32 indexed task, string outcome);
    event TaskrunnerCreated(bytes32 indexed taskrunner, bytes32 indexed agreement, uint16 indexed party, string name);
    event AgentEnrolled(bytes32 indexed taskrunner, uint16 indexed registration, uint16 indexed party);
    event AgentWithdrawn(bytes32 indexed taskrunner, uint16 indexed registration);
    event TaskAssigned(
        bytes32 indexed taskrunner,
        uint32 indexed number,
        bytes32 indexed task,
        uint16 party,
        Mode mode,
        uint16 peers,
        uint16 needed,
        uint64 endsAt
    );
    /// @notice This registration was made a peer by name, at once or later.
    event AgentTargeted(bytes32 indexed taskrunner, uint32 indexed number, uint16 indexed registration);
    event StatusReported(
        bytes32 indexed taskrunner,
        uint32 indexed number,
        uint16 indexed registration,
        Status status,
        bytes32 description
    );
    /// @notice `state` is Complete or Error.
    event TaskEnded(bytes32 indexed taskrunner, uint32 indexed number, State state);
    event TaskrunnerReset(bytes32 indexed taskrunner, uint32 indexed number, uint16 party);

    error Taskrunner_DeadlinePassed(uint64 deadline);
    error Taskrunner_WrongNonce(uint256 expected, uint256 got);
    error Taskrunner_NotTheParty(uint16 party, address signer);
    /// @notice The organization left the agreement, or was removed.
    error Taskrunner_PartyIsOut(uint16 party);
    error Taskrunner_NotInForce(bytes32 agreement);
    error Taskrunner_BadName(string name);
    /// @notice A task (for tasks and outcomes) or a taskrunner of this agreement has this name.
    error Taskrunner_NameTaken(string name);
    error Taskrunner_UnknownTask(bytes32 task);
    error Taskrunner_UnknownTaskrunner(bytes32 taskrunner);
    error Taskrunner_NotTheAuthor(uint16 author, uint16 party);
    error Taskrunner_IsFinal(bytes32 task);
    error Taskrunner_NotFinal(bytes32 task);
    /// @notice A body hash is never zero once it is set.
    error Taskrunner_NoBody(bytes32 task);
    /// @notice The task's body is another one than the one that was meant.
    error Taskrunner_WrongBody(bytes32 expected, bytes32 got);
    error Taskrunner_PrerequisiteMissing(string prerequisite);
    /// @notice `Peers`: 1 to 2048 peers; others: no number of peers. At most as many needed as there are peers, and at
    /// least one peer. No target but for `Target`.
    error Taskrunner_BadPeers(uint16 peers, uint16 needed);
    error Taskrunner_BadEnd(uint64 endsAt, uint64 latest);
    error Taskrunner_WrongState(State state);
    error Taskrunner_WrongNumber(uint32 expected, uint32 got);
    /// @notice Until then only the party that assigned the task may end it, or name further targets.
    error Taskrunner_StillRunning(uint64 endsAt);
    /// @notice A running assignment gets further targets for the same task only.
    error Taskrunner_OtherTask(bytes32 running, bytes32 task);
    error Taskrunner_AlreadyAPeer(uint16 registration);
    /// @notice There is no such registration, it was retired or replaced, or its organization is out.
    error Taskrunner_NotAMember(uint16 registration);
    error Taskrunner_NotTheKey(uint16 registration, address caller);
    error Taskrunner_AlreadyEnrolled(uint16 registration);
    error Taskrunner_NotEnrolled(uint16 registration);
    /// @notice The agent is no peer of this assignment, and no place is left.
    error Taskrunner_NoPlace(uint16 registration);
    error Taskrunner_BadStatus(Status status);
    error Taskrunner_AlreadyReported(uint16 registration, Status status);

    /// @notice Creates a task.
    /// @dev Effects: takes both names; counts up the party's nonce. Requirements: in time, the party's nonce, a party
    /// that is in, the signature of its wallet; good names that no other task has.
    /// @return id `idOf(agreement, name)`
    function createTask(TaskRequest calldata request, bytes calldata walletSignature) external returns (bytes32 id);

    /// @notice Sets a task's body, makes it final, or deletes it.
    /// @dev Effects: a final task never changes any more, and may be assigned; a deleted one frees its names. Counts up
    /// the party's nonce. Requirements: in time, the party's nonce, a party that is in, the signature of its wallet; a
    /// task that is not final; the party is its author (to delete: or its author is out); a new body, or the very body
    /// that the task has, which must not be zero to become final.
    function changeTask(TaskChange calldata change, bytes calldata walletSignature) external;

    /// @notice Creates a taskrunner, which agents may enroll with.
    /// @dev Effects: Idle; counts up the party's nonce. Requirements: in time, the party's nonce, a party that is in, the
    /// signature of its wallet; a good name that no other taskrunner of the agreement has.
    /// @return id `idOf(agreement, name)`
    function createTaskrunner(TaskrunnerRequest calldata request, bytes calldata walletSignature)
        external
        returns (bytes32 id);

    /// @notice Offers an agent's services. Called by the node's key.
    /// @dev Effects: it may take places at once, and counts among `All` from the next assignment on. Requirements: the
    /// sender is the key of this registration, which is a member; not enrolled.
    function enroll(bytes32 id, uint16 registration) external;

    /// @notice Takes an agent off: by the node's key, or by anyone once the registration is no longer a member.
    /// @dev Effects: a peer that has neither completed nor failed has failed. Requirements: enrolled.
    function withdraw(bytes32 id, uint16 registration) external;

    /// @notice Assigns a task.
    /// @dev Effects: Running; counts up `number` and the party's nonce; what was reported before does not count. Where the
    /// party itself has this task running there already, `Target` adds one peer, and one that is needed, to that
    /// assignment, and prolongs it to `endsAt` if that is later. Requirements: agreement in force; in time, the party's
    /// nonce, a party that is in, the signature of its wallet; Idle (or as said); a final task of this body whose
    /// prerequisite is done; peers as described; a target that is enrolled, a member, and not a peer before.
    /// @return number of the assignment
    function assign(Assignment calldata assignment, bytes calldata walletSignature) external returns (uint32 number);

    /// @notice Reports how far an agent is. Called by the node's key.
    /// @dev Effects: the first report takes a place where the agent is not a peer by name; `Active` may be repeated with
    /// another description; `Completed` and `Failed` are final for the agent. The one that decides ends the assignment,
    /// and for the first `Complete` of a task its outcome exists. Requirements: not Idle; the number of the last
    /// assignment; the sender is the key of this registration, which is enrolled and a member; a peer, or a place left
    /// while it is Running; no final report before.
    function report(bytes32 id, uint32 number, uint16 registration, Status status, bytes32 description) external;

    /// @notice Says that an assignment's time has passed. Anyone may; every function acts as if it had been said.
    /// @dev Effects: Error. Requirements: Running, `endsAt` has passed.
    function expire(bytes32 id) external;

    /// @notice Makes a taskrunner free.
    /// @dev Effects: Idle; a running assignment ends in Error first; counts up the party's nonce. Its agents let a program
    /// that is still saving finish. Requirements: in time, the party's nonce, a party that is in, the signature of its
    /// wallet; the number of the last assignment; Complete or Error, or Running where this party assigned it.
    function reset(ResetRequest calldata request, bytes calldata walletSignature) external;

    function consortium() external view returns (IConsortium);
    /// @notice How many messages of this organization were carried out.
    function nonce(bytes32 agreement, uint16 party) external view returns (uint256);
    /// @notice keccak256(abi.encode(agreement, name)), of tasks, outcomes and taskrunners.
    function idOf(bytes32 agreement, string calldata name) external pure returns (bytes32);
    function task(bytes32 id) external view returns (Task memory);
    /// @notice Of an agreement, in no certain order.
    function tasks(bytes32 agreement) external view returns (bytes32[] memory ids);
    /// @notice The task that has this name, or whose outcome has; zero when there is none.
    function named(bytes32 agreement, string calldata name) external view returns (bytes32 id);
    function taskrunner(bytes32 id) external view returns (Runner memory);
    /// @notice Of an agreement, in order of creation.
    function taskrunners(bytes32 agreement) external view returns (bytes32[] memory ids);
    /// @notice In order of their first enrollment.
    function agents(bytes32 id) external view returns (Agent[] memory);
    function agent(bytes32 id, uint16 registration) external view returns (Agent memory);
}
