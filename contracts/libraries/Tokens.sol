// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Taking tokens in: what counts is what arrived
library Tokens {
    using SafeERC20 for IERC20;

    /// @notice Takes up to `amount` from the caller, which has to have allowed it.
    /// @dev Only under a reentrancy guard: a token that calls back could have one balance counted twice.
    /// @return received [wei] by which this contract's balance grew: a token may move less than it was asked to
    function pull(IERC20 token, uint256 amount) internal returns (uint256 received) {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        return token.balanceOf(address(this)) - before;
    }

    /// @notice Uses the caller's signed allowance, if it still can be used.
    /// @dev Whoever saw the permit may have posted it already; what counts is the allowance.
    function permit(IERC20 token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
    }

    /// @notice Whether tokens that this contract sends there would be lost.
    function isLost(IERC20 token, address recipient) internal view returns (bool) {
        return recipient == address(0) || recipient == address(this) || recipient == address(token);
    }
}
