// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClerk} from "../interfaces/IClerk.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {ITraining} from "../interfaces/ITraining.sol";

/// @title Whose clerk it is (see IClerk)
abstract contract Adopted is IClerk {
    /// @inheritdoc IClerk
    IConsortium public immutable consortium;
    /// @inheritdoc IClerk
    ITraining public training;

    modifier onlyTraining() {
        if (msg.sender != address(training)) revert Clerk_OnlyTraining(msg.sender);
        _;
    }

    constructor(IConsortium consortium_) {
        consortium = consortium_;
    }

    /// @inheritdoc IClerk
    function adopt() external {
        if (address(training) != address(0)) revert Clerk_Taken(training);
        training = ITraining(msg.sender);
    }
}
