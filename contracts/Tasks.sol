// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ITaskrunner} from "./interfaces/ITaskrunner.sol";
import {Messages} from "./libraries/Messages.sol";
import {Names} from "./libraries/Names.sol";
import {TaskMessages} from "./libraries/TaskMessages.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title The tasks of agreements, and what their organizations sign (the first half of Taskrunner; see ITaskrunner)
abstract contract Tasks is ITaskrunner, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    /// @inheritdoc ITaskrunner
    IConsortium public immutable consortium;
    /// @inheritdoc ITaskrunner
    mapping(bytes32 agreement => mapping(uint16 party => uint256)) public nonce;

    mapping(bytes32 task => Task) private _tasks;
    mapping(bytes32 task => uint256) private _places; // in the list of its agreement
    mapping(bytes32 agreement => bytes32[]) private _tasksOf;
    mapping(bytes32 nameOrOutcome => bytes32) private _named;

    constructor(IConsortium consortium_) {
        consortium = consortium_;
    }

    /// @inheritdoc ITaskrunner
    function createTask(TaskRequest calldata request, bytes calldata walletSignature) external returns (bytes32 id) {
        bytes32 agreement = request.agreement;

        // Check: names that stand for nothing else
        if (bytes(request.prerequisite).length != 0) _checkName(request.prerequisite);
        _checkName(request.name);
        _checkName(request.outcome);
        id = idOf(agreement, request.name);
        bytes32 outcomeId = idOf(agreement, request.outcome);
        if (_named[id] != 0) revert Taskrunner_NameTaken(request.name);
        if (_named[outcomeId] != 0) revert Taskrunner_NameTaken(request.outcome);

        // Check: wanted by its author. Effect: this message is used up
        _spend(agreement, request.party, request.nonce, request.deadline, TaskMessages.hash(request), walletSignature);

        // Effect: a task under two names
        _named[id] = id;
        _named[outcomeId] = id;
        _places[id] = _tasksOf[agreement].length;
        _tasksOf[agreement].push(id);
        Task storage created = _tasks[id];
        created.agreement = agreement;
        created.author = request.party;
        created.kind = request.kind;
        created.body = request.body;
        created.name = request.name;
        created.prerequisite = request.prerequisite;
        created.outcome = request.outcome;

        _emitCreated(id, request);
    }

    /// @inheritdoc ITaskrunner
    function changeTask(TaskChange calldata change, bytes calldata walletSignature) external {
        bytes32 agreement = change.agreement;
        bytes32 id = idOf(agreement, change.name);
        Task storage changed = _task(id);

        // Check: not final, and the author's business, or that of all where the author is gone
        if (changed.isFinal) revert Taskrunner_IsFinal(id);
        uint16 author = changed.author;
        bool orphaned = change.change == Change.Delete && consortium.isOut(agreement, author);
        if (change.party != author && !orphaned) revert Taskrunner_NotTheAuthor(author, change.party);

        // Check: a body to set, or the body that is meant
        bytes32 body = changed.body;
        if (change.change != Change.SetBody && change.body != body) revert Taskrunner_WrongBody(body, change.body);
        if (change.change != Change.Delete && change.body == 0) revert Taskrunner_NoBody(id);

        // Check: wanted. Effect: this message is used up
        _spend(agreement, change.party, change.nonce, change.deadline, TaskMessages.hash(change), walletSignature);

        // Effect: another body, the last one, or no task
        if (change.change == Change.SetBody) {
            changed.body = change.body;
            emit TaskBodySet(id, change.body);
        } else if (change.change == Change.Finalize) {
            changed.isFinal = true;
            emit TaskFinalized(id, body);
        } else {
            _remove(agreement, id);
            emit TaskDeleted(id);
        }
    }

    /// @inheritdoc ITaskrunner
    function idOf(bytes32 agreement, string memory name) public pure returns (bytes32) {
        return keccak256(abi.encode(agreement, name));
    }

    /// @inheritdoc ITaskrunner
    function task(bytes32 id) external view returns (Task memory) {
        return _task(id);
    }

    /// @inheritdoc ITaskrunner
    function tasks(bytes32 agreement) external view returns (bytes32[] memory) {
        return _tasksOf[agreement];
    }

    /// @inheritdoc ITaskrunner
    function named(bytes32 agreement, string calldata name) external view returns (bytes32) {
        return _named[idOf(agreement, name)];
    }

    /// @dev Takes a message of a party that is in, once.
    function _spend(
        bytes32 agreement,
        uint16 party,
        uint256 nonce_,
        uint64 deadline,
        bytes32 structHash,
        bytes calldata signature
    ) internal {
        // Check: in time, and the next one
        if (block.timestamp > deadline) revert Taskrunner_DeadlinePassed(deadline);
        uint256 expected = nonce[agreement][party];
        if (nonce_ != expected) revert Taskrunner_WrongNonce(expected, nonce_);

        // Check: of a party
        address wallet = consortium.wallet(agreement, party);
        if (consortium.isOut(agreement, party)) revert Taskrunner_PartyIsOut(party);
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!Wallets.signed(wallet, digest, signature)) {
            revert Taskrunner_NotTheParty(party, Wallets.signer(digest, signature));
        }

        // Effect: used up
        nonce[agreement][party] = expected + 1;
    }

    function _checkRunnable(Assignment calldata assignment) internal view returns (bytes32 id) {
        id = idOf(assignment.agreement, assignment.task);
        Task storage wanted = _task(id);
        if (!wanted.isFinal) revert Taskrunner_NotFinal(id);
        if (assignment.body != wanted.body) revert Taskrunner_WrongBody(wanted.body, assignment.body);
        string memory prerequisite = wanted.prerequisite;
        if (bytes(prerequisite).length == 0) return id;
        bytes32 before = _named[idOf(assignment.agreement, prerequisite)];
        if (before == 0 || _tasks[before].doneAt == 0) revert Taskrunner_PrerequisiteMissing(prerequisite);
    }

    /// @dev The first time that a task is completed, its outcome comes to exist.
    function _done(bytes32 id) internal {
        Task storage done = _tasks[id];
        if (done.doneAt != 0) return;
        done.doneAt = uint64(block.timestamp);
        emit OutcomeMade(done.agreement, id, done.outcome);
    }

    function _remove(bytes32 agreement, bytes32 id) private {
        delete _named[id];
        delete _named[idOf(agreement, _tasks[id].outcome)];
        delete _tasks[id];

        // The last of the list takes its place.
        bytes32[] storage list = _tasksOf[agreement];
        uint256 place = _places[id];
        bytes32 last = list[list.length - 1];
        list[place] = last;
        _places[last] = place;
        list.pop();
        delete _places[id];
    }

    function _checkName(string calldata name) internal pure {
        if (!Names.isName(name)) revert Taskrunner_BadName(name);
    }

    function _task(bytes32 id) private view returns (Task storage found) {
        found = _tasks[id];
        if (found.agreement == 0) revert Taskrunner_UnknownTask(id);
    }

    function _emitCreated(bytes32 id, TaskRequest calldata request) private {
        emit TaskCreated(
            id,
            request.agreement,
            request.party,
            request.kind,
            request.name,
            request.prerequisite,
            request.outcome,
            request.body
        );
    }
}
