// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title The reward token of a deployment without one of its own
/// @notice A plain ERC-20 of 18 decimals with permits. Who may mint, and after what delay, is said by `authority()`, an
/// AccessManager (see Roles); nobody mints beyond the cap. Nobody can pause it, take tokens back, or change its rules:
/// closing it in the AccessManager stops minting, not transfers. `Rewards` works with any other ERC-20 too.
/// @dev Permits are signed in the domain "Swarm Learning", version "1", like everything else here (`eip712Domain()`
/// says so), not in one named after the token.
interface ISwarmToken is IERC20, IERC20Permit, IAccessManaged {
    /// @notice Creates tokens.
    /// @dev Effects: the supply grows. Requirements: the caller may mint by `authority()` (without a role set for it: its
    /// administrator), and has announced this very call there if its role has a delay; the supply stays within the cap.
    function mint(address to, uint256 amount) external;

    /// @notice [wei] that can ever exist.
    function cap() external view returns (uint256);
}
