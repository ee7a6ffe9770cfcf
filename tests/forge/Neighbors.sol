// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Says who has a stake and who is away as it is told to: what runs ask of Stakes and of Presence.
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
