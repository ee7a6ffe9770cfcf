// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "contracts/interfaces/IClaims.sol";
import {IConsortium} from "contracts/interfaces/IConsortium.sol";
import {ICouncil} from "contracts/interfaces/ICouncil.sol";
import {IPresence} from "contracts/interfaces/IPresence.sol";
import {IRoyalties} from "contracts/interfaces/IRoyalties.sol";
import {IStakes} from "contracts/interfaces/IStakes.sol";
import {ITaskrunner} from "contracts/interfaces/ITaskrunner.sol";
import {ITraining} from "contracts/interfaces/ITraining.sol";
import {Messages} from "contracts/libraries/Messages.sol";
import {TaskMessages} from "contracts/libraries/TaskMessages.sol";

/// @dev The struct hashes of the contracts, one function a type, for the test vectors.
contract Hashes {
    function Terms(IConsortium.Terms calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Bylaws(IConsortium.Bylaws calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Party(IConsortium.Party calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Agreement(IConsortium.Agreement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Enrollment(IConsortium.Enrollment calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Retirement(IConsortium.Retirement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Leaving(IConsortium.Leaving calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Motion(ICouncil.Motion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Move(ICouncil.Move calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Veto(ICouncil.Veto calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Suspicion(IPresence.Suspicion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Alive(IPresence.Alive calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function RunRequest(ITraining.RunRequest calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Attestation(ITraining.Attestation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Pardon(ITraining.Pardon calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Update(IStakes.Update calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Roster(IStakes.Roster calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Unlocking(IStakes.Unlocking calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Claim(IClaims.Claim calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Delegation(IClaims.Delegation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Pricing(IRoyalties.Pricing calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function TaskRequest(ITaskrunner.TaskRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function TaskChange(ITaskrunner.TaskChange calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function TaskrunnerRequest(ITaskrunner.TaskrunnerRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function Assignment(ITaskrunner.Assignment calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function ResetRequest(ITaskrunner.ResetRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }
}
