// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ITaskrunner} from "../interfaces/ITaskrunner.sol";

/// @title EIP-712 struct hashes of what organizations sign for the Taskrunner, in its domain (see Messages)
library TaskMessages {
    bytes32 internal constant TASK_REQUEST_TYPEHASH = keccak256(
        "TaskRequest(bytes32 agreement,uint16 party,uint8 kind,string name,string prerequisite,string outcome,"
        "bytes32 body,uint256 nonce,uint64 deadline)"
    );

    bytes32 internal constant TASK_CHANGE_TYPEHASH = keccak256(
        "TaskChange(bytes32 agreement,uint16 party,string name,uint8 change,bytes32 body,uint256 nonce,uint64 deadline)"
    );

    bytes32 internal constant TASKRUNNER_REQUEST_TYPEHASH =
        keccak256("TaskrunnerRequest(bytes32 agreement,uint16 party,string name,uint256 nonce,uint64 deadline)");

    bytes32 internal constant ASSIGNMENT_TYPEHASH = keccak256(
        "Assignment(bytes32 agreement,uint16 party,string taskrunner,string task,bytes32 body,uint8 mode,uint16 peers,"
        "uint16 needed,uint16 target,uint64 endsAt,uint256 nonce,uint64 deadline)"
    );

    bytes32 internal constant RESET_REQUEST_TYPEHASH = keccak256(
        "ResetRequest(bytes32 agreement,uint16 party,string taskrunner,uint32 number,uint256 nonce,uint64 deadline)"
    );

    function hash(ITaskrunner.TaskRequest calldata request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TASK_REQUEST_TYPEHASH,
                request.agreement,
                request.party,
                request.kind,
                keccak256(bytes(request.name)),
                keccak256(bytes(request.prerequisite)),
                keccak256(bytes(request.outcome)),
                request.body,
                request.nonce,
                request.deadline
            )
        );
    }

    function hash(ITaskrunner.TaskChange calldata change) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TASK_CHANGE_TYPEHASH,
                change.agreement,
                change.party,
                keccak256(bytes(change.name)),
                change.change,
                change.body,
                change.nonce,
                change.deadline
            )
        );
    }

    function hash(ITaskrunner.TaskrunnerRequest calldata request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TASKRUNNER_REQUEST_TYPEHASH,
                request.agreement,
                request.party,
                keccak256(bytes(request.name)),
                request.nonce,
                request.deadline
            )
        );
    }

    function hash(ITaskrunner.Assignment calldata assignment) internal pure returns (bytes32) {
        // In two halves: one call with all thirteen words is more than the stack holds.
        return keccak256(
            bytes.concat(
                abi.encode(
                    ASSIGNMENT_TYPEHASH,
                    assignment.agreement,
                    assignment.party,
                    keccak256(bytes(assignment.taskrunner)),
                    keccak256(bytes(assignment.task)),
                    assignment.body
                ),
                abi.encode(
                    assignment.mode,
                    assignment.peers,
                    assignment.needed,
                    assignment.target,
                    assignment.endsAt,
                    assignment.nonce,
                    assignment.deadline
                )
            )
        );
    }

    function hash(ITaskrunner.ResetRequest calldata request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RESET_REQUEST_TYPEHASH,
                request.agreement,
                request.party,
                keccak256(bytes(request.taskrunner)),
                request.number,
                request.nonce,
                request.deadline
            )
        );
    }
}
