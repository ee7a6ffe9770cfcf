// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Names} from "./libraries/Names.sol";

/// @title Which contracts make up which version (see IRegistry)
contract Registry is IRegistry, AccessManaged {
    uint256 private constant MAX_ENTRIES = 32;
    uint256 private constant MAX_REASON_BYTES = 255;

    Version[] private _versions;
    mapping(bytes32 nameHash => uint256) private _named; // index + 1

    /// @param manager an AccessManager that is there already: without one, nothing could ever be published.
    constructor(address manager) AccessManaged(manager) {
        if (manager.code.length == 0) revert AccessManagedInvalidAuthority(manager);
    }

    /// @inheritdoc IRegistry
    function publish(string calldata name, bytes32 document, Entry[] calldata contracts)
        external
        restricted
        returns (uint256 index)
    {
        // Check: a name that never stood for anything else, and contracts that are there
        if (!Names.isName(name)) revert Registry_BadName(name);
        bytes32 nameHash = keccak256(bytes(name));
        if (_named[nameHash] != 0) revert Registry_NameTaken(name, _named[nameHash] - 1);
        _checkEntries(contracts);

        // Effect: at the end of the list
        index = _versions.length;
        _named[nameHash] = index + 1;
        Version storage published = _versions.push();
        published.name = name;
        published.document = document;
        published.publishedAt = uint64(block.timestamp);
        for (uint256 i = 0; i < contracts.length; ++i) {
            published.contracts.push(contracts[i]);
        }

        emit VersionPublished(index, name, document);
    }

    /// @inheritdoc IRegistry
    function retire(uint256 index, string calldata reason) external restricted {
        // Check: a version, once, for a reason
        if (index >= _versions.length) revert Registry_UnknownVersion(index);
        if (bytes(_versions[index].retired).length != 0) revert Registry_AlreadyRetired(index);
        if (bytes(reason).length == 0 || bytes(reason).length > MAX_REASON_BYTES) {
            revert Registry_BadReason(bytes(reason).length);
        }

        // Effect: marked
        _versions[index].retired = reason;

        emit VersionRetired(index, reason);
    }

    /// @inheritdoc IRegistry
    function count() external view returns (uint256) {
        return _versions.length;
    }

    /// @inheritdoc IRegistry
    function version(uint256 index) external view returns (Version memory) {
        if (index >= _versions.length) revert Registry_UnknownVersion(index);
        return _versions[index];
    }

    /// @inheritdoc IRegistry
    function latest() external view returns (uint256 index, Version memory) {
        index = _versions.length;
        while (index != 0) {
            --index;
            if (bytes(_versions[index].retired).length == 0) return (index, _versions[index]);
        }
        revert Registry_NoVersion();
    }

    function _checkEntries(Entry[] calldata contracts) private view {
        if (contracts.length == 0 || contracts.length > MAX_ENTRIES) revert Registry_BadEntry(contracts.length);
        bytes32[] memory names = new bytes32[](contracts.length);
        for (uint256 i = 0; i < contracts.length; ++i) {
            bool bad = !Names.isName(contracts[i].name) || contracts[i].location.code.length == 0;
            names[i] = keccak256(bytes(contracts[i].name));
            for (uint256 j = 0; j < i; ++j) {
                if (names[j] == names[i]) bad = true;
            }
            if (bad) revert Registry_BadEntry(i);
        }
    }
}
