// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {IStakes} from "../../contracts/interfaces/IStakes.sol";

/// @dev Says who has a stake and who is away as it is told to.
contract Neighbors {
    mapping(bytes32 agreement => uint64) public staked;
    mapping(bytes32 agreement => uint64) public away;

    function setStaked(bytes32 agreement, uint64 parties) external {
        staked[agreement] = parties;
    }

    function setAway(bytes32 agreement, uint64 parties) external {
        away[agreement] = parties;
    }
}
