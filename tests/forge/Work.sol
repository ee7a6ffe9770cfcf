// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITaskrunner} from "../../contracts/interfaces/ITaskrunner.sol";
import {Errands} from "./Errands.sol";

/// @dev One final task, and what tests of taskrunners say often.
abstract contract Work is Errands {
    ITaskrunner.Status internal constant ACTIVE = ITaskrunner.Status.Active;
    ITaskrunner.Status internal constant COMPLETED = ITaskrunner.Status.Completed;
    ITaskrunner.Status internal constant FAILED = ITaskrunner.Status.Failed;
    ITaskrunner.Mode internal constant PEERS = ITaskrunner.Mode.Peers;
    ITaskrunner.Mode internal constant ALL = ITaskrunner.Mode.All;
    ITaskrunner.Mode internal constant TARGET_ONE = ITaskrunner.Mode.Target;

    bytes32 internal task;

    function setUp() public virtual override {
        super.setUp();
        task = ready(taskRequest("task"));
    }

    function enlistAll() internal {
        for (uint16 i = 0; i < 3; ++i) {
            enlist(i);
        }
    }

    function wrongState(ITaskrunner.State state) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ITaskrunner.Taskrunner_WrongState.selector, state);
    }
}
