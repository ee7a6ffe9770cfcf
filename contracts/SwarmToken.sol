// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ISwarmToken} from "./interfaces/ISwarmToken.sol";
import {Messages} from "./libraries/Messages.sol";

/// @title The reward token (see ISwarmToken)
contract SwarmToken is ISwarmToken, ERC20Capped, ERC20Permit, AccessManaged {
    /// @param manager an AccessManager that is there already: without one, nobody could ever mint.
    constructor(string memory name_, string memory symbol_, uint256 cap_, address manager)
        ERC20(name_, symbol_)
        ERC20Capped(cap_)
        ERC20Permit(Messages.DOMAIN_NAME)
        AccessManaged(manager)
    {
        if (manager.code.length == 0) revert AccessManagedInvalidAuthority(manager);
    }

    /// @inheritdoc ISwarmToken
    function mint(address to, uint256 amount) external restricted {
        _mint(to, amount);
    }

    /// @inheritdoc ISwarmToken
    function cap() public view override(ISwarmToken, ERC20Capped) returns (uint256) {
        return super.cap();
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Capped) {
        super._update(from, to, value);
    }
}
