// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "./IConsortium.sol";
import {ILocalRows} from "./ILocalRows.sol";
import {IParticipation} from "./IParticipation.sol";
import {IRegistrar} from "./IRegistrar.sol";
import {ITraining} from "./ITraining.sol";

/// @title The books behind the referee
/// @notice What Training does not need for the plain round, and what would not fit into it: the register of runs, who is
/// counted, and the rows of `local` metering. It belongs to one Training, the first that calls it its own; whoever was
/// faster than the right one has deployed for nothing, and so has the right one, which then fails to deploy.
/// People call Training, which passes on; nothing here can be done that could not be done there.
interface IClerk is IRegistrar, IParticipation, ILocalRows {
    error Clerk_OnlyTraining(address caller);
    error Clerk_Taken(ITraining training);

    /// @notice Makes the caller the Training that is served from now on.
    /// @dev Effects: only it is heard from now on, for good. Requirements: nobody has called this before.
    function adopt() external;

    function training() external view returns (ITraining);
    function consortium() external view returns (IConsortium);
}
