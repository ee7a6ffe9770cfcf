// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {Rules} from "../libraries/Rounds.sol";
import {IConsortium} from "./IConsortium.sol";
import {ITraining} from "./ITraining.sol";

/// @title The register of runs: which requests are good, under which name and by which terms
interface IRegistrar {
    /// @dev A run that may be opened.
    struct Opening {
        bytes32 runId;
        bytes32 resets; // the run of the generation before, which has to be finished; zero for the first
        bytes32 initialRoot; // of the terms
        address sponsor;
        bool atEnd; // pay at the end only
        uint32 probation; // [s]
        Rules rules;
    }

    /// @notice Checks a request and enters the run. Only Training.
    /// @dev Effects: the name's next generation is taken; its terms and who may be counted are kept. Requirements: see
    /// ITraining.createRun; that runs are finished is left to the caller.
    function createRun(
        ITraining.RunRequest calldata request,
        IConsortium.Terms calldata terms_,
        bytes calldata walletSignature
    ) external returns (Opening memory);

    function terms(bytes32 runId) external view returns (IConsortium.Terms memory);
    function runNamed(bytes32 agreement, string calldata name) external view returns (bytes32 runId);
    function runOf(bytes32 agreement, string calldata name, uint32 generation) external view returns (bytes32 runId);
}
