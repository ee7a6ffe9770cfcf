// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Who may mint the reward token and publish versions, and after what delay
/// @notice OpenZeppelin's AccessManager, unchanged, and the numbers of the roles of a deployment. It governs
/// `SwarmToken.mint` and `Registry`, and nothing else: agreements, runs, escrow, stakes and tasks ask nobody but those
/// who signed, so that whoever holds every role here can neither move nor stop what partners agreed upon.
///
/// Functions without a role belong to the administrator (role 0). So an **embedded** chain is set up by the constructor
/// alone, with the treasury as administrator: no delays.
///
/// A **production** deployment sets, in this order, and with these holders:
///
/// | role | may | held by | delay |
/// |---|---|---|---|
/// | MINTER | `SwarmToken.mint` | the treasury, a multisig | 2 days |
/// | PUBLISHER | `Registry.publish` | the maintainers, a multisig | 2 days |
/// | GUARDIAN | `Registry.retire`; cancels what MINTER and PUBLISHER have scheduled | somebody independent of both | none |
/// | 0 | everything in this contract | another multisig, or nobody | 5 days |
///
/// 1. `setTargetFunctionRole` for the three functions;
/// 2. `setRoleGuardian(MINTER, GUARDIAN)` and `setRoleGuardian(PUBLISHER, GUARDIAN)`;
/// 3. `grantRole` to the holders with the delays above;
/// 4. last, `grantRole(0, administrator, 5 days)`, and `renounceRole` by who did the setting up. The administrator's delay
/// must not be shorter than the others: otherwise it could give itself a role without any. Where it renounces as well,
/// the roles are as they are for good.
///
/// What has a delay is announced by `schedule` (event `OperationScheduled`) and done by the very call once the delay is
/// over, within a week.
contract Roles is AccessManager {
    uint64 public constant MINTER = 1;
    uint64 public constant PUBLISHER = 2;
    uint64 public constant GUARDIAN = 3;

    constructor(address administrator) AccessManager(administrator) {}
}
