// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title The reward token of a deployment without one of its own
/// @notice A plain ERC-20 of 18 decimals with permits. Only the treasury mints, never beyond the cap. Nobody can
/// pause it, take tokens back, or change its rules. `Rewards` works with any other ERC-20 too.
/// @dev Permits are signed in the domain "Swarm Learning", version "1", like everything else here (`eip712Domain()`
/// says so), not in one named after the token.
interface ISwarmToken is IERC20, IERC20Permit {
    error SwarmToken_OnlyTreasury(address caller);
    error SwarmToken_NoTreasury();

    /// @notice Creates tokens. Requirements: the caller is the treasury, the supply stays within the cap.
    function mint(address to, uint256 amount) external;

    function treasury() external view returns (address);

    /// @notice [wei] that can ever exist.
    function cap() external view returns (uint256);
}
