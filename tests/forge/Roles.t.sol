// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {Registry} from "../../contracts/Registry.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {ISwarmToken} from "../../contracts/interfaces/ISwarmToken.sol";
import {Swarm} from "./Swarm.sol";

/// @dev A production deployment, set up as Roles says.
contract RolesTest is Swarm {
    address internal constant MAINTAINERS = address(0x4A17);
    address internal constant WATCH = address(0x3A7C);
    address internal constant ADMINISTRATOR = address(0xAD31);
    uint32 internal constant DELAY = 2 days;
    uint32 internal constant ADMIN_DELAY = 5 days;
    uint64 internal constant ADMIN = 0;

    Roles internal roles;
    Registry internal registry;
    SwarmToken internal reward;

    function setUp() public override {
        super.setUp();
        roles = new Roles(address(this));
        reward = new SwarmToken("Swarm Reward", "SWARM", 1e27, address(roles));
        registry = new Registry(address(roles));
        (uint64 minter, uint64 publisher, uint64 guardian) = (roles.MINTER(), roles.PUBLISHER(), roles.GUARDIAN());

        roles.setTargetFunctionRole(address(reward), selector(ISwarmToken.mint.selector), minter);
        roles.setTargetFunctionRole(address(registry), selector(IRegistry.publish.selector), publisher);
        roles.setTargetFunctionRole(address(registry), selector(IRegistry.retire.selector), guardian);
        roles.setRoleGuardian(minter, guardian);
        roles.setRoleGuardian(publisher, guardian);
        roles.grantRole(minter, TREASURY, DELAY);
        roles.grantRole(publisher, MAINTAINERS, DELAY);
        roles.grantRole(guardian, WATCH, 0);
        roles.grantRole(ADMIN, ADMINISTRATOR, ADMIN_DELAY);
        roles.renounceRole(ADMIN, address(this));
    }

    function selector(bytes4 one) internal pure returns (bytes4[] memory all) {
        all = new bytes4[](1);
        all[0] = one;
    }

    function mintCall(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(ISwarmToken.mint, (SPONSOR, amount));
    }

    function publishCall() internal view returns (bytes memory) {
        IRegistry.Entry[] memory all = new IRegistry.Entry[](1);
        all[0] = IRegistry.Entry("SwarmToken", address(reward));
        return abi.encodeCall(IRegistry.publish, ("1.0.0", bytes32(0), all));
    }

    function announce(address who, address where, bytes memory what) internal {
        vm.prank(who);
        roles.schedule(where, what, 0);
    }

    function refused(address who, address where, bytes memory what) internal {
        vm.prank(who);
        (bool done,) = where.call(what);
        so(!done);
    }

    function accepted(address who, address where, bytes memory what) internal {
        vm.prank(who);
        (bool done,) = where.call(what);
        so(done);
    }

    function test_theTreasuryMintsTwoDaysAfterItSaidSo() public {
        refused(TREASURY, address(reward), mintCall(5));
        announce(TREASURY, address(reward), mintCall(5));
        vm.warp(START + DELAY - 1);
        refused(TREASURY, address(reward), mintCall(5));
        vm.warp(START + DELAY);
        refused(TREASURY, address(reward), mintCall(6)); // not what it said
        accepted(TREASURY, address(reward), mintCall(5));
        same(reward.balanceOf(SPONSOR), 5);
        refused(TREASURY, address(reward), mintCall(5)); // once
    }

    function test_whatWasAnnouncedLapsesAfterAWeek() public {
        announce(TREASURY, address(reward), mintCall(5));
        vm.warp(START + DELAY + 1 weeks);
        refused(TREASURY, address(reward), mintCall(5));
    }

    function test_theGuardianStopsWhatWasAnnounced() public {
        announce(TREASURY, address(reward), mintCall(5));
        vm.prank(WATCH);
        roles.cancel(TREASURY, address(reward), mintCall(5));
        vm.warp(START + DELAY);
        refused(TREASURY, address(reward), mintCall(5));
        same(reward.totalSupply(), 0);
    }

    function test_theMaintainersPublishTwoDaysAfterTheySaidSo() public {
        refused(MAINTAINERS, address(registry), publishCall());
        announce(MAINTAINERS, address(registry), publishCall());
        vm.warp(START + DELAY);
        accepted(MAINTAINERS, address(registry), publishCall());
        same(registry.count(), 1);
    }

    function test_theGuardianWarnsAtOnce() public {
        announce(MAINTAINERS, address(registry), publishCall());
        vm.warp(START + DELAY);
        accepted(MAINTAINERS, address(registry), publishCall());
        bytes memory retirement = abi.encodeCall(IRegistry.retire, (0, "rounds down twice"));
        refused(MAINTAINERS, address(registry), retirement);
        accepted(WATCH, address(registry), retirement);
    }

    function test_rolesDoNotReachIntoEachOther() public {
        address[4] memory others = [MAINTAINERS, WATCH, ADMINISTRATOR, address(this)];
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory stranger = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, others[i]);
            expect(stranger);
            vm.prank(others[i]);
            reward.mint(others[i], 1);
        }
        refused(TREASURY, address(registry), publishCall());
        refused(WATCH, address(registry), publishCall());
    }

    function test_theAdministratorCannotBeQuickerThanARole() public {
        uint64 minter = roles.MINTER();
        bytes memory grant = abi.encodeCall(IAccessManager.grantRole, (minter, ADMINISTRATOR, 0));
        bytes memory open = abi.encodeCall(
            IAccessManager.setTargetFunctionRole, (address(reward), selector(0x40c10f19), type(uint64).max)
        );
        bytes memory hurry = abi.encodeCall(IAccessManager.grantRole, (ADMIN, ADMINISTRATOR, 0));
        bytes memory takeOver = abi.encodeCall(IAccessManager.updateAuthority, (address(reward), address(consortium)));
        bytes[4] memory ways = [grant, open, hurry, takeOver];
        for (uint256 i = 0; i < ways.length; ++i) {
            refused(ADMINISTRATOR, address(roles), ways[i]);
        }
        announce(ADMINISTRATOR, address(roles), grant);
        vm.warp(START + ADMIN_DELAY - 1);
        refused(ADMINISTRATOR, address(roles), grant);
        vm.warp(START + ADMIN_DELAY);
        accepted(ADMINISTRATOR, address(roles), grant);
        accepted(ADMINISTRATOR, address(reward), mintCall(1));
    }

    function test_whoSetItUpHasNoSayAnyMore() public {
        refused(address(this), address(roles), abi.encodeCall(IAccessManager.grantRole, (ADMIN, address(this), 0)));
    }

    function test_closingTheTokenStopsMintingOnly() public {
        announce(TREASURY, address(reward), mintCall(5));
        bytes memory close = abi.encodeCall(IAccessManager.setTargetClosed, (address(reward), true));
        announce(ADMINISTRATOR, address(roles), close);
        vm.warp(START + DELAY);
        accepted(TREASURY, address(reward), mintCall(5));
        vm.warp(START + ADMIN_DELAY);
        announce(TREASURY, address(reward), mintCall(5));
        accepted(ADMINISTRATOR, address(roles), close);
        vm.warp(START + ADMIN_DELAY + DELAY);
        refused(TREASURY, address(reward), mintCall(5));
        vm.prank(SPONSOR);
        so(reward.transfer(CHARITY, 5));
    }

    /// @dev Everything that administrators can say to a contract is refused by those that hold agreements and money.
    function test_noRoleReachesAgreementsRunsOrMoney() public {
        address[3] memory free = [address(consortium), address(training), address(rewards)];
        for (uint256 i = 0; i < free.length; ++i) {
            (bool managed,) = free[i].staticcall(abi.encodeCall(IAccessManaged.authority, ()));
            so(!managed);
            refused(address(roles), free[i], abi.encodeCall(IAccessManaged.setAuthority, (address(roles))));
        }
    }

    function test_anEmbeddedDeploymentNeedsNoSettingUp() public {
        Roles simple = new Roles(TREASURY);
        SwarmToken quick = new SwarmToken("Quick", "QUICK", 10, address(simple));
        Registry signpost = new Registry(address(simple));
        accepted(TREASURY, address(quick), mintCall(10));
        accepted(TREASURY, address(signpost), publishCall());
        refused(SPONSOR, address(quick), mintCall(1));
    }

    function test_needsAnAdministrator() public {
        expect(abi.encodeWithSelector(IAccessManager.AccessManagerInvalidInitialAdmin.selector, address(0)));
        new Roles(address(0));
    }
}
