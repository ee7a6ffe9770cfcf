// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

/// @title Which contracts make up which version
/// @notice A signpost and nothing more. No contract asks it: an agreement and its money stay with the contracts under
/// which it was signed, whatever is published or retired here. There are no proxies, so an address in a version is its
/// code for good. A new version is used by new agreements, by those who choose to sign them there.
/// Who may publish and retire, and after what delay, is said by `authority()`, an AccessManager (see Roles).
interface IRegistry is IAccessManaged {
    struct Entry {
        string name; // of the contract, as in its source: "Consortium"
        address location;
    }

    struct Version {
        string name; // "1.0.0"
        bytes32 document; // SHA-256 of what describes it: sources, audits, changes
        uint64 publishedAt; // [unix s]
        string retired; // why it should no longer be used for anything new; empty while it may
        Entry[] contracts;
    }

    event VersionPublished(uint256 indexed index, string name, bytes32 document);
    event VersionRetired(uint256 indexed index, string reason);

    /// @notice 1 to 160 letters, digits and . _ - / :
    error Registry_BadName(string name);
    error Registry_NameTaken(string name, uint256 index);
    /// @notice 1 to 32 contracts, each with a name of its own and code at its address; number `entry` breaks this.
    error Registry_BadEntry(uint256 entry);
    /// @notice A reason has 1 to 255 bytes.
    error Registry_BadReason(uint256 length_bytes);
    error Registry_UnknownVersion(uint256 index);
    error Registry_AlreadyRetired(uint256 index);
    /// @notice Nothing was published, or everything has been retired.
    error Registry_NoVersion();

    /// @notice Adds a version to the list, for good.
    /// @dev Effects: `latest()` is this one. Requirements: the caller may by `authority()`; a name that no version had;
    /// 1 to 32 contracts with different names, each with code at its address.
    function publish(string calldata name, bytes32 document, Entry[] calldata contracts)
        external
        returns (uint256 index);

    /// @notice Marks a version as one not to begin with any more, and says why.
    /// @dev Effects: `latest()` passes over it. Nothing else changes: neither the list nor what that version's contracts
    /// do. Requirements: the caller may by `authority()`; not retired before; a reason.
    function retire(uint256 index, string calldata reason) external;

    function count() external view returns (uint256);
    function version(uint256 index) external view returns (Version memory);
    /// @notice The last one published that is not retired.
    function latest() external view returns (uint256 index, Version memory);
}
