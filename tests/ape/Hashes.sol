// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "contracts/interfaces/IConsortium.sol";
import {IRewards} from "contracts/interfaces/IRewards.sol";
import {ITraining} from "contracts/interfaces/ITraining.sol";
import {Messages} from "contracts/libraries/Messages.sol";

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

    function RunRequest(ITraining.RunRequest calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Attestation(ITraining.Attestation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Claim(IRewards.Claim calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }
}
