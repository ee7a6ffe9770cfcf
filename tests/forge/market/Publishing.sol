// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry} from "../../../contracts/Registry.sol";
import {Roles} from "../../../contracts/Roles.sol";
import {IRegistry} from "../../../contracts/interfaces/IRegistry.sol";
import {Working} from "./Working.sol";

/// @dev Versions are published and retired, by who may and by who may not.
abstract contract Publishing is Working {
    uint256 private constant MOST_VERSIONS = 6;

    Registry internal registry;
    bytes32[] public published; // what each version was when it came
    uint256 public retired; // bit v: version v is

    function setUp() public virtual override {
        super.setUp();
        registry = new Registry(address(new Roles(TREASURY)));
    }

    function somebodyPublishes(uint256 seed) external dice(seed) {
        if (published.length == MOST_VERSIONS) return;
        bool allowed = roll(3) != 0;
        uint256 number = roll(MOST_VERSIONS);
        IRegistry.Entry[] memory contracts_ = new IRegistry.Entry[](2);
        contracts_[0] = IRegistry.Entry("Training", address(training));
        contracts_[1] = IRegistry.Entry("Consortium", roll(4) == 0 ? address(0xE0A) : address(consortium));
        bytes32 document = keccak256(abi.encode(seed));
        vm.prank(allowed ? TREASURY : SPONSOR);
        try registry.publish(string.concat("1.", vm.toString(number)), document, contracts_) returns (uint256 index) {
            did[Deed.VersionPublished] += 1;
            if (!allowed) broken = "somebody published who may not";
            if (contracts_[1].location.code.length == 0) broken = "a version names what is not there";
            if (index != published.length) broken = "a version was put in front of others";
            published.push(versionHash(index));
        } catch {}
    }

    function somebodyRetiresAVersion(uint256 seed) external dice(seed) {
        bool allowed = roll(2) == 0;
        uint256 index = roll(MOST_VERSIONS);
        vm.prank(allowed ? TREASURY : SPONSOR);
        try registry.retire(index, "found wanting") {
            did[Deed.VersionRetired] += 1;
            if (!allowed) broken = "somebody retired a version who may not";
            if (retired >> index & 1 == 1) broken = "a version was retired twice";
            retired |= 1 << index;
        } catch {}
    }

    /// @dev Of all that must never change.
    function versionHash(uint256 index) public view returns (bytes32) {
        IRegistry.Version memory version_ = registry.version(index);
        return keccak256(abi.encode(version_.name, version_.document, version_.publishedAt, version_.contracts));
    }
}
